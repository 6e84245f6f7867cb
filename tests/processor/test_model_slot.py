"""A detector is replaced between two batches, and a failing one is tried again."""

import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from nvr.assets.cancelling import IsCancelled
from nvr.core.backoff import Backoff
from nvr.core.clock import ManualClock, SystemClock
from nvr.core.errors import CancelledError, FrameError, ModelError, TransientError
from nvr.detection.detections import Detections, Image
from nvr.detection.load import load_detector
from nvr.detection.motion import MotionDetector
from nvr.processor.model_slot import MAX_LOADERS, ModelSlot, ModelStatus
from nvr.processor.model_swap import Load
from tests.processor.fakes import BrightSpotDetector, FailingDetector, HangingDetector
from tests.waiting import DEADLINE_S, wait_until

GREY = np.full((90, 160, 3), 114, np.uint8)


class Ready:
    """A load that takes as long as the test wants."""

    def __init__(self, detector: BrightSpotDetector | None = None) -> None:
        self.detector = detector or BrightSpotDetector()
        self.may_end = threading.Event()
        self.was_cancelled = False

    def __call__(self, is_cancelled: IsCancelled) -> BrightSpotDetector:
        assert self.may_end.wait(DEADLINE_S)
        self.was_cancelled = is_cancelled()
        return self.detector


class Deaf(BrightSpotDetector):
    """Loads well and answers nothing."""

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        del images, source_ids
        return []


def slot_of(
    detector: BrightSpotDetector,
    clock: ManualClock | None = None,
    *,
    is_ours: bool = True,
    on_change: Callable[[ModelStatus], None] | None = None,
) -> ModelSlot:
    backoff = Backoff(initial_s=1, max_s=8, rng=random.Random(1))
    clock = clock or ManualClock()
    return ModelSlot(detector, clock=clock, backoff=backoff, size_px=(160, 90), is_ours=is_ours, on_change=on_change)


def test_the_new_detector_is_warm_and_used_from_the_next_batch_on() -> None:
    old, new = BrightSpotDetector(), BrightSpotDetector()
    slot = slot_of(old)
    assert slot.current().detector is old
    swap = slot.swap(lambda _: new)
    wait_until(lambda: len(new.batches) == 1, "the warm-up")
    assert swap.wait(0) == "pending"
    assert not old.closed
    wait_until(lambda: slot.current().generation == 2, "the second detector is in use")
    assert slot.current().detector is new
    assert swap.wait(0) == "done"
    swap.cancel()
    assert swap.state == "done"
    assert swap.error is None
    wait_until(lambda: old.closed, "the old detector is closed")
    assert not new.closed
    assert slot.close(0) is False, "a batch is in work"
    slot.succeeded()
    assert slot.close(DEADLINE_S)


def test_the_warm_up_is_of_no_camera() -> None:
    motion = MotionDetector()
    slot = ModelSlot(BrightSpotDetector(), clock=SystemClock())
    assert slot.swap(lambda _: motion).wait(DEADLINE_S) == "done"
    assert motion.n_sources == 1
    assert len(motion.infer([np.full((720, 1280, 3), 255, np.uint8)], [0])[0]) == 0, "its first look"
    assert motion.n_sources == 2


def test_without_a_batch_in_work_a_swap_needs_no_batch() -> None:
    old, new = BrightSpotDetector(), BrightSpotDetector()
    slot = slot_of(old)
    assert slot.swap(lambda _: new).wait(DEADLINE_S) == "done"
    wait_until(lambda: old.closed, "the old detector is closed")
    slot.current()
    slot.succeeded()
    newest = BrightSpotDetector()
    assert slot.swap(lambda _: newest).wait(DEADLINE_S) == "done"
    assert slot.current().detector is newest
    assert slot.status.generation == 3


