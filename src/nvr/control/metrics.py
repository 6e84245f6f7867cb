"""Gathers the figures of a processor and its recordings for `nvr.telemetry`."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nvr.core.clock import Clock, SystemClock
from nvr.events.instance_metrics import InstanceMetrics
from nvr.processor.camera import CameraReport
from nvr.processor.model_slot import ModelStatus
from nvr.processor.model_work import ModelWork
from nvr.processor.report import ProcessorReport
from nvr.recording.disk import Activity, RecordingState
from nvr.recording.outlook import RootState
from nvr.recording.service import RecordingReport, RecordingService
from nvr.telemetry.figures import (
    CameraFigures,
    DiskFigures,
    DropReason,
    InstanceFigures,
    ModelFigures,
    ProcessFigures,
    PublishedFigures,
    QueueFigures,
)
from nvr.telemetry.metrics import instance_metrics
from nvr.telemetry.points import Point, processor_points
from nvr.telemetry.process import CameraCpu, ProcessMeter


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of the recordings."""

    report: RecordingReport
    states: Mapping[int, RecordingState]
    """What each recorder does."""
    root: str
    """The folder."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of the process itself."""

    at: datetime
    """Aware UTC."""
    uptime_s: float
    process: ProcessFigures
    cpu_s: Mapping[int, float] = field(default_factory=dict)
    """CPU seconds of each camera's own threads."""


class ProcessorMeter:
    """Gathers the figures of one processor. Any thread, waits for no disk and no network."""

    def __init__(
        self,
        instance_id: Callable[[], str],
        report: Callable[[], ProcessorReport],
        *,
        recordings: RecordingService | None = None,
        root: str = "",
        topic_root: str = "nvr",
        clock: Clock | None = None,
    ) -> None:
        """Begin to count the time that the instance is up.

        Args:
            instance_id: Tells its name, which may change.
            report: `StreamProcessor.report`.
            recordings: What records its cameras, if anything does.
            root: Folder of the recordings.
            topic_root: As `Topics.root`: names the messages that are counted.
            clock: For the time of the figures, rates and uptime.
        """
        self._instance_id = instance_id
        self._report = report
        self._recordings = recordings
        self._root = root
        self._topic_root = topic_root
        self._clock = clock or SystemClock()
        self._started_s = self._clock.monotonic()
        self._lock = threading.Lock()
        self._cpu = CameraCpu(self._clock)
        self._scraped, self._told = ProcessMeter(self._clock), ProcessMeter(self._clock)

    def points(self) -> list[Point]:
        """Return what the Prometheus endpoint tells."""
        return list(processor_points(self._figures(self._scraped)))

    def message(self) -> InstanceMetrics:
        """Return what is told over MQTT; its `cpu_percent` is that since the last message."""
        return instance_metrics(self._figures(self._told))

    def _figures(self, process: ProcessMeter) -> InstanceFigures:
        report = self._report()
        with self._lock:
            measured = Measured(
                self._clock.now(),
                self._clock.monotonic() - self._started_s,
                process.read(),
                self._cpu.seconds([camera.source_id for camera in report.cameras]),
            )
        recordings = self._recordings
        return processor_figures(
            self._instance_id(),
            report,
            measured,
            recorded=None if recordings is None else Recorded(recordings.counters(), recordings.states(), self._root),
            topic_root=self._topic_root,
        )


