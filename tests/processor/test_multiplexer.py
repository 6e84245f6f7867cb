from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest

from nvr.config.camera import CameraConfig
from nvr.core.backoff import Backoff
from nvr.core.clock import Clock, SystemClock
from nvr.detection.detections import Detections, Detector, Image
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent
from nvr.media.frame import Frame
from nvr.media.freshest import FreshestFrames
from nvr.processor.analyst import AnalystSettings, CameraAnalyst
from nvr.processor.model_slot import ModelSlot
from nvr.processor.multiplexer import Multiplexer, rank
from tests.detection.test_canvas_detector import CANVAS, BlockDetector
from tests.media.frames import make_frame
from tests.processor.fakes import BrightSpotDetector, FailingDetector, HangingDetector
from tests.waiting import wait_until


def multiplexer(
    frames: FreshestFrames,
    detector: Detector,
    emit: Callable[[DetectionEvent, Frame], None],
    *,
    max_batch: int = 8,
    emit_track: Callable[[TrackEvent], None] = lambda _: None,
    zones: Sequence[object] = (),
) -> Multiplexer:
    clock = SystemClock()
    return Multiplexer(
        frames,
        ModelSlot(detector, clock=clock, is_ours=False, backoff=Backoff(initial_s=0.01, max_s=0.01)),
        lambda source_id: analyst(source_id, clock, zones),
        lambda event, frame, _: emit(event, frame),
        emit_track,
        clock=clock,
        name="multiplexer",
        max_batch=max_batch,
    )


def analyst(source_id: int, clock: Clock, zones: Sequence[object]) -> CameraAnalyst:
    camera = CameraConfig.model_validate({"uri": "rtsp://192.0.2.1/live", "zones": zones})
    return CameraAnalyst(source_id, lambda: AnalystSettings(camera, "p"), clock=clock)


def has(events: list[DetectionEvent], n: int) -> bool:
    return len(events) >= n


def test_one_inference_takes_the_frames_of_all_cameras() -> None:
    frames, detector, events = FreshestFrames(), BrightSpotDetector(), list[DetectionEvent]()
    for source_id in range(4):
        frames.put(make_frame(source_id=source_id, frame_id=source_id, received_s=source_id, grey=255))
    mux = multiplexer(frames, detector, lambda event, _: events.append(event))
    mux.start()
    wait_until(lambda: len(events) == 4, "four events")
    mux.finish()
    assert mux.join(10)
    assert detector.batches == [[0, 1, 2, 3]]
    assert [event.source_id for event in events] == [0, 1, 2, 3]
    assert {event.detections[0].class_name for event in events} == {"spot"}
    assert all(event.inference_time_ms > 0 for event in events)


def test_a_model_of_canvases_sees_all_cameras_in_one_picture() -> None:
    frames, detector, events = FreshestFrames(), BlockDetector(), list[DetectionEvent]()
    for source_id in range(4):
        frames.put(make_frame(source_id=source_id, size=(64, 48), grey=255))
    mux = multiplexer(frames, detector, lambda event, _: events.append(event))
    mux.start()
    wait_until(lambda: len(events) == 4, "four events")
    mux.request_stop()
    assert mux.join(10)
    assert detector.seen == [(CANVAS[1], CANVAS[0], 3)]
    assert (mux.analysed, mux.inferences) == (4, 1)
    [work] = mux.works()
    assert (work.model_id, work.inferences, work.frames) == (detector.model_id, 1, 4)
    assert 4 * 64 * 48 <= work.used_px <= work.offered_px == CANVAS[0] * CANVAS[1]
    assert work.seconds.count == 1
    for event in events:
        [block] = event.detections
        assert block.bbox.xyxy_px == pytest.approx((0, 0, 64, 48), abs=2)
        assert event.inference_time_ms > 0


def test_frames_in_which_nothing_moves_cost_no_inference_and_have_their_event() -> None:
    frames, detector, events = FreshestFrames(), BlockDetector(), list[DetectionEvent]()
    mux = multiplexer(frames, detector, lambda event, _: events.append(event))
    mux.start()
    for number in range(10):
        frames.put(make_frame(frame_id=number, received_s=0.2 * number, size=(64, 48), grey=50))
        wait_until(partial(has, events, number + 1), "an event")
    mux.request_stop()
    assert mux.join(10)
    assert (mux.analysed, mux.inferences) == (10, 1)
    assert [event.inference_time_ms > 0 for event in events] == [True] + [False] * 9


