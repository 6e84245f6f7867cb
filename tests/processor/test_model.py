"""Which detector a configuration gives, and what happens while it is waited for."""

import logging
import socket
import threading
from pathlib import Path

import pytest

from nvr.core.errors import CancelledError, ConfigurationError, ModelError
from nvr.detection.motion import MotionDetector
from nvr.processor import StreamProcessor, StreamProcessorConfig
from nvr.processor.model import load_configured_detector
from tests.waiting import DEADLINE_S, wait_until


@pytest.fixture
def no_assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without models and without network."""
    monkeypatch.delenv("NVR_ASSETS_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NVR_OFFLINE", "1")


def config(model_id: str, **changes: float) -> StreamProcessorConfig:
    return StreamProcessorConfig(stream_uris=("rtsp://127.0.0.1:1/a",), model_id=model_id, **changes)


@pytest.mark.usefixtures("no_assets")
def test_without_a_model_at_hand_motion_looks_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    detector = load_configured_detector(config("yolox-nano"), lambda: False)
    assert isinstance(detector, MotionDetector)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "falling back to motion detection, without a model: " in record.message
    assert "yolox-nano" in record.message


@pytest.mark.usefixtures("no_assets")
def test_a_wrong_name_is_no_reason_to_fall_back() -> None:
    with pytest.raises(ModelError, match="yolox-nanoo"):
        load_configured_detector(config("yolox-nanoo"), lambda: False)


@pytest.mark.assets
def test_an_unknown_class_is_told(assets_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVR_ASSETS_DIR", str(assets_dir))
    wanted = config("yolox-nano").model_copy(update={"classes": ("persn",)})
    with pytest.raises(ConfigurationError, match="persn"):
        load_configured_detector(wanted, lambda: False)


@pytest.mark.assets
def test_a_catalogue_name_gives_its_network(assets_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVR_ASSETS_DIR", str(assets_dir))
    detector = load_configured_detector(config("yolox-nano"), lambda: False)
    assert detector.model_id == "yolox-nano"
    assert detector.class_names[0] == "person"
    detector.close()


def test_terminate_ends_a_model_that_never_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Roboflow worker that says nothing stands for a hub that does not answer."""
    worker = tmp_path / "python"
    worker.write_text("#!/bin/sh\nexec sleep 600\n", encoding="ascii")
    worker.chmod(0o755)
    monkeypatch.setenv("NVR_ROBOFLOW_PYTHON", str(worker))
    processor = StreamProcessor(config("roboflow:yolov8n-640"))
    ended = list[BaseException]()

    def start() -> None:
        try:
            processor.start()
        except CancelledError as error:
            ended.append(error)

    thread = threading.Thread(target=start, name="starter")
    thread.start()
    wait_until(lambda: processor._is_started, "it loads")
    processor.terminate()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert len(ended) == 1
    assert processor.join(0)


def test_terminate_ends_a_download_that_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.delenv("NVR_ASSETS_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        # every download goes through a proxy that accepts and says nothing
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{silent.getsockname()[1]}")
        asked = threading.Event()

        def is_cancelled() -> bool:
            asked.set()
            return True

        with pytest.raises(CancelledError):
            load_configured_detector(config("yolox-nano"), is_cancelled)
        assert asked.is_set()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix in {".part", ".onnx"}] == []
