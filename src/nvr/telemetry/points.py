"""Which values of the figures each metric has; pure."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from nvr.core.histogram import HistogramSnapshot
from nvr.telemetry import specs
from nvr.telemetry.figures import CAMERA_STATES, CameraFigures, InstanceFigures, ModelFigures, WallFigures
from nvr.telemetry.specs import MetricSpec

Value: TypeAlias = float | HistogramSnapshot


class Point(NamedTuple):
    """One value of a metric."""

    spec: MetricSpec
    value: Value
    labels: tuple[str, ...] = ()
    """Values of the labels that the metric names."""


def processor_points(figures: InstanceFigures) -> Iterator[Point]:
    """Yield everything that is told of a processor."""
    for camera in figures.cameras:
        yield from _camera(camera)
    for model in figures.models:
        yield from _model(model)
    for queue in figures.queues:
        yield Point(specs.QUEUE_DEPTH, queue.depth, (queue.name,))
        yield Point(specs.QUEUE_CAPACITY, queue.capacity, (queue.name,))
        yield Point(specs.QUEUE_DROPPED, queue.dropped, (queue.name,))
    for published in figures.published:
        yield Point(specs.SENT, published.sent, ("mqtt", "publish", published.topic, ""))
        yield Point(specs.SENT, published.failed, ("mqtt", "publish", published.topic, "not_taken"))
    yield Point(specs.EVENTS_LOST, figures.events_lost)
    yield Point(specs.BROKER_CONNECTED, figures.is_broker_connected)
    yield Point(specs.WATCHDOG_RECONNECTS, figures.watchdog_reconnects)
    yield Point(specs.DETECTOR_HANGS, figures.detector_hangs)
    yield Point(specs.THREADS, figures.process.threads)
    disk = figures.disk
    if disk is not None:
        yield Point(specs.DISK_USAGE, disk.free_bytes, (disk.path, "free"))
        yield Point(specs.DISK_USAGE, max(0, disk.total_bytes - disk.free_bytes), (disk.path, "used"))
        yield Point(specs.RECORDINGS_BYTES, disk.recordings_bytes)
        if disk.forecast_days is not None:
            yield Point(specs.RECORDINGS_FORECAST, disk.forecast_days * 86_400)


def wall_points(figures: WallFigures, threads: int) -> Iterator[Point]:
    """Yield everything that is told of a wall."""
    yield Point(specs.RECEIVED, figures.events, ("mqtt", "receive", figures.topic, ""))
    yield Point(specs.RECEIVED, figures.invalid_messages, ("mqtt", "receive", figures.topic, "invalid"))
    yield Point(specs.WALL_LATENCY, figures.latency)
    yield Point(specs.WALL_PICTURES, figures.pictures)
    yield Point(specs.WALL_FAULTS, figures.faults)
    yield Point(specs.WALL_STREAMS, figures.streams)
    for state, count in figures.cameras_by_state.items():
        yield Point(specs.WALL_CAMERAS, count, (state,))
    yield Point(specs.BROKER_CONNECTED, figures.is_broker_connected)
    yield Point(specs.THREADS, threads)


def _camera(camera: CameraFigures) -> Iterator[Point]:
    who = (str(camera.source_id), camera.name)
    yield Point(specs.CAMERA_UP, camera.state == "running", who)
    for state in CAMERA_STATES:
        yield Point(specs.CAMERA_STATE, camera.state == state, (*who, state))
    yield Point(specs.CAMERA_DETECTING, camera.is_detecting, who)
    yield Point(specs.CAMERA_ASLEEP, camera.is_asleep, who)
    stages = {"received": camera.frames_in, "decoded": camera.decoded, "analysed": camera.analysed}
    published = camera.latency.get("capture_to_publish")
    if published is not None:
        stages["published"] = published.count
    for stage, count in stages.items():
        yield Point(specs.CAMERA_FRAMES, count, (*who, stage))
    for reason, count in camera.dropped.items():
        yield Point(specs.CAMERA_DROPPED, count, (*who, reason))
    yield Point(specs.CAMERA_MOTION, camera.moving, (*who, "yes"))
    yield Point(specs.CAMERA_MOTION, camera.watched - camera.moving, (*who, "no"))
    rates = {"received": camera.fps, "decoded": camera.decoded_fps, "analysed": camera.analysed_fps}
    for stage, fps in rates.items():
        yield Point(specs.CAMERA_FPS, fps, (*who, stage))
    yield Point(specs.CAMERA_BYTES, camera.bytes_in, who)
    yield Point(specs.CAMERA_CONNECTIONS, camera.connections, who)
    yield Point(specs.CAMERA_FAILURES, camera.reconnects, who)
    yield Point(specs.CAMERA_PACKETS_LOST, camera.packets_lost, who)
    yield Point(specs.CAMERA_BREAKS, camera.timestamp_breaks, who)
    if camera.clock_error_s is not None:
        yield Point(specs.CAMERA_CLOCK, camera.clock_error_s, who)
    yield Point(specs.CAMERA_CPU, camera.cpu_s, who)
    yield Point(specs.CAMERA_MEMORY, camera.memory_bytes, who)
    for name, seconds in camera.latency.items():
        yield Point(specs.CAMERA_STAGES, seconds, (*who, name))
    ahead = camera.latency.get("capture_to_decode")
    yield Point(specs.CAMERA_AHEAD, 0 if ahead is None else ahead.clamped, who)
    if camera.is_recording is not None:
        yield Point(specs.CAMERA_RECORDING, camera.is_recording, who)
        yield Point(specs.CAMERA_RECORDED, camera.recorded_bytes, who)
        yield Point(specs.CAMERA_RECORDING_LOST, camera.recording_lost_packets, who)
        yield Point(specs.CAMERA_RECORDING_PAUSES, camera.recording_pauses, who)


def _model(model: ModelFigures) -> Iterator[Point]:
    who = (model.model_id,)
    if model.is_ok is not None:
        yield Point(specs.MODEL_UP, model.is_ok, who)
    yield Point(specs.MODEL_INFERENCES, model.inferences, who)
    yield Point(specs.MODEL_FRAMES, model.frames, who)
    yield Point(specs.MODEL_FAILURES, model.failures, who)
    if model.offered_px:
        yield Point(specs.MODEL_USED, model.used_px, who)
        yield Point(specs.MODEL_OFFERED, model.offered_px, who)
    if model.seconds is not None:
        yield Point(specs.MODEL_SECONDS, model.seconds, who)
