"""Find ports that are free on this machine."""

import socket

from nvr.core.errors import ConfigurationError


def is_free(host: str, port: int) -> bool:
    """Tell whether a TCP server could listen there now."""
    try:
        with socket.create_server((host, port), family=_family(host)):
            return True
    except (OSError, UnicodeError):
        return False


def free_port(host: str, preferred: int, n_tries: int = 20) -> int:
    """Return `preferred` or the first free port after it; any free one where all of those are taken, or for 0.

    Raises:
        ConfigurationError: Nothing can listen on that host.
    """
    for port in range(preferred, min(preferred + n_tries, 65536)) if preferred else ():
        if is_free(host, port):
            return port
    try:
        with socket.create_server((host, 0), family=_family(host)) as probe:
            return int(probe.getsockname()[1])
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"cannot listen on {host}: {error}") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
