"""Recording of all cameras of one tenant as one object: start, cameras come and go, stop."""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nvr.config.recording import RecordingConfig
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import ConfigurationError, StorageError
from nvr.core.names import check_tenant
from nvr.events.recording_event import SegmentEvent
from nvr.events.schema import DetectionEvent
from nvr.media.packet_ring import PacketRing
from nvr.recording.announcing import repaired_event, segment_event
from nvr.recording.at_rest import AtRest
from nvr.recording.best_frame import BestFrame, candidate
from nvr.recording.disk import Activity, RecordingState
from nvr.recording.index import SegmentIndex
from nvr.recording.keeper import Keeper
from nvr.recording.layout import DEFAULT_TENANT, CameraKey, SegmentOrigin
from nvr.recording.modes import RecordingMode, modes_text, parse_modes
from nvr.recording.outlook import RootState
from nvr.recording.plan import PlanSettings
from nvr.recording.policy import RetentionPolicy
from nvr.recording.recorder import Recorder, RecorderCounters
from nvr.recording.segment import SegmentKind
from nvr.recording.segment_writer import FinishedSegment
from nvr.recording.segmenter import RecorderSettings
from nvr.recording.snapshot import Job, SnapshotWorker

logger = logging.getLogger(__name__)

WATCH_S = 0.5
"""How often disks that hang are looked for and snapshots are chosen."""

SNAPSHOT_S = 5.0
"""How long is waited for a snapshot that was asked for."""

_MADE_ONCE = frozenset({"root", "pre_roll_s"})


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """What was recorded so far."""

    cameras: dict[int, RecorderCounters]
    pending_in_index: int
    """Segments on the disk that the index has not taken yet."""
    snapshots: int
    dropped_snapshots: int
    failed_snapshots: int
    deleted: int
    """Segments that had to go by age or size."""
    root: RootState | None = None
    """How the folder and its disk were at the last look, each `clean_interval_s`; None where nobody knows."""


@dataclass(slots=True)
class _Camera:
    ring: PacketRing
    recorder: Recorder
    best: BestFrame
    mode: str | None
    """Of its own; None for that of the configuration."""
    at_rest: AtRest = field(default_factory=AtRest)
    left_behind: int = 0
    """Unfinished files that the keeper has been told of."""


