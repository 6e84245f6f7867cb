"""The figures of an instance as the message that travels; pure."""

from nvr.core.histogram import HistogramSnapshot
from nvr.events.instance_metrics import (
    CameraMetrics,
    DiskMetrics,
    InstanceMetrics,
    Latency,
    ModelMetrics,
    QueueMetrics,
)
from nvr.telemetry.figures import CameraFigures, DiskFigures, InstanceFigures, ModelFigures


def instance_metrics(figures: InstanceFigures) -> InstanceMetrics:
    """Return the message of these figures."""
    process = figures.process
    return InstanceMetrics(
        instance_id=figures.instance_id,
        timestamp=figures.at,
        uptime_s=figures.uptime_s,
        cpu_s=process.cpu_s,
        cpu_percent=process.cpu_percent,
        rss_bytes=process.rss_bytes,
        threads=process.threads,
        events_lost=figures.events_lost,
        cameras=tuple(_camera(camera) for camera in figures.cameras),
        models=tuple(_model(model) for model in figures.models),
        queues=tuple(
            QueueMetrics(name=queue.name, depth=queue.depth, capacity=queue.capacity, dropped=queue.dropped)
            for queue in figures.queues
        ),
        disk=None if figures.disk is None else _disk(figures.disk),
    )


def _camera(camera: CameraFigures) -> CameraMetrics:
    return CameraMetrics(
        source_id=camera.source_id,
        frames_in=camera.frames_in,
        decoded=camera.decoded,
        analysed=camera.analysed,
        dropped={reason: count for reason, count in camera.dropped.items() if count},
        bytes_in=camera.bytes_in,
        reconnects=camera.reconnects,
        packets_lost=camera.packets_lost,
        fps=camera.fps,
        analysed_fps=camera.analysed_fps,
        motion_ratio=camera.moving / camera.watched if camera.watched else None,
        cpu_s=camera.cpu_s,
        recorded_bytes=camera.recorded_bytes,
        latency={stage: latency_of(seconds) for stage, seconds in camera.latency.items() if seconds.count},
    )


def _model(model: ModelFigures) -> ModelMetrics:
    has_looked = model.seconds is not None and model.seconds.count > 0
    return ModelMetrics(
        model_id=model.model_id,
        inferences=model.inferences,
        failures=model.failures,
        frames=model.frames,
        occupancy=min(1.0, model.used_px / model.offered_px) if model.offered_px else None,
        inference_ms=latency_of(model.seconds) if model.seconds is not None and has_looked else None,
    )


def _disk(disk: DiskFigures) -> DiskMetrics:
    return DiskMetrics(
        total_bytes=disk.total_bytes,
        free_bytes=disk.free_bytes,
        recordings_bytes=disk.recordings_bytes,
        forecast_days=disk.forecast_days,
    )


def latency_of(seconds: HistogramSnapshot) -> Latency:
    """Return what a message says of a histogram."""
    return Latency(
        count=seconds.count,
        mean_ms=seconds.mean * 1000,
        p50_ms=seconds.percentile(0.5) * 1000,
        p95_ms=seconds.percentile(0.95) * 1000,
    )
