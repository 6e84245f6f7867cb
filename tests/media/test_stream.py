"""Hanging up on a stream and beginning again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.media.health import HealthState
from nvr.media.packet_ring import RingReader
from nvr.media.stream import CameraStream, IngestSettings, StreamState
from tests.media.clips import make_clip
from tests.media.watched import Watched, watched
from tests.waiting import wait_until

FAST = IngestSettings(file_pace="fast")
EAGER = IngestSettings(reconnect_max_s=0.2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "still.mp4", 150)


def test_a_pause_leaves_no_hole_in_what_is_read(clip: Path) -> None:
    stream = CameraStream(1, str(clip), settings=FAST, decode=None)
    reader = stream.ring.reader()
    stream.start()
    wait_until(lambda: stream.ring.end > 50, "the stream waits for its reader")
    stream.pause()
    wait_until(lambda: stream.state is StreamState.PAUSED, "it has hung up")
    stream.resume()
    sequences = read_to_the_end(reader)
    assert stream.stop(30)
    assert sequences == list(range(len(sequences)))
    assert len(sequences) > 150
    assert reader.lost == 0


def test_a_file_that_is_resumed_at_once_begins_anew(clip: Path) -> None:
    stream = CameraStream(1, str(clip), settings=FAST, decode=None)
    reader = stream.ring.reader()
    stream.start()
    wait_until(lambda: stream.ring.end > 50, "the stream waits for its reader")
    stream.pause()
    stream.resume()
    assert {packet for packet in read_to_the_end(reader) if packet >= 150}, "nobody asked it to end"
    assert stream.state is StreamState.ENDED
    assert stream.stop(30)


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(SimulatorConfig(1, width_px=160, height_px=96, cache_dir=tmp_path)) as simulator:
        yield simulator


@pytest.mark.camera
def test_tries_that_fail_in_an_outage_are_no_breaks_and_leave_a_well_camera_behind(simulator: Simulator) -> None:
    with watched(simulator.uri(0), EAGER) as camera:
        camera.wait_for(HealthState.RUNNING)
        simulator.pause_server()
        camera.wait(lambda: camera.said[-1].new is HealthState.OFFLINE, "it is gone")
        camera.wait_for_failures(5)
        simulator.resume_server()
        camera.wait(lambda: camera.said[-1].new is not HealthState.OFFLINE, "it is back")
        assert camera.said[-1].new is HealthState.RUNNING
        assert camera.stream.stats.breaks == 1


@pytest.mark.camera
def test_the_gop_that_a_server_sends_at_once_makes_no_rate_that_no_camera_has(tmp_path: Path) -> None:
    config = SimulatorConfig(1, width_px=160, height_px=96, gop_s=4, cache_dir=tmp_path)
    with Simulator(config) as simulator, watched(simulator.uri(0), EAGER) as camera:
        shown: list[float] = []

        def has_shown_enough() -> bool:
            stats = camera.stream.stats
            shown.extend((stats.fps, stats.decoded_fps))
            return stats.frames >= 60

        camera.wait(has_shown_enough, "frames")
        assert max(shown) < 27


def break_it(camera: Watched, simulator: Simulator, n: int) -> None:
    stream = camera.stream
    frames = stream.stats.frames
    camera.wait(lambda: stream.stats.sessions == n and stream.stats.frames > frames, "video comes")
    simulator.drop(0)
    camera.wait(lambda: stream.stats.breaks == n, "the break is noticed")


@pytest.mark.camera
def test_a_connection_that_breaks_again_and_again_is_told(simulator: Simulator) -> None:
    with watched(simulator.uri(0), EAGER) as camera:
        for n in range(1, 4):
            break_it(camera, simulator, n)
        event = camera.wait_for(HealthState.DEGRADED)
        assert event.reason == "the connection broke 3 times in a minute"


def read_to_the_end(reader: RingReader) -> list[int]:
    sequences: list[int] = []
    while not reader.is_at_end:
        sequences += [packet.sequence for packet in reader.read(0.2, 1)]
    return sequences
