"""Follow the objects of one camera from frame to frame, in the manner of ByteTrack, over any time between two frames.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022: sure detections are
given to tracks first, then the unsure ones to the tracks that are left. What differs here: time is seconds, what was
not looked at is not missed, and classes count.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import InvalidInputError
from nvr.tracking.assignment import Pair, assign
from nvr.tracking.association import covered_shares, iou_matrix
from nvr.tracking.motion_model import Motion
from nvr.tracking.track import Track
from nvr.tracking.track_ids import MAX_TRACK_ID

Ids = NDArray[np.int64]
Places = NDArray[np.intp]

_MAX_COORDINATE_PX = 1e6
_ENDED_KEPT = 1024


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """When a track begins, is told and ends."""

    high_confidence: float = 0.5
    """Surer detections choose their tracks first, 0..1."""
    start_confidence: float = 0.5
    """Only surer detections begin a track."""
    min_iou: float = 0.1
    """Overlap of prediction and detection that makes them one."""
    growth: float = 1.0
    """Both boxes grow by so many standard deviations of the prediction before that."""
    other_class_iou: float = 0.6
    """The same for a detection of another class: a flickering class keeps its box."""
    twin_iou: float = 0.8
    """A detection that covers another so far, as one of another class does, begins no track."""
    confirmed_after: int = 3
    """Detections until a track is told to others."""
    lost_s: float = 2.0
    """Seconds that a confirmed track is looked for in vain before it ends."""
    tentative_s: float = 0.5
    """The same for one that is not confirmed."""
    max_gap_s: float = 10.0
    """Tracks end where a camera sent nothing for longer, or its time went back further."""
    max_tracks: int = 256
    """While so many live, no further one begins."""
    max_detections: int = 512
    """Of the detections of one frame the strongest are used, the rest gets no id: the comparison is quadratic."""


@dataclass(slots=True)
class _Record:
    """What is known of one track beside its motion."""

    track_id: int
    first_seen_s: float
    last_seen_s: float
    looked_at_s: float
    confidence: float = 0.0
    hits: int = 0
    missed: int = 0
    missed_s: float = 0.0
    is_confirmed: bool = False
    class_votes: dict[int, float] = field(default_factory=dict)

    @property
    def class_id(self) -> int:
        return max(self.class_votes, key=lambda class_id: (self.class_votes[class_id], -class_id))

    def see(self, confidence: float, class_id: int, captured_s: float, confirmed_after: int) -> None:
        self.first_seen_s = min(self.first_seen_s, captured_s)
        self.last_seen_s = max(self.last_seen_s, captured_s)
        self.looked_at_s = captured_s
        self.confidence = confidence
        self.class_votes[class_id] = self.class_votes.get(class_id, 0.0) + confidence
        self.hits += 1
        self.missed, self.missed_s = 0, 0.0
        self.is_confirmed |= self.hits >= confirmed_after

    def miss(self, captured_s: float) -> None:
        self.missed += 1
        self.missed_s += min(abs(captured_s - self.looked_at_s), 1.0)
        self.looked_at_s = captured_s


class Tracker:
    """The tracks of one camera. Called from one thread at a time."""

    def __init__(self, first_id: int, options: TrackerOptions | None = None) -> None:
        """Begin without tracks.

        Args:
            first_id: Id of the first track, see `first_track_id`; the next ones count up.
            options: None for the defaults.

        Raises:
            InvalidInputError: `first_id` is not positive or not below 2**53.
        """
        if not 0 < first_id <= MAX_TRACK_ID:
            raise InvalidInputError(f"first_id: expected 1..2**53-1, got {first_id}")
        self._options = options or TrackerOptions()
        self._next_id = first_id
        self._motion = Motion.at(np.empty((0, 4), np.float32))
        self._records: list[_Record] = []
        self._now_s: float | None = None
        self._ended: deque[Track] = deque(maxlen=_ENDED_KEPT)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The live tracks, oldest first, those not confirmed too."""
        return self._views(range(len(self._records)))

    def take_ended(self) -> tuple[Track, ...]:
        """Return the confirmed tracks that ended since the last call; of more than 1024 the latest."""
        ended = tuple(self._ended)
        self._ended.clear()
        return ended

    def update(
        self,
        xyxy_px: NDArray[np.float32],
        confidence: NDArray[np.float32],
        class_id: NDArray[np.int32],
        captured_s: float,
        looked_at_xyxy_px: NDArray[np.float32] | None = None,
    ) -> Ids:
        """Give the detections of one frame to tracks.

        Args:
            xyxy_px: (n, 4) left, top, right, bottom in pixels of the source frame.
            confidence: (n,) 0..1.
            class_id: (n,)
            captured_s: When the frame was captured, in seconds of any clock. May be earlier than the last, as in a
                replay.
            looked_at_xyxy_px: (m, 4) the rectangles of the frame that the detector saw, None for the whole. A track
                outside of them is not missed, does not age and stays where it is.

        Returns:
            (n,) ids of the confirmed tracks, each at most once; 0 for a detection without one.

        Raises:
            InvalidInputError: The arrays do not fit each other, or hold what is no box, no confidence or no time;
                nothing has changed then.
        """
        _check(xyxy_px, confidence, class_id, captured_s, looked_at_xyxy_px)
        options = self._options
        held = self._motion if self._advance(captured_s) else None
        is_looked_at = self._looked_at(looked_at_xyxy_px, held)
        strongest = np.argsort(-confidence, kind="stable")[: options.max_detections]
        is_box = (xyxy_px[strongest, 2:] > xyxy_px[strongest, :2]).all(axis=1)
        used = strongest[is_box]
        track_of = self._associate(xyxy_px[used], confidence[used], class_id[used])
        seen = np.flatnonzero(track_of >= 0)
        places = track_of[seen]
        self._motion = self._motion.replaced(places, self._motion.select(places).seen_at(xyxy_px[used[seen]]))
        ids = np.zeros(len(xyxy_px), np.int64)
        for place, index in zip(places.tolist(), used[seen].tolist(), strict=True):
            record = self._records[place]
            record.see(float(confidence[index]), int(class_id[index]), captured_s, options.confirmed_after)
            ids[index] = record.track_id if record.is_confirmed else 0
        for place in sorted(set(np.flatnonzero(is_looked_at).tolist()) - set(places.tolist())):
            self._records[place].miss(captured_s)
        n_before = len(self._records)
        for index in self._beginnings(xyxy_px, confidence, used, track_of).tolist():
            record = self._begin(captured_s)
            record.see(float(confidence[index]), int(class_id[index]), captured_s, options.confirmed_after)
            ids[index] = record.track_id if record.is_confirmed else 0
            self._motion = self._motion.joined(Motion.at(xyxy_px[index : index + 1]))
        self._end_missed(n_before)
        return ids

    def hold(self, captured_s: float) -> None:
        """Say that nothing has moved since the last frame, as of the frames of a sleeping camera: tracks stay.

        Raises:
            InvalidInputError: The time is no number.
        """
        _check_time(captured_s)
        held = self._motion
        if self._advance(captured_s):
            self._motion = held.at_rest()

    def predict(self, captured_s: float) -> NDArray[np.float32]:
        """Return where the live tracks will be, (k, 4) left, top, right, bottom in the order of `tracks`.

        Raises:
            InvalidInputError: The time is no number.
        """
        _check_time(captured_s)
        if self._now_s is None:
            return np.empty((0, 4), np.float32)
        return self._motion.after(captured_s - self._now_s).xyxy_px.astype(np.float32)

    def reset(self) -> None:
        """End all tracks, as where the scene changed at once: a cut, another size, a camera that was turned."""
        self._end(range(len(self._records)))

    def _views(self, places: Sequence[int]) -> tuple[Track, ...]:
        boxes = self._motion.xyxy_px.astype(np.float32)
        velocities = self._motion.velocity[:, :2].astype(np.float32)
        boxes.flags.writeable = velocities.flags.writeable = False
        return tuple(_view(self._records[i], boxes[i], velocities[i]) for i in places)

    def _advance(self, captured_s: float) -> bool:
        """Move all tracks to a time; False where there is nothing to go on from."""
        before_s, self._now_s = self._now_s, captured_s
        if before_s is None:
            return False
        if abs(captured_s - before_s) > self._options.max_gap_s:
            self.reset()
            return False
        self._motion = self._motion.after(captured_s - before_s)
        return True

    def _looked_at(self, regions: NDArray[np.float32] | None, held: Motion | None) -> NDArray[np.bool_]:
        if regions is None or held is None:
            return np.ones(len(self._records), bool)
        shares = covered_shares(self._motion.xyxy_px, regions.astype(np.float64))
        return shares >= 0.5

    def _associate(
        self, xyxy_px: NDArray[np.float32], confidence: NDArray[np.float32], class_id: NDArray[np.int32]
    ) -> Places:
        """Return the place of the track of each detection, -1 for none."""
        track_of = np.full(len(xyxy_px), -1)
        if len(xyxy_px) == 0 or not self._records:
            return track_of
        similarity = self._similarity(xyxy_px, class_id)
        is_high = confidence >= self._options.high_confidence
        is_confirmed = np.array([record.is_confirmed for record in self._records])
        for rows, columns in (
            (is_confirmed, is_high),
            (is_confirmed, ~is_high),
            (~is_confirmed, np.ones(len(xyxy_px), bool)),
        ):
            free = np.ones(len(self._records), bool)
            free[track_of[track_of >= 0]] = False
            for row, column in _assign_part(similarity, rows & free, columns & (track_of < 0)):
                track_of[column] = row
        return track_of

    def _similarity(self, xyxy_px: NDArray[np.float32], class_id: NDArray[np.int32]) -> NDArray[np.float64]:
        options = self._options
        boxes = self._motion.xyxy_px
        detected = xyxy_px.astype(np.float64)
        overlap = iou_matrix(boxes, detected)
        classes = np.array([record.class_id for record in self._records])
        is_same = classes[:, None] == class_id
        is_near = overlap >= np.where(is_same, options.min_iou, options.other_class_iou)
        return np.where(is_near, overlap * np.where(is_same, 1.0, 0.5), 0.0)

    def _beginnings(
        self, xyxy_px: NDArray[np.float32], confidence: NDArray[np.float32], used: Places, track_of: Places
    ) -> Places:
        """Return the detections that begin a track."""
        options = self._options
        free = options.max_tracks - len(self._records)
        new = used[(track_of < 0) & (confidence[used] >= options.start_confidence)]
        if len(new) == 0 or free <= 0:
            return new[:0]
        everything = xyxy_px[used].astype(np.float64)
        overlap = iou_matrix(xyxy_px[new].astype(np.float64), everything)
        place = {index: i for i, index in enumerate(used.tolist())}
        is_begun = [
            not any(
                overlap[i, j] > options.twin_iou and (track_of[j] >= 0 or j < place[index]) for j in range(len(used))
            )
            for i, index in enumerate(new.tolist())
        ]
        begun: Places = new[np.array(is_begun, bool)][:free]
        return begun

    def _begin(self, captured_s: float) -> _Record:
        record = _Record(self._next_id, captured_s, captured_s, captured_s)
        self._next_id += 1
        self._records.append(record)
        return record

    def _end_missed(self, n_before: int) -> None:
        options = self._options
        over = [
            place
            for place, record in enumerate(self._records[:n_before])
            if record.missed_s > (options.lost_s if record.is_confirmed else options.tentative_s)
        ]
        if over:
            self._end(over)

    def _end(self, places: Sequence[int]) -> None:
        confirmed = [place for place in places if self._records[place].is_confirmed]
        self._ended.extend(self._views(confirmed))
        kept = np.setdiff1d(np.arange(len(self._records)), np.array(places, np.intp))
        self._motion = self._motion.select(kept)
        self._records = [self._records[place] for place in kept.tolist()]


