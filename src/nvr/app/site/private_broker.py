"""The broker of an installation that names none: on this machine only, always on the same port."""

import logging
from dataclasses import dataclass
from pathlib import Path

from nvr.app.ports import PortClaims, is_free
from nvr.app.supervision.supervised_child import ChildSpec
from nvr.bus.local_broker import (
    LOOPBACK,
    BrokerKind,
    broker_command,
    choose_kind,
    find_broker,
    free_port,
)

logger = logging.getLogger(__name__)

USUAL_PORT = 1883
NAME = "broker"
STAGE = 2
"""Everything else ends before it."""
STOP_TIMEOUT_S = 0.8


@dataclass(frozen=True, slots=True)
class PrivateBroker:
    """Which broker is run, and where it listens."""

    kind: BrokerKind
    port: int
    host: str = LOOPBACK

    def spec(self, folder: Path) -> ChildSpec:
        """Return how it is run; writes its settings into `folder`, which must be there."""
        command = broker_command(self.kind, self.port, folder)
        return ChildSpec(NAME, tuple(command), stage=STAGE, stop_timeout_s=STOP_TIMEOUT_S)

    @property
    def answers(self) -> bool:
        """Whether it takes connections now; waits for an answer for at most a fifth of a second."""
        return find_broker(self.host, self.port, timeout_s=0.2)


def choose_broker(claims: PortClaims, preferred_port: int | None = None) -> PrivateBroker:
    """Return a broker that can be started here: on the port of the last time or the usual one, else on a free one.

    Args:
        claims: Hold the port against others who choose one.
        preferred_port: That of the last time.

    Raises:
        UnsupportedError: No broker is installed.
    """
    kind = choose_kind()
    for port in dict.fromkeys([preferred_port or USUAL_PORT, USUAL_PORT]):
        if is_free(LOOPBACK, port) and claims.take(port):
            return PrivateBroker(kind, port)
    port = free_port()
    logger.warning("port %d is taken: the private broker is on %s:%d", USUAL_PORT, LOOPBACK, port)
    return PrivateBroker(kind, port)
