"""What is read out of the boxes of an MP4, by hand and of files that FFmpeg made."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import InvalidInputError
from nvr.media.fragment_writer import FragmentWriter
from nvr.media.mp4_boxes import Box, Mp4Header, box_at, boxes_in, read_fragment, read_header
from tests.media.coded_media import Recipe, make_video, read_media


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def body_of(content: bytes, kind: bytes) -> bytes:
    found = next(one for one in boxes_in(content) if one.kind == kind)
    return content[found.body : found.end]


@pytest.fixture(scope="module")
def fragmented(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four seconds of H.264 with B-frames and AAC as the recorder writes them."""
    path = tmp_path_factory.mktemp("boxes") / "a.mp4"
    media = read_media(make_video(path, Recipe(b_frames=2, audio="aac")))
    file = io.BytesIO()
    writer = FragmentWriter(file, media.video, media.audio)
    for packet in media.packets:
        writer.write(packet)
    writer.close()
    return file.getvalue()


def test_boxes_lie_one_behind_the_other() -> None:
    assert list(boxes_in(box(b"free", b"1234") + box(b"skip"))) == [Box(b"free", 0, 8, 12), Box(b"skip", 12, 20, 20)]


def test_a_size_of_64_bits_is_read() -> None:
    assert box_at(struct.pack(">I4sQ", 1, b"mdat", 1 << 33), 100, 1 << 40) == Box(b"mdat", 100, 116, 100 + (1 << 33))


def test_only_media_may_reach_to_the_end_of_the_file() -> None:
    assert box_at(b"\0\0\0\0mdat", 100, 150) == Box(b"mdat", 100, 108, 150)
    with pytest.raises(InvalidInputError, match=r"box free at byte 100: expected 8 to 50 bytes, got 0"):
        box_at(b"\0\0\0\0free", 100, 150)


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">I4s", 7, b"free"),
        struct.pack(">I4s", 51, b"free"),
        struct.pack(">I4s", 1, b"mdat"),
        struct.pack(">I4sQ", 1, b"mdat", 15),
        struct.pack(">I4sQ", 1, b"mdat", (1 << 64) - 1),
        b"\0\0\0",
    ],
)
def test_a_size_that_cannot_be_is_refused(header: bytes) -> None:
    with pytest.raises(InvalidInputError, match="expected"):
        box_at(header, 100, 150)


def test_the_header_tells_tracks_codecs_and_size(fragmented: bytes) -> None:
    header = read_header(body_of(fragmented, b"moov"))
    assert header.is_fragmented
    assert [(track.kind, track.codec) for track in header.tracks] == [("vide", "h264"), ("soun", "aac")]
    assert header.video is not None
    assert (header.video.width_px, header.video.height_px) == (160, 96)
    assert header.video.samples == 0


@pytest.mark.parametrize(("codec", "audio"), [("hevc", "mp3"), ("mjpeg", "flac"), ("h264", "opus")])
def test_codecs_are_named_as_ffmpeg_does(tmp_path: Path, codec: str, audio: str) -> None:
    content = make_video(tmp_path / "a.mp4", Recipe(codec=codec, audio=audio, seconds=0.5)).read_bytes()
    header = read_header(body_of(content, b"moov"))
    assert [track.codec for track in header.tracks] == [codec, audio]
    assert not header.is_fragmented
    assert header.video is not None
    assert header.video.samples == 12
    assert header.video.duration_ms == 480


def test_fragments_follow_each_other_without_a_gap(fragmented: bytes) -> None:
    header = read_header(body_of(fragmented, b"moov"))
    fragments = [
        read_fragment(fragmented[one.body : one.end], header) for one in boxes_in(fragmented) if one.kind == b"moof"
    ]
    video = [track for tracks in fragments for track in tracks if track.track_id == 1]
    assert header.video is not None
    assert sum(track.samples for track in video) == 100
    assert video[0].start == 0
    assert max(track.shown_until for track in video) == 4 * header.video.timescale


