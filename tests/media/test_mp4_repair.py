"""Files that were not finished, and files that are no files: what is found, what is kept, what is said."""

import errno
import io
import struct
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvr.media.fragment_writer import FragmentWriter
from nvr.media.mp4_boxes import boxes_in
from nvr.media.mp4_export import export
from nvr.media.mp4_repair import RepairedMp4, check, repair
from tests.media.coded_media import START, Recipe, make_video, read_media

FRAMES = 100
END = START + timedelta(seconds=4)


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four seconds with sound as the recorder writes them, in fragments of half a second."""
    path = tmp_path_factory.mktemp("repair") / "a.mp4"
    media = read_media(make_video(path, Recipe(gop=50, audio="aac")))
    file = io.BytesIO()
    writer = FragmentWriter(file, media.video, media.audio)
    for packet in media.packets:
        writer.write(packet)
    writer.close()
    return file.getvalue()


def fragments(content: bytes) -> list[tuple[int, int]]:
    """Return where each fragment begins and ends."""
    boxes = list(boxes_in(content))
    return [(one.start, after.end) for one, after in pairwise(boxes) if one.kind == b"moof"]


def stored(folder: Path, content: bytes) -> Path:
    path = folder / "20260101T000000.000000Z.recording"
    path.write_bytes(content)
    return path


def test_a_whole_file_is_playable(segment: bytes, tmp_path: Path) -> None:
    path = stored(tmp_path, segment)
    for found in (check(path), check(path, deep=True)):
        assert found.problem is None
        assert found.is_playable
        assert (found.duration_ms, found.video_frames) == (4000, FRAMES)
        assert (found.codec, found.width_px, found.height_px) == ("h264", 160, 96)
        assert found.size_bytes == len(segment)


def test_a_file_with_its_index_at_the_front_is_playable_too(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", Recipe())
    found = check(path, deep=True)
    assert (found.problem, found.duration_ms, found.video_frames) == (None, 4000, FRAMES)


def test_pictures_that_an_exact_cut_hides_are_checked_too(segment: bytes, tmp_path: Path) -> None:
    path = tmp_path / "segment.mp4"
    path.write_bytes(segment)
    (clip,) = export([(path, START)], START + timedelta(seconds=1), END, tmp_path / "clip.mp4", exact=True).files
    found = check(clip.path, deep=True)
    assert (found.problem, found.duration_ms, found.video_frames) == (None, 3000, FRAMES)


def test_a_whole_file_is_left_as_it_is(segment: bytes, tmp_path: Path) -> None:
    path = stored(tmp_path, segment)
    repaired = repair(path)
    assert repaired == RepairedMp4(4000, len(segment), 0, 0, "h264", 160, 96, FRAMES)
    assert path.read_bytes() == segment


def test_what_follows_the_last_whole_fragment_is_cut_off(segment: bytes, tmp_path: Path) -> None:
    places = fragments(segment)
    for index, (start, end) in enumerate(places):
        for cut in {start + 1, start + 7, start + 100, end - 1}:
            path = stored(tmp_path, segment[:cut])
            assert not check(path).is_playable
            repaired = repair(path)
            if index == 0:
                assert repaired is None
                continue
            assert repaired is not None
            assert repaired.removed_bytes == cut - start
            assert path.read_bytes() == segment[:start]
            found = check(path, deep=True)
            assert found.problem is None
            assert (repaired.video_frames, repaired.duration_ms) == (found.video_frames, found.duration_ms)


def test_repairing_twice_gives_the_same(segment: bytes, tmp_path: Path) -> None:
    path = stored(tmp_path, segment[:-1000])
    first = repair(path)
    content = path.read_bytes()
    second = repair(path)
    assert first is not None
    assert second is not None
    assert path.read_bytes() == content
    assert (second.duration_ms, second.removed_bytes) == (first.duration_ms, 0)


def test_zeros_behind_the_last_fragment_are_cut_off(segment: bytes, tmp_path: Path) -> None:
    _, end = fragments(segment)[3]
    path = stored(tmp_path, segment[:end] + bytes(70_000))
    repaired = repair(path)
    assert repaired is not None
    assert repaired.removed_bytes == 70_000
    assert path.read_bytes() == segment[:end]


@pytest.mark.parametrize("damage", [b"\0", b"\xff"])
def test_damage_between_whole_fragments_is_covered_and_what_follows_is_kept(
    segment: bytes, tmp_path: Path, damage: bytes
) -> None:
    places = fragments(segment)
    start, end = places[2]
    path = stored(tmp_path, segment[:start] + damage * (end - start) + segment[end:])
    assert check(path).video_frames < 40
    repaired = repair(path)
    assert repaired is not None
    assert (repaired.covered_bytes, repaired.removed_bytes) == (end - start, 0)
    assert repaired.duration_ms == 4000
    found = check(path)
    assert found.problem is None
    assert found.video_frames == repaired.video_frames == FRAMES - 13
    content = path.read_bytes()
    assert content[:start] == segment[:start]
    assert content[end:] == segment[end:]
    assert content[start + 4 : start + 8] == b"free"


def test_a_fragment_that_promises_more_than_it_has_is_not_whole(segment: bytes, tmp_path: Path) -> None:
    places = fragments(segment)
    (start, end), moof_size = places[4], struct.unpack_from(">I", segment, places[4][0])[0]
    short = struct.pack(">I4s", 8 + 50, b"mdat") + bytes(50)
    path = stored(tmp_path, segment[: start + moof_size] + short)
    found = check(path)
    assert found.problem is not None
    assert (
        f"the fragment at byte {start}: expected {end - start - moof_size - 8} bytes of media, got 50" in found.problem
    )
    repaired = repair(path)
    assert repaired is not None
    assert repaired.size_bytes == start


def test_damage_inside_of_pictures_shows_in_the_deep_check_only(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", Recipe(is_noise=True, seconds=1))
    broken = bytearray(source.read_bytes())
    middle = len(broken) // 2
    broken[middle : middle + 2000] = b"\xff" * 2000
    path = stored(tmp_path, bytes(broken))
    assert check(path).problem is None
    found = check(path, deep=True)
    assert found.problem is not None
    assert "picture" in found.problem
    assert found.video_frames < 25


def test_a_codec_that_nobody_knows_is_told_by_the_deep_check(segment: bytes, tmp_path: Path) -> None:
    path = stored(tmp_path, segment.replace(b"avc1", b"zzz9"))
    assert check(path).codec == "zzz9"
    problem = check(path, deep=True).problem
    assert problem is not None
    assert "unknown" in problem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file of 0 bytes has no header"),
        (b"\0" * 100, "box ???? at byte 0: expected 8 to 100 bytes, got 0"),
        (b"#EXTM3U\nhttp://127.0.0.1/a.ts\n", "box M3U? at byte 0: expected 8 to 30 bytes, got 591747156"),
        (struct.pack(">I4s", 16, b"free") + bytes(8), "the file of 16 bytes has no header"),
        (struct.pack(">I4s", 8, b"moov"), "a box mvhd is missing"),
        (struct.pack(">I4s", 8, b"moof"), "a fragment at byte 0 comes before the header"),
        (struct.pack(">I", 8) + b"\0\1\2\3", "expected a box at byte 0, got 00010203"),
    ],
)
def test_what_is_no_recording_is_told_and_not_repaired(tmp_path: Path, content: bytes, problem: str) -> None:
    path = stored(tmp_path, content)
    found = check(path, deep=True)
    assert found.problem is not None
    assert problem in found.problem
    assert not found.is_playable
    assert repair(path) is None
    assert path.read_bytes() == content, "what cannot be repaired is left to a person"


def test_a_file_of_ever_more_boxes_is_given_up(tmp_path: Path) -> None:
    path = stored(tmp_path, struct.pack(">I4s", 8, b"free") * 100_001)
    problem = check(path).problem
    assert problem is not None
    assert "expected at most 100000 boxes" in problem


def test_a_huge_header_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with path.open("wb") as file:
        file.write(struct.pack(">I4s", 1 << 30, b"moov"))
        file.truncate(1 << 30)
    problem = check(path).problem
    assert problem is not None
    assert "box moov at byte 0: expected at most 16777216 bytes, got 1073741816" in problem


def test_a_duration_of_centuries_is_refused(segment: bytes, tmp_path: Path) -> None:
    start, _ = fragments(segment)[1]
    place = segment.index(b"tfdt", start) + 8
    path = stored(tmp_path, segment[:place] + b"\x7f" * 8 + segment[place + 8 :])
    problem = check(path).problem
    assert problem is not None
    assert "expected a duration of at most" in problem


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    for call in (check, repair):
        with pytest.raises(OSError, match="No such file") as caught:
            call(tmp_path / "none.mp4")
        assert caught.value.errno == errno.ENOENT


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_whatever_happens_to_a_file_nothing_whole_before_it_is_lost(
    segment: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    places = fragments(segment)
    kind = data.draw(st.sampled_from(["cut", "garbage at the end", "bytes changed", "a piece missing"]))
    at = data.draw(st.integers(0, len(segment) - 1))
    if kind == "cut":
        content = segment[:at]
    elif kind == "garbage at the end":
        content = segment[:at] + data.draw(st.binary(max_size=64))
    elif kind == "bytes changed":
        junk = data.draw(st.binary(min_size=1, max_size=16))
        content = segment[:at] + junk + segment[at + len(junk) :]
    else:
        content = segment[:at] + segment[at + data.draw(st.integers(1, 5000)) :]
    path = stored(tmp_path, content)
    check(path)
    repaired = repair(path)
    whole_before = [end for _, end in places if end <= at]
    if whole_before:
        assert repaired is not None
        assert path.read_bytes()[: whole_before[-1]] == segment[: whole_before[-1]]
    if repaired is not None:
        found = check(path)
        assert found.problem is None
        assert (found.duration_ms, found.video_frames) == (repaired.duration_ms, repaired.video_frames)
        assert found.size_bytes == repaired.size_bytes


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(garbage=st.binary(max_size=400))
def test_garbage_is_never_more_than_not_playable(tmp_path: Path, garbage: bytes) -> None:
    path = stored(tmp_path, garbage)
    assert not check(path).is_playable
    assert repair(path) is None
