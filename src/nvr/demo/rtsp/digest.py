"""Digest authentication of the server's side, pure.

Sources: RFC 2617 and RFC 7616. Basic is never offered and never accepted: it would show the password to the network.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

DigestAlgorithm = Literal["MD5", "SHA-256"]

REALM = "nvr simulator"

_PARAMETER = re.compile(r'([A-Za-z][A-Za-z0-9-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_HEX_COUNT = re.compile(r"[0-9a-fA-F]{8}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user that a camera lets in."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


def challenge(nonce: str, algorithm: DigestAlgorithm) -> str:
    """Return the value of a `WWW-Authenticate` header."""
    return f'Digest realm="{REALM}", nonce="{nonce}", algorithm={algorithm}, qop="auth"'


def parse_authorization(header: str) -> Mapping[str, str] | None:
    """Return the parameters of a Digest `Authorization` header, names in lower case; None for any other scheme."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    return {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}


def is_authorized(
    header: str,
    *,
    method: str,
    uri: str,
    nonce: str,
    credentials: Credentials,
    algorithm: DigestAlgorithm = "MD5",
) -> bool:
    """Tell whether an `Authorization` header answers the challenge with this nonce.

    `uri` must be that of the request: a response for another one does not count.
    """
    given = parse_authorization(header)
    if given is None or given.get("nonce") != nonce or given.get("realm") != REALM:
        return False
    if given.get("username") != credentials.user or given.get("uri") != uri:
        return False
    expected = digest_response(given, method, credentials.password, algorithm)
    return expected is not None and hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode())


def digest_response(
    parameters: Mapping[str, str], method: str, password: str, algorithm: DigestAlgorithm
) -> str | None:
    """Return the response that belongs to the other parameters of the header; None for a `qop` that was not offered."""
    hashed = _hasher(algorithm)
    user, realm = parameters.get("username", ""), parameters.get("realm", "")
    secret = hashed(f"{user}:{realm}:{password}")
    request = hashed(f"{method}:{parameters.get('uri', '')}")
    nonce, qop = parameters.get("nonce", ""), parameters.get("qop")
    if qop is None:  # RFC 2069, which most cameras' clients still speak
        return hashed(f"{secret}:{nonce}:{request}")
    count = parameters.get("nc", "")
    if qop != "auth" or not _HEX_COUNT.fullmatch(count):
        return None
    return hashed(f"{secret}:{nonce}:{count}:{parameters.get('cnonce', '')}:{qop}:{request}")


def _hasher(algorithm: DigestAlgorithm) -> Callable[[str], str]:
    def hashed(text: str) -> str:
        if algorithm == "SHA-256":
            return hashlib.sha256(text.encode()).hexdigest()
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    return hashed
