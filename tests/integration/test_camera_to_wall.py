"""The main job: cameras over RTSP, a processor, a real broker, boxes on a wall."""

import threading
from collections.abc import Mapping

import numpy as np
import pytest

from nvr.bus.local_broker import LocalBroker
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.events import DetectionEvent
from nvr.media import StreamState
from nvr.media.pixels import Picture
from nvr.processor import StreamProcessor, StreamProcessorConfig
from nvr.wall import VideoWall, VideoWallConfig
from tests.conftest import RtspServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.camera, pytest.mark.broker]


class Watcher:
    """Keeps the last picture in which each camera had a box, and the one before any had."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.boxed: dict[int, tuple[Picture, DetectionEvent]] = {}
        self.n_pictures = 0

    def __call__(self, picture: Picture, events: Mapping[int, DetectionEvent]) -> None:
        with self._lock:
            self.n_pictures += 1
            for source_id, event in events.items():
                if event.detections:
                    self.boxed[source_id] = (picture.copy(), event)


def watch(broker: LocalBroker, uris: tuple[str, ...]) -> Watcher:
    """Run a processor and a wall on the same cameras until every tile has shown a box."""
    watcher = Watcher()
    mqtt = {"mqtt_host": broker.host, "mqtt_port": broker.port}
    processor = StreamProcessor(StreamProcessorConfig(stream_uris=uris, model_id="motion", **mqtt))
    wall = VideoWall(VideoWallConfig(stream_uris=uris, tile_width=320, tile_height=180, **mqtt), on_composed=watcher)
    processor.start()
    try:
        # GStreamer's server ends with an assertion of its own where two clients start the same stream at once
        wait_until(
            lambda: all(camera.state is StreamState.RUNNING for camera in processor.report().cameras),
            "every camera runs",
        )
        wall.start()
        wait_until(lambda: set(watcher.boxed) == set(range(len(uris))), "a box on every tile")
    finally:
        wall.stop()
        processor.terminate()
    return watcher


def assert_boxes_are_drawn(watcher: Watcher) -> None:
    for source_id, (picture, event) in watcher.boxed.items():
        assert event.source_id == source_id
        assert event.detections[0].class_name == "motion"
        assert picture.dtype == np.uint8
        assert picture.std() > 5, "a picture, not a black rectangle"


def test_from_the_simulator_to_the_wall(mosquitto: LocalBroker) -> None:
    with Simulator(SimulatorConfig(n_cameras=3, width_px=320, height_px=180, fps=12, scene_s=5, port=0)) as simulator:
        watcher = watch(mosquitto, tuple(simulator.uri(i) for i in range(3)))
    assert_boxes_are_drawn(watcher)


@pytest.mark.gstreamer
def test_from_a_server_that_nobody_here_wrote_to_the_wall(mosquitto: LocalBroker, gst_server: RtspServer) -> None:
    watcher = watch(mosquitto, (gst_server.stream(0), gst_server.stream(1)))
    assert_boxes_are_drawn(watcher)
