"""A recorder on coded packets and real files."""

import fcntl
import logging
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from nvr.media.mp4_repair import check
from nvr.media.parameters import StreamParameters
from nvr.recording.disk import Activity
from nvr.recording.modes import parse_modes
from nvr.recording.segment import Segment, SegmentKind
from nvr.recording.segment_writer import FinishedSegment
from nvr.recording.segmenter import RecorderSettings
from tests.media.coded_media import Recipe, make_video, read_media
from tests.recording.camera import FPS, ROLLS, SOURCE, Camera, picture_numbers, renumbered
from tests.recording.packets import NOON, at, camera_packets
from tests.waiting import wait_until


def kinds(camera: Camera) -> list[str]:
    return [finished.segment.kind for finished in camera.finished]


def test_everything_is_in_the_files_once_and_the_names_say_what_is_in_them(tmp_path: Path) -> None:
    camera = Camera(tmp_path).start()
    camera.send_and_wait(130)
    camera.stop()
    assert camera.pictures == list(range(130))
    assert camera.unfinished == []
    segments = [finished.segment for finished in camera.finished]
    assert [(segment.start, segment.duration_ms) for segment in segments] == [
        (at(0), 2000),
        (at(2), 2000),
        (at(4), 1200),
    ]
    assert [finished.end_reason for finished in camera.finished] == ["cut", "cut", "shutdown"]
    for segment in segments:
        path = tmp_path / segment.path
        assert path.stat().st_size == segment.size_bytes
        assert Segment.from_path(segment.path, segment.size_bytes) == segment
        result = check(path, deep=True)
        assert (result.is_playable, result.duration_ms) == (True, segment.duration_ms)
    assert camera.recorder.counters.written.segments == 3
    assert camera.recorder.counters.written.written_bytes == sum(segment.size_bytes for segment in segments)


def test_a_segment_is_announced_when_its_file_has_its_final_name(tmp_path: Path) -> None:
    seen = []
    camera = Camera(tmp_path, on_segment=lambda finished: seen.append((tmp_path / finished.segment.path).exists()))
    camera.start().send_and_wait(60)
    camera.stop()
    assert seen == [True, True]


def test_what_is_being_written_has_another_name_and_is_locked_and_plays(tmp_path: Path) -> None:
    camera = Camera(tmp_path).start()
    camera.send_and_wait(40)
    (path,) = camera.unfinished
    assert path.relative_to(tmp_path).as_posix() == "default/7/2026/11/24/12/20261124T120000.000000Z.recording"
    with path.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # the last fragment waits for the packet that follows it
    assert picture_numbers(path) == list(range(len(picture_numbers(path))))
    assert len(picture_numbers(path)) >= 40 - 0.5 * FPS - 1
    camera.stop()


def test_an_event_is_recorded_with_its_pre_roll_out_of_memory(tmp_path: Path) -> None:
    camera = Camera(tmp_path, "events").start()
    camera.send(100)
    assert camera.recorder.state.activity is Activity.IDLE
    camera.recorder.note_event(at(3.5))
    wait_until(lambda: camera.written == 75, "the packets from 1 s on are written")
    camera.send_and_wait(25)
    camera.send(25)
    wait_until(lambda: len(camera.finished) == 3, "the event is over")
    assert camera.pictures == list(range(25, 125))
    assert kinds(camera) == ["event"] * 3
    assert [finished.end_reason for finished in camera.finished] == ["cut", "cut", "stopped"]
    wait_until(lambda: camera.recorder.state.activity is Activity.IDLE, "nothing more is recorded")
    camera.stop()
    assert camera.pictures == list(range(25, 125))
    activities = [state.activity for state in camera.states]
    assert activities == [Activity.RECORDING, Activity.IDLE, Activity.OFF]


def test_a_late_detection_raises_the_kind_of_finished_segments(tmp_path: Path) -> None:
    camera = Camera(tmp_path, "continuous+events").start()
    camera.send_and_wait(160)
    assert kinds(camera) == ["continuous"] * 3
    camera.recorder.note_event(at(4.5))
    wait_until(lambda: len(camera.finished) == 5, "the segments of 2 and 4 s are announced anew")
    raised = camera.finished[3:]
    assert [(finished.segment.start, finished.segment.kind) for finished in raised] == [
        (at(2), SegmentKind.EVENT),
        (at(4), SegmentKind.EVENT),
    ]
    assert [finished.replaces for finished in raised] == [finished.segment for finished in camera.finished[1:3]]
    assert all((tmp_path / finished.segment.path).exists() for finished in raised)
    camera.stop()
    assert camera.pictures == list(range(160)), "no file is there twice"
    assert kinds(camera)[5:] == ["continuous"]


