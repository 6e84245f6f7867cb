"""Clips made of real recordings: what they show, from when to when, and what is left when that fails."""

import io
import json
import re
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvr.core.errors import ConfigurationError, InvalidInputError, StorageError
from nvr.media.fragment_writer import FragmentWriter
from nvr.media.mp4_boxes import boxes_in
from nvr.media.mp4_clip import ClipPiece
from nvr.media.mp4_export import ExportGap, export, find_gaps, group_pieces
from nvr.media.mp4_repair import check
from nvr.media.parameters import StreamParameters
from tests.conftest import require_program
from tests.media.coded_media import START, Media, Recipe, make_video, read_media

Pieces = list[tuple[Path, datetime]]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def record(folder: Path, recipe: Recipe, *, every_s: float = 4.0, begins_s: float = 0.0) -> Pieces:
    """Record a camera as segments that begin with a key frame each."""
    name = f"{recipe.codec}-{recipe.b_frames}-{recipe.size[0]}-{recipe.audio}-{begins_s}"
    return cut(folder, name, read_media(make_video(folder / f"source-{name}.mp4", recipe)), every_s, begins_s)


def cut(folder: Path, name: str, media: Media, every_s: float, begins_s: float) -> Pieces:
    pieces: Pieces = []
    writer: FragmentWriter | None = None
    file = io.BytesIO()
    for packet in media.packets:
        if packet.starts_gop and packet.media_s >= len(pieces) * every_s - 0.01:
            if writer is not None:
                writer.close()
                pieces[-1][0].write_bytes(file.getvalue())
            file = io.BytesIO()
            writer = FragmentWriter(file, media.video, media.audio)
            pieces.append((folder / f"{name}-{len(pieces)}.mp4", at(begins_s + packet.media_s)))
        if writer is not None:
            writer.write(packet)
    assert writer is not None
    writer.close()
    pieces[-1][0].write_bytes(file.getvalue())
    return pieces


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Pieces:
    """Twelve seconds in three segments, a key frame each second, with sound."""
    return record(tmp_path_factory.mktemp("export"), Recipe(seconds=12, audio="aac"))


