from typing import get_args

from nvr.events.recording_event import EndReason, RecordingKind, SegmentEvent
from nvr.media.parameters import StreamParameters
from nvr.recording.announcing import repaired_event, segment_event
from nvr.recording.segment import Segment, SegmentKind
from nvr.recording.segment_writer import FinishedSegment
from tests.recording.packets import NOON, at

SEGMENT = Segment("default", 3, NOON, 2000, SegmentKind.EVENT, 77)


def test_messages_and_files_know_the_same_kinds() -> None:
    assert set(get_args(RecordingKind)) == set(SegmentKind)


def finished(video: StreamParameters) -> FinishedSegment:
    return FinishedSegment(
        segment=SEGMENT, video=video, has_audio=True, timestamp_source="rtcp", end_reason="cut", replaces=None
    )


def test_what_is_announced_is_what_lies_on_the_disk() -> None:
    video = StreamParameters("video", "hevc", width_px=640, height_px=360)
    event = segment_event(finished(video), "gate-house")
    assert (event.start, event.end, event.size_bytes, event.codec) == (NOON, at(2), 77, "hevc")
    assert Segment.from_path(SEGMENT.path, 77) == SEGMENT
    assert event.path == SEGMENT.path.as_posix()
    assert SegmentEvent.from_json(event.to_json()) == event


def test_a_size_that_is_not_known_is_left_out() -> None:
    event = segment_event(finished(StreamParameters("video", "h264")), "gate-house")
    assert (event.width, event.height) == (None, None)


def test_what_was_repaired_says_so() -> None:
    event = repaired_event(SEGMENT, "gate-house")
    assert (event.end_reason, event.codec, event.has_audio) == ("crash", None, None)
    assert "crash" in get_args(EndReason)
