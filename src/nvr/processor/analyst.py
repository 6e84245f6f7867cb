"""What is known of one camera from frame to frame: what usually shows, what moves, who is there."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nvr.config.camera import CameraConfig
from nvr.core.clock import Clock
from nvr.core.rate import RateMeter
from nvr.detection.detections import Detections
from nvr.detection.region_planner import RegionPlan, RegionPlanner, RegionSettings
from nvr.detection.regions import Size
from nvr.events.schema import Detection, DetectionEvent
from nvr.events.track_event import TrackEndReason, TrackEvent
from nvr.media.frame import Frame
from nvr.media.pixels import ConvertibleFrame, small_luma
from nvr.processor.event_builder import ZonesAt, build_event, to_detections
from nvr.tracking.filters import ObjectRules
from nvr.tracking.frame_facts import FrameFacts
from nvr.tracking.lifecycle import TrackLifecycle
from nvr.tracking.track import Track
from nvr.tracking.track_ids import first_track_id
from nvr.tracking.tracker import Tracker
from nvr.tracking.tracker_options import TrackerOptions
from nvr.tracking.zone_counts import CountsSnapshot

LUMA_WIDTH_PX = 320
"""Of the small picture in which motion is looked for."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What of a model goes into events."""

    model_id: str
    class_names: tuple[str, ...]
    inference_time_ms: float = 0.0
    """Of the inference that held the frame."""
    has_classes: bool = True
    """False where it only sees that something moves: whatever classes are wanted, they cannot be told apart."""
    confidence_threshold: float = 0.0
    """What is weaker does not count, where the camera says nothing else."""


@dataclass(frozen=True, slots=True)
class AnalystSettings:
    """What may change while a camera is looked at."""

    camera: CameraConfig
    """Its zones, lines, masks, filters and threshold."""
    instance_id: str
    """Goes into each event."""
    classes: frozenset[str] = frozenset()
    """Names that count; empty for all."""
    regions: RegionSettings = field(default_factory=RegionSettings)
    """How to look."""


