"""How late a packet is that nothing delayed: the lower edge of arrival minus media time, pure.

A network only ever adds delay, so the packets that came soonest tell the offset between the camera's clock and ours,
and the line below them how the two drift apart.

Source: Moon, Skelly, Towsley, "Estimation and removal of clock skew from network delay measurements", INFOCOM 1999: of
all lines below the points, the one nearest to them all passes through the edge of their lower hull at the mean time.
"""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

BUCKET_S = 5.0
"""Of the packets of so long, the least delayed one is kept."""

BUCKET_PACKETS = 5
"""But of at least so many, for cameras of a picture a second and less."""

WINDOW_BUCKETS = 120
"""Ten minutes at 25 fps: a quartz drifts evenly for so long, and a slow camera then has told 600 offsets."""

MAX_DRIFT = 300e-6
"""Two quartz clocks part by no more, in seconds per second."""

FALLEN_S = 0.05
"""A packet that much earlier than the line says: what was learnt before was about something else."""

NOISE_S = 0.1
"""A line that fits better by more than this at its ends shows a rate that is no quartz's."""

RISEN = ((2, 0.5), (6, 0.1))
"""Buckets in a row whose soonest packet is so much (seconds) later than the line says: stamps fell behind for good, or
the path is longer now. The further off, the fewer are waited for."""

Point = tuple[float, float]


class ArrivalEnvelope:
    """Follows the offset of one session; fed by one thread."""

    def __init__(self) -> None:
        self._minima: deque[Point] = deque(maxlen=WINDOW_BUCKETS)
        self._newest: Point | None = None
        self._bucket_began_s = 0.0
        self._bucket_size = 0
        self._base_s = 0.0  # the line is base + slope * (media - origin)
        self._slope = 0.0
        self._origin_s: float | None = None
        self._usual_slope = 0.0

    @property
    def slope(self) -> float:
        """Return the seconds by which media time loses against ours in a second of media."""
        return self._slope

    def at(self, media_s: float) -> float:
        """Return the offset (arrival minus media, seconds) of an undelayed packet with this media time."""
        return self._base_s + self._slope * (media_s - (self._origin_s or 0.0))

    def add(self, media_s: float, arrival_s: float) -> None:
        """Note a packet: its presentation time and the monotonic time of its arrival, in seconds."""
        point = (media_s, arrival_s - media_s)
        if self._newest is None or point[1] < self.at(media_s) - FALLEN_S:
            self._begin(point, arrival_s)
            return
        self._newest = min(self._newest, point, key=lambda other: other[1]) if self._bucket_size else point
        self._bucket_size += 1
        if arrival_s - self._bucket_began_s >= BUCKET_S and self._bucket_size >= BUCKET_PACKETS:
            self._close_bucket(self._newest, arrival_s)
        self._base_s -= max(0.0, self.at(media_s) - point[1])

    def _begin(self, point: Point, arrival_s: float) -> None:
        self._minima.clear()
        self._newest = point
        self._bucket_began_s, self._bucket_size = arrival_s, 1
        self._origin_s, self._base_s = point

    def _close_bucket(self, minimum: Point, arrival_s: float) -> None:
        self._minima.append(minimum)
        self._bucket_began_s, self._bucket_size = arrival_s, 0
        for n_buckets, risen_s in RISEN:
            recent = list(self._minima)[-n_buckets:]
            if len(recent) == n_buckets and all(offset_s > self.at(at_s) + risen_s for at_s, offset_s in recent):
                self._minima = deque(recent, WINDOW_BUCKETS)
                self._expect(hull_slope(recent))
                break
        self._fit()

    def _fit(self) -> None:
        points = sorted(self._minima)
        if len(points) > 1:
            measured = hull_slope(points)
            least, most = self._usual_slope - MAX_DRIFT, self._usual_slope + MAX_DRIFT
            self._slope = min(max(measured, least), most)
            if abs(measured - self._slope) * (points[-1][0] - points[0][0]) > NOISE_S:
                self._expect(measured)
                self._slope = measured
        origin_s = points[-1][0]
        self._origin_s = origin_s
        self._base_s = min(offset_s - self._slope * (at_s - origin_s) for at_s, offset_s in points)

    def _expect(self, slope: float) -> None:
        """Take a rate for granted that no quartz has: the stamps are counted, not measured."""
        self._usual_slope = slope if abs(slope) > MAX_DRIFT else 0.0


def hull_slope(points: Sequence[Point]) -> float:
    """Return the slope of the edge of the lower hull that spans the mean time; 0 where there is none.

    Args:
        points: Time and offset, at least one, in order of time.
    """
    hull: list[Point] = []
    for point in points:
        while len(hull) > 1 and _is_right_turn_or_straight(hull[-2], hull[-1], point):
            hull.pop()
        if hull and hull[-1][0] == point[0]:
            continue  # sorted by offset too: the lower of two at one time is there already
        hull.append(point)
    mean_s = sum(at_s for at_s, _ in points) / len(points)
    for (start_s, start_offset_s), (end_s, end_offset_s) in pairwise(hull):
        if end_s >= mean_s:
            return (end_offset_s - start_offset_s) / (end_s - start_s)
    return 0.0


def _is_right_turn_or_straight(first: Point, second: Point, third: Point) -> bool:
    return (second[0] - first[0]) * (third[1] - first[1]) <= (second[1] - first[1]) * (third[0] - first[0])
