"""SOAP 1.2 as ONVIF speaks it: envelopes, the user name token, faults. Pure.

Sources: ONVIF Core Specification, 5.8 and 5.9; Web Services Security UsernameToken Profile 1.0, 3.1.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from nvr.discovery.probe_match import printable
from nvr.discovery.xml_tree import Element

NONCE_BYTES = 20

_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header>{header}</s:Header>'
    "<s:Body>{body}</s:Body></s:Envelope>"
)
_SECURITY = (
    '<w:Security xmlns:w="{wss}-wssecurity-secext-1.0.xsd" xmlns:u="{wss}-wssecurity-utility-1.0.xsd" '
    's:mustUnderstand="1"><w:UsernameToken><w:Username>{user}</w:Username>'
    '<w:Password Type="{wss}-username-token-profile-1.0#PasswordDigest">{digest}</w:Password>'
    '<w:Nonce EncodingType="{wss}-soap-message-security-1.0#Base64Binary">{nonce}</w:Nonce>'
    "<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
)
_REFUSALS = ("NotAuthorized", "FailedAuthentication", "FailedCheck", "InvalidSecurity", "SenderNotAuthorized")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of a camera."""

    user: str
    password: str = field(repr=False)


def envelope(body: str, header: str = "") -> bytes:
    """Return a request; both parts are XML, and what of them came from outside is escaped already."""
    return _ENVELOPE.format(header=header, body=body).encode()


def security_header(credentials: Credentials, nonce: bytes, created: datetime) -> str:
    """Return the header that proves that we know the password, without telling it.

    Args:
        credentials: Whose password.
        nonce: `NONCE_BYTES` that were never used before.
        created: Aware time by the device's own clock; it refuses what is older than some seconds.
    """
    stamp = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    # SHA-1 is what the profile says
    digest = hashlib.sha1(nonce + stamp.encode() + credentials.password.encode(), usedforsecurity=False).digest()
    return _SECURITY.format(
        wss=_WSS,
        user=escape(credentials.user),
        digest=base64.b64encode(digest).decode(),
        nonce=base64.b64encode(nonce).decode(),
        created=stamp,
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a device did not do what it was asked."""

    reason: str
    is_refusal: bool
    """Whether it does not believe the user name and password, or wants some."""


def fault_of(root: Element) -> Fault | None:
    """Return the fault of a response; None where there is none."""
    fault = root.find("Body", "Fault")
    if fault is None:
        return None
    codes = [value.text.rpartition(":")[2] for value in fault.all("Value")]
    reason = fault.text_of("Reason", "Text") or fault.text_of("faultstring")
    words = "".join(reason.split()).lower()
    is_refusal = any(code in _REFUSALS for code in codes) or "notauthorized" in words or "unauthorized" in words
    return Fault(printable(reason) or printable(" ".join(codes)) or "no reason given", is_refusal)