class CameraAnalyst:
    """Plans the looks at one camera and concludes from what was found. For one thread at a time."""

    def __init__(
        self,
        source_id: int,
        read_settings: Callable[[], AnalystSettings],
        *,
        clock: Clock,
    ) -> None:
        """Begin without knowledge.

        Args:
            source_id: The camera.
            read_settings: Asked at each frame; what it returns may become another value at any time.
            clock: For rates, latencies and the numbers of tracks.
        """
        self._source_id = source_id
        self._read_settings = read_settings
        self._settings = settings = read_settings()
        self._clock = clock
        camera = settings.camera
        self._rules = ObjectRules(camera.filters, camera.object_masks)
        self._options = TrackerOptions()
        self._tracker = Tracker(first_track_id(clock.now()), self._options)
        self._lifecycle = TrackLifecycle(
            source_id, zones=camera.zones, lines=camera.lines, instance_id=settings.instance_id
        )
        self._planner: RegionPlanner | None = None
        self._begins_in_turn = False
        self._canvas_size_px: Size | None = None
        self._class_names: tuple[str, ...] | None = None
        self._size_px: Size | None = None
        self._captured_s: float | None = None
        self._end_reason: TrackEndReason = "lost"
        self._loose = Detections.empty()
        self._rate = RateMeter()
        self._is_active = False

    @property
    def is_active(self) -> bool:
        """Whether something moved or was followed when it was last looked at."""
        return self._is_active

    def look_again(self, *, in_turn: bool = False) -> None:
        """Look at the whole of the next frame: what was planned was not looked at, or is not what counts now.

        Args:
            in_turn: At a moment of its own a little later instead, where all cameras are asked at once.
        """
        self._begins_in_turn = in_turn
        if not in_turn:
            self._planner = None
        elif self._planner is not None:
            self._planner.look_again()

    def plan(self, frame: Frame, picture: ConvertibleFrame, canvas_size_px: Size) -> RegionPlan:
        """Say which parts of a frame are worth a look.

        Args:
            frame: The frame.
            picture: The frame itself, or what it was converted to already.
            canvas_size_px: What a whole frame is scaled to fit into.

        Raises:
            FrameError: The picture is not what it should be.
        """
        self._take_settings()
        if self._planner is None or self._canvas_size_px != canvas_size_px:
            self._canvas_size_px = canvas_size_px
            masks = [mask.polygon for mask in self._settings.camera.motion_masks]
            self._planner = RegionPlanner(
                self._source_id,
                canvas_size_px,
                self._settings.regions,
                masks=masks,
                begins_in_turn=self._begins_in_turn,
            )
        return self._planner.plan(
            small_luma(picture, LUMA_WIDTH_PX),
            (frame.width, frame.height),
            self._tracker.predict(frame.captured_at.timestamp()),
            frame.received_s,
        )

    def conclude(
        self, frame: Frame, found: Detections | None, plan: RegionPlan | None, model: ModelFacts
    ) -> tuple[DetectionEvent, tuple[TrackEvent, ...]]:
        """Return what is to be said about a frame.

        Args:
            frame: As it was planned for.
            found: In source pixels; None where nothing was looked at, since nothing moves.
            plan: Where it was looked; None for the whole frame.
            model: What looked.

        Raises:
            MessageError: The model found what no event can say.
            InvalidInputError: It found what is no box.
        """
        self._take_settings()
        if plan is None:  # what it knows of motion is of before
            self._planner = None
        facts = _facts(frame, model)
        self._look_for_cuts(facts)
        looked_at = None if plan is None or plan.is_full_look else _boxes_of(plan)
        kept, ids = Detections.empty(), np.empty(0, np.int64)
        if found is None:
            looked_at = np.empty((0, 4), np.float32)
            self._tracker.hold(facts.captured_s)
        else:
            kept = self._keep(found, facts, model)
            ids = self._tracker.update(
                kept.xyxy_px, kept.confidence, kept.class_id, facts.captured_s, looked_at, size_px=facts.size_px
            )
        tracks = self._tracker.tracks
        self._is_active = bool(tracks) or (plan is not None and len(plan.motion_xyxy_px) > 0)
        told = self._lifecycle.observe(tracks, self._tracker.take_ended(), facts, self._end_reason)
        self._end_reason = "lost"
        zones_at = self._zones_in(facts)
        loose = self._hold_loose(kept, ids, looked_at)
        now_s = self._clock.monotonic()
        self._rate.count(now_s)
        event = build_event(
            frame,
            [
                *to_detections(kept, model.class_names, track_ids=ids.tolist(), zones_at=zones_at),
                *_held(tracks, frozenset(ids.tolist()), facts, zones_at),
                *to_detections(loose, model.class_names, zones_at=zones_at, is_held=True),
            ],
            model_id=model.model_id,
            instance_id=self._settings.instance_id,
            inference_time_ms=model.inference_time_ms,
            fps=self._rate.per_second(now_s),
            now=self._clock.now(),
        )
        return event, told

    def finish(self, reason: TrackEndReason) -> tuple[TrackEvent, ...]:
        """End all tracks: the camera is gone or pauses, or the processor stops."""
        self._tracker.reset()
        self._tracker.take_ended()
        self._loose = Detections.empty()
        self.look_again()
        return self._lifecycle.finish(reason)

    def counts(self) -> CountsSnapshot:
        """Return how many stand in each zone and came in, and crossed each line, since this was made."""
        return self._lifecycle.counts()

    def _take_settings(self) -> None:
        """Go by new settings, if there are: tracks go on, and soon a picture is looked at as a whole."""
        before, self._settings = self._settings, self._read_settings()
        if self._settings is before:
            return
        camera = self._settings.camera
        self._lifecycle.retune(camera.zones, camera.lines, self._settings.instance_id)
        if replace(before, instance_id=self._settings.instance_id) != self._settings:
            self._rules = ObjectRules(camera.filters, camera.object_masks)
            self._loose = Detections.empty()
            if (before.camera.motion_masks, before.regions) != (camera.motion_masks, self._settings.regions):
                self._planner = None
            self.look_again(in_turn=True)

    def _look_for_cuts(self, facts: FrameFacts) -> None:
        """End all tracks where the frame's size, its time or the classes' numbers do not go on from those before."""
        before_s, self._captured_s = self._captured_s, facts.captured_s
        class_names = tuple(facts.class_names)
        is_other_size = self._size_px not in (None, facts.size_px)
        is_other_model = self._class_names not in (None, class_names)
        is_gap = before_s is not None and abs(facts.captured_s - before_s) > self._options.max_gap_s
        self._size_px, self._class_names = facts.size_px, class_names
        if is_other_size or is_other_model:
            self._tracker.reset()
        if is_other_size or is_other_model or is_gap:  # after a gap the tracker ends them itself
            self._end_reason = "cut"
            self._loose = Detections.empty()
        if is_other_size or is_gap:  # of another model who changes it has told: see `look_again`
            self.look_again()

    def _hold_loose(
        self, kept: Detections, ids: NDArray[np.int64], looked_at: NDArray[np.float32] | None
    ) -> Detections:
        """Return what was seen before, belongs to no track, and was not looked at again; note what is seen now."""
        before = self._loose
        held = before.where(_outside(before, looked_at)) if looked_at is not None else Detections.empty()
        new = kept.where(ids == 0)
        self._loose = held.joined(new)
        return held

    def _keep(self, found: Detections, facts: FrameFacts, model: ModelFacts) -> Detections:
        settings = self._settings
        kept = self._rules.keep(
            found.xyxy_px,
            found.confidence,
            found.class_id,
            class_names=facts.class_names,
            size_px=facts.size_px,
        )
        own = settings.camera.confidence_threshold
        kept &= found.confidence >= (model.confidence_threshold if own is None else own)
        if settings.classes and model.has_classes:
            kept &= np.array([facts.class_name(i) in settings.classes for i in found.class_id.tolist()], np.bool_)
        return found.where(kept)

    def _zones_in(self, facts: FrameFacts) -> ZonesAt | None:
        if not self._settings.camera.zones:
            return None

        def zones_at(xyxy_px: Sequence[float], class_name: str, track_id: int) -> tuple[str, ...]:
            # at a border a track remembers on which side it was; its events and its detections say the same
            if track_id:
                return self._lifecycle.zones_of(track_id)
            return self._lifecycle.zones_at(xyxy_px, class_name, facts.size_px)

        return zones_at