def test_a_segment_that_was_deleted_or_protected_meanwhile_is_left_alone(tmp_path: Path) -> None:
    camera = Camera(tmp_path, "continuous+events").start()
    camera.send_and_wait(110)
    first, second = (finished.segment for finished in camera.finished)
    (tmp_path / first.path).unlink()
    (tmp_path / second.path).rename(tmp_path / replace(second, kind=SegmentKind.PROTECTED).path)
    camera.recorder.note_event(at(2.5))
    camera.send_and_wait(10)
    camera.stop()
    assert [finished.replaces for finished in camera.finished] == [None] * 3
    assert not camera.is_paused()


@pytest.mark.parametrize("modes", ["on_demand", "off", "events"])
def test_on_demand_is_recorded_from_its_start_to_its_stop_whatever_the_mode(tmp_path: Path, modes: str) -> None:
    camera = Camera(tmp_path, modes).start()
    camera.send(60)
    camera.recorder.record_start(100)
    wait_until(lambda: camera.written == 10, "the newest GOP is written")
    camera.send_and_wait(20)
    camera.recorder.record_stop()
    wait_until(lambda: len(camera.finished) == 1, "it is finished at once")
    camera.stop()
    assert camera.pictures == list(range(50, 80))
    assert kinds(camera) == ["on-demand"]


def test_a_change_of_mode_takes_effect_at_once(tmp_path: Path) -> None:
    camera = Camera(tmp_path).start()
    camera.send_and_wait(30)
    camera.recorder.set_modes(parse_modes("off"))
    wait_until(lambda: camera.recorder.state.activity is Activity.OFF, "it is off")
    assert camera.pictures == list(range(30))
    camera.send(40)
    camera.recorder.set_modes(parse_modes("continuous"))
    wait_until(lambda: camera.recorder.state.activity is Activity.RECORDING, "it is on again")
    camera.send_and_wait(5)
    camera.stop()
    assert camera.pictures == [*range(30), *range(50, 75)]


def test_a_camera_that_comes_back_in_another_size_begins_a_new_file(tmp_path: Path) -> None:
    before = camera_packets(40)
    later = camera_packets(30, size=(192, 112), start=at(1.6), first_sequence=40)
    camera = Camera(tmp_path, packets=[*before, *(replace(packet, session=2) for packet in later)]).start()
    camera.send_and_wait(70)
    camera.stop()
    assert camera.pictures == [*range(40), *range(30)]
    assert [(finished.video.width_px, finished.end_reason) for finished in camera.finished][:2] == [
        (160, "gap"),
        (192, "cut"),
    ]


def test_names_that_are_taken_are_not_written_over(tmp_path: Path) -> None:
    first = Camera(tmp_path).start()
    first.send_and_wait(30)
    first.stop()
    again = Camera(tmp_path).start()
    again.send_and_wait(30)
    again.stop()
    starts = [finished.segment.start for finished in [*first.finished, *again.finished]]
    assert starts == [NOON, NOON + timedelta(microseconds=1)]
    assert again.pictures == [*range(30)] * 2


@pytest.mark.parametrize("year", [1900, 1969, 9999])
def test_a_camera_whose_clock_is_absurd_is_refused_and_harms_nothing(tmp_path: Path, year: int) -> None:
    absurd = [replace(packet, captured_at=NOON.replace(year=year)) for packet in camera_packets(50)]
    good = camera_packets(25, start=at(2), first_sequence=50)
    camera = Camera(tmp_path, packets=[*absurd, *good]).start()
    camera.send(50)
    wait_until(lambda: camera.recorder.counters.written.refused_packets == 2, "both key frames are refused")
    camera.send_and_wait(25)
    camera.stop()
    assert camera.pictures == list(range(25))


def test_a_key_frame_that_is_garbage_costs_its_gop(tmp_path: Path) -> None:
    packets = camera_packets(50)
    packets[0] = replace(packets[0], parameters=StreamParameters("video", "h264", b"", width_px=160, height_px=96))
    garbage = [replace(packet, parameters=packets[0].parameters, coded=packets[1].coded) for packet in packets[:25]]
    camera = Camera(tmp_path, packets=[*garbage, *packets[25:]]).start()
    camera.send(50)
    wait_until(lambda: camera.written == 25, "the second GOP is written")
    camera.stop()
    assert camera.pictures == list(range(25, 50))
    assert camera.recorder.counters.written.refused_packets == 1


def test_a_codec_that_no_mp4_holds_pauses_recording_until_it_changes(tmp_path: Path) -> None:
    packets = camera_packets(50)
    vp8 = [replace(packet, parameters=replace(packet.parameters, codec="vp8")) for packet in packets[:25]]
    camera = Camera(tmp_path, packets=[*vp8, *packets[25:]]).start()
    camera.send(25)
    wait_until(lambda: camera.recorder.state.reason == "codec", "it pauses")
    assert "vp8" in camera.recorder.state.detail
    assert list(tmp_path.iterdir()) == []
    camera.send_and_wait(25)
    camera.wait_for(Activity.RECORDING)
    camera.stop()


