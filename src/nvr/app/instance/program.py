"""`nvr processor` as a program: a processor with what steers and observes it, over all changes of its settings."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace

from pydantic import JsonValue

from nvr.app.instance.added_cameras import add_again, added_cameras, check_added
from nvr.app.instance.kept_services import KeptServices, check_endpoint, services_differ
from nvr.app.instance.recording_processor import make_processor
from nvr.app.instance.reloading import apply_live
from nvr.app.instance.running_processor import Running
from nvr.app.instance.services import ProcessorServices
from nvr.bus.tls import check_files
from nvr.config.camera import CameraConfig
from nvr.config.derive import ProcessorSettings
from nvr.config.diff import SettingsChange, compare
from nvr.config.watch import FileWatch, WatchedFiles
from nvr.control.memory import CommandMemory
from nvr.control.metrics import ProcessorMeter
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import CancelledError, NvrError, TransientError
from nvr.core.masking import mask_credentials
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import InstanceState, InstanceStatus
from nvr.events.protocol import Topics
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent
from nvr.processor.report import ProcessorReport
from nvr.processor.stream_processor import StreamProcessor

logger = logging.getLogger(__name__)

LOOK_S = 0.1
STOPPED = "stopped"
REPORT_EVERY_S = 60.0
REBUILD_S = 120.0
"""How long a command waits for a processor that begins anew; a model may have to be fetched."""

ReadSettings = Callable[[], ProcessorSettings]
"""Reads the settings as they are now; raises ConfigurationError."""


class ProcessorProgram:
    """Runs until it is stopped or its files have ended. `run` belongs to one thread, all else to any."""

    def __init__(
        self,
        read: ReadSettings,
        *,
        watched: WatchedFiles | None = None,
        allow_empty: bool = False,
        on_report: Callable[[ProcessorReport], None] = lambda _: None,
        on_settings: Callable[[ProcessorSettings], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        """Read the settings; nothing is opened before `run`.

        Args:
            read: Called now and for each reload.
            watched: Files whose change is a reload; None: only a command or `reload` is.
            allow_empty: Run without a camera, too: they come by commands or with the file.
            on_report: Called in the thread of `run` once a minute.
            on_settings: Called with the settings now, and when those of the log or the name have changed.
            clock: For time stamps and intervals.

        Raises:
            ConfigurationError: The settings cannot be read.
        """
        self._read_as_written = read
        self._name: str | None = None
        self._is_refused = False
        self._paused: dict[int, bool] = {}
        """Cameras that were paused when a processor ended, and whether they had hung up."""
        self._added: dict[int, CameraConfig] = {}
        """Cameras that commands had added when a processor ended."""
        self._allow_empty = allow_empty
        self._on_report = on_report
        self._on_settings = on_settings
        self._clock = clock or SystemClock()
        self._started_at = self._clock.now()
        self._memory = CommandMemory(began_at=self._started_at, clock=self._clock)
        self._watch = None if watched is None else FileWatch(watched, self._reload_by_itself, clock=self._clock)
        self._settings = read()
        on_settings(self._settings)
        self._state: InstanceState = "starting"
        self._reason: str | None = None
        self._running: Running | None = None
        self._services = KeptServices(self._make_services, self._settings)
        self._building: Running | None = None
        self._rebuild: Future[None] | None = None
        self._wanted = self._settings
        self._changing = threading.Lock()
        self._lock = threading.Lock()
        self._is_stopping = threading.Event()
        self._farewell = STOPPED
        self._has_other_services = threading.Event()

    @property
    def settings(self) -> ProcessorSettings:
        """What was last read and applied; what commands changed is not in it."""
        return self._settings

    @property
    def metrics_url(self) -> str | None:
        """Where the metrics are; None without an endpoint, and before `run`."""
        services = self._services.current
        return None if services is None else services.metrics_url

    def run(self) -> ProcessorReport:
        """Run until it is stopped or all of its files have come to their end; returns the last report.

        Raises:
            CancelledError: It was stopped before its model was loaded.
            NvrError: It could not be started; or it could not begin anew, not even as it was.
        """
        reason: str | None = None
        try:
            self._services.open(self._settings)
            self._start(self._settings)
            if self._watch is not None:
                self._watch.start()
            return self._run_until_the_end()
        except NvrError as error:
            reason = mask_credentials(str(error))
            raise
        finally:
            self._close(reason or self._farewell)

    def request_stop(self, reason: str = STOPPED) -> None:
        """Let `run` end everything in order, in the background; the last status says why."""
        self._farewell = reason
        self._is_stopping.set()
        threading.Thread(target=self._terminate, name="program-stop", daemon=True).start()

    def status(self) -> InstanceStatus:
        """Return how the instance is now."""
        return self._services.require().status(self._state, self._reason)

    def metrics(self) -> InstanceMetrics:
        """Return its counters; raises UnsupportedError while no processor runs."""
        return self._services.require().metrics()

    def restart(self) -> None:
        """End the processor and begin anew with the settings as they are now; returns when it runs again.

        Raises:
            ConfigurationError: The settings cannot be read; it runs on.
            NvrError: It could not begin anew, and runs as it did before.
            TransientError: It begins anew already, or takes long.
        """
        with self._changing:
            new = self._read()
            self._check(new)
            self._rebuild_and_wait(new)

    def reload(self) -> JsonValue:
        """Read the settings and apply what is different, as far as possible without a pause.

        Returns:
            `changes`, in words, and `restarted_for`: the settings for which the processor had to begin anew.

        Raises:
            ConfigurationError: The settings cannot be read or applied; nothing has changed.
            NvrError: Some change failed, the others are done; says which.
        """
        with self._changing:
            new = self._read()
            change = compare(self._settings, new)
            if change.is_empty:
                return _no_change()
            self._check(new)
            lines: list[JsonValue] = [mask_credentials(line) for line in change.describe()]
            logger.info("reload: %s", "; ".join(map(str, lines)))
            needed = self._apply(change, new)
            restarted: list[JsonValue] = [*needed]
            return {"changes": lines, "restarted_for": restarted}

    def rename(self, instance_id: str) -> None:
        """Go on under another name, on the broker and in all that is said.

        Raises:
            BrokerError: The broker did not accept it; the old name stays.
            ConfigurationError: The name is none.
        """
        with self._changing:
            running, services = self._running, self._services.current
            if running is None or services is None:
                raise TransientError("the processor begins anew: try again")
            services.rename(instance_id)
            running.processor.rename(instance_id)
            self._name = instance_id
            self._settings = named(self._settings, instance_id)
            self._on_settings(self._settings)

    def _read(self) -> ProcessorSettings:
        """Read the settings; a name that was given by a command holds as long as the program runs."""
        settings = self._read_as_written()
        return settings if self._name is None else named(settings, self._name)

    def _check(self, new: ProcessorSettings) -> None:
        """Raise ConfigurationError where settings cannot be, before anything is changed."""
        check_endpoint(self._services.served, new)
        running = self._running
        if running is not None:
            check_added(added_cameras(running.processor, self._settings), new)
        if new.stream.mqtt_enabled:
            check_files(new.stream.broker)

    def _apply(self, change: SettingsChange, new: ProcessorSettings) -> tuple[str, ...]:
        running, services, old = self._running, self._services.current, self._settings
        if running is None or services is None:
            raise TransientError("the processor begins anew: try again")
        applied = apply_live(change, old, new, running.processor, running.recorder)
        if applied.needs_rebuild:
            self._rebuild_and_wait(new)
            return applied.needs_rebuild
        settings, failures = applied.settings, applied.failures
        if old.stream.instance_id != new.stream.instance_id:
            try:
                services.rename(new.stream.instance_id)
            except NvrError as error:  # the broker is away: both names stay, and the next reload tries again
                settings = named(settings, old.stream.instance_id)
                running.processor.apply(settings.stream)
                failures = (*failures, mask_credentials(str(error)))
        self._settings, new = settings, settings
        if old.log != new.log or old.stream.instance_id != new.stream.instance_id:
            self._on_settings(new)
        if services_differ(self._services.served, new):  # which an earlier reload may have left to the thread of `run`
            self._has_other_services.set()  # not here: this may be one of their own threads
        else:
            services.reconfigure(new)
        services.look()
        if failures:
            raise TransientError(f"all else was applied, but not {'; '.join(failures)}")
        return ()

    def _reload_by_itself(self) -> None:
        """Reload for a changed file or a signal: what is wrong with it is told in the log."""
        failure: NvrError | None = None
        try:
            told = self.reload()
        except NvrError as error:
            failure = error
        if failure is not None:
            logger.error("the configuration was not applied: %s", mask_credentials(str(failure)))
        elif self._is_refused and told == _no_change():
            logger.info("reload: the configuration is right again, and nothing is different")
        self._is_refused = failure is not None

    def reload_in_background(self) -> None:
        """As `reload`, in a thread of its own; what is wrong is told in the log."""
        threading.Thread(target=self._reload_by_itself, name="reload", daemon=True).start()

    def _rebuild_and_wait(self, new: ProcessorSettings) -> None:
        with self._lock:
            if self._is_stopping.is_set():
                raise CancelledError("the program stops")
            if self._rebuild is not None:
                raise TransientError("the processor begins anew already")
            self._rebuild, self._wanted = Future(), new
            done = self._rebuild
        try:
            done.result(REBUILD_S)
        except TimeoutError:
            raise TransientError(f"the processor has not begun anew within {REBUILD_S:g} s; it goes on") from None

    def _run_until_the_end(self) -> ProcessorReport:
        report_s = self._clock.monotonic()
        while True:
            running = self._running
            assert running is not None  # noqa: S101 - started before, and only replaced in this thread
            if self._is_stopping.is_set():  # it may have come between two processors, where there was none to end
                running.processor.terminate()
            if running.processor.join(LOOK_S):
                return running.processor.report()
            with self._lock:
                rebuild = self._rebuild
            if rebuild is not None:
                self._begin_anew(rebuild)
            elif self._has_other_services.is_set():
                self._let_services_follow()
            if self._clock.monotonic() - report_s >= REPORT_EVERY_S:
                report_s = self._clock.monotonic()
                self._on_report(running.processor.report())

    def _begin_anew(self, rebuild: "Future[None]") -> None:
        old, new = self._settings, self._wanted
        failure: NvrError | None = None
        self._terminate_for_rebuild()
        try:
            self._start(new)
        except CancelledError:
            raise
        except NvrError as error:
            failure = error
        if failure is not None:
            logger.error("the processor begins again as it was: %s", mask_credentials(str(failure)))
            self._start(old)
        with self._lock:
            self._rebuild = None
        if failure is None:
            rebuild.set_result(None)
            if services_differ(old, new) or old.stream.instance_id != new.stream.instance_id:
                self._has_other_services.set()  # in a moment: who asked for this is to be answered first
        else:
            rebuild.set_exception(failure)

    def _terminate_for_rebuild(self) -> None:
        running, self._running = self._running, None
        self._state, self._reason = "starting", "it begins anew"
        if running is not None:
            running.processor.terminate()
            self._paused = {
                camera.source_id: camera.is_hung_up
                for camera in running.processor.cameras
                if camera.is_hung_up or not camera.is_detecting
            }
            self._added = added_cameras(running.processor, self._settings)

    def _start(self, settings: ProcessorSettings) -> None:
        stream, recording = settings.stream, settings.recording
        processor, recorder = make_processor(
            stream,
            recording,
            on_event=lambda event, _: self._tell(event),
            on_track=self._tell,
            allow_empty=self._allow_empty,
        )
        root = str(recording.root) if recorder is not None else ""
        meter = ProcessorMeter(
            lambda: processor.config.instance_id,
            processor.report,
            recordings=recorder,
            root=root,
            topic_root=Topics(stream.tenant).root,
            clock=self._clock,
        )
        self._building = Running(processor, recorder, meter)
        if self._is_stopping.is_set():
            raise CancelledError("the program was stopped while it started")
        try:
            processor.start()
        except RuntimeError:
            if self._is_stopping.is_set():  # it was ended before it began
                raise CancelledError("the program was stopped while it started") from None
            raise
        add_again(processor, self._added)
        pause_again(processor, self._paused)
        self._settings, self._running, self._building = settings, self._building, None
        self._services.look()

    def _tell(self, event: DetectionEvent | TrackEvent) -> None:
        services = self._services.current
        if services is not None:
            services.on_event(event)

    def _make_services(self, settings: ProcessorSettings) -> ProcessorServices:
        return ProcessorServices(
            settings,
            self,
            lambda: self._running,
            memory=self._memory,
            started_at=self._started_at,
            clock=self._clock,
        )

    def _let_services_follow(self) -> None:
        """Let them go by the settings, unless somebody is changing these: with the next look, then."""
        if not self._changing.acquire(blocking=False):  # no wait: who has it may wait for this very thread
            return
        try:
            self._has_other_services.clear()
            self._settings = self._services.follow(self._settings)
        finally:
            self._changing.release()

    def _terminate(self) -> None:
        for running in (self._running, self._building):
            if running is not None:
                running.processor.terminate()

    def _close(self, reason: str) -> None:
        self._is_stopping.set()
        self._state = "stopping"
        if self._watch is not None:
            self._watch.stop(LOOK_S)
        self._terminate()
        self._running = None
        with self._lock:
            rebuild, self._rebuild = self._rebuild, None
        if rebuild is not None and not rebuild.done():
            rebuild.set_exception(CancelledError("the program stops"))
        self._services.close(reason)


def pause_again(processor: StreamProcessor, paused: Mapping[int, bool]) -> None:
    """Pause the cameras of a processor that has just begun as they were in the one before: who paused one meant it."""
    present = {camera.source_id for camera in processor.cameras}
    for hang_up in (False, True):
        concerned = [key for key, has_hung_up in paused.items() if has_hung_up is hang_up and key in present]
        if concerned:
            processor.pause(concerned, hang_up=hang_up)


def named(settings: ProcessorSettings, instance_id: str) -> ProcessorSettings:
    """Return the settings of an instance that is called otherwise."""
    return replace(settings, stream=settings.stream.model_copy(update={"instance_id": instance_id}))


def _no_change() -> JsonValue:
    return {"changes": [], "restarted_for": []}