def processor_figures(
    instance_id: str,
    report: ProcessorReport,
    measured: Measured,
    *,
    recorded: Recorded | None = None,
    topic_root: str = "nvr",
) -> InstanceFigures:
    """Return the figures of a processor; pure."""
    return InstanceFigures(
        instance_id,
        measured.at,
        measured.uptime_s,
        measured.process,
        events_lost=report.lost_events,
        is_broker_connected=report.is_broker_connected,
        watchdog_reconnects=report.watchdog_reconnects,
        detector_hangs=report.detector_hangs,
        cameras=tuple(
            _camera(camera, measured.cpu_s.get(camera.source_id, 0.0), recorded) for camera in report.cameras
        ),
        models=_models(report.models, report.works),
        queues=tuple(QueueFigures(queue.name, queue.depth, queue.capacity, queue.dropped) for queue in report.queues),
        published=tuple(
            PublishedFigures(f"{topic_root}/{queue.topic.template}", queue.delivered, queue.failed)
            for queue in report.queues
            if queue.topic is not None
        ),
        disk=None if recorded is None or recorded.report.root is None else _disk(recorded.root, recorded.report.root),
    )


def _camera(camera: CameraReport, cpu_s: float, recorded: Recorded | None) -> CameraFigures:
    stream, tally, decoding = camera.stream, camera.tally, camera.stream.decoding
    streams = (stream,) if camera.main is None else (stream, camera.main)
    dropped: dict[DropReason, int] = {
        "asleep": decoding.asleep,
        "skipped": decoding.skipped + decoding.lost,
        "broken": decoding.broken,
        "sampled_out": decoding.thinned,
        "replaced": camera.replaced_frames,
        "paused": decoding.unwanted + tally.kept_back,
        "failed": tally.failed,
    }
    counters = None if recorded is None else recorded.report.cameras.get(camera.source_id)
    state = None if recorded is None else recorded.states.get(camera.source_id)
    return CameraFigures(
        camera.source_id,
        camera.name,
        camera.state.value,
        is_detecting=camera.is_detecting,
        is_asleep=stream.is_asleep,
        frames_in=stream.demuxed.packets,
        decoded=decoding.decoded,
        analysed=tally.analysed,
        dropped=dropped,
        watched=tally.watched,
        moving=tally.moving,
        bytes_in=sum(one.demuxed.size_bytes for one in streams),
        connections=sum(one.sessions for one in streams),
        reconnects=sum(one.failures for one in streams),
        packets_lost=sum(one.demuxed.corrupt_packets for one in streams),
        timestamp_breaks=sum(one.demuxed.timestamp_breaks for one in streams),
        fps=stream.fps,
        decoded_fps=stream.decoded_fps,
        analysed_fps=tally.analysed_fps,
        clock_error_s=stream.clock_error_s,
        cpu_s=cpu_s,
        memory_bytes=sum(one.ring_bytes for one in streams),
        is_recording=None if state is None or state.activity is Activity.OFF else state.activity is Activity.RECORDING,
        recorded_bytes=0 if counters is None else counters.written.written_bytes,
        recording_lost_packets=0 if counters is None else counters.lost_packets,
        recording_pauses=0 if counters is None else counters.pauses,
        latency=tally.latency,
    )


def _models(statuses: tuple[ModelStatus, ...], works: tuple[ModelWork, ...]) -> tuple[ModelFigures, ...]:
    # one model may look at two sets of cameras after a swap, and fail at one of them
    is_ok: dict[str, bool] = {}
    for status in statuses:
        is_ok[status.model_id] = is_ok.get(status.model_id, True) and status.state == "ok"
    worked = {work.model_id: work for work in works}
    figures = []
    for model_id in dict.fromkeys((*is_ok, *worked)):
        work = worked.get(model_id)
        figures.append(
            ModelFigures(model_id, is_ok.get(model_id))
            if work is None
            else ModelFigures(
                model_id,
                is_ok.get(model_id),
                inferences=work.inferences,
                frames=work.frames,
                failures=work.failures,
                used_px=work.used_px,
                offered_px=work.offered_px,
                seconds=work.seconds,
            )
        )
    return tuple(figures)


def _disk(path: str, root: RootState) -> DiskFigures:
    return DiskFigures(
        path,
        root.disk.total_bytes,
        root.disk.free_bytes,
        root.held_bytes,
        None if root.forecast is None else root.forecast.days,
    )
