"""The parts of a processor: made, started and stopped in their order, and reported on together."""

from collections.abc import Callable

from nvr.assets.cancelling import IsCancelled
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import Clock
from nvr.detection.detections import Detector
from nvr.events.protocol import TopicKind
from nvr.events.schema import DetectionEvent, SourceEvent
from nvr.events.track_event import TrackEvent
from nvr.media.frame import Frame
from nvr.processor.camera_set import CameraSet
from nvr.processor.gate import PublicationGate
from nvr.processor.health_watch import HealthHandler, HealthWatch
from nvr.processor.model_bank import ModelBank
from nvr.processor.multiplexer import EventHandler, TrackHandler
from nvr.processor.outlets import Outlets
from nvr.processor.recorder_port import CameraRecorder
from nvr.processor.report import ProcessorReport
from nvr.processor.tally import FrameTimes, Tallies
from nvr.processor.watchdog import Watchdog

DISK_STOP_S = 5.0
"""What a slow disk gets to finish its files; the others need a tenth of a second."""

LAST_PACKETS_S = 0.25
"""How long a recorder waits for what cameras have sent already."""

FINISH_S = 30.0
"""How long the last frames and events of finished files may take."""


class Engine:
    """What `StreamProcessor` drives: it says when, and in which state each call is right."""

    def __init__(
        self,
        config: StreamProcessorConfig,
        *,
        on_event: EventHandler | None,
        on_track: TrackHandler | None,
        on_health: HealthHandler | None,
        recorder: CameraRecorder | None,
        pre_roll_s: float,
        clock: Clock,
    ) -> None:
        """Make what needs nothing but memory; arguments as of `StreamProcessor`."""
        self._on_event = on_event
        self._on_track = on_track
        self._clock = clock
        self._tallies = Tallies(clock)
        self._gate = PublicationGate(self._emit, self._emit_track, clock=clock, tallies=self._tallies)
        self._models = ModelBank(config, self._gate.put_event, self._gate.put_track, clock=clock, tallies=self._tallies)
        self._recorder = recorder
        self._cameras = CameraSet(
            config,
            models=self._models,
            gate=self._gate,
            clock=clock,
            recorder=recorder,
            pre_roll_s=pre_roll_s,
            on_replaced=self._forget_health,
        )
        self._outlets: Outlets | None = None
        self._health = HealthWatch(self._cameras.samples, clock=clock, on_change=on_health)
        self._watchdog: Watchdog | None = None

    @property
    def cameras(self) -> CameraSet:
        """All cameras."""
        return self._cameras

    @property
    def models(self) -> ModelBank:
        """Who looks at them."""
        return self._models

    def load(self, is_cancelled: IsCancelled, given: Detector | None) -> None:
        """See `ModelBank.load`."""
        self._models.load(is_cancelled, given)

    def build(self, config: StreamProcessorConfig) -> None:
        """Make what reaches outside; raises NvrError where a setting does not fit."""
        self._outlets = Outlets(
            config,
            clock=self._clock,
            on_event=self._on_event,
            on_track=self._on_track,
            is_recording=self._recorder is not None,
            tallies=self._tallies,
            is_muted=self._gate.is_closed,
        )
        self._cameras.prepare()
        if config.enable_watchdog:
            self._watchdog = Watchdog(self._cameras.streams, self._models.branches, config.watchdog_timeout_s)

    def close_unstarted(self) -> None:
        """Free what was loaded and built and will not be started."""
        if self._outlets is not None:
            self._outlets.close_unstarted()
        self._models.close()

    def start(self) -> None:
        """Begin, in the background: who takes comes before who gives."""
        if self._outlets is not None:
            self._outlets.start()
        self._models.start()
        if self._recorder is not None:
            self._recorder.start()
        self._cameras.start()
        self._health.start()
        if self._watchdog is not None:
            self._watchdog.start()

    def finish(self) -> None:
        """Let the last frames of finished files be looked at, and what was seen be published."""
        self._models.branches.finish(FINISH_S)
        if self._outlets is not None:
            self._outlets.drain(FINISH_S)

    def stop(self, left_s: Callable[[], float]) -> None:
        """End all threads within the time that is left; the disk alone gets `DISK_STOP_S`."""
        self._cameras.request_stop()
        if self._recorder is not None:
            # the last packets that cameras which answer hand on are recorded, too; then before all else, as nothing
            # else is lost for good
            last_packets_s = self._clock.monotonic() + LAST_PACKETS_S
            self._cameras.stop(lambda: min(left_s(), max(0.0, last_packets_s - self._clock.monotonic())))
            self._recorder.stop(DISK_STOP_S)
        self._health.stop(left_s())
        if self._watchdog is not None:
            self._watchdog.stop(left_s())
        self._models.stop(left_s)
        if self._outlets is not None:
            self._outlets.stop(left_s)
        self._cameras.stop(left_s)

    def configure(self, config: StreamProcessorConfig) -> None:
        """Go by other settings, between two frames."""
        self._cameras.configure(config)
        self._models.configure(config)

    def rename_recorder(self, instance_id: str) -> None:
        """Sign recordings with another name."""
        if self._recorder is not None:
            self._recorder.rename(instance_id)

    def announce(self, event: SourceEvent) -> None:
        """Publish what was recorded; any thread, never waits. Without a broker nobody is told."""
        if self._outlets is not None:
            self._outlets.announce(TopicKind.RECORDINGS, event)

    def report(self) -> ProcessorReport:
        """Return the counters of this moment."""
        looks, outlets, watchdog = self._models.branches, self._outlets, self._watchdog
        return ProcessorReport(
            cameras=tuple(
                camera.report(
                    self._models.replaced(camera.source_id),
                    self._health.health(camera.source_id),
                    self._tallies.report(camera.source_id),
                )
                for camera in self._cameras
            ),
            analysed_frames=looks.analysed,
            inferences=looks.inferences,
            detector_failures=looks.failures,
            lost_events=0 if outlets is None else outlets.lost_events,
            is_broker_connected=outlets is not None and outlets.is_broker_connected,
            watchdog_reconnects=0 if watchdog is None else watchdog.reconnects,
            detector_hangs=watchdog is not None and watchdog.detector_hangs,
            models=looks.statuses,
            counts=looks.counts(),
            works=looks.works(),
            queues=(*looks.queues(), *(() if outlets is None else outlets.queues())),
        )

    def _forget_health(self, source_id: int) -> None:
        self._health.forget(source_id)

    def _emit(self, event: DetectionEvent, frame: Frame, times: FrameTimes) -> None:
        if self._recorder is not None:
            self._recorder.note_detections(event)
        if self._outlets is not None:
            self._outlets.put(event, frame, times)

    def _emit_track(self, event: TrackEvent) -> None:
        if self._outlets is not None:
            self._outlets.put_track(event)