def _view(record: _Record, xyxy_px: NDArray[np.float32], velocity_px_s: NDArray[np.float32]) -> Track:
    return Track(
        record.track_id,
        xyxy_px,
        velocity_px_s,
        record.confidence,
        record.class_id,
        dict(record.class_votes),
        record.is_confirmed,
        record.missed > 0,
        record.hits,
        record.first_seen_s,
        record.last_seen_s,
    )


def _assign_part(similarity: NDArray[np.float64], rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> list[Pair]:
    row_places, column_places = np.flatnonzero(rows), np.flatnonzero(columns)
    pairs = assign(similarity[np.ix_(row_places, column_places)])
    return [(int(row_places[row]), int(column_places[column])) for row, column in pairs]


def _check(
    xyxy_px: NDArray[np.float32],
    confidence: NDArray[np.float32],
    class_id: NDArray[np.int32],
    captured_s: float,
    looked_at_xyxy_px: NDArray[np.float32] | None,
) -> None:
    _check_time(captured_s)
    _check_boxes("xyxy_px", xyxy_px)
    n = len(xyxy_px)
    for name, array in (("confidence", confidence), ("class_id", class_id)):
        if array.shape != (n,):
            raise InvalidInputError(f"{name}: expected {(n,)}, got {array.shape}")
    wrong = confidence[~((confidence >= 0) & (confidence <= 1))]
    if len(wrong):
        raise InvalidInputError(f"confidence: expected 0..1, got {wrong[0]}")
    if looked_at_xyxy_px is not None:
        _check_boxes("looked_at_xyxy_px", looked_at_xyxy_px)


def _check_boxes(name: str, xyxy_px: NDArray[np.float32]) -> None:
    if xyxy_px.ndim != 2 or xyxy_px.shape[1] != 4:
        raise InvalidInputError(f"{name}: expected (n, 4), got {xyxy_px.shape}")
    is_box = (np.abs(xyxy_px) <= _MAX_COORDINATE_PX).all(axis=1) & (xyxy_px[:, 2:] >= xyxy_px[:, :2]).all(axis=1)
    if not is_box.all():
        raise InvalidInputError(f"{name}: expected left <= right, top <= bottom, got {xyxy_px[~is_box][0].tolist()}")


def _check_time(captured_s: float) -> None:
    if not np.isfinite(captured_s):
        raise InvalidInputError(f"captured_s: expected seconds, got {captured_s}")
