"""The frame rate that is shown of a camera, from its first frame on."""

from dataclasses import replace

import pytest

from nvr.media.frame_rate import FrameRate
from tests.media.packets import make_packet

CONNECTED_S = 100.0


class Camera:
    """A camera whose frames come when the test says, and the rates that were shown meanwhile."""

    def __init__(self) -> None:
        self.rate = FrameRate()
        self.shown: list[float] = []
        self.now_s = CONNECTED_S
        self.media_s = 0.0
        self.session = 0

    def send(self, n: int, *, fps: float = 25.0, arrival_fps: float | None = None) -> None:
        for _ in range(n):
            self.now_s += 1 / (arrival_fps or fps)
            self.media_s += 1 / fps
            packet = make_packet(0, media_s=self.media_s, session=self.session)
            self.rate.count(replace(packet, received_s=self.now_s))
            self.shown.append(self.rate.per_second(self.now_s))

    def connect_anew(self, *, after_s: float) -> None:
        self.now_s += after_s
        self.session += 1
        self.media_s = 0.0
        self.shown.clear()


@pytest.fixture
def camera() -> Camera:
    """A camera whose server has sent the last two seconds at once, and then 30 s more."""
    camera = Camera()
    camera.send(50, arrival_fps=5000)
    camera.send(30 * 25)
    return camera


def test_a_connection_that_begins_with_the_last_gop_shows_the_cameras_rate(camera: Camera) -> None:
    assert camera.shown[0] == 0, "a single frame tells none"
    assert camera.shown[1:] == pytest.approx([25] * (len(camera.shown) - 1), rel=0.02)


def test_so_does_the_next_connection_at_once(camera: Camera) -> None:
    camera.connect_anew(after_s=1)
    camera.send(50, arrival_fps=5000)
    camera.send(100)
    assert camera.shown[1:] == pytest.approx([25] * 149, rel=0.02)


@pytest.mark.parametrize("seconds", [0, 30])
def test_falls_to_nothing_when_frames_stop(seconds: int) -> None:
    camera = Camera()
    camera.send(50, arrival_fps=5000)
    camera.send(seconds * 25)
    rates = [camera.rate.per_second(camera.now_s + s) for s in range(7)]
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[0] == pytest.approx(25, rel=0.02)
    assert rates[3] < 20
    assert rates[6] == 0


@pytest.mark.parametrize("fps", [5.0, 50.0])
def test_follows_a_camera_that_changes_its_rate(camera: Camera, fps: float) -> None:
    camera.send(round(6 * fps), fps=fps)
    assert camera.shown[-1] == pytest.approx(fps, rel=0.02)


@pytest.mark.parametrize("stamped_fps", [12.5, 50.0])
def test_stamps_that_run_wrong_matter_in_the_first_seconds_only(stamped_fps: float) -> None:
    camera = Camera()
    camera.send(11 * 25, fps=stamped_fps, arrival_fps=25)
    assert camera.shown[-1] == pytest.approx(25)


def test_a_file_that_is_read_fast_shows_how_fast() -> None:
    rate = FrameRate()
    for i in range(100):
        rate.count(replace(make_packet(i), received_s=i / 500, timestamp_source="file"))
    assert rate.per_second(100 / 500) == pytest.approx(500, rel=0.02)
