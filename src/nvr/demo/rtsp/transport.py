"""The `Transport` header of SETUP, pure: what a client asks for and what it is answered.

Source: RFC 2326, section 12.39. A `destination` is never obeyed: media goes only to the host that asked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_PROFILES = {"RTP/AVP": "udp", "RTP/AVP/UDP": "udp", "RTP/AVP/TCP": "tcp"}
_PAIR = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class InterleavedTransport:
    """RTP and RTCP within the RTSP connection."""

    rtp_channel: int
    rtcp_channel: int

    def to_header(self, ssrc: int) -> str:
        """Return the value for the response."""
        return f"RTP/AVP/TCP;unicast;interleaved={self.rtp_channel}-{self.rtcp_channel};ssrc={ssrc:08X}"


@dataclass(frozen=True, slots=True)
class UdpTransport:
    """RTP and RTCP as datagrams to two ports of the client."""

    rtp_port: int
    rtcp_port: int

    def to_header(self, ssrc: int, server_ports: tuple[int, int]) -> str:
        """Return the value for the response."""
        client, server = f"{self.rtp_port}-{self.rtcp_port}", f"{server_ports[0]}-{server_ports[1]}"
        return f"RTP/AVP;unicast;client_port={client};server_port={server};ssrc={ssrc:08X}"


Transport = InterleavedTransport | UdpTransport


def choose_transport(header: str) -> Transport | None:
    """Return the first transport of a client's list that is supported, or None (answer 461)."""
    for offer in header.split(","):
        profile, *options = (part.strip() for part in offer.split(";"))
        protocol = _PROFILES.get(profile.upper())
        parameters = _parameters(options)
        if protocol is None or "multicast" in parameters or parameters.get("mode", "play").strip('"').lower() != "play":
            continue
        chosen = _interleaved(parameters) if protocol == "tcp" else _udp(parameters)
        if chosen is not None:
            return chosen
    return None


def _parameters(options: list[str]) -> Mapping[str, str]:
    split = (option.partition("=") for option in options)
    return {name.strip().lower(): value.strip() for name, _, value in split}


def _interleaved(parameters: Mapping[str, str]) -> InterleavedTransport | None:
    pair = _pair(parameters.get("interleaved", "0-1"), largest=255)
    return None if pair is None else InterleavedTransport(*pair)


def _udp(parameters: Mapping[str, str]) -> UdpTransport | None:
    pair = _pair(parameters.get("client_port", ""), largest=65535)
    return None if pair is None or 0 in pair else UdpTransport(*pair)


def _pair(text: str, largest: int) -> tuple[int, int] | None:
    match = _PAIR.fullmatch(text)
    if match is None:
        return None
    first = int(match[1])
    second = int(match[2]) if match[2] else first + 1
    return (first, second) if max(first, second) <= largest and first != second else None
