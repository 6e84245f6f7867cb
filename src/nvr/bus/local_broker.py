"""A private broker on a free port of the loopback address, for machines where none is reachable.

A `mosquitto` on PATH, else amqtt in a process of its own. Anonymous, without persistence, gone with its owner.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self

from nvr.core.child_process import guarded
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import BrokerError, UnsupportedError

BrokerKind = Literal["mosquitto", "amqtt"]

LOOPBACK = "127.0.0.1"
STOP_TIMEOUT_S = 1.8
PORT_TRIES = 5

_SCRIPTS = Path(__file__).parent
_PROBE_INTERVAL_S = 0.02
_PROBE_TIMEOUT_S = 0.5
_CONNECT = bytes.fromhex("100c 0004 4d515454 04 02 003c 0000")
"""MQTT 3.1.1, 3.1: CONNECT, clean session, keep-alive 60 s, empty client id."""
_DISCONNECT = bytes.fromhex("e000")
_CONNACK = 0x20


def find_broker(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Return whether something answers an MQTT CONNECT, be it with a refusal; a TCP connection alone is no broker.

    Speaks plain MQTT: a broker that wants TLS is not found this way.
    """
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(_CONNECT)
            answer = connection.recv(4)
            if not answer or answer[0] != _CONNACK:
                return False
            connection.sendall(_DISCONNECT)
    except (OSError, UnicodeError):
        # UnicodeError: the host is no name that can be looked up, such as one with an empty level.
        return False
    return True


def installed_kinds() -> tuple[BrokerKind, ...]:
    """Return the brokers that could be started here, the best first."""
    is_installed: dict[BrokerKind, bool] = {
        "mosquitto": find_mosquitto() is not None,
        "amqtt": importlib.util.find_spec("amqtt") is not None,
    }
    return tuple(kind for kind, is_here in is_installed.items() if is_here)


def find_mosquitto() -> str | None:
    """Return the path of mosquitto; Debian keeps it in /usr/sbin, which a user's PATH may lack."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/opt/homebrew/sbin")


def free_port() -> int:
    """Return a port of the loopback address that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class LocalBroker:
    """A running broker; `start` one, `stop` it or use it as a context manager. Not thread-safe."""

    def __init__(self, kind: BrokerKind, port: int, clock: Clock) -> None:
        self.kind: BrokerKind = kind
        self.host = LOOPBACK
        self.port = port
        self._clock = clock
        self._guard: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    @classmethod
    def start(
        cls,
        kind: BrokerKind | None = None,
        port: int | None = None,
        timeout_s: float = 30.0,
        clock: Clock | None = None,
    ) -> Self:
        """Start a broker and return it once it answers.

        Args:
            kind: Which one; by default mosquitto where it is installed, else amqtt.
            port: The port to listen on; by default a free one, and another if somebody is faster.
            timeout_s: How long it may take until it answers.
            clock: For the deadline.

        Raises:
            UnsupportedError: Neither mosquitto nor amqtt is installed.
            BrokerError: It ended at once, found no free port or did not answer in time.
        """
        kind = choose_kind(kind)
        for attempt in range(1, PORT_TRIES + 1):
            broker = cls(kind, port or free_port(), clock or SystemClock())
            try:
                broker._launch(timeout_s)
            except _PortTakenError:
                if port is not None or attempt == PORT_TRIES:
                    raise
            else:
                return broker
        raise AssertionError("unreachable: the last attempt returns or raises")

    def describe(self) -> str:
        """Return one line for the person who started it."""
        return f"private {self.kind} broker on {self.host}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether the process runs."""
        return self._guard is not None and self._guard.poll() is None

    def restart(self, timeout_s: float = 30.0) -> None:
        """Stop it if it runs and start it again, empty, on the same port.

        Raises:
            BrokerError: Somebody took the port meanwhile, or it did not answer in time.
        """
        self.stop()
        self._launch(timeout_s)

    def stop(self) -> None:
        """End the process within two seconds and remove its files; the broker may be `restart`ed."""
        guard, self._guard = self._guard, None
        folder, self._folder = self._folder, None
        if guard is not None and guard.stdin is not None:
            guard.stdin.close()
            try:
                guard.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(guard.pid, signal.SIGKILL)
                guard.wait()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, timeout_s: float) -> None:
        # Else a broker of somebody else on this port would be taken for ours before ours has failed.
        if not _is_free(self.port):
            raise _PortTakenError(f"{self.describe()} cannot start: the port is in use")
        self._folder = Path(tempfile.mkdtemp(prefix="nvr-broker-"))
        log = self._folder / "errors.log"
        try:
            with log.open("wb") as errors:
                self._guard = subprocess.Popen(
                    guarded(broker_command(self.kind, self.port, self._folder), remove=self._folder),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    # Ctrl-C is for the owner, which ends its clients before it ends their broker.
                    start_new_session=True,
                )
            # Opened before the guard may end and remove the folder: what is open stays readable.
            with log.open("rb") as errors_read:
                self._wait_until_ready(self._guard, timeout_s, errors_read)
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, guard: subprocess.Popen[bytes], timeout_s: float, errors: BinaryIO) -> None:
        deadline_s = self._clock.monotonic() + timeout_s
        while self._clock.monotonic() < deadline_s:
            is_answered = find_broker(self.host, self.port, _PROBE_TIMEOUT_S)
            try:
                status = guard.wait(_PROBE_INTERVAL_S)
            except subprocess.TimeoutExpired:
                if is_answered:
                    return
                continue
            said = errors.read().decode(errors="replace").strip().splitlines() or ["nothing"]
            raise _PortTakenError(f"{self.describe()} ended with status {status}, it said: {said[-1]}")
        raise BrokerError(f"{self.describe()} did not answer within {timeout_s:g} s")


class _PortTakenError(BrokerError):
    """The port is taken, or was between the question and its use, most likely: another may do."""


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As brokers do, so that what is left of closed connections does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def choose_kind(kind: BrokerKind | None = None) -> BrokerKind:
    """Return the kind of broker to start: the one that is asked for, else the best one.

    Raises:
        UnsupportedError: It is not installed, or none is.
    """
    kinds = installed_kinds()
    if kind in kinds or (kind is None and kinds):
        return kind or kinds[0]
    wanted = f"no {kind}" if kind else "neither mosquitto nor amqtt"
    raise UnsupportedError(
        f"cannot start an MQTT broker: {wanted} is installed; install mosquitto, or amqtt with "
        "`pip install 'nvr-multiplexer[demo]'`, or name a running broker"
    )


def broker_command(kind: BrokerKind, port: int, folder: Path) -> list[str]:
    """Return the command line of a private broker on a port; its settings are written into `folder`."""
    if kind == "amqtt":
        return [sys.executable, "-P", str(_SCRIPTS / "embedded_broker.py"), "--port", str(port)]
    config = folder / "mosquitto.conf"
    config.write_text(mosquitto_config(port), encoding="ascii")
    return [find_mosquitto() or "mosquitto", "-c", str(config)]


def mosquitto_config(port: int) -> str:
    """Return the configuration of a private mosquitto."""
    return (
        f"listener {port} {LOOPBACK}\n"
        "allow_anonymous true\n"
        "persistence false\n"
        # Without it, Nagle's algorithm holds small messages back for tens of milliseconds.
        "set_tcp_nodelay true\n"
        "log_dest stderr\n"
        "log_type error\n"
    )