def test_a_track_is_told_and_ends_with_its_camera() -> None:
    frames, events, told = FreshestFrames(), list[DetectionEvent](), list[TrackEvent]()
    mux = multiplexer(frames, BrightSpotDetector(), lambda event, _: events.append(event), emit_track=told.append)
    mux.start()
    for number in range(15):  # what the upper edge cuts off is told after 2 s
        frames.put(make_frame(frame_id=number, received_s=0.2 * number, grey=255))
        wait_until(partial(has, events, number + 1), "an event")
    assert [track.kind for track in told][:1] == ["start"]
    assert events[-1].detections[0].tracker_id == told[0].track_id
    mux.forget(0)
    wait_until(lambda: told[-1].kind == "end", "the end of the track")
    assert told[-1].end_reason == "removed"
    mux.request_stop()
    assert mux.join(10)


def test_who_is_in_a_zone_is_counted() -> None:
    frames, events = FreshestFrames(), list[DetectionEvent]()
    zone = {"name": "yard", "polygon": ((0, 0), (1, 0), (1, 1), (0, 1))}
    mux = multiplexer(frames, BrightSpotDetector(), lambda event, _: events.append(event), zones=(zone,))
    mux.start()
    for number in range(15):
        frames.put(make_frame(frame_id=number, received_s=0.2 * number, grey=255))
        wait_until(partial(has, events, number + 1), "an event")
    counts = mux.counts()[0].zones["yard"]
    assert (counts.now, counts.entered) == ({"spot": 1}, {"spot": 1})
    mux.request_stop()
    assert mux.join(10)
    assert mux.counts() == {}


def test_who_waits_longest_goes_first_and_sooner_where_something_happens() -> None:
    assert rank(0.3, is_active=False) < rank(0.2, is_active=False)
    assert rank(0.2, is_active=True) < rank(0.3, is_active=False) < rank(0.1, is_active=True)


