"""What is said under an instance's own name, and whether another process says it, which was given the same name.

Each of them has a connection of its own, so neither drives the other out; both keep their status on the same topic and
hear the same commands. What was kept of an earlier life is no second one: only who says two things lives.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from nvr.control.registry import patience_s
from nvr.core.clock import Clock
from nvr.core.errors import MessageError
from nvr.events.instance_status import InstanceStatus

logger = logging.getLogger(__name__)

MAX_LIVES = 20
"""That are told apart; who makes up more of them is no process of ours."""


@dataclass(frozen=True, slots=True)
class Life:
    """One run of one process."""

    host: str | None
    pid: int | None
    began_at: datetime | None

    @classmethod
    def of(cls, status: InstanceStatus) -> Self:
        """Return who says a status."""
        return cls(status.host, status.pid, status.started_at)

    def __str__(self) -> str:
        since = "" if self.began_at is None else f", since {self.began_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"process {self.pid} on {str(self.host)[:80]!r}{since}"


@dataclass(slots=True)
class _Heard:
    timestamp: datetime | None
    until_s: float
    """When it counts as gone, in monotonic seconds."""
    is_alive: bool = False


class OwnStatus:
    """Any thread may call any method."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._own: Life | None = None
        self._payload: bytes | None = None
        self._others: dict[Life, _Heard] = {}

    @property
    def namesake(self) -> str | None:
        """Another process that lives under our name, in words; None where there is none."""
        now_s = self._clock.monotonic()
        with self._lock:
            return next(
                (str(life) for life, heard in self._others.items() if heard.is_alive and now_s < heard.until_s), None
            )

    def note(self, status: InstanceStatus, payload: bytes) -> None:
        """Take note of what is about to be said."""
        with self._lock:
            self._own, self._payload = Life.of(status), payload

    def forget_others(self) -> None:
        """Begin anew, under another name or at another broker."""
        with self._lock:
            self._others.clear()

    def hear(self, payload: bytes) -> bool:
        """Take what came on our topic; returns whether our status has to be told again, as it is kept no more."""
        with self._lock:
            if self._own is None or payload == self._payload:
                return False
        try:
            status = InstanceStatus.from_json(payload) if payload else None
        except MessageError:
            return True
        if status is None or status.state == "offline":
            self.forget_others()  # somebody's last word, nobody knows whose: who lives is heard again
            return True
        self._hear(status)
        return False

    def _hear(self, status: InstanceStatus) -> None:
        now_s = self._clock.monotonic()
        life, until_s = Life.of(status), now_s + patience_s(status)
        with self._lock:
            self._others = {other: heard for other, heard in self._others.items() if now_s < heard.until_s}
            heard = self._others.get(life)
            if life == self._own or (heard is None and len(self._others) >= MAX_LIVES):
                return
            if heard is None:
                self._others[life] = _Heard(status.timestamp, until_s)
                return
            is_new = not heard.is_alive and status.timestamp != heard.timestamp
            heard.is_alive = heard.is_alive or is_new
            heard.timestamp, heard.until_s = status.timestamp, until_s
        if is_new:
            logger.error(
                "%s is also called %s: name one of them otherwise; commands for one of them are refused by both",
                life,
                status.instance_id,
            )