class RecordingService:
    """Records cameras into one root. Its methods may be called by any thread and wait for no disk, except `stop`."""

    def __init__(
        self,
        config: RecordingConfig,
        *,
        instance_id: str,
        on_segment: Callable[[SegmentEvent], None],
        on_state: Callable[[RecordingState], None] = lambda _: None,
        tenant: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            config: Its settings; `root` is given.
            instance_id: Named by announcements.
            on_segment: Takes the announcement of each segment and snapshot, in one of the service's threads; must be
                quick and raise nothing.
            on_state: Takes each change of what a recorder does, likewise.
            tenant: None for the default tenant.
            clock: For time stamps and intervals.

        Raises:
            ConfigurationError: There is no root, or no tenant may have that name.
        """
        if config.root is None:
            raise ConfigurationError("nothing can be recorded: storage.root names no folder")
        self._config = config
        self._root: Path = config.root
        self._tenant = DEFAULT_TENANT if tenant is None else check_tenant(tenant)
        self._instance_id = instance_id
        self._on_segment = on_segment
        self._on_state = on_state
        self._clock = clock or SystemClock()
        self._cameras: dict[int, _Camera] = {}
        self._lock = threading.Lock()
        self._keeper = Keeper(
            self._root,
            RetentionPolicy.from_config(config, self._tenant),
            clean_interval_s=config.clean_interval_s,
            clock=self._clock,
            kind_of=self._kind_of_repaired,
            on_repaired=lambda segment: on_segment(repaired_event(segment, self._instance_id)),
        )
        self._snapshots = SnapshotWorker(
            self._root,
            self._tenant,
            instance_id=lambda: self._instance_id,
            clock=self._clock,
            on_snapshot=on_segment,
        )
        self._is_stopping = threading.Event()
        self._watch = threading.Thread(target=self._run_watch, name="recording-watch", daemon=True)

    @property
    def index(self) -> SegmentIndex | None:
        """What is recorded; None as long as the disk does not let the index be opened."""
        return self._keeper.index

    @property
    def is_settled(self) -> bool:
        """Whether the index is open and knows all that is on the disk of these cameras, as far as it is finished."""
        return self._keeper.index is not None and not self._keeper.pending and not self._keeper.unseen

    def start(self) -> None:
        """Begin, in the background; a root that is not there is waited for, and recorders pause until then."""
        self._keeper.start()
        self._snapshots.start()
        self._watch.start()

    def add_camera(self, source_id: int, ring: PacketRing, mode: str | None = None) -> None:
        """Record a camera from now on.

        Args:
            source_id: Its number.
            ring: Packets of its main stream; they should reach back at least over the pre-roll.
            mode: As a setting names it; None for that of the configuration.

        Raises:
            ConfigurationError: The mode is none, or the camera is recorded already.
        """
        modes = parse_modes(self._config.mode if mode is None else mode)
        recorder = Recorder(
            source_id,
            ring,
            root=self._root,
            tenant=self._tenant,
            modes=modes,
            settings=_recorder_settings(self._config),
            clock=self._clock,
            on_segment=self._take,
            on_state=self._take_state,
            on_space_short=self._keeper.note_space_short,
        )
        with self._lock:
            if source_id in self._cameras:
                raise ConfigurationError(f"camera {source_id} is recorded already")
            self._cameras[source_id] = _Camera(ring, recorder, BestFrame(self._config.post_roll_s), mode)
        self._keeper.look_at(CameraKey(self._tenant, source_id))
        recorder.start()

    def remove_camera(self, source_id: int, timeout_s: float = 1.0) -> bool:
        """Finish a camera's segment and forget it; False where a disk that hangs did not let it in time."""
        with self._lock:
            camera = self._cameras.pop(source_id, None)
        if camera is None:
            return True
        self._choose(source_id, camera, math.inf)
        return camera.recorder.stop(timeout_s)

    def set_mode(self, source_id: int, mode: str | None) -> None:
        """Record a camera for other reasons from now on; None for those of the configuration.

        Recording on demand that goes on ends at once where the mode does not name it.

        Raises:
            ConfigurationError: The mode is none, or there is no such camera.
        """
        camera = self._camera(source_id)
        camera.recorder.set_modes(parse_modes(self._config.mode if mode is None else mode))
        camera.mode = mode

    def rename(self, instance_id: str) -> None:
        """Announce under another name of the processor from now on."""
        self._instance_id = instance_id

    def apply(self, new: RecordingConfig) -> tuple[str, ...]:
        """Go by new settings as far as a running service can.

        Open segments keep their length; what was recorded already is kept as long as the new limits say.

        Returns:
            The names of changed settings that have no effect before the service is made anew: where the recordings
            are, and a longer pre-roll, for which cameras must remember more.
        """
        changed = [name for name in RecordingConfig.model_fields if getattr(new, name) != getattr(self._config, name)]
        rebuild = tuple(name for name in changed if name in _MADE_ONCE)
        kept = {name: getattr(self._config, name) for name in rebuild}
        self._config = config = new.model_copy(update=kept)
        settings = _recorder_settings(config)
        for _, camera in self._all_cameras():
            camera.recorder.retune(settings)
            if "mode" in changed and camera.mode is None:
                camera.recorder.set_modes(parse_modes(config.mode))
            with self._lock:
                camera.best.retune(config.post_roll_s)
        self._keeper.retune(RetentionPolicy.from_config(config, self._tenant), config.clean_interval_s)
        return rebuild

    def snapshot(self, source_id: int) -> SegmentEvent:
        """Take the newest picture of the main stream as a JPEG, announce it, and return what is announced.

        Waits for the disk, but not for long; whatever the camera's mode is.

        Raises:
            ConfigurationError: There is no such camera.
            StreamError: No picture of it has come yet, or for some seconds, or the last one cannot be decoded.
            UnsupportedError: This build of FFmpeg cannot decode the stream.
            StorageError: The disk cannot take it, or does not answer.
        """
        outcome = self._snapshots.order(source_id, self._camera(source_id).ring)
        try:
            return outcome.result(SNAPSHOT_S)
        except TimeoutError as error:
            raise StorageError(f"camera {source_id}: the snapshot is not on the disk after {SNAPSHOT_S:g} s") from error

    def note_event(self, source_id: int, captured_at: datetime) -> None:
        """Take note that something was detected in the frame captured at a time; unknown cameras are no error."""
        camera = self._cameras.get(source_id)
        if camera is not None:
            camera.recorder.note_event(captured_at)

    def note_detections(self, event: DetectionEvent) -> None:
        """Take note of what was detected, for recording and for the event's snapshot.

        Nothing seen is no event, nor is what stands still: it has been one when it came.
        """
        camera = self._cameras.get(event.source_id)
        if camera is None or RecordingMode.EVENTS not in camera.recorder.modes:
            return
        with self._lock:
            found = candidate(event.model_copy(update={"detections": camera.at_rest.news(event)}))
            if found is not None:
                camera.best.note(found, self._clock.monotonic())
        if found is not None:
            camera.recorder.note_event(event.timestamp)

    def record_start(self, source_id: int, max_s: float | None = None) -> None:
        """Record on demand, from the newest key frame on, for at most `max_s` or what the configuration says.

        Who asks for it need not have set the mode before: it is on demand, whatever else the camera is recorded for.

        Raises:
            ConfigurationError: There is no such camera.
        """
        longest_s = self._config.on_demand_max_s
        self._camera(source_id).recorder.record_start(longest_s if max_s is None else min(max_s, longest_s))

    def record_stop(self, source_id: int) -> None:
        """End recording on demand; raises ConfigurationError where there is no such camera."""
        self._camera(source_id).recorder.record_stop()

    def states(self) -> dict[int, RecordingState]:
        """Return what each recorder does."""
        return {source_id: camera.recorder.state for source_id, camera in self._all_cameras()}

    def modes(self) -> dict[int, str]:
        """Return why each camera is recorded now, as a setting names it."""
        return {source_id: modes_text(camera.recorder.modes) for source_id, camera in self._all_cameras()}

    def troubles(self, source_id: int) -> tuple[str, ...]:
        """Return in words what keeps a camera from being recorded; empty while nothing does."""
        camera = self._cameras.get(source_id)
        if camera is None or camera.recorder.state.activity is not Activity.PAUSED:
            return ()
        return (f"its recording pauses, {camera.recorder.state.reason}",)

    def counters(self) -> RecordingReport:
        """Return what was recorded so far."""
        cleaner = self._keeper.cleaner
        return RecordingReport(
            cameras={source_id: camera.recorder.counters for source_id, camera in self._all_cameras()},
            pending_in_index=self._keeper.pending,
            snapshots=self._snapshots.taken,
            dropped_snapshots=self._snapshots.dropped,
            failed_snapshots=self._snapshots.failures,
            deleted=0 if cleaner is None else cleaner.sum.deleted,
            root=None if cleaner is None else cleaner.state,
        )

    def request_stop(self) -> None:
        """Let all threads finish their work and end; returns at once."""
        self._is_stopping.set()
        for source_id, camera in self._all_cameras():
            camera.recorder.request_stop()
            self._choose(source_id, camera, math.inf)
        self._snapshots.request_stop()

    def stop(self, timeout_s: float) -> bool:
        """Finish all segments side by side and end all threads; False where a disk that hangs did not let them."""
        deadline_s = self._clock.monotonic() + timeout_s

        def left_s() -> float:
            return max(0.0, deadline_s - self._clock.monotonic())

        self.request_stop()
        has_ended = [camera.recorder.stop(left_s()) for _, camera in self._all_cameras()]
        if self._watch.ident is not None:
            self._watch.join(left_s())
        has_ended += [self._snapshots.stop(left_s()), self._keeper.stop(left_s())]
        return all(has_ended)

    def _camera(self, source_id: int) -> _Camera:
        camera = self._cameras.get(source_id)
        if camera is None:
            known = ", ".join(str(number) for number in sorted(self._cameras)) or "none"
            raise ConfigurationError(f"camera {source_id} is not recorded; recorded are: {known}")
        return camera

    def _all_cameras(self) -> list[tuple[int, _Camera]]:
        with self._lock:
            return list(self._cameras.items())

    def _take(self, finished: FinishedSegment) -> None:
        self._keeper.note(finished.segment, finished.replaces)
        self._on_segment(segment_event(finished, self._instance_id))

    def _take_state(self, state: RecordingState) -> None:
        if state.activity is Activity.RECORDING:
            camera = self._cameras.get(state.source_id)
            if camera is not None:
                left_behind = camera.recorder.counters.written.left_behind
                if left_behind > camera.left_behind:
                    camera.left_behind = left_behind
                    self._keeper.look_at(CameraKey(self._tenant, state.source_id))
        self._on_state(state)

    def _kind_of_repaired(self, origin: SegmentOrigin) -> SegmentKind:
        """Return the kind of a file whose recorder died: the last seconds before that may have been an event."""
        camera = self._cameras.get(origin.source_id)
        modes = parse_modes(self._config.mode) if camera is None else camera.recorder.modes
        if RecordingMode.EVENTS in modes:
            return SegmentKind.EVENT
        return SegmentKind.CONTINUOUS if RecordingMode.CONTINUOUS in modes else SegmentKind.ON_DEMAND

    def _run_watch(self) -> None:
        while not self._is_stopping.wait(WATCH_S):
            now_s = self._clock.monotonic()
            for source_id, camera in self._all_cameras():
                camera.recorder.watch(now_s)
                self._choose(source_id, camera, now_s)

    def _choose(self, source_id: int, camera: _Camera, now_s: float) -> None:
        with self._lock:
            chosen = camera.best.choose(now_s)
        if chosen is not None:
            self._snapshots.put(Job(source_id, camera.ring, chosen))


def _recorder_settings(config: RecordingConfig) -> RecorderSettings:
    return RecorderSettings(PlanSettings(config.segment_s, config.pre_roll_s, config.post_roll_s), config.fragment_s)
