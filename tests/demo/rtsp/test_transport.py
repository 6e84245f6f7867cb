import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.demo.rtsp.transport import InterleavedTransport, UdpTransport, choose_transport


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=0-1", InterleavedTransport(0, 1)),
        ("RTP/AVP/TCP;unicast;interleaved=4-5;mode=play", InterleavedTransport(4, 5)),
        ("RTP/AVP/TCP", InterleavedTransport(0, 1)),
        ('rtp/avp/tcp; unicast; mode="PLAY"', InterleavedTransport(0, 1)),
        ("RTP/AVP;unicast;client_port=5000-5001", UdpTransport(5000, 5001)),
        ("RTP/AVP/UDP;unicast;client_port=5000", UdpTransport(5000, 5001)),
        ("RTP/AVP;multicast, RTP/AVP/TCP;interleaved=2-3", InterleavedTransport(2, 3)),
        # A destination is not obeyed: the host that asks gets the packets, nobody else.
        ("RTP/AVP;unicast;destination=10.0.0.9;client_port=6000-6001", UdpTransport(6000, 6001)),
    ],
)
def test_takes_the_first_offer_it_can_serve(header: str, expected: object) -> None:
    assert choose_transport(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "RTP/SAVP;unicast;client_port=5000-5001",
        "RTP/AVP;multicast;port=5000-5001",
        "RTP/AVP;unicast",
        "RTP/AVP;unicast;client_port=0-1",
        "RTP/AVP;unicast;client_port=65535",
        "RTP/AVP;unicast;client_port=70000-70001",
        "RTP/AVP;unicast;client_port=5000-5000",
        "RTP/AVP/TCP;interleaved=255-256",
        "RTP/AVP/TCP;interleaved=x-y",
        "RTP/AVP/TCP;interleaved=0-1;mode=record",
    ],
)
def test_refuses_what_it_cannot_serve(header: str) -> None:
    assert choose_transport(header) is None


@given(header=st.text(max_size=200))
def test_any_text_is_an_offer_or_none(header: str) -> None:
    assert isinstance(choose_transport(header), InterleavedTransport | UdpTransport | None)


def test_the_answer_tells_both_sides() -> None:
    assert UdpTransport(5000, 5001).to_header(0xABC, (6000, 6001)) == (
        "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;ssrc=00000ABC"
    )
    assert InterleavedTransport(2, 3).to_header(1) == "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=00000001"