def shown(path: Path) -> list[float]:
    """Return the times of the pictures that a player shows."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.time for frame in container.decode(stream)]


def test_segments_become_one_clip_without_a_seam(camera: Pieces, tmp_path: Path) -> None:
    report = export(camera, at(0), at(12), tmp_path / "clip.mp4")
    (file,) = report.files
    assert (report.gaps, report.problems) == ((), ())
    assert (file.path, file.start, file.end) == (tmp_path / "clip.mp4", at(0), at(12))
    assert (file.duration_ms, file.video_frames) == (12_000, 300)
    assert file.size_bytes == file.path.stat().st_size
    times = shown(file.path)
    assert times == pytest.approx([index / 25 for index in range(300)], abs=1e-3)
    found = check(file.path, deep=True)
    assert found.problem is None


def test_the_index_is_in_front_and_nothing_else_is_left_in_the_folder(camera: Pieces, tmp_path: Path) -> None:
    export(camera, at(0), at(12), tmp_path / "clip.mp4")
    kinds = [box.kind for box in boxes_in((tmp_path / "clip.mp4").read_bytes())]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert list(tmp_path.iterdir()) == [tmp_path / "clip.mp4"]


def test_sound_runs_through_the_seams(camera: Pieces, tmp_path: Path) -> None:
    export(camera, at(0), at(12), tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        times = [frame.time for frame in container.decode(audio=0) if frame.time is not None]
    assert times[0] == pytest.approx(0, abs=0.03)
    assert times[-1] == pytest.approx(12, abs=0.06)
    # what begins before the first picture of a segment was not recorded
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.07


def test_a_clip_begins_with_the_key_frame_before_and_ends_in_time(camera: Pieces, tmp_path: Path) -> None:
    (file,) = export(camera, at(2.5), at(9.86), tmp_path / "clip.mp4").files
    assert file.start == at(2)
    assert file.end == at(9.88)
    assert file.duration_ms == 7880
    times = shown(file.path)
    assert len(times) == file.video_frames == 197
    assert times[0] == 0


@pytest.mark.parametrize("begin_s", [0.0, 2.0, 2.52, 5.48])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_an_exact_cut_shows_exactly_what_was_asked(tmp_path: Path, codec: str, begin_s: float) -> None:
    pieces = record(tmp_path, Recipe(codec=codec, seconds=12, audio="aac"))
    (file,) = export(pieces, at(begin_s), at(begin_s + 6.44), tmp_path / "clip.mp4", exact=True).files
    assert (file.start, file.end) == (at(begin_s), at(begin_s + 6.44))
    assert file.duration_ms == pytest.approx(6440, abs=1)
    assert shown(file.path) == pytest.approx([index / 25 for index in range(161)], abs=2e-3)
    with av.open(str(file.path)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(6.44, abs=0.03)
        sound = [frame.time for frame in container.decode(audio=0) if frame.time is not None]
    assert sound[0] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("exact", [False, True])
def test_b_frames_keep_their_order_over_the_seams(tmp_path: Path, exact: bool) -> None:
    pieces = record(tmp_path, Recipe(b_frames=2, seconds=12, audio="aac"))
    (file,) = export(pieces, at(2.52), at(10), tmp_path / "clip.mp4", exact=exact).files
    assert check(file.path, deep=True).problem is None
    times = shown(file.path)
    expected = 187 if exact else 200
    assert expected <= len(times) <= expected + 2
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([0.04] * (len(times) - 1), abs=2e-3)
    assert times[0] == pytest.approx(0, abs=2e-3)


def test_pictures_and_sound_of_a_clip_stay_together(tmp_path: Path) -> None:
    for b_frames in (0, 2):
        pieces = record(tmp_path, Recipe(b_frames=b_frames, seconds=12, audio="aac"))
        (file,) = export(pieces, at(5), at(7), tmp_path / f"clip-b{b_frames}.mp4").files
        with av.open(str(file.path)) as container:
            first = next(frame.time for frame in container.decode(audio=0))
        assert first == pytest.approx(0, abs=0.03)


def test_a_gap_is_left_out_and_told(tmp_path: Path) -> None:
    pieces = record(tmp_path, Recipe(seconds=8)) + record(tmp_path, Recipe(seconds=8), begins_s=60)
    report = export(pieces, at(-10), at(100), tmp_path / "clip.mp4")
    (file,) = report.files
    assert report.gaps == (ExportGap(at(-10), at(0)), ExportGap(at(8), at(60)), ExportGap(at(68), at(100)))
    assert (file.start, file.end, file.duration_ms) == (at(0), at(68), 16_000)
    assert shown(file.path) == pytest.approx([index / 25 for index in range(400)], abs=1e-3)


def test_pieces_may_come_in_any_order(camera: Pieces, tmp_path: Path) -> None:
    export(camera, at(0), at(12), tmp_path / "a.mp4")
    export(camera[::-1], at(0), at(12), tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_what_two_recordings_share_is_shown_once(tmp_path: Path) -> None:
    media = read_media(make_video(tmp_path / "source.mp4", Recipe(seconds=12, audio="aac")))
    whole = cut(tmp_path, "whole", media, 100, 0)
    later = [packet for packet in media.packets if packet.media_s >= 8]
    event = cut(tmp_path, "event", replace(media, packets=later), 100, 0)
    first = [packet for packet in media.packets if packet.media_s < 9.5]
    early = cut(tmp_path, "early", replace(media, packets=first), 100, 0)
    (file,) = export([*early, *event], at(0), at(12), tmp_path / "clip.mp4").files
    # from the first recording to its end at 9.5 s, then from the next key frame
    assert file.video_frames == 288
    assert file.duration_ms == pytest.approx(11_520, abs=1)
    times = shown(file.path)
    assert [right - left for left, right in pairwise(times)] == pytest.approx([0.04] * 287, abs=1e-3)
    (file,) = export([*whole, *event], at(0), at(12), tmp_path / "whole.mp4").files
    assert (file.video_frames, file.duration_ms) == (300, 12_000)


def test_another_resolution_begins_another_file(tmp_path: Path) -> None:
    pieces = record(tmp_path, Recipe(seconds=4)) + record(tmp_path, Recipe(seconds=4, size=(320, 192)), begins_s=4)
    pieces += record(tmp_path, Recipe(seconds=4, codec="hevc"), begins_s=8)
    report = export(pieces, at(1), at(12), tmp_path / "clip.mp4", exact=True)
    assert [file.path.name for file in report.files] == ["clip.mp4", "clip-2.mp4", "clip-3.mp4"]
    assert [(file.start, file.end) for file in report.files] == [(at(1), at(4)), (at(4), at(8)), (at(8), at(12))]
    found = [check(file.path, deep=True) for file in report.files]
    assert [(one.codec, one.width_px, one.problem) for one in found] == [
        ("h264", 160, None),
        ("h264", 320, None),
        ("hevc", 160, None),
    ]
    assert report.gaps == ()


def test_a_recording_without_sound_goes_with_one_that_has_some(tmp_path: Path) -> None:
    media = read_media(make_video(tmp_path / "source.mp4", Recipe(seconds=8, audio="aac")))
    silent = [packet for packet in media.packets if packet.media_s < 4 and packet.kind == "video"]
    pieces = cut(tmp_path, "silent", Media(media.video, None, silent), 100, 0)
    pieces += cut(tmp_path, "loud", replace(media, packets=[one for one in media.packets if one.media_s >= 4]), 100, 0)
    (file,) = export(pieces, at(0), at(8), tmp_path / "clip.mp4").files
    assert (file.video_frames, file.duration_ms) == (200, 8000)
    with av.open(str(file.path)) as container:
        assert next(frame.time for frame in container.decode(audio=0)) == pytest.approx(4, abs=0.03)


def test_what_cannot_be_read_is_told_and_the_rest_is_exported(camera: Pieces, tmp_path: Path) -> None:
    garbage, gone = tmp_path / "garbage.mp4", tmp_path / "gone.mp4"
    garbage.write_bytes(b"#EXTM3U\nhttp://127.0.0.1/a.ts\n")
    short = tmp_path / "short.mp4"
    content = camera[1][0].read_bytes()
    short.write_bytes(content[: len(content) // 2])
    pieces = [camera[0], (short, camera[1][1]), camera[2], (garbage, at(3)), (gone, at(5))]
    report = export(pieces, at(0), at(12), tmp_path / "clip.mp4")
    (file,) = report.files
    assert len(report.problems) >= 3
    assert {"garbage.mp4", "gone.mp4", "short.mp4"} <= {Path(told.split(":")[0]).name for told in report.problems}
    assert file.end == at(12)
    assert report.gaps[0].end == at(8)
    assert 230 < file.video_frames < 300
    assert check(file.path, deep=True).problem is None


def test_times_that_jump_by_hours_end_a_recording(camera: Pieces, tmp_path: Path) -> None:
    content = bytearray(camera[0][0].read_bytes())
    fragment = [box.start for box in boxes_in(bytes(content)) if box.kind == b"moof"][4]
    times = content.index(b"tfdt", fragment)  # of the pictures, which come first
    content[times + 8 : times + 16] = (12_800 * 7200).to_bytes(8, "big")
    jumps = tmp_path / "jumps.mp4"
    jumps.write_bytes(content)
    report = export([(jumps, at(0))], at(0), at(10_000), tmp_path / "clip.mp4")
    assert report.problems == (f"{jumps}: its times jump by more than 3600 s at 7200 s",)
    (file,) = report.files
    assert file.duration_ms < 4000
    assert check(file.path, deep=True).problem is None


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_broken_recording_spoils_no_clip(camera: Pieces, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(camera[0][0].read_bytes())
    boxes = [match.start() for match in re.finditer(rb"moov|moof|trun|tfhd|tfdt|mdhd|stsd|trex|avcC|esds", content)]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(boxes)) + data.draw(st.integers(-4, 40))
        content[place : place + 2] = data.draw(st.binary(min_size=2, max_size=2))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(content)
    report = export([(broken, at(0)), camera[1]], at(1), at(8), tmp_path / "clip.mp4", exact=True, overwrite=True)
    assert report.files[-1].end == at(8)
    assert all(check(file.path).is_playable for file in report.files)


def test_nothing_recorded_is_told(camera: Pieces, tmp_path: Path) -> None:
    for pieces, start, end in (([], 0, 12), (camera, 20, 30), (camera, -5, 0)):
        with pytest.raises(InvalidInputError, match="nothing was recorded from 20"):
            export(pieces, at(start), at(end), tmp_path / "clip.mp4")
    with pytest.raises(InvalidInputError, match=r"nothing was recorded .* cannot be read: No such file"):
        export([(tmp_path / "gone.mp4", at(0))], at(0), at(1), tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_times_that_make_no_sense_are_refused(camera: Pieces, tmp_path: Path) -> None:
    naive = at(0).replace(tzinfo=None)
    for start, end in ((at(2), at(2)), (at(2), at(1)), (naive, at(1)), (at(0), naive.replace(year=2027))):
        with pytest.raises(InvalidInputError, match="expected two aware times"):
            export(camera, start, end, tmp_path / "clip.mp4")


def test_a_file_that_is_there_stays_unless_it_is_to_be_overwritten(camera: Pieces, tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    out.write_bytes(b"mine")
    with pytest.raises(ConfigurationError, match=r"clip\.mp4 exists"):
        export(camera, at(0), at(4), out)
    assert out.read_bytes() == b"mine"
    export(camera, at(0), at(4), out, overwrite=True)
    assert check(out).is_playable
    assert list(tmp_path.iterdir()) == [out]


@contextmanager
def files_no_larger_than(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 20_000, 101_000])
def test_a_full_disk_is_told_and_leaves_nothing(camera: Pieces, tmp_path: Path, room: int) -> None:
    with files_no_larger_than(room), pytest.raises(StorageError, match=r"clip\.mp4: cannot be written"):
        export(camera, at(0), at(12), tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(camera: Pieces, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"clip\.mp4: cannot be written: No such file"):
        export(camera, at(0), at(12), tmp_path / "none" / "clip.mp4")


class Impatient(Exception):  # noqa: N818 - not an error of ours
    """What a caller raises who has seen enough."""


def test_progress_is_told_and_can_end_the_export(camera: Pieces, tmp_path: Path) -> None:
    parts: list[float] = []
    export(camera, at(0), at(12), tmp_path / "a.mp4", on_progress=parts.append)
    assert parts == pytest.approx([0, 1 / 3, 2 / 3, 1])

    def stop(part: float) -> None:
        if part > 0.5:
            raise Impatient

    with pytest.raises(Impatient):
        export(camera, at(0), at(12), tmp_path / "b.mp4", on_progress=stop)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.mp4"]


def test_recordings_are_grouped_by_what_fits_into_one_file() -> None:
    h264, hevc = StreamParameters("video", "h264", b"1"), StreamParameters("video", "hevc", b"1")
    aac, opus = StreamParameters("audio", "aac", b"2"), StreamParameters("audio", "opus", b"2")
    kinds = [(h264, None), (h264, aac), (h264, None), (h264, opus), (hevc, opus), (hevc, None), (h264, aac)]
    pieces = [ClipPiece(Path(str(i)), at(i), at(i + 1), *kind) for i, kind in enumerate(kinds)]
    groups = [[piece.path.name for piece in group] for group in group_pieces(pieces[::-1])]
    assert groups == [["0", "1", "2"], ["3"], ["4", "5"], ["6"]]


def test_short_gaps_are_none() -> None:
    spans = [(at(0.4), at(4)), (at(4.5), at(8)), (at(8.6), at(9))]
    assert find_gaps(spans, at(0), at(9.2)) == (ExportGap(at(8), at(8.6)),)
    assert find_gaps([], at(0), at(1)) == (ExportGap(at(0), at(1)),)


@pytest.mark.ffmpeg
def test_another_ffmpeg_shows_an_exact_cut_the_same(camera: Pieces, tmp_path: Path) -> None:
    ffprobe = require_program("ffprobe")
    export(camera, at(1.64), at(9), tmp_path / "clip.mp4", exact=True)
    fields = "stream=duration,nb_frames:format=duration:format_tags=creation_time:frame=best_effort_timestamp_time"
    command = [ffprobe, "-v", "error", "-select_streams", "v", "-show_entries", fields, "-of", "json"]
    result = subprocess.run([*command, str(tmp_path / "clip.mp4")], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    told = json.loads(result.stdout)
    times = [float(frame["best_effort_timestamp_time"]) for frame in told["frames"]]
    assert times == pytest.approx([index / 25 for index in range(184)], abs=2e-3)
    assert float(told["streams"][0]["duration"]) == pytest.approx(7.36, abs=1e-3)
