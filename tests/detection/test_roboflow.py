import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nvr.core.backoff import Backoff
from nvr.core.errors import (
    ConfigurationError,
    CredentialsError,
    FrameError,
    InvalidInputError,
    ModelError,
    TransientError,
    UnsupportedError,
)
from nvr.detection.detections import Detections, Image
from nvr.detection.roboflow import RoboflowDetector
from tests.detection.roboflow_package import write_package

DEADLINE_S = 60.0
Make = Callable[..., RoboflowDetector]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Detectors whose worker finds the stand-in under the package's name."""
    folder = tmp_path / "path" / "inference_models"
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("roboflow_stand_in.py"), folder / "__init__.py")
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    detectors: list[RoboflowDetector] = []

    def make_one(model_id: str = "bright", **options: float | str | Callable[[], bool]) -> RoboflowDetector:
        backoff = Backoff(initial_s=0.01, max_s=0.02)
        detector = RoboflowDetector(model_id, backoff=backoff, **options)  # type: ignore[arg-type] # each test names its own
        detectors.append(detector)
        return detector

    yield make_one
    for detector in detectors:
        detector.close()


def picture(width: int, height: int, box: tuple[int, int, int, int]) -> Image:
    image = np.full((height, width, 3), 9, np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return image


BLACK: Image = np.zeros((48, 64, 3), np.uint8)
WHITE: Image = picture(64, 48, (8, 4, 24, 20))


def infer_until_it_works(detector: RoboflowDetector, images: list[Image]) -> list[Detections]:
    give_up_s = time.monotonic() + DEADLINE_S
    while True:
        try:
            return detector.infer(images)
        except TransientError:
            assert time.monotonic() < give_up_s
            time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("model_id", ["bright", "one-size"])
def test_answers_a_batch_of_several_sizes_in_order(make: Make, model_id: str) -> None:
    boxes = [(10, 20, 30, 40), (0, 0, 5, 6), (100, 50, 640, 360)]
    images = [picture(64, 48, boxes[0]), picture(300, 200, boxes[1]), picture(640, 360, boxes[2])]
    detector = make(model_id, confidence_threshold=0.25)
    assert detector.class_names == ("dark", "bright")
    answers = detector.infer(images)
    assert [tuple(answer.xyxy_px[1]) for answer in answers] == boxes
    for answer, image in zip(answers, images, strict=True):
        # The strongest first, clipped to the picture; the third has a class that the model does not name.
        assert answer.class_id.tolist() == [0, 1]
        assert answer.confidence.tolist() == pytest.approx([0.9, 0.25])
        assert answer.xyxy_px[0].tolist() == [0, 0, image.shape[1], image.shape[0]]


def test_takes_views_that_are_not_contiguous(make: Make) -> None:
    image = picture(64, 48, (10, 20, 30, 40))[:, ::-1]
    assert make().infer([image])[0].xyxy_px[1].tolist() == [34, 20, 54, 40]


def test_an_empty_picture_and_an_empty_batch_give_nothing(make: Make) -> None:
    detector = make()
    assert detector.infer([]) == []
    assert len(detector.infer([BLACK])[0]) == 0


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        "picture",
    ],
)
def test_refuses_what_is_no_image(make: Make, image: Image) -> None:
    with pytest.raises(FrameError, match=r"expected .*\(H, W, 3\) uint8"):
        make().infer([image])


def test_a_worker_that_was_killed_comes_back(make: Make) -> None:
    detector = make()
    pid = detector.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(TransientError, match="roboflow:bright: it ended with status -9"):
        detector.infer([WHITE])
    assert len(infer_until_it_works(detector, [WHITE])[0]) == 2
    assert detector.worker_pid != pid


@pytest.mark.parametrize(
    ("model_id", "message"), [("dies", "it ended with status 3"), ("hangs", "it did not answer within 1 s")]
)
def test_a_worker_that_dies_or_hangs_fails_its_batch_only(make: Make, model_id: str, message: str) -> None:
    detector = make(model_id, infer_timeout_s=1.0)
    with pytest.raises(TransientError, match=message):
        detector.infer([BLACK])
    assert len(infer_until_it_works(detector, [WHITE])[0]) == 2