def test_a_run_without_a_field_per_sample_takes_the_defaults() -> None:
    header = read_header(_moov(timescale=1000, default_duration=40, default_size=10))
    run = box(b"trun", struct.pack(">II", 0, 5))
    moof = box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)) + box(b"tfdt", struct.pack(">II", 0, 80)) + run + run)
    (track,) = read_fragment(moof, header)
    assert (track.samples, track.size_bytes, track.start, track.shown_until) == (10, 100, 80, 80 + 400)


def test_a_track_fragment_overrides_the_defaults() -> None:
    header = read_header(_moov(timescale=1000, default_duration=40, default_size=10))
    head = box(b"tfhd", struct.pack(">IIQIII", 0x1 | 0x2 | 0x8 | 0x10, 1, 0, 1, 20, 7))
    moof = box(b"traf", head + box(b"trun", struct.pack(">III", 0x1, 4, 0)))
    (track,) = read_fragment(moof, header)
    assert (track.size_bytes, track.shown_until) == (28, 80)


def test_the_last_picture_is_the_last_shown_not_the_last_decoded() -> None:
    header = read_header(_moov(timescale=1000, default_duration=40, default_size=10))
    run = box(b"trun", struct.pack(">II", 0x01000800, 3) + struct.pack(">iii", 0, 40, -40))
    (track,) = read_fragment(box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)) + run), header)
    assert track.shown_until == 120


def test_more_samples_than_bytes_are_refused() -> None:
    header = read_header(_moov(timescale=1000))
    run = box(b"trun", struct.pack(">II", 0x100, 0xFFFFFFFF) + b"\0" * 8)
    with pytest.raises(InvalidInputError, match="expected 4294967295 samples in 8 bytes"):
        read_fragment(box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)) + run), header)


def test_a_fragment_of_an_unknown_track_is_refused() -> None:
    header = read_header(_moov(timescale=1000))
    with pytest.raises(InvalidInputError, match=r"expected one of the tracks \[1\] in a fragment, got 9"):
        read_fragment(box(b"traf", box(b"tfhd", struct.pack(">II", 0, 9))), header)


def test_a_header_without_ticks_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="mdhd: expected ticks per second, got 0"):
        read_header(_moov(timescale=0))


@given(st.data())
def test_a_broken_header_is_refused_or_read_but_nothing_else(data: st.DataObject) -> None:
    content = bytearray(_moov(timescale=1000))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refuse(bytes(content[: data.draw(st.integers(0, len(content)))]))


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    _read_or_refuse(garbage)
    try:
        read_fragment(garbage, read_header(_moov(timescale=1000)))
    except InvalidInputError:
        return


def _read_or_refuse(moov: bytes) -> None:
    try:
        assert isinstance(read_header(moov), Mp4Header)
    except InvalidInputError:
        return


def _moov(*, timescale: int, default_duration: int = 0, default_size: int = 0) -> bytes:
    """Return the body of a `moov` box with one video track."""
    full = bytes(12)
    tables = box(b"stsd", bytes(8) + box(b"avc1", bytes(70))) + box(b"stsz", bytes(12))
    media = (
        box(b"mdhd", full + struct.pack(">II", timescale, 0))
        + box(b"hdlr", bytes(8) + b"vide" + bytes(12))
        + box(b"minf", box(b"stbl", tables))
    )
    head = box(b"tkhd", full + struct.pack(">I", 1) + bytes(60) + struct.pack(">II", 160 << 16, 96 << 16))
    extends = box(b"trex", struct.pack(">IIIIII", 0, 1, 1, default_duration, default_size, 0))
    movie = box(b"mvhd", full + struct.pack(">II", 1000, 0) + bytes(80))
    return movie + box(b"trak", head + box(b"mdia", media)) + box(b"mvex", extends)
