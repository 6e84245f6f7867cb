"""Find ports that are free on this machine."""

import socket


def is_free(host: str, port: int) -> bool:
    """Tell whether a TCP server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str, preferred: int, n_tries: int = 20) -> int:
    """Return `preferred` or the first free port after it; any free one where all of those are taken."""
    for port in range(preferred, min(preferred + n_tries, 65536)):
        if is_free(host, port):
            return port
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