def test_an_error_of_the_package_is_told_without_the_key(make: Make) -> None:
    detector = make("fails", api_key="sesame")
    with pytest.raises(TransientError, match=r"ModelRuntimeError: out of memory, says the key \*\*\*"):
        detector.infer([BLACK])
    assert len(infer_until_it_works(detector, [WHITE])[0]) == 2


def test_a_restart_does_not_keep_the_caller_waiting(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = make()
    os.kill(detector.worker_pid or 0, signal.SIGKILL)
    with pytest.raises(TransientError, match="status -9"):
        detector.infer([WHITE])
    monkeypatch.setenv("PYTHONPATH", "")  # whatever starts now takes a while or fails; the call must not wait for it
    with pytest.raises(TransientError, match="the worker is loading the model again"):
        detector.infer([WHITE])


@pytest.mark.parametrize(
    ("model_id", "error", "message"),
    [
        ("secret", CredentialsError, r"roboflow:secret: the key \*\*\* is wrong"),
        ("unknown", ModelError, "roboflow:unknown: no such model"),
        ("classifier", ModelError, "expected a model that finds objects, it is a SimpleNamespace"),
        ("breaks", TransientError, "it ended with status 1: ValueError: the weights are broken"),
        ("sleeps", TransientError, "it did not load the model within 1.5 s"),
    ],
)
def test_says_why_a_model_cannot_be_loaded(make: Make, model_id: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(model_id, api_key="open", load_timeout_s=1.5 if model_id == "sleeps" else DEADLINE_S)


def test_a_load_that_is_cancelled_ends_with_its_worker(make: Make, tmp_path: Path) -> None:
    sleeping = tmp_path / "path" / "inference_models" / "sleeping"
    with pytest.raises(TransientError, match="roboflow:sleeps: loading the model was cancelled"):
        make("sleeps", is_cancelled=sleeping.exists)
    workers = [path for path in Path("/proc").glob("[0-9]*/cmdline") if is_worker_of(path, os.getpid())]
    assert workers == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("roboflow")]


def is_worker_of(command_line: Path, parent_pid: int) -> bool:
    try:
        status = command_line.with_name("status").read_text()
        return f"PPid:\t{parent_pid}\n" in status and b"roboflow_worker" in command_line.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_load_that_was_cancelled_before_starts_nothing() -> None:
    with pytest.raises(TransientError, match="was cancelled"):
        RoboflowDetector("yolov8n-640", python="/does/not/exist", is_cancelled=lambda: True)


def test_a_load_that_nobody_cancels_goes_on_to_its_end(make: Make) -> None:
    assert make(is_cancelled=lambda: False).class_names == ("dark", "bright")
    with pytest.raises(TransientError, match=r"it did not load the model within 1\.5 s"):
        make("sleeps", is_cancelled=lambda: False, load_timeout_s=1.5)


def test_one_id_for_each_image(make: Make) -> None:
    detector = make()
    assert len(detector.infer([WHITE], [7])[0]) == 2
    with pytest.raises(InvalidInputError, match="source_ids: expected 1, one per image, got 2"):
        detector.infer([WHITE], [1, 2])


def test_the_key_reaches_the_package(make: Make) -> None:
    assert make("secret", api_key="sesame").class_names == ("dark", "bright")


def write_interpreter(path: Path, command: str) -> Path:
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
    return path


def test_a_missing_package_is_told_with_what_to_install(tmp_path: Path) -> None:
    bare = write_interpreter(tmp_path / "python", f'exec {sys.executable} -I -S "$@"')
    with pytest.raises(UnsupportedError, match=r"has no inference-models; install it with .*NVR_ROBOFLOW_PYTHON"):
        RoboflowDetector("yolov8n-640", python=bare)


def test_a_missing_interpreter_is_told_with_its_path() -> None:
    with pytest.raises(UnsupportedError, match="/does/not/exist cannot be started: No such file"):
        RoboflowDetector.from_environment("yolov8n-640", environment={"NVR_ROBOFLOW_PYTHON": "/does/not/exist"})


@pytest.mark.parametrize(
    "command",
    [
        "yes",  # no frame, and no end
        r"printf '\000\000\000\002\000\000\000\000\000\000\000\000[]'; sleep 60",
        r"printf '\000\000\000\002\000\000\000\000\000\000\000\000{x'; sleep 60",
    ],
)
def test_a_program_that_does_not_speak_the_protocol_is_refused(tmp_path: Path, command: str) -> None:
    stranger = write_interpreter(tmp_path / "python", command)
    with pytest.raises(TransientError, match="it sends what is no answer"):
        RoboflowDetector("yolov8n-640", python=stranger, load_timeout_s=DEADLINE_S)


def test_a_program_that_reads_nothing_is_left(tmp_path: Path) -> None:
    deaf = write_interpreter(tmp_path / "python", "exec sleep 600")
    with pytest.raises(TransientError, match=r"it did not load the model within 0\.5 s"):
        RoboflowDetector("yolov8n-640", python=deaf, load_timeout_s=0.5)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_refuses_a_threshold_out_of_range(threshold: float) -> None:
    with pytest.raises(ConfigurationError, match="confidence_threshold"):
        RoboflowDetector("yolov8n-640", confidence_threshold=threshold)


def test_closing_ends_the_worker_and_the_detector(make: Make) -> None:
    detector = make()
    pid = detector.worker_pid
    assert pid is not None
    detector.close()
    detector.close()
    assert not is_running(pid)
    assert detector.worker_pid is None
    with pytest.raises(UnsupportedError, match="closed"):
        detector.infer([WHITE])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("roboflow")]


