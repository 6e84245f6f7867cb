"""Several models at once, and the replacement of one, with real networks and frames that are handed over here."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from nvr.config.camera import CameraConfig
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import SystemClock
from nvr.core.errors import CancelledError, ConfigurationError, ModelError
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent
from nvr.processor.model_bank import ModelBank
from tests.detection.onnx_graphs import constant_outputs
from tests.media.frames import make_frame
from tests.processor.fakes import BrightSpotDetector
from tests.waiting import wait_until

URI = "rtsp://192.0.2.1/live"


def network(path: Path, name: str, confidence: float = 0.9) -> str:
    """A network that sees one object of one class in the middle of each picture."""
    column = np.zeros((1, 5, 84), np.float32)
    column[0, :, 0] = [32, 32, 16, 16, confidence]
    names = {"names": f"{{0: '{name}'}}", "task": "detect"}
    return str(constant_outputs(path, {"output0": column}, metadata=names))


@pytest.fixture
def networks(tmp_path: Path) -> tuple[str, str]:
    return network(tmp_path / "a.onnx", "apple"), network(tmp_path / "b.onnx", "bird")


class Site:
    """A bank with two cameras, each looked at by a model of its own."""

    def __init__(self, networks: tuple[str, str]) -> None:
        self.events: list[DetectionEvent] = []
        self.cameras = tuple(CameraConfig(uri=URI, model_id=model) for model in networks)
        self.bank_config = StreamProcessorConfig(
            cameras=self.cameras, model_id=networks[0], max_wait_ms=0, multiplex="frames"
        )
        self.bank = ModelBank(
            self.bank_config,
            lambda event, *_: self.events.append(event),
            lambda _: None,
            clock=SystemClock(),
        )
        self.bank.load(lambda: False)
        for source_id, camera in enumerate(self.cameras):
            self.bank.admit(source_id, camera)
        self.bank.start()

    def look(self, source_id: int) -> DetectionEvent:
        n_before = len(self.events)
        self.bank.put(make_frame(source_id=source_id, frame_id=n_before, received_s=0.2 * n_before, size=(64, 64)))
        wait_until(lambda: len(self.events) > n_before, f"an event of camera {source_id}")
        return self.events[-1]


@pytest.fixture
def site(networks: tuple[str, str]) -> Iterator[Site]:
    started = Site(networks)
    yield started
    started.bank.stop(lambda: 10.0)


def test_each_camera_is_looked_at_by_its_model(site: Site) -> None:
    assert [found.class_name for found in site.look(0).detections] == ["apple"]
    assert [found.class_name for found in site.look(1).detections] == ["bird"]
    assert site.bank.branches.analysed == site.bank.branches.inferences == 2
    assert [status.state for status in site.bank.branches.statuses] == ["ok", "ok"]


def test_a_model_is_replaced_between_two_frames_and_the_other_goes_on(site: Site, networks: tuple[str, str]) -> None:
    assert site.look(0).detections[0].class_name == "apple"
    assert site.bank.swap(networks[1]).wait(30) == "done"
    assert site.look(0).detections[0].class_name == "bird"
    assert site.look(1).detections[0].class_name == "bird"
    assert [status.generation for status in site.bank.branches.statuses] == [2, 1]


def test_a_model_that_cannot_be_had_leaves_the_old_one(site: Site, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    swap = site.bank.swap(str(broken))
    assert swap.wait(30) == "failed"
    assert "broken.onnx" in str(swap.error)
    assert site.look(0).detections[0].class_name == "apple"


def test_what_is_not_in_use_cannot_be_replaced_nor_chosen(site: Site) -> None:
    with pytest.raises(ConfigurationError, match="model motion is not in use, expected one of"):
        site.bank.swap("motion", instead_of="motion")
    with pytest.raises(ModelError, match="yolox-nanoo"):
        site.bank.admit(7, CameraConfig(uri=URI, model_id="yolox-nanoo"))


def test_a_camera_that_is_gone_is_forgotten_with_its_frames(site: Site) -> None:
    site.look(0)
    site.bank.forget(0)
    site.bank.put(make_frame(source_id=0))
    assert site.bank.wait_until_taken(0, 0)
    assert site.look(1).source_id == 1
    assert [event.source_id for event in site.events] == [0, 1]
    assert site.bank.replaced(0) == 0


def test_nothing_can_be_replaced_before_it_is_loaded(networks: tuple[str, str]) -> None:
    config = StreamProcessorConfig(stream_uris=(URI,), model_id=networks[0])
    bank = ModelBank(config, lambda *_: None, lambda _: None, clock=SystemClock())
    with pytest.raises(RuntimeError, match="not started"):
        bank.swap(networks[1])
    assert (
        bank.branches.analysed,
        bank.branches.inferences,
        bank.branches.failures,
        bank.branches.busy_for_s(),
        bank.branches.statuses,
    ) == (0, 0, 0, 0.0, ())


def test_a_model_that_is_out_of_reach_does_not_make_motion_look(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVR_ASSETS_DIR", raising=False)
    monkeypatch.setenv("NVR_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent")
    swap = site.bank.swap("yolox-nano")
    assert swap.wait(30) == "failed"
    assert [found.class_name for found in site.look(0).detections] == ["apple"]


def test_a_class_must_be_known_to_one_of_several_models(networks: tuple[str, str]) -> None:
    cameras = tuple(CameraConfig(uri=URI, model_id=model) for model in networks)
    for classes, message in ((("apple", "bird"), None), (("apple", "cat"), "has cat")):
        config = StreamProcessorConfig(cameras=cameras, model_id=networks[0], classes=classes)
        bank = ModelBank(config, lambda *_: None, lambda _: None, clock=SystemClock())
        with nullcontext() if message is None else pytest.raises(ConfigurationError, match=message):
            bank.load(lambda: False)
        bank.close()


def test_one_given_detector_cannot_be_several_models(networks: tuple[str, str]) -> None:
    cameras = tuple(CameraConfig(uri=URI, model_id=model) for model in networks)
    bank = ModelBank(StreamProcessorConfig(cameras=cameras), lambda *_: None, lambda _: None, clock=SystemClock())
    with pytest.raises(ConfigurationError, match="one detector was given, and the cameras name"):
        bank.load(lambda: False, BrightSpotDetector())


def test_the_tracks_of_a_camera_that_pauses_end() -> None:
    told: list[TrackEvent] = []
    events: list[DetectionEvent] = []
    bank = ModelBank(
        StreamProcessorConfig(stream_uris=(URI,), multiplex="frames", max_wait_ms=0),
        lambda event, *_: events.append(event),
        told.append,
        clock=SystemClock(),
    )
    bank.load(lambda: False, BrightSpotDetector())
    bank.admit(0, CameraConfig(uri=URI))
    bank.start()
    for number in range(15):
        bank.put(make_frame(frame_id=number, received_s=0.2 * number, grey=255))
        wait_until(lambda n=number: len(events) > n, "an event")  # type: ignore[misc]
    bank.interrupt(0)
    wait_until(lambda: told[-1].kind == "end", "the end of the track")
    assert told[-1].end_reason == "removed"
    bank.stop(lambda: 10.0)


@pytest.fixture
def doubtful(tmp_path: Path) -> Iterator[Site]:
    """A site whose models are sure of what they see by 0.3 and 0.2, less than the settings ask for."""
    paths = network(tmp_path / "a.onnx", "apple", 0.3), network(tmp_path / "b.onnx", "bird", 0.2)
    started = Site(paths)
    yield started
    started.bank.stop(lambda: 10.0)


def tell(site: Site, source_id: int, confidence: float | None) -> None:
    camera = site.cameras[source_id].model_copy(update={"confidence_threshold": confidence})
    site.bank.admit(source_id, camera)


def names(event: DetectionEvent) -> list[str]:
    return [found.class_name for found in event.detections if not found.held]


def test_a_threshold_of_one_camera_works_both_ways_and_survives_a_swap(doubtful: Site) -> None:
    models = [str(camera.model_id) for camera in doubtful.cameras]
    doubtful.bank.admit(7, CameraConfig(uri=URI, model_id=models[0]))
    assert names(doubtful.look(0)) == []
    tell(doubtful, 0, 0.25)
    assert names(doubtful.look(0)) == ["apple"], "lower than the model was loaded with"
    assert names(doubtful.look(7)) == [], "of the same model, for which nobody said so"
    tell(doubtful, 0, 0.31)
    assert names(doubtful.look(0)) == []
    tell(doubtful, 0, 0.1)
    assert doubtful.bank.swap(models[1]).wait(30) == "done"
    assert names(doubtful.look(0)) == ["bird"]
    assert names(doubtful.look(7)) == []
    tell(doubtful, 0, None)
    assert names(doubtful.look(0)) == []


def test_a_threshold_of_all_cameras_is_told_to_models_that_are_loaded_later_too(doubtful: Site) -> None:
    doubtful.bank.configure(doubtful.bank_config.model_copy(update={"confidence_threshold": 0.1}))
    assert names(doubtful.look(0)) == ["apple"]
    assert names(doubtful.look(1)) == ["bird"]
    tell(doubtful, 1, 0.5)
    assert names(doubtful.look(1)) == []
    assert doubtful.bank.swap(str(doubtful.cameras[1].model_id)).wait(30) == "done"
    assert names(doubtful.look(0)) == ["bird"]


def test_a_camera_goes_over_to_another_model_and_the_old_one_is_freed(site: Site, networks: tuple[str, str]) -> None:
    assert names(site.look(1)) == ["bird"]
    site.bank.admit(1, CameraConfig(uri=URI, model_id=networks[0]))
    assert names(site.look(1)) == ["apple"]
    assert [status.model_id for status in site.bank.branches.statuses] == [site.bank.branches.statuses[0].model_id]
    assert site.bank.branches.inferences == 2, "what it did before is not forgotten"
    with pytest.raises(ConfigurationError, match="is not in use"):
        site.bank.swap("motion", instead_of=networks[1])


def test_the_usual_model_stays_without_a_camera(site: Site, networks: tuple[str, str]) -> None:
    site.bank.admit(0, CameraConfig(uri=URI, model_id=networks[1]))
    site.bank.forget(1)
    assert len(site.bank.branches.statuses) == 2
    site.bank.admit(5, CameraConfig(uri=URI))
    assert names(site.look(5)) == ["apple"]


def with_model(model_id: str, *classes: str) -> StreamProcessorConfig:
    return StreamProcessorConfig(model_id=model_id, classes=classes)


def test_a_model_is_loaded_by_the_settings_that_come_with_it(networks: tuple[str, str]) -> None:
    bank = ModelBank(with_model(networks[0], "apple"), lambda *_: None, lambda _: None, clock=SystemClock())
    bank.load(lambda: False)
    with pytest.raises(ConfigurationError, match="has no apple"):
        bank.change_default(with_model(networks[1], "apple"))
    bank.change_default(with_model(networks[1], "bird"))
    bank.branches.check_classes(["bird"])
    bank.stop(lambda: 10.0)


def test_another_usual_model_looks_at_those_that_choose_none(site: Site, networks: tuple[str, str]) -> None:
    site.bank.admit(5, CameraConfig(uri=URI))
    assert names(site.look(5)) == ["apple"]
    site.bank.change_default(with_model(networks[1]))
    assert names(site.look(5)) == ["bird"]
    assert names(site.look(0)) == ["apple"], "which it has chosen"
    site.bank.forget(0)
    assert len(site.bank.branches.statuses) == 1, "nobody has chosen it any more"
    site.bank.change_default(with_model("motion"))
    assert names(site.look(1)) == ["bird"]
    assert {status.model_id for status in site.bank.branches.statuses} >= {"motion"}


def test_another_usual_model_that_cannot_be_had_changes_nothing(site: Site, tmp_path: Path) -> None:
    site.bank.admit(5, CameraConfig(uri=URI))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(ModelError, match="broken"):
        site.bank.change_default(with_model(str(broken)))
    with pytest.raises(CancelledError):
        site.bank.change_default(with_model("motion"), lambda: True)
    assert names(site.look(5)) == ["apple"]
    site.bank.admit(6, CameraConfig(uri=URI))
    assert names(site.look(6)) == ["apple"]
    assert len(site.bank.branches.statuses) == 2


def test_nothing_is_loaded_for_a_processor_that_has_stopped(site: Site) -> None:
    site.bank.stop(lambda: 10.0)
    with pytest.raises(CancelledError):
        site.bank.admit(9, CameraConfig(uri=URI, model_id="motion"))
    assert len(site.bank.branches.statuses) == 2
