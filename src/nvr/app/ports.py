"""Find ports that are free on this machine."""

import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

from nvr.core.errors import ConfigurationError


class PortClaims:
    """Ports that a program has chosen and whose servers it is about to start; a context manager that gives them back.

    Of two programs that start at the same moment both would find the same port free, and one would take the other's
    server for its own. Not thread-safe.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """Claim a port among the programs of this machine that ask; False where another one has it."""
        if port in self._held:
            return True
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0nvr-port-{port}")  # a name without a file: it is gone with the process, however that ends
        except OSError:
            claim.close()
            return False
        self._held[port] = claim
        return True

    def release(self) -> None:
        """Give all of them back."""
        while self._held:
            self._held.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_free(host: str, port: int) -> bool:
    """Tell whether a TCP server could listen there now."""
    try:
        with socket.create_server((host, port), family=_family(host)):
            return True
    except (OSError, UnicodeError):
        return False


def free_port(host: str, preferred: int, n_tries: int = 20, *, may_take: Callable[[int], bool] = lambda _: True) -> int:
    """Return `preferred` or the first free port after it; any free one where all of those are taken, or for 0.

    Args:
        host: Where the server is to listen.
        preferred: The first to try.
        n_tries: How many are tried in order.
        may_take: Asked for each free one of these, such as `PortClaims.take`.

    Raises:
        ConfigurationError: Nothing can listen on that host.
    """
    for port in range(preferred, min(preferred + n_tries, 65536)) if preferred else ():
        if is_free(host, port) and may_take(port):
            return port
    try:
        with socket.create_server((host, 0), family=_family(host)) as probe:
            return int(probe.getsockname()[1])
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"cannot listen on {host}: {error}") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
