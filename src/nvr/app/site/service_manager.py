"""Tells systemd, or whoever else listens at NOTIFY_SOCKET, how the service does (sd_notify(3)).

A datagram of `KEY=value` lines to a Unix socket; without one there is nobody to tell, and nothing happens.
"""

import contextlib
import logging
import os
import socket
from collections.abc import Mapping
from typing import Self

from nvr.core.clock import Clock, SystemClock
from nvr.core.masking import mask_credentials

logger = logging.getLogger(__name__)

MAX_STATUS = 500
SEND_TIMEOUT_S = 0.5


class ServiceManager:
    """The other end of NOTIFY_SOCKET. Not thread-safe; never raises: a manager that is gone stops nothing."""

    def __init__(self, address: str | None, watchdog_s: float | None = None, clock: Clock | None = None) -> None:
        """Prepare.

        Args:
            address: Path of the socket, or an abstract one that begins with `@`; None where nobody listens.
            watchdog_s: The manager restarts a service that it does not hear from for so long.
            clock: For the time of a reload.
        """
        self._address = address
        self._watchdog_s = watchdog_s
        self._clock = clock or SystemClock()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> Self:
        """Return what NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID say to the process `pid`."""
        address = environment.get("NOTIFY_SOCKET") or None
        if address is not None and address[0] not in "/@":
            logger.warning("NOTIFY_SOCKET is neither a path nor abstract, and is not used: %r", address[:100])
            address = None
        watchdog_s = None
        with contextlib.suppress(ValueError):
            if int(environment.get("WATCHDOG_PID", pid)) == pid:
                watchdog_s = int(environment.get("WATCHDOG_USEC", "0")) / 1e6 or None
        return cls(address, watchdog_s if watchdog_s is None or watchdog_s > 0 else None)

    @property
    def watchdog_interval_s(self) -> float | None:
        """How often `keep_alive` should be called: half of what the manager allows; None where it does not watch."""
        return None if self._address is None or self._watchdog_s is None else self._watchdog_s / 2

    def ready(self, status: str) -> None:
        """Say that the service is up."""
        self._send("READY=1", f"STATUS={_one_line(status)}")

    def status(self, status: str) -> None:
        """Say how it does, in one line."""
        self._send(f"STATUS={_one_line(status)}")

    def keep_alive(self) -> None:
        """Say that it still works."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that it reads its settings anew; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}")

    def stopping(self) -> None:
        """Say that it ends."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                connection.settimeout(SEND_TIMEOUT_S)
                connection.connect(address)
                connection.send("\n".join(lines).encode())
        except OSError as error:
            logger.debug("the service manager at %s was not told %s: %s", self._address, lines[0], error)


def without_notification(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for child processes: what is meant for the service itself is left out."""
    own = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    return {name: value for name, value in environment.items() if name not in own}


def process_service_manager() -> ServiceManager:
    """Return what the environment of this process says."""
    return ServiceManager.from_environment(os.environ, os.getpid())


def _one_line(text: str) -> str:
    return mask_credentials(" ".join(text.split()))[:MAX_STATUS]
