"""Connections that ask for nothing do not keep others out: uvicorn's protocol with a deadline and places per peer.

Uvicorn itself waits for a first request without end and counts every open socket against its limit.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What peers may hold at a time."""

    request_timeout_s: float = 10.0
    """A connection on which no request is under way for so long is cut off."""
    max_connections: int = 256
    max_per_peer: int = 128
    """Of one address: a page needs two, a proxy all of its visitors'."""


class GuardedProtocol(H11Protocol):
    """One connection. Beyond a limit the oldest that asks for nothing makes room; if all are busy, the new one ends."""

    limits = ConnectionLimits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # uvicorn's own annotation
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.made_s = self._waiting_since_s = self.loop.time()
        self._last_seen: tuple[object, int] = (None, 0)
        self._check_timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether no request is under way."""
        return not _is_under_way(self.cycle) or self.transport.is_closing()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Take a connection, and cut one off if it is one too many."""
        super().connection_made(transport)
        self._schedule_check()
        others = [other for other in self.connections if isinstance(other, GuardedProtocol) and other is not self]
        of_peer = [other for other in others if _address_of(other) == _address_of(self)]
        if len(of_peer) >= self.limits.max_per_peer:
            self._make_room(of_peer)
        elif len(others) >= self.limits.max_connections:
            self._make_room(others)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._check_timer is not None:
            self._check_timer.cancel()
        super().connection_lost(exc)

    def cut_off(self) -> None:
        """End it now; what the peer has not taken yet is lost."""
        # counted out at once: the loop tells of the loss later, and until then more may arrive
        self.connections.discard(self)
        self.transport.abort()

    def _make_room(self, candidates: "list[GuardedProtocol]") -> None:
        waiting = [other for other in candidates if other.is_waiting]
        min(waiting, key=lambda other: other.made_s, default=self).cut_off()

    def _schedule_check(self) -> None:
        self._check_timer = self.loop.call_later(self.limits.request_timeout_s / 10, self._check)

    def _check(self) -> None:
        # a request or a byte that the peer took of the last answer is progress; a byte of an unfinished request is not
        seen = (self.cycle, self.transport.get_write_buffer_size())
        if not self.is_waiting or seen != self._last_seen:
            self._waiting_since_s = self.loop.time()
        self._last_seen = seen
        if self.loop.time() - self._waiting_since_s >= self.limits.request_timeout_s:
            self.cut_off()
        else:
            self._schedule_check()


def guarded(limits: ConnectionLimits) -> type[GuardedProtocol]:
    """Return the protocol with limits of one's own; uvicorn is given a class, not an object."""
    return type("GuardedProtocol", (GuardedProtocol,), {"limits": limits})


def _is_under_way(cycle: RequestResponseCycle | None) -> bool:
    return cycle is not None and not cycle.response_complete


def _address_of(connection: H11Protocol) -> str | None:
    return None if connection.client is None else connection.client[0]