def _held(
    tracks: Sequence[Track], seen: Collection[int], facts: FrameFacts, zones_at: ZonesAt | None
) -> list[Detection]:
    """Return the objects that were not looked at in this frame, since nothing moves where they are."""
    held = [track for track in tracks if track.is_confirmed and not track.is_lost and track.track_id not in seen]
    if not held:
        return []
    where = Detections(
        np.stack([track.xyxy_px for track in held]),
        np.array([track.confidence for track in held], np.float32),
        np.array([track.class_id for track in held], np.int32),
    )
    ids = [track.track_id for track in held]
    return to_detections(where, facts.class_names, track_ids=ids, zones_at=zones_at, is_held=True)


def _boxes_of(plan: RegionPlan) -> NDArray[np.float32]:
    return np.array([region.xyxy_px for region in plan.regions], np.float32).reshape(-1, 4)


def _outside(found: Detections, looked_at: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which detections have their centre in none of the rectangles."""
    centre = (found.xyxy_px[:, None, :2] + found.xyxy_px[:, None, 2:]) / 2
    is_in = np.logical_and(centre >= looked_at[None, :, :2], centre < looked_at[None, :, 2:])
    outside: NDArray[np.bool_] = ~np.any(np.all(is_in, axis=2), axis=1)
    return outside


def _facts(frame: Frame, model: ModelFacts) -> FrameFacts:
    return FrameFacts(
        frame_id=frame.frame_id,
        captured_at=frame.captured_at,
        captured_s=frame.captured_at.timestamp(),
        size_px=(frame.width, frame.height),
        model_id=model.model_id,
        class_names=model.class_names,
        timestamp_source=frame.timestamp_source,
    )
