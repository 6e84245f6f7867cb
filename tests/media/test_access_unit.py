import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import InvalidInputError
from nvr.media.access_unit import (
    AccessUnit,
    EncodedLoop,
    ParameterSets,
    read_codec_record,
    sort_parameter_sets,
    split_annex_b,
    split_length_prefixed,
    strip_parameter_sets,
)

# As an encoder leaves them: emulation prevention keeps start codes out, the stop bit a zero byte from the end.
nal_bodies = st.binary(min_size=1, max_size=600).map(lambda data: data.replace(b"\x00", b"\x02") + b"\x80")
nal_lists = st.lists(nal_bodies, max_size=5).map(tuple)

AVCC = bytes.fromhex("0142c01fffe1000467aabbcc01000368eeff")
SPS, PPS = bytes.fromhex("67aabbcc"), bytes.fromhex("68eeff")


@given(nals=nal_lists, long_codes=st.booleans())
def test_annex_b_comes_apart_as_it_was_put_together(nals: tuple[bytes, ...], long_codes: bool) -> None:
    code = b"\x00\x00\x00\x01" if long_codes else b"\x00\x00\x01"
    assert split_annex_b(b"".join(code + nal for nal in nals)) == nals


@given(nals=nal_lists, length_bytes=st.sampled_from([2, 4]))
def test_length_prefixes_come_apart_as_they_were_put_together(nals: tuple[bytes, ...], length_bytes: int) -> None:
    data = b"".join(len(nal).to_bytes(length_bytes, "big") + nal for nal in nals)
    assert split_length_prefixed(data, length_bytes) == nals


@given(data=st.binary(max_size=100), length_bytes=st.sampled_from([1, 2, 4]))
def test_any_bytes_are_nal_units_or_refused(data: bytes, length_bytes: int) -> None:
    try:
        nals = split_length_prefixed(data, length_bytes)
    except InvalidInputError:
        nals = ()
    assert sum(map(len, nals)) <= len(data)


def test_a_nal_unit_of_256_bytes_is_not_taken_for_a_start_code() -> None:
    # Its length prefix is 00 00 01 00, which begins like a start code of Annex B: only the record may decide.
    nal = b"\x41" + b"\x11" * 255
    layout = read_codec_record("h264", AVCC)
    assert layout.split(len(nal).to_bytes(4, "big") + nal) == (nal,)


def test_the_h264_record_gives_lengths_and_parameter_sets() -> None:
    layout = read_codec_record("h264", AVCC)
    assert layout.length_bytes == 4
    assert layout.parameter_sets == ParameterSets(sps=(SPS,), pps=(PPS,))


def test_an_annex_b_record_gives_start_codes_and_parameter_sets() -> None:
    layout = read_codec_record("h264", b"\x00\x00\x00\x01" + SPS + b"\x00\x00\x01" + PPS)
    assert layout.length_bytes is None
    assert layout.parameter_sets == ParameterSets(sps=(SPS,), pps=(PPS,))
    assert read_codec_record("h264", b"").length_bytes is None


@pytest.mark.parametrize("size", range(1, len(AVCC)))
def test_a_record_cut_off_is_refused(size: int) -> None:
    with pytest.raises(InvalidInputError, match="is cut off"):
        read_codec_record("h264", AVCC[:size])


@given(data=st.binary(max_size=60))
def test_any_h265_record_is_read_or_refused(data: bytes) -> None:
    try:
        layout = read_codec_record("hevc", b"\x01" + data)
    except InvalidInputError:
        return
    assert layout.length_bytes in {1, 2, 3, 4}


def test_parameter_sets_are_sorted_out_once_each() -> None:
    picture = b"\x65\x01"
    assert sort_parameter_sets("h264", (b"\x09\xf0", SPS, PPS, SPS, picture)) == ParameterSets((SPS,), (PPS,))
    assert strip_parameter_sets("h264", (b"\x09\xf0", SPS, PPS, b"\x06\x05", picture)) == (b"\x06\x05", picture)


def test_a_loop_knows_its_length_and_bit_rate() -> None:
    units = tuple(AccessUnit((bytes(1000),), index * 9000, index == 0) for index in range(10))
    loop = EncodedLoop("h264", ParameterSets((SPS,), (PPS,)), 64, 48, 10.0, units, 90_000)
    assert (loop.duration_s, loop.bitrate_bps) == (1.0, 80_000)
