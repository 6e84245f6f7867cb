"""Fixtures and rules of all tests: real services on free ports, skips with a reason that CI turns into failures."""

import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from nvr.bus.local_broker import LocalBroker

REQUIRE_ALL = os.environ.get("NVR_REQUIRE_ALL") == "1"


def pytest_configure() -> None:
    """Undo an ignored SIGINT, which a shell's background job inherits: children are interrupted in tests.

    Examples of properties take as long as a busy machine needs.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers a core for `-n auto`: the tests of services spend most of their time waiting for them."""
    return 2 * len(os.sched_getaffinity(0))


def skip_or_fail(reason: str) -> None:
    """Skip the test with a reason; fail it where everything is required to be installed."""
    if REQUIRE_ALL:
        pytest.fail(f"NVR_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


def require_program(name: str) -> str:
    """Return the path of a program or skip the test."""
    path = shutil.which(name)
    if path is None:
        skip_or_fail(f"{name} is not installed")
    assert path is not None
    return path


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what a command that ran in this process did to logging: later tests look at records, too."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {logger: logger.level for logger in _named_loggers()}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger in _named_loggers():
        logger.setLevel(levels.get(logger, logging.NOTSET))


def _named_loggers() -> list[logging.Logger]:
    return [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]


@pytest.fixture(scope="session")
def assets_dir() -> Path:
    """The folder of real models, videos and pictures; the test is skipped where there is none."""
    folder = Path(os.environ.get("NVR_ASSETS_DIR", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "models").is_dir():
        pytest.skip(f"NVR_ASSETS_DIR: no models in {folder}")
    return folder


@pytest.fixture
def mosquitto() -> Iterator[LocalBroker]:
    """A mosquitto of the test's own."""
    require_program("mosquitto")
    with LocalBroker.start("mosquitto") as broker:
        yield broker


SYSTEM_PYTHON = Path("/usr/bin/python3")
GST_SERVER = Path(__file__).parent / "servers" / "gst_rtsp_server.py"


@dataclass(frozen=True)
class RtspServer:
    """A running server whose streams are `{uri}/live/{i}.stream`."""

    uri: str
    process: "subprocess.Popen[str]"

    def stream(self, i: int) -> str:
        """Return the URI of a stream."""
        return f"{self.uri}/live/{i}.stream"


@pytest.fixture
def gst_server() -> Iterator[RtspServer]:
    """GStreamer's RTSP server with two streams of a moving ball, 640x360, 25 fps."""
    has_gst = SYSTEM_PYTHON.exists() and not subprocess.call(
        [SYSTEM_PYTHON, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"], stderr=subprocess.DEVNULL
    )
    if not has_gst:
        skip_or_fail("GStreamer's RTSP server (gir1.2-gst-rtsp-server-1.0, python3-gi) is not installed")
    with subprocess.Popen([SYSTEM_PYTHON, GST_SERVER, "2"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield RtspServer(f"rtsp://127.0.0.1:{port}", process)
        process.kill()
