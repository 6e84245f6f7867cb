"""What is asked of a whole network, and what a device answers: WS-Discovery as ONVIF uses it. Pure.

Sources: WS-Discovery (April 2005), 5; ONVIF Core Specification, 7.3.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from nvr.core.errors import MessageError
from nvr.discovery.xml_tree import Element, parse_xml

DeviceType = Literal["NetworkVideoTransmitter", "Device"]

MAX_ANSWER_BYTES = 32_768
MAX_XADDRS = 16
MAX_WORDS = 200
"""Of types or scopes that are looked at."""
MAX_LABEL = 60

_ONVIF_SCOPE = "onvif://www.onvif.org/"
_PORTS = {"http": 80, "https": 443}

_PROBE = """<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" \
xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" \
xmlns:t="{namespace}"><s:Header>\
<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action><a:MessageID>{message_id}</a:MessageID>\
<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>\
<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>\
<s:Body><d:Probe><d:Types>t:{type}</d:Types></d:Probe></s:Body></s:Envelope>"""

_NAMESPACES: dict[DeviceType, str] = {
    "NetworkVideoTransmitter": "http://www.onvif.org/ver10/network/wsdl",
    "Device": "http://www.onvif.org/ver10/device/wsdl",
}


@dataclass(frozen=True, slots=True)
class DiscoveredDevice:
    """An ONVIF device that answered."""

    endpoint: str
    """What it calls itself, the same at each of its addresses and after a restart."""
    host: str
    """The IPv4 address that the answer came from."""
    xaddrs: tuple[str, ...]
    """Addresses of its device service, all at `host`; empty where it names none there."""
    foreign_hosts: tuple[str, ...]
    """Other hosts that the answer points to; they are not asked, as nobody vouches for them."""
    name: str
    """As its owner called it; empty where it does not say."""
    hardware: str
    """The model; empty where it does not say."""


def probe_message(message_id: str, device_type: DeviceType) -> bytes:
    """Return the datagram that asks all devices of a type to answer."""
    return _PROBE.format(namespace=_NAMESPACES[device_type], message_id=escape(message_id), type=device_type).encode()


def parse_probe_matches(datagram: bytes, host: str) -> tuple[DiscoveredDevice, ...]:
    """Return the ONVIF devices of an answer; others, such as printers, are left out.

    Args:
        datagram: As received.
        host: The IPv4 address that it came from.

    Raises:
        MessageError: It is too large, no XML, or no answer to a probe.
    """
    if len(datagram) > MAX_ANSWER_BYTES:
        raise MessageError(f"{host} sent an answer of {len(datagram)} bytes, at most {MAX_ANSWER_BYTES} are read")
    matches = parse_xml(datagram, host).find("Body", "ProbeMatches")
    if matches is None:
        raise MessageError(f"{host} sent XML that is no answer to a probe")
    return tuple(_device(match, host) for match in matches.all("ProbeMatch") if _is_camera(match))


def printable(text: str) -> str:
    """Return a text of a stranger as it may be shown: one line, no control characters, not endless."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(shown.split())[:MAX_LABEL].strip()


def is_at(address: str, host: str) -> bool:
    """Tell whether an address is http or https, without credentials, at a host."""
    try:
        parts = urlsplit(address)
        return (
            parts.scheme in _PORTS
            and parts.hostname == host
            and parts.username is None
            and parts.port != 0
            and address.isprintable()
        )
    except ValueError:
        return False


def _is_camera(match: Element) -> bool:
    types = (word.rpartition(":")[2] for word in _words(match, "Types"))
    return "NetworkVideoTransmitter" in types or any(
        scope.startswith(_ONVIF_SCOPE) for scope in _words(match, "Scopes")
    )


def _device(match: Element, host: str) -> DiscoveredDevice:
    addresses = _words(match, "XAddrs")[:MAX_XADDRS]
    scopes = _words(match, "Scopes")
    return DiscoveredDevice(
        endpoint=printable(match.text_of("EndpointReference", "Address")) or host,
        host=host,
        xaddrs=tuple(dict.fromkeys(address for address in addresses if is_at(address, host))),
        foreign_hosts=tuple(dict.fromkeys(_host_of(address) for address in addresses if not is_at(address, host))),
        name=_scope(scopes, "name"),
        hardware=_scope(scopes, "hardware"),
    )


def _words(match: Element, name: str) -> list[str]:
    return match.text_of(name).split()[:MAX_WORDS]


def _scope(scopes: list[str], kind: str) -> str:
    beginning = f"{_ONVIF_SCOPE}{kind}/"
    return next((printable(unquote(scope[len(beginning) :])) for scope in scopes if scope.startswith(beginning)), "")


def _host_of(address: str) -> str:
    try:
        return printable(urlsplit(address).hostname or "") or "an address that is none"
    except ValueError:
        return "an address that is none"
