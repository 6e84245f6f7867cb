"""Figures in which nothing is left out, and what a page of metrics says."""

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from nvr.core.histogram import INFERENCE_BOUNDS_S, Histogram, HistogramSnapshot
from nvr.telemetry.figures import (
    CameraFigures,
    DiskFigures,
    InstanceFigures,
    ModelFigures,
    ProcessFigures,
    PublishedFigures,
    QueueFigures,
    WallFigures,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def snapshot(*values: float, bounds: tuple[float, ...] | None = None) -> HistogramSnapshot:
    histogram = Histogram() if bounds is None else Histogram(bounds)
    for value in values:
        histogram.observe(value)
    return histogram.snapshot()


def camera(source_id: int = 3, name: str = "Front door") -> CameraFigures:
    return CameraFigures(
        source_id,
        name,
        "running",
        is_asleep=True,
        frames_in=1000,
        decoded=400,
        analysed=100,
        dropped={
            "asleep": 590, "skipped": 7, "broken": 3, "sampled_out": 290, "replaced": 8, "paused": 1, "failed": 2,
        },
        watched=80,
        moving=20,
        bytes_in=5_000_000,
        connections=2,
        reconnects=1,
        packets_lost=4,
        timestamp_breaks=5,
        fps=24.9,
        decoded_fps=5.1,
        analysed_fps=4.9,
        clock_error_s=-0.02,
        cpu_s=1.5,
        memory_bytes=2_000_000,
        is_recording=True,
        recorded_bytes=4_000_000,
        recording_lost_packets=6,
        recording_pauses=1,
        latency={
            "capture_to_decode": snapshot(0.04, 0.06, -1.0),
            "decode_to_detect": snapshot(0.01, 0.03, 0.2),
            "detect_to_publish": snapshot(0.02, 0.02, 0.02),
            "capture_to_publish": snapshot(0.07, 0.11, 12.0),
        },
    )  # fmt: skip


def instance(*cameras: CameraFigures) -> InstanceFigures:
    return InstanceFigures(
        "processor-1",
        NOW,
        60.0,
        ProcessFigures(cpu_s=30.0, cpu_percent=51.2, rss_bytes=300_000_000, threads=17),
        events_lost=9,
        is_broker_connected=True,
        watchdog_reconnects=2,
        detector_hangs=False,
        cameras=cameras or (camera(),),
        models=(
            ModelFigures(
                "yolox-nano", is_ok=True, inferences=50, frames=90, failures=1, used_px=300, offered_px=400,
                seconds=snapshot(0.02, 0.03, bounds=INFERENCE_BOUNDS_S),
            ),
            ModelFigures("motion", is_ok=None),
        ),
        queues=(QueueFigures("mqtt", 3, 256, 5),),
        published=(PublishedFigures("nvr/detections/{source_id}", 95, 4),),
        disk=DiskFigures("/recordings", 1000, 400, 500, 7.5),
    )  # fmt: skip


def wall() -> WallFigures:
    return WallFigures(
        events=100,
        invalid_messages=2,
        is_broker_connected=True,
        pictures=50,
        faults=1,
        streams=3,
        cameras_by_state={"live": 4, "offline": 1},
        latency=snapshot(0.1, 0.2),
        topic="nvr/detections/{source_id}",
    )


def samples_of(page: bytes) -> list[Sample]:
    """Return every sample of a page in Prometheus' text format, read by prometheus_client's own parser."""
    return [sample for family in text_string_to_metric_families(page.decode()) for sample in family.samples]


def value_of(samples: list[Sample], name: str, **labels: str) -> float:
    """Return the one sample of a name whose labels include these."""
    [found] = [sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()]
    return float(found)
