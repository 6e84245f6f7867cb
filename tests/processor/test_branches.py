from nvr.config.camera import CameraConfig
from nvr.core.clock import SystemClock
from nvr.media.freshest import FreshestFrames
from nvr.processor.analyst import AnalystSettings, CameraAnalyst
from nvr.processor.branches import Branches
from nvr.processor.model_branch import Branch
from nvr.processor.model_slot import ModelSlot
from nvr.processor.multiplexer import Multiplexer
from tests.media.frames import make_frame
from tests.processor.fakes import BrightSpotDetector
from tests.waiting import wait_until


def branch() -> Branch:
    clock = SystemClock()
    frames, slot = FreshestFrames(clock), ModelSlot(BrightSpotDetector(), clock=clock, is_ours=False)
    settings = AnalystSettings(CameraConfig(uri="rtsp://192.0.2.1/live"), "p")
    multiplexer = Multiplexer(
        frames,
        slot,
        lambda source_id: CameraAnalyst(source_id, lambda: settings, clock=clock),
        lambda *_: None,
        lambda _: None,
        clock=clock,
        name="multiplexer-test",
        max_batch=1,
    )
    return Branch(frames, slot, multiplexer)


def test_what_is_counted_of_a_model_stays_while_it_ends_and_afterwards() -> None:
    old = branch()
    branches = Branches({"old": old, "other": branch()})
    branches.start()
    old.frames.put(make_frame())
    wait_until(lambda: branches.analysed == 1, "the frame is looked at")
    assert branches.take_out(lambda name, _: name == "old") == {"old": old}
    assert (branches.analysed, branches.inferences, sum(work.frames for work in branches.works())) == (1, 1, 1)
    old.end()
    branches.remember(old)
    assert (branches.analysed, branches.inferences, sum(work.frames for work in branches.works())) == (1, 1, 1)
    assert "old" not in branches
    branches.stop(lambda: 10.0)


def test_a_model_keeps_its_place_under_another_name() -> None:
    first = branch()
    branches = Branches({"first": first, "second": branch()})
    branches.rename("first", "new")
    assert str(branches) == "new, second"
    assert branches.get("new") is first
