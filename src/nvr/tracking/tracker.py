"""Follow the objects of one camera from frame to frame, in the manner of ByteTrack, over any time between two frames.

Y. Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022: the tracks choose
among the sure detections first, then among the unsure ones. What differs here: time is seconds, what was not looked at
is not missed, and classes count. What a track means is left to `nvr.tracking.lifecycle`.
"""

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import InvalidInputError
from nvr.tracking.association import Candidates, Flags, Places, associate, covered_shares, iou_matrix
from nvr.tracking.live_track import LiveTrack
from nvr.tracking.motion_model import Motion
from nvr.tracking.track import Track
from nvr.tracking.track_ids import MAX_TRACK_ID
from nvr.tracking.tracker_input import check_boxes, check_detections, check_time
from nvr.tracking.tracker_options import TrackerOptions

MAX_ENDED = 1024
"""Ended tracks that wait to be taken; the newest are kept."""

_LOOKED_AT = 0.5
"""Share of a track's box that must be looked at, so that not to see it means something."""


class Tracker:
    """The tracks of one camera. Called from one thread at a time."""

    def __init__(self, first_id: int, options: TrackerOptions | None = None) -> None:
        """Begin without tracks.

        Args:
            first_id: Id of the first track, see `first_track_id`; the next ones count up.
            options: None for the defaults.

        Raises:
            InvalidInputError: `first_id` is not in 1..2**53-1.
        """
        if not 0 < first_id <= MAX_TRACK_ID:
            raise InvalidInputError(f"first_id: expected 1..2**53-1, got {first_id}")
        self._options = options or TrackerOptions()
        self._next_id = first_id
        self._motion = Motion.at(np.empty((0, 4), np.float32))
        self._live: list[LiveTrack] = []
        self._now_s: float | None = None
        self._size_px: tuple[int, int] | None = None
        self._ended: deque[Track] = deque(maxlen=MAX_ENDED)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The live tracks, oldest first, those that are not confirmed too."""
        return self._views(range(len(self._live)))

    def take_ended(self) -> tuple[Track, ...]:
        """Return the confirmed tracks that ended since the last call, each once."""
        ended = tuple(self._ended)
        self._ended.clear()
        return ended

    def update(  # noqa: PLR0917  # the detector's arrays in their order
        self,
        xyxy_px: NDArray[np.float32],
        confidence: NDArray[np.float32],
        class_id: NDArray[np.int32],
        captured_s: float,
        looked_at_xyxy_px: NDArray[np.float32] | None = None,
        size_px: tuple[int, int] | None = None,
    ) -> NDArray[np.int64]:
        """Give the detections of one frame to tracks.

        Args:
            xyxy_px: (n, 4) left, top, right, bottom in pixels of the source frame. What has no area gets no id.
            confidence: (n,) 0..1.
            class_id: (n,)
            captured_s: When the frame was captured, in seconds of any clock. May be earlier than the last, as in a
                replay.
            looked_at_xyxy_px: (m, 4) the rectangles of the frame that the detector saw, None for the whole. A track
                outside of them is not missed, does not age and stays where it is.
            size_px: Width and height of the frame; another than before ends all tracks. None where it is not known.

        Returns:
            (n,) ids of the confirmed tracks, each at most once; 0 for a detection without one.

        Raises:
            InvalidInputError: The arrays do not fit each other, or hold what is no box, no confidence or no time;
                nothing has changed then.
        """
        check_time(captured_s)
        check_detections(xyxy_px, confidence, class_id)
        if looked_at_xyxy_px is not None:
            check_boxes("looked_at_xyxy_px", looked_at_xyxy_px)
        self._resize(size_px)
        is_looked_at = self._advance(captured_s, looked_at_xyxy_px)
        used = self._used(xyxy_px, confidence)
        track_of = associate(
            self._candidates(), xyxy_px[used], confidence[used], class_id[used].astype(np.int64), self._options
        )
        seen = np.flatnonzero(track_of >= 0)
        places = track_of[seen]
        self._motion = self._motion.replaced(places, self._motion.select(places).seen_at(xyxy_px[used[seen]]))
        is_looked_at[places] = False
        for place in np.flatnonzero(is_looked_at).tolist():
            self._live[place].miss(captured_s)
        new = self._beginning(xyxy_px[used], confidence[used], track_of)
        track_of[new] = self._begin(xyxy_px[used[new]], captured_s)
        ids = np.zeros(len(xyxy_px), np.int64)
        height_px = None if self._size_px is None else self._size_px[1]
        for i in np.flatnonzero(track_of >= 0).tolist():
            index, live = used[i], self._live[track_of[i]]
            box = xyxy_px[index].tolist()
            sure, what = float(confidence[index]), int(class_id[index])
            live.see(box, sure, what, captured_s, height_px=height_px, options=self._options)
            ids[index] = live.track_id if live.is_confirmed else 0
        self._end([place for place, live in enumerate(self._live) if live.is_over(self._options)])
        return ids

    def hold(self, captured_s: float) -> None:
        """Say that nothing moved since the last frame, as a sleeping camera does: tracks stay, and do not age.

        Raises:
            InvalidInputError: The time is no number.
        """
        check_time(captured_s)
        before_s, self._now_s = self._now_s, captured_s
        if before_s is not None and not self._is_gap(captured_s - before_s):
            self._motion = self._motion.resting_at(self._motion.position)

    def predict(self, captured_s: float) -> NDArray[np.float32]:
        """Return where the live tracks will be, (k, 4) left, top, right, bottom in the order of `tracks`.

        Raises:
            InvalidInputError: The time is no number.
        """
        check_time(captured_s)
        passed_s = 0.0 if self._now_s is None else captured_s - self._now_s
        longest_s = self._options.max_gap_s
        return self._motion.after(min(max(passed_s, -longest_s), longest_s)).xyxy_px.astype(np.float32)

    def reset(self) -> None:
        """End all tracks, as where the scene changed at once: a cut, another size, a camera that was turned."""
        self._end(range(len(self._live)))

    def _views(self, places: Iterable[int]) -> tuple[Track, ...]:
        boxes = self._motion.xyxy_px.astype(np.float32)
        velocities = self._motion.velocity[:, :2].astype(np.float32)
        boxes.flags.writeable = velocities.flags.writeable = False
        return tuple(_view(self._live[place], boxes[place], velocities[place]) for place in places)

    def _resize(self, size_px: tuple[int, int] | None) -> None:
        if self._size_px is not None and size_px is not None and size_px != self._size_px:
            self.reset()
        self._size_px = size_px or self._size_px

    def _is_gap(self, passed_s: float) -> bool:
        """End all tracks where too much time has passed to know anything of them."""
        is_gap = abs(passed_s) > self._options.max_gap_s
        if is_gap:
            self.reset()
        return is_gap

    def _advance(self, captured_s: float, looked_at_xyxy_px: NDArray[np.float32] | None) -> Flags:
        """Move the tracks to a time; return which of them were looked at."""
        before_s, self._now_s = self._now_s, captured_s
        if before_s is not None and not self._is_gap(captured_s - before_s):
            before = self._motion
            self._motion = before.after(captured_s - before_s)
            if looked_at_xyxy_px is not None:
                regions = looked_at_xyxy_px.astype(np.float64)
                is_looked_at: Flags = covered_shares(self._motion.xyxy_px, regions) >= _LOOKED_AT
                # the detector looks where something moves, so what it passes by stands still
                still = np.flatnonzero(~is_looked_at)
                resting = self._motion.select(still).resting_at(before.position[still])
                self._motion = self._motion.replaced(still, resting)
                return is_looked_at
        return np.ones(len(self._live), bool)

    def _used(self, xyxy_px: NDArray[np.float32], confidence: NDArray[np.float32]) -> Places:
        """Return the detections that can be followed, surest first."""
        surest = np.argsort(-confidence, kind="stable")[: self._options.max_detections]
        used: Places = surest[(xyxy_px[surest, 2:] > xyxy_px[surest, :2]).all(axis=1)]
        return used

    def _candidates(self) -> Candidates:
        return Candidates(
            self._motion,
            np.array([live.class_id for live in self._live], np.int64),
            np.array([live.is_lost for live in self._live], bool),
        )

    def _beginning(self, xyxy_px: NDArray[np.float32], confidence: NDArray[np.float32], track_of: Places) -> Places:
        """Return which of the detections, surest first, begin a track."""
        n_free = self._options.max_tracks - len(self._live)
        is_new = (track_of < 0) & (confidence >= self._options.high_confidence)
        if n_free <= 0 or not is_new.any():
            return np.empty(0, np.intp)
        boxes = xyxy_px.astype(np.float64)
        new = np.flatnonzero(is_new)
        is_twin = iou_matrix(boxes[new], boxes) > self._options.twin_overlap
        is_surer = np.arange(len(boxes)) < new[:, None]
        begun: Places = new[~(is_twin & (is_surer | (track_of >= 0))).any(axis=1)][:n_free]
        return begun

    def _begin(self, xyxy_px: NDArray[np.float32], captured_s: float) -> Places:
        """Begin a track at each box; return their places."""
        n_before = len(self._live)
        self._motion = self._motion.joined(Motion.at(xyxy_px))
        self._live += [LiveTrack.begin(self._next_id + i, captured_s) for i in range(len(xyxy_px))]
        self._next_id += len(xyxy_px)
        return np.arange(n_before, len(self._live))

    def _end(self, places: Sequence[int]) -> None:
        if not places:
            return
        self._ended.extend(self._views(place for place in places if self._live[place].is_confirmed))
        kept = np.delete(np.arange(len(self._live)), places)
        self._motion = self._motion.select(kept)
        self._live = [self._live[place] for place in kept.tolist()]


def _view(live: LiveTrack, xyxy_px: NDArray[np.float32], velocity_px_s: NDArray[np.float32]) -> Track:
    return Track(
        track_id=live.track_id,
        xyxy_px=xyxy_px,
        velocity_px_s=velocity_px_s,
        confidence=live.confidence,
        class_id=live.class_id,
        class_votes=dict(live.class_votes),
        is_confirmed=live.is_confirmed,
        is_lost=live.is_lost,
        hits=live.hits,
        first_seen_s=live.first_seen_s,
        last_seen_s=live.last_seen_s,
    )
