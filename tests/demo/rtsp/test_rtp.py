import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.demo.rtsp.rtp import packetize_nal, packetize_unit, rtp_packets
from nvr.media.access_unit import VideoCodec
from tests.demo.rtsp.loops import H264_SETS, H265_SETS, depacketize, make_loop, parse_rtp

h264_nals = st.builds(
    lambda header, body: bytes([header]) + body,
    st.sampled_from([0x65, 0x41, 0x06, 0x01, 0x67]),
    st.binary(max_size=5000),
)
h265_nals = st.builds(lambda kind, body: bytes([kind << 1, 1]) + body, st.integers(0, 40), st.binary(max_size=5000))


@given(nal=h264_nals, max_bytes=st.integers(4, 1400))
def test_h264_comes_back_as_it_went(nal: bytes, max_bytes: int) -> None:
    payloads = packetize_nal("h264", nal, max_bytes)
    assert all(len(payload) <= max_bytes for payload in payloads)
    assert depacketize("h264", payloads) == [nal]


@given(nal=h265_nals, max_bytes=st.integers(5, 1400))
def test_h265_comes_back_as_it_went(nal: bytes, max_bytes: int) -> None:
    payloads = packetize_nal("hevc", nal, max_bytes)
    assert all(len(payload) <= max_bytes for payload in payloads)
    assert depacketize("hevc", payloads) == [nal]


def test_only_the_first_and_last_fragment_are_marked() -> None:
    payloads = packetize_nal("h264", b"\x65" + bytes(5000), 1000)
    assert [payload[1] >> 6 for payload in payloads] == [0b10, *[0b00] * (len(payloads) - 2), 0b01]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_key_frame_carries_its_parameter_sets(codec: VideoCodec) -> None:
    loop = make_loop(codec=codec)
    sets = H264_SETS if codec == "h264" else H265_SETS
    key, other = (depacketize(codec, list(packetize_unit(loop, unit))) for unit in loop.units[:2])
    assert tuple(key) == sets.in_order() + loop.units[0].nals
    assert tuple(other) == loop.units[1].nals


@given(sequence=st.integers(0, 1 << 40), timestamp=st.integers(0, 1 << 40), n=st.integers(1, 5))
def test_numbers_wrap_and_the_last_packet_bears_the_marker(sequence: int, timestamp: int, n: int) -> None:
    packets = [parse_rtp(packet) for packet in rtp_packets([b"x"] * n, sequence, timestamp, 7)]
    assert [packet.sequence for packet in packets] == [(sequence + index) % 65536 for index in range(n)]
    assert {packet.timestamp for packet in packets} == {timestamp % (1 << 32)}
    assert [packet.has_marker for packet in packets] == [False] * (n - 1) + [True]
    assert {packet.ssrc for packet in packets} == {7}