def test_sound_is_recorded_where_mp4_holds_it(tmp_path: Path) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(seconds=4, audio="aac")))
    packets = [replace(packet, captured_at=at(packet.received_s)) for packet in media.packets]
    root = tmp_path / "root"
    root.mkdir()
    camera = Camera(root, packets=packets).start()
    camera.send(len(packets))
    wait_until(lambda: camera.written >= 4 * FPS, "the pictures are written")
    camera.stop()
    assert [finished.has_audio for finished in camera.finished] == [True, True]
    assert camera.recorder.counters.written.dropped_audio <= 1, "what begins before the first picture"


def test_sound_that_comes_later_is_recorded_from_the_next_key_frame_on(tmp_path: Path) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(seconds=4, audio="aac")))
    late = [packet for packet in media.packets if packet.kind == "video" or packet.received_s > 0.5]
    root = tmp_path / "root"
    root.mkdir()
    camera = Camera(root, packets=renumbered((replace(p, captured_at=at(p.received_s)) for p in late), 0)).start()
    camera.send_and_wait(10)
    camera.send(len(camera.waiting))
    wait_until(lambda: camera.written >= 4 * FPS, "the pictures are written")
    camera.stop()
    assert [finished.has_audio for finished in camera.finished][:2] == [False, True]
    assert camera.finished[0].end_reason == "parameters"
    assert camera.finished[0].segment.duration_ms == 1000


def test_sound_that_no_mp4_holds_is_left_out_with_one_notice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    media = read_media(make_video(tmp_path / "a.mov", Recipe(seconds=3, audio="pcm_mulaw", audio_rate_hz=8000)))
    root = tmp_path / "root"
    root.mkdir()
    camera = Camera(root, packets=[replace(p, captured_at=at(p.received_s)) for p in media.packets]).start()
    with caplog.at_level(logging.WARNING, "nvr.recording"):
        camera.send(len(camera.waiting))
        wait_until(lambda: camera.written >= 3 * FPS, "the pictures are written")
        camera.stop()
    assert [finished.has_audio for finished in camera.finished] == [False] * len(camera.finished)
    assert camera.recorder.counters.written.dropped_audio == len(media.of_kind("audio"))
    assert [record.getMessage() for record in caplog.records] == [
        f"camera {SOURCE}: its sound is not recorded: no MP4 holds pcm_mulaw"
    ]


def test_an_error_that_nobody_expects_is_counted_and_recording_goes_on(tmp_path: Path) -> None:
    finished: list[FinishedSegment] = []

    def fail_once(segment: FinishedSegment) -> None:
        finished.append(segment)
        if len(finished) == 1:
            raise RuntimeError("not expected")

    camera = Camera(tmp_path, on_segment=fail_once).start()
    camera.send(60)
    wait_until(lambda: camera.recorder.counters.failures == 1, "the error is counted")
    camera.send(60)
    wait_until(lambda: camera.written >= 95, "recording goes on")
    camera.stop()
    # the key frame at which it happened is lost with its GOP
    assert camera.pictures == [*range(50), *range(75, 120)]


def test_the_end_of_a_stream_finishes_its_last_segment(tmp_path: Path) -> None:
    camera = Camera(tmp_path).start()
    camera.send(30)
    camera.ring.close()
    wait_until(lambda: len(camera.finished) == 1, "the segment is finished")
    assert camera.pictures == list(range(30))
    camera.stop()
    assert len(camera.finished) == 1


def test_stop_writes_what_still_waits_and_ends_the_thread(tmp_path: Path) -> None:
    camera = Camera(tmp_path).start()
    camera.send_and_wait(1)
    camera.send(29)
    camera.stop()
    assert camera.pictures == list(range(30))
    assert camera.recorder.state.activity is Activity.OFF
    assert f"recorder-{SOURCE}" not in {thread.name for thread in threading.enumerate()}


def test_a_recorder_that_never_started_can_be_stopped(tmp_path: Path) -> None:
    assert Camera(tmp_path).recorder.stop(0)


def test_segments_can_be_made_safe_as_a_whole_only(tmp_path: Path) -> None:
    camera = Camera(tmp_path, settings=RecorderSettings(plan=ROLLS, sync="segment")).start()
    camera.send_and_wait(60)
    camera.stop()
    assert camera.pictures == list(range(60))


def test_an_idle_recorder_does_not_hold_a_file_up_that_is_read_as_fast_as_it_can_be(tmp_path: Path) -> None:
    for modes in ("events", "continuous"):
        camera = Camera(tmp_path, modes).start()
        camera.send(10)
        assert camera.ring.wait_for_room(0)
        camera.stop()
