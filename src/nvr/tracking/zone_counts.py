"""Counters of one camera's zones and lines."""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from nvr.tracking.lines import Direction


@dataclass(frozen=True, slots=True)
class ZoneSnapshot:
    """The counters of one zone, by class name."""

    now: dict[str, int]
    """Objects that stand in it; no entry for none."""
    entered: dict[str, int]
    """Objects that came in, or were first seen in it, since the start; who comes again counts again."""


@dataclass(frozen=True, slots=True)
class LineSnapshot:
    """The counters of one line since the start, by class name."""

    crossed_in: dict[str, int]
    crossed_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class CountsSnapshot:
    """All counters of a camera at one time; zones and lines without any count are there too."""

    zones: dict[str, ZoneSnapshot]
    lines: dict[str, LineSnapshot]


class ZoneCounts:
    """Counts who comes, goes and crosses. Any thread may ask for a snapshot while another counts.

    What a track did in a zone that is not there any more is not counted.
    """

    def __init__(self, zones: Iterable[str], lines: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._now = {zone: Counter[str]() for zone in zones}
        self._entered = {zone: Counter[str]() for zone in self._now}
        self._crossed: dict[str, dict[Direction, Counter[str]]] = {
            line: {"in": Counter(), "out": Counter()} for line in lines
        }

    def reshape(self, zones: Iterable[str], lines: Iterable[str]) -> None:
        """Count for other zones and lines from now on; what the old ones counted goes on under the same names."""
        with self._lock:
            self._now = {zone: self._now.get(zone, Counter()) for zone in zones}
            self._entered = {zone: self._entered.get(zone, Counter()) for zone in self._now}
            self._crossed = {line: self._crossed.get(line, {"in": Counter(), "out": Counter()}) for line in lines}

    def enter(self, zone: str, class_name: str) -> None:
        """Count an object that came in."""
        with self._lock:
            if zone in self._now:
                self._now[zone][class_name] += 1
                self._entered[zone][class_name] += 1

    def leave(self, zone: str, class_name: str) -> None:
        """Take off an object that left, by the class that it came in as."""
        with self._lock:
            if zone in self._now:
                self._now[zone][class_name] -= 1

    def cross(self, line: str, direction: Direction, class_name: str) -> None:
        """Count an object that went over a line."""
        with self._lock:
            if line in self._crossed:
                self._crossed[line][direction][class_name] += 1

    def snapshot(self) -> CountsSnapshot:
        """Return all counters as they are now."""
        with self._lock:
            return CountsSnapshot(
                zones={zone: ZoneSnapshot(dict(+now), dict(self._entered[zone])) for zone, now in self._now.items()},
                lines={line: LineSnapshot(dict(each["in"]), dict(each["out"])) for line, each in self._crossed.items()},
            )
