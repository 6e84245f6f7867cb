"""What passes the gate, and what never does."""

from nvr.core.clock import ManualClock
from nvr.events.examples import example_detection_event, example_track_end, example_track_start
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent
from nvr.processor.gate import PublicationGate
from nvr.processor.tally import FrameTimes
from tests.media.frames import make_frame

TIMES = FrameTimes(0.0, 0.0, 0.0)


class Site:
    """A gate, and what came through."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.events: list[tuple[int, float]] = []
        self.tracks: list[TrackEvent] = []
        self.gate = PublicationGate(
            lambda event, frame, _: self.events.append((event.source_id, frame.received_s)),
            self.tracks.append,
            clock=self.clock,
        )

    def look(self, source_id: int, received_s: float) -> bool:
        """Let the event of a frame come by; returns whether it passed."""
        n_before = len(self.events)
        self.gate.put_event(event_of(source_id), make_frame(source_id, received_s=received_s), TIMES)
        return len(self.events) > n_before


def event_of(source_id: int) -> DetectionEvent:
    return example_detection_event().model_copy(update={"source_id": source_id})


def track(kind: str, track_id: int, source_id: int = 1) -> TrackEvent:
    example = example_track_end() if kind == "end" else example_track_start()
    return example.model_copy(update={"kind": kind, "track_id": track_id, "source_id": source_id})


def test_nothing_passes_of_a_closed_camera_and_all_of_the_others() -> None:
    site = Site()
    assert site.look(1, 0)
    site.gate.close([1])
    site.gate.close([1])
    assert site.gate.is_closed(1)
    assert not site.look(1, 0)
    assert site.look(2, 0)


def test_what_came_before_or_during_the_pause_never_passes() -> None:
    site = Site()
    site.gate.close([1])
    site.clock.advance(10)
    site.gate.open([1, 2])
    assert not site.gate.admits(make_frame(1, received_s=9.9))
    assert not site.look(1, 9.9), "a decoder may replay what it slept through"
    assert site.look(1, 10)
    assert site.look(2, 3), "which did not pause"
    site.clock.advance(10)
    site.gate.open([1])
    assert site.look(1, 12), "it was open"


def test_a_camera_that_is_removed_and_comes_again_begins_anew() -> None:
    site = Site()
    site.gate.close([1])
    site.gate.put_track(track("start", 5))
    site.gate.forget(1)
    assert site.look(1, -1)
    site.gate.put_track(track("end", 5))
    assert [event.kind for event in site.tracks] == ["end"]


def test_only_that_tracks_end_is_told_and_only_of_those_whose_start_was() -> None:
    site = Site()
    site.gate.put_track(track("start", 1))
    site.gate.close([1])
    site.gate.put_track(track("update", 1))
    site.gate.put_track(track("start", 2))
    site.gate.put_track(track("start", 3, source_id=4))
    site.gate.put_track(track("end", 1))
    site.gate.open([1])
    site.gate.put_track(track("update", 2))
    site.gate.put_track(track("end", 2))
    site.gate.put_track(track("end", 2))
    told = [(event.source_id, event.kind, event.track_id) for event in site.tracks]
    assert told == [(1, "start", 1), (4, "start", 3), (1, "end", 1), (1, "end", 2)]
