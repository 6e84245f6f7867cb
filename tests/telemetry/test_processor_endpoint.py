"""A real processor on simulated cameras, scraped over HTTP."""

import http.client
from collections.abc import Iterator
from functools import partial

import pytest
from prometheus_client.samples import Sample

from nvr.bus.local_broker import LocalBroker
from nvr.config.operations import MetricsConfig
from nvr.control.metrics import ProcessorMeter
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.processor import StreamProcessor, StreamProcessorConfig
from nvr.telemetry.http import MetricsServer
from nvr.telemetry.prometheus import Exporter
from tests.telemetry.sample import samples_of, value_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.camera, pytest.mark.broker]

STAGES = ("capture_to_decode", "decode_to_detect", "detect_to_publish", "capture_to_publish")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    config = SimulatorConfig(n_cameras=2, width_px=320, height_px=180, fps=12, scene_s=5, port=0)
    with Simulator(config) as running:
        yield running


class Scraper:
    """Reads the endpoint as Prometheus does."""

    def __init__(self, server: MetricsServer) -> None:
        self._server = server

    def scrape(self) -> list[Sample]:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        try:
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            assert response.status == 200
            return samples_of(response.read())
        finally:
            connection.close()

    def value(self, name: str, **labels: str) -> float:
        return value_of(self.scrape(), name, **labels)

    def has_published(self, source_id: str, n: int) -> bool:
        return self.value("nvr_camera_frames_total", source_id=source_id, stage="published") >= n


@pytest.fixture
def watched(simulator: Simulator, mosquitto: LocalBroker) -> Iterator[tuple[StreamProcessor, Scraper]]:
    config = StreamProcessorConfig(
        stream_uris=(simulator.uri(0), simulator.uri(1)),
        model_id="motion",
        mqtt_host=mosquitto.host,
        mqtt_port=mosquitto.port,
        read_timeout_s=2,
        reconnect_max_s=1,
    )
    processor = StreamProcessor(config)
    meter = ProcessorMeter(lambda: config.instance_id, processor.report)
    server = MetricsServer(MetricsConfig(http_port=0), Exporter(meter.points, instance_id=lambda: config.instance_id))
    server.start()
    processor.start()
    yield processor, Scraper(server)
    processor.terminate()
    assert server.stop(10)


def test_counters_move_and_histograms_agree_with_them(watched: tuple[StreamProcessor, Scraper]) -> None:
    _, scraper = watched
    for source_id in ("0", "1"):
        wait_until(partial(scraper.has_published, source_id, 10), f"ten events of camera {source_id}")
    before = scraper.scrape()
    for source_id in ("0", "1"):
        counts = {
            stage: value_of(before, "nvr_camera_frames_total", source_id=source_id, stage=stage)
            for stage in ("received", "decoded", "analysed", "published")
        }
        assert counts["received"] >= counts["decoded"] >= counts["analysed"] >= counts["published"] >= 10
        for stage in STAGES:
            of = {"source_id": source_id, "stage": stage}
            count = value_of(before, "nvr_camera_stage_duration_seconds_count", **of)
            is_looked_at = stage in {"capture_to_decode", "decode_to_detect"}
            assert count == pytest.approx(counts["analysed" if is_looked_at else "published"], abs=1)
            assert 0 < value_of(before, "nvr_camera_stage_duration_seconds_sum", **of) < 30 * count
        assert value_of(before, "nvr_camera_up", source_id=source_id) == 1
        assert value_of(before, "nvr_camera_received_bytes_total", source_id=source_id) > 1000
    assert value_of(before, "nvr_broker_connected") == 1
    sent = value_of(before, "messaging_client_sent_messages_total", error_type="",
                    messaging_destination_template="nvr/detections/{source_id}")  # fmt: skip
    assert sent >= 20
    assert value_of(before, "process_thread_count") > 5
    wait_until(
        lambda: (
            scraper.value("nvr_camera_frames_total", source_id="0", stage="analysed")
            > value_of(before, "nvr_camera_frames_total", source_id="0", stage="analysed")
        ),
        "more frames are analysed",
    )


def test_each_frame_that_came_is_accounted_for(watched: tuple[StreamProcessor, Scraper]) -> None:
    _, scraper = watched
    wait_until(lambda: scraper.value("nvr_camera_frames_total", source_id="0", stage="analysed") >= 20, "20 frames")
    page = scraper.scrape()
    count = {
        sample.labels["reason"]: sample.value
        for sample in page
        if sample.name == "nvr_camera_frames_dropped_total" and sample.labels["source_id"] == "0"
    }
    received = value_of(page, "nvr_camera_frames_total", source_id="0", stage="received")
    analysed = value_of(page, "nvr_camera_frames_total", source_id="0", stage="analysed")
    # on the way: what waits in the ring, in the decoder, in its slot, and for the end of its GOP
    assert 0 <= received - analysed - sum(count.values()) <= 40


def test_a_camera_that_is_cut_off_raises_its_failures_and_comes_back(
    simulator: Simulator, watched: tuple[StreamProcessor, Scraper]
) -> None:
    _, scraper = watched
    wait_until(lambda: scraper.value("nvr_camera_up", source_id="1") == 1, "camera 1 is there")
    before = scraper.scrape()
    simulator.freeze(1)
    try:
        wait_until(
            lambda: (
                scraper.value("nvr_camera_connection_failures_total", source_id="1")
                > value_of(before, "nvr_camera_connection_failures_total", source_id="1")
            ),
            "a failure of camera 1",
        )
        assert scraper.value("nvr_camera_up", source_id="1") == 0
        assert scraper.value("nvr_camera_up", source_id="0") == 1
    finally:
        simulator.thaw(1)
    wait_until(
        lambda: (
            scraper.value("nvr_camera_connections_total", source_id="1")
            > value_of(before, "nvr_camera_connections_total", source_id="1")
        ),
        "a new connection to camera 1",
    )