def test_a_detector_that_was_lent_is_not_closed() -> None:
    lent, new = BrightSpotDetector(), BrightSpotDetector()
    slot = slot_of(lent, is_ours=False)
    assert slot.swap(lambda _: new).wait(DEADLINE_S) == "done"
    assert slot.close(DEADLINE_S)
    assert new.closed
    assert not lent.closed


def no_such_model(_: IsCancelled) -> BrightSpotDetector:
    raise ModelError("no such model")


@pytest.mark.parametrize(
    ("load", "error", "message"),
    [
        (no_such_model, ModelError, "no such model"),
        (lambda _: FailingDetector(1), RuntimeError, "no memory on the device"),
        (lambda _: Deaf(), ModelError, "expected 1 answer to 1 picture, got 0"),
    ],
)
def test_a_model_that_fails_to_load_or_to_look_leaves_the_old_one_in_use(
    load: Load, error: type[Exception], message: str
) -> None:
    old = BrightSpotDetector()
    slot = slot_of(old)
    swap = slot.swap(load)
    assert swap.wait(DEADLINE_S) == "failed"
    with pytest.raises(error, match=message):
        raise swap.error or AssertionError
    assert slot.current().detector is old
    assert slot.status.generation == 1
    assert not old.closed


def test_a_detector_that_fails_its_warm_up_is_closed() -> None:
    failing = FailingDetector(1)
    slot = slot_of(BrightSpotDetector())
    assert slot.swap(lambda _: failing).wait(DEADLINE_S) == "failed"
    wait_until(lambda: failing.closed, "it is closed")


def test_a_cancelled_swap_leaves_the_old_one_and_closes_what_came_too_late() -> None:
    old, late = BrightSpotDetector(), Ready()
    slot = slot_of(old)
    swap = slot.swap(late)
    assert swap.state == "pending"
    swap.cancel()
    assert swap.wait(DEADLINE_S) == "failed"
    assert isinstance(swap.error, CancelledError)
    late.may_end.set()
    wait_until(lambda: late.detector.closed, "the late detector is closed")
    assert late.was_cancelled
    assert late.detector.batches == [], "nobody wants it warm"
    assert slot.current().detector is old


def test_a_detector_that_waits_for_the_end_of_a_batch_can_still_be_cancelled() -> None:
    old, new = BrightSpotDetector(), BrightSpotDetector()
    slot = slot_of(old)
    slot.current()
    swap = slot.swap(lambda _: new)
    wait_until(lambda: len(new.batches) == 1, "the warm-up")
    swap.cancel()
    wait_until(lambda: new.closed, "the detector that nobody wants is closed")
    assert slot.current().detector is old


def test_the_last_of_two_swaps_counts() -> None:
    first, second = Ready(), Ready()
    slot = slot_of(BrightSpotDetector())
    swaps = [slot.swap(first), slot.swap(second)]
    assert swaps[0].wait(DEADLINE_S) == "failed"
    assert isinstance(swaps[0].error, CancelledError)
    second.may_end.set()
    assert swaps[1].wait(DEADLINE_S) == "done"
    first.may_end.set()
    wait_until(lambda: first.detector.closed, "the first is closed, though it came last")
    assert slot.current().detector is second.detector


def test_models_that_never_load_do_not_pile_up() -> None:
    slot = slot_of(BrightSpotDetector())
    loads = [Ready() for _ in range(MAX_LOADERS)]
    for load in loads:
        slot.swap(load)
    with pytest.raises(TransientError, match="2 models are still loading"):
        slot.swap(Ready())
    for load in loads:
        load.may_end.set()
    wait_until(lambda: loads[-1].detector is slot.current().detector, "the last of them is in use")


