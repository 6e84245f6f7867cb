"""Clients that nobody here wrote play the simulator: OpenCV, the ffmpeg program, GStreamer."""

import os
import subprocess
import sys

import pytest

from nvr.demo.simulator import Simulator
from tests.conftest import require_program
from tests.demo.conftest import StartSimulator

pytestmark = pytest.mark.camera

TIMEOUT_S = 90
LOGIN = ("admin", "s3cret")

OPENCV_PROGRAM = """
import sys
import cv2
from nvr.demo.frame_code import read_frame_code
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
print([read_frame_code(capture.read()[1]) for _ in range(20)])
"""


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_opencv_reads_consecutive_frames(simulator: Simulator, transport: str) -> None:
    # A process of its own: OpenCV takes the transport from the environment, once.
    done = subprocess.run(
        [sys.executable, "-c", OPENCV_PROGRAM, simulator.uri(0)],
        env=os.environ | {"OPENCV_FFMPEG_CAPTURE_OPTIONS": f"rtsp_transport;{transport}"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    numbers = [int(number) for number in done.stdout.strip().strip("[]").split(",")]
    assert [(number - numbers[0]) % 100 for number in numbers] == list(range(20))


@pytest.mark.ffmpeg
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffmpeg_decodes_without_a_complaint(start_simulator: StartSimulator, transport: str) -> None:
    simulator = start_simulator(credentials=LOGIN)
    uri = simulator.uri(0).replace("rtsp://", "rtsp://{}:{}@".format(*LOGIN))
    source = ["-rtsp_transport", transport, "-i", uri]
    done = subprocess.run(
        [require_program("ffmpeg"), "-v", "warning", "-nostdin", *source, "-frames:v", "40", "-f", "framemd5", "-"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    pictures = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert len(pictures) == 40
    assert done.stderr == ""


@pytest.mark.gstreamer
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_gstreamer_plays(start_simulator: StartSimulator, transport: str) -> None:
    simulator = start_simulator(credentials=LOGIN)
    source = ["rtspsrc", f"location={simulator.uri(0)}", f"user-id={LOGIN[0]}", f"user-pw={LOGIN[1]}"]
    pipeline = [*source, f"protocols={transport}", "!", "decodebin", "!", "identity", "eos-after=40", "!", "fakesink"]
    done = subprocess.run(
        [require_program("gst-launch-1.0"), *pipeline],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    # Not its exit status: when it ends, GStreamer 1.22 at times sends PAUSE behind its own TEARDOWN and complains that
    # the session is gone. An error before the last frame ends it without this line.
    assert "Got EOS" in done.stdout, done.stderr
    assert simulator.frames_sent(0) >= 40