def test_closing_does_not_wait_for_a_batch_that_hangs(make: Make, tmp_path: Path) -> None:
    detector = make("hangs", infer_timeout_s=600.0)
    troubles: list[str] = []

    def infer() -> None:
        try:
            detector.infer([BLACK])
        except TransientError as error:
            troubles.append(str(error))

    thread = threading.Thread(target=infer, name="infers")
    thread.start()
    give_up_s = time.monotonic() + DEADLINE_S
    while not (tmp_path / "path" / "inference_models" / "hanging").exists():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)
    detector.close()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert troubles == ["roboflow:hangs: it ended with status -9"]


PARENT = """
import sys, os, time
from nvr.detection.roboflow import RoboflowDetector
print(RoboflowDetector("bright").worker_pid, flush=True)
time.sleep(600)
"""


@pytest.mark.usefixtures("make")  # sets PYTHONPATH for the child
def test_the_worker_does_not_outlive_a_parent_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    give_up_s = time.monotonic() + DEADLINE_S
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


@pytest.mark.assets
@pytest.mark.timeout(600)
def test_the_real_package_runs_a_real_model(assets_dir: Path, tmp_path: Path) -> None:
    python = os.environ.get("NVR_ROBOFLOW_PYTHON")
    if not python:
        pytest.skip("NVR_ROBOFLOW_PYTHON names no interpreter with inference-models (6.3 GB, so not in CI)")
    import cv2

    from nvr.assets.catalogue import load_catalogue

    names = load_catalogue().class_lists["coco80"]
    package = write_package(tmp_path / "nano", assets_dir / "models" / "yolox_nano_416.onnx", names)
    detector = RoboflowDetector(str(package), python=python, confidence_threshold=0.5)
    try:
        images = [cv2.imread(str(assets_dir / f"images/coco-val2017/{name:012d}.jpg")) for name in (139, 285)]
        room, bear = detector.infer([image.astype(np.uint8) for image in images if image is not None])
    finally:
        detector.close()
    assert (detector.model_id, detector.class_names) == ("nano", names)
    assert {names[index] for index in room.class_id} == {"tv", "chair", "person", "clock"}
    assert [names[index] for index in bear.class_id] == ["bear"]
    # The label of 000000000285, in pixels of 586x640.
    np.testing.assert_allclose(bear.xyxy_px[0], [1, 69, 586, 633], atol=20)