def test_a_failing_model_is_degraded_tried_later_and_ok_after_a_success() -> None:
    clock, told = ManualClock(), list[ModelStatus]()
    slot = slot_of(BrightSpotDetector(), clock, on_change=told.append)
    clock.advance(10)
    slot.current()
    slot.failed(RuntimeError("rtsp://user:secret@camera is no memory"))
    assert 0.5 <= slot.retry_in_s() <= 1
    [degraded] = told
    assert (degraded.state, degraded.failures, degraded.since) == ("degraded", 1, clock.now())
    assert "RuntimeError: " in degraded.reason
    assert "secret" not in degraded.reason
    clock.advance(1)
    assert slot.retry_in_s() == 0
    slot.current()
    slot.failed(RuntimeError("again"))
    assert 1 <= slot.retry_in_s() <= 2
    assert told == [degraded], "no change is told for each failure"
    assert slot.status.failures == 2
    assert slot.status.since == degraded.since
    clock.advance(2)
    slot.current()
    slot.succeeded()
    assert slot.retry_in_s() == 0
    assert told[1:] == [ModelStatus("bright-spot", 1, "ok", clock.now())]
    slot.current()
    slot.failed(RuntimeError("once more"))
    assert slot.retry_in_s() <= 1, "the backoff starts over"


def test_a_bad_picture_is_not_the_fault_of_the_model() -> None:
    slot = slot_of(BrightSpotDetector())
    slot.current()
    slot.failed(FrameError("image: expected (H, W, 3) uint8, got (0,)"))
    assert slot.status.state == "ok"
    assert slot.retry_in_s() == 0


def test_another_model_need_not_wait_for_the_pause_of_the_failing_one() -> None:
    told = list[ModelStatus]()
    slot = slot_of(BrightSpotDetector(), on_change=told.append)
    slot.current()
    slot.failed(RuntimeError("no memory on the device"))
    assert slot.retry_in_s() > 0
    assert slot.swap(lambda _: BrightSpotDetector()).wait(DEADLINE_S) == "done"
    assert slot.retry_in_s() == 0
    wait_until(lambda: len(told) == 2, "the change is told")
    assert [(status.state, status.generation) for status in told] == [("degraded", 1), ("ok", 2)]


def test_who_raises_when_told_of_a_change_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: ModelStatus) -> None:
        raise RuntimeError("the broker is gone")

    slot = slot_of(BrightSpotDetector(), on_change=refuse)
    slot.current()
    slot.failed(RuntimeError("no memory on the device"))
    slot.current()
    slot.succeeded()
    assert slot.status.state == "ok"
    assert "a change of model bright-spot could not be told" in caplog.text


def test_closing_gives_up_what_is_loading_and_leaves_what_hangs() -> None:
    hanging, late = HangingDetector(), Ready()
    slot = slot_of(hanging)

    def use() -> None:
        slot.current().detector.infer([GREY])
        slot.succeeded()

    user = threading.Thread(target=use, name="user")
    user.start()
    assert hanging.is_called.wait(DEADLINE_S)
    swap = slot.swap(late)
    assert not slot.close(0.05)
    assert swap.wait(0) == "failed"
    assert not hanging.closed
    with pytest.raises(CancelledError):
        slot.current()
    with pytest.raises(CancelledError):
        slot.swap(late)
    hanging.release.set()
    late.may_end.set()
    user.join(DEADLINE_S)
    assert slot.close(DEADLINE_S)
    assert hanging.closed
    assert late.detector.closed


@pytest.mark.assets
def test_batches_go_on_while_a_network_is_loaded_and_taken_into_use(assets_dir: Path) -> None:
    model = assets_dir / "models" / "yolox_nano_416.onnx"
    slot = ModelSlot(MotionDetector(), clock=SystemClock())
    swap = slot.swap(lambda _: load_detector("yolox-nano", model, None, providers=["cpu"]))
    used = list[str]()
    while "yolox-nano" not in used:
        in_use = slot.current()
        assert len(in_use.detector.infer([GREY], [0])) == 1
        used.append(in_use.detector.model_id)
        slot.succeeded()
    assert swap.wait(0) == "done"
    assert used.count("motion") > 1
    assert used == sorted(used), "each batch has one model, and the old one never returns"
    assert slot.close(DEADLINE_S)