def test_a_detector_gets_the_size_it_looks_at_and_boxes_are_in_pixels_of_the_source() -> None:
    class Small(BrightSpotDetector):
        def input_size_px(self, width: int, height: int) -> tuple[int, int] | None:
            return (width // 2, height // 4)

        def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
            sizes.extend(image.shape for image in images)
            return super().infer(images, source_ids)

    sizes: list[tuple[int, ...]] = []
    frames, events = FreshestFrames(), list[DetectionEvent]()
    frames.put(make_frame(size=(640, 480), grey=255))
    mux = multiplexer(frames, Small(), lambda event, _: events.append(event))
    mux.start()
    wait_until(lambda: len(events) == 1, "an event")
    mux.request_stop()
    assert mux.join(10)
    assert sizes == [(120, 320, 3)]
    assert events[0].detections[0].bbox.xyxy_px == (0, 0, 640, 480)
    assert (events[0].frame_width, events[0].frame_height) == (640, 480)


def test_a_batch_is_no_larger_than_allowed() -> None:
    frames, detector = FreshestFrames(), BrightSpotDetector()
    for source_id in range(5):
        frames.put(make_frame(source_id=source_id))
    mux = multiplexer(frames, detector, lambda *_: None, max_batch=2)
    mux.start()
    wait_until(lambda: mux.analysed == 5, "five frames")
    mux.request_stop()
    assert mux.join(10)
    assert [len(batch) for batch in detector.batches] == [2, 2, 1]
    assert mux.inferences == 5


def test_a_detector_without_real_batches_gets_one_frame_at_a_time() -> None:
    frames, detector, events = FreshestFrames(), BrightSpotDetector(has_real_batches=False), list[DetectionEvent]()
    for source_id in range(3):
        frames.put(make_frame(source_id=source_id))
    mux = multiplexer(frames, detector, lambda event, _: events.append(event))
    mux.start()
    wait_until(lambda: len(events) == 3, "three events")
    mux.request_stop()
    assert mux.join(10)
    assert detector.batches == [[0], [1], [2]]


class FloodedDetector(BrightSpotDetector):
    """While it looks at one frame, each camera delivers a newer one."""

    def __init__(self, frames: FreshestFrames, n_cameras: int) -> None:
        super().__init__(has_real_batches=False)
        self._frames = frames
        self._n_cameras = n_cameras

    def flood(self) -> None:
        number = len(self.batches)
        for source_id in range(self._n_cameras):
            # more happens at the first camera than at the others
            grey = 255 if source_id == 0 else 50
            self._frames.put(make_frame(source_id, number, received_s=0.01 * number, grey=grey))

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        found = super().infer(images, source_ids)
        self.flood()
        return found


def test_under_overload_the_rate_of_all_cameras_falls_evenly_and_is_told() -> None:
    frames, events = FreshestFrames(), list[DetectionEvent]()
    detector = FloodedDetector(frames, n_cameras=5)
    mux = multiplexer(frames, detector, lambda event, _: events.append(event))
    detector.flood()
    mux.start()
    wait_until(partial(has, events, 50), "fifty events")
    mux.request_stop()
    assert mux.join(10)
    active, *calm = (sum(event.source_id == source for event in events[:50]) for source in range(5))
    assert max(calm) - min(calm) <= 1
    assert min(calm) <= active <= 2 * max(calm) + 2
    assert all(frames.replaced(source) > 0 for source in range(5))
    assert all(event.fps is not None and event.fps > 0 for event in events[10:])


def test_a_detector_that_raises_costs_its_batch_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    frames, detector, events = FreshestFrames(), FailingDetector(failures=2), list[DetectionEvent]()
    mux = multiplexer(frames, detector, lambda event, _: events.append(event))
    mux.start()
    frame_id = 0

    def offer_until_seen() -> bool:
        nonlocal frame_id
        frame_id += 1
        frames.put(make_frame(frame_id=frame_id))
        return bool(events)

    wait_until(offer_until_seen, "an event after the failures")
    mux.request_stop()
    assert mux.join(10)
    assert mux.failures == 2
    assert "detector bright-spot failed on source 0" in caplog.text


class BrokenDetector(BlockDetector):
    """Never works."""

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        super().infer(images, source_ids)
        raise RuntimeError("no device, see http://user:hunter2@host")


def test_a_model_that_never_works_stays_degraded_and_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    frames, detector, events = FreshestFrames(), BrokenDetector(), list[DetectionEvent]()
    mux = multiplexer(frames, detector, lambda event, _: events.append(event))
    mux.start()
    frame_id = 0

    def offer_until_asked_thrice() -> bool:
        nonlocal frame_id
        frame_id += 1
        frames.put(make_frame(frame_id=frame_id, received_s=0.2 * frame_id, grey=50))
        return len(detector.seen) >= 3

    wait_until(offer_until_asked_thrice, "the third try")
    mux.request_stop()
    assert mux.join(10)
    assert events == [], "nothing was looked at, and nothing claimed"
    assert "hunter2" not in "".join(record.getMessage() for record in caplog.records)


def test_a_model_may_be_replaced_before_the_first_frame() -> None:
    clock = SystemClock()
    slot = ModelSlot(BrightSpotDetector(), clock=clock)
    mux = Multiplexer(
        FreshestFrames(), slot, lambda source_id: analyst(source_id, clock, ()), lambda *_: None, lambda _: None,
        clock=clock, name="multiplexer", max_batch=4,
    )  # fmt: skip
    mux.start()
    assert slot.swap(lambda _: BrightSpotDetector()).wait(30) == "done"
    mux.request_stop()
    assert mux.join(10)
    assert slot.close(10)


def test_a_camera_that_comes_again_meets_nothing_of_its_old_self() -> None:
    frames, told = FreshestFrames(), list[TrackEvent]()
    events = list[DetectionEvent]()
    mux = multiplexer(frames, BrightSpotDetector(), lambda event, _: events.append(event), emit_track=told.append)
    mux.start()
    for number in range(15):
        frames.put(make_frame(frame_id=number, received_s=0.2 * number, grey=255))
        wait_until(partial(has, events, number + 1), "an event")
    mux.forget(0)
    frames.put(make_frame(frame_id=0, received_s=3.0, grey=255))
    wait_until(partial(has, events, 16), "an event of the new camera")
    mux.request_stop()
    assert mux.join(10)
    assert [(track.kind, track.end_reason, track.frame_id) for track in told if track.kind == "end"] == [
        ("end", "removed", 14)
    ]
    assert events[-1].detections[0].tracker_id is None


class InsideOutDetector(BrightSpotDetector):
    """Gives camera 0 a box whose right edge is left of its left edge."""

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        bad = Detections(np.array([[9, 0, 1, 5]], np.float32), np.array([0.9], np.float32), np.array([0], np.int32))
        return [bad if source == 0 else Detections.empty() for _, source in zip(images, source_ids or (), strict=True)]


def test_bad_boxes_of_one_camera_cost_no_other_its_event(caplog: pytest.LogCaptureFixture) -> None:
    frames, events = FreshestFrames(), list[DetectionEvent]()
    frames.put(make_frame(source_id=0))
    frames.put(make_frame(source_id=1))
    mux = multiplexer(frames, InsideOutDetector(), lambda event, _: events.append(event))
    mux.start()
    mux.finish()
    assert mux.join(30)
    assert [event.source_id for event in events] == [1]
    [record] = caplog.records
    assert record.message.startswith("camera 0: detector bright-spot: xyxy_px: expected left <= right")
    assert "got [9.0, 0.0, 1.0, 5.0]" in record.message
    assert "\n" not in record.message


def test_says_how_long_the_present_inference_takes() -> None:
    frames, detector = FreshestFrames(), HangingDetector()
    mux = multiplexer(frames, detector, lambda *_: None)
    mux.start()
    assert mux.busy_for_s() == 0
    frames.put(make_frame())
    assert detector.is_called.wait(30)
    assert mux.busy_for_s() > 0
    mux.request_stop()
    assert not mux.join(0.05)
    detector.release.set()
    assert mux.join(30)
    assert mux.busy_for_s() == 0
