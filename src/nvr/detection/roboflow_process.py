"""The parent's end of the conversation with `roboflow_worker`: a child process whose pipes never block us for long."""

import contextlib
import io
import json
import logging
import os
import selectors
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from nvr.core.clock import Clock
from nvr.core.errors import TransientError, UnsupportedError
from nvr.detection.roboflow_worker import LENGTHS

logger = logging.getLogger(__name__)

_MAX_HEADER_BYTES = 1 << 20
_MAX_PAYLOAD_BYTES = 1 << 26
_READ_BYTES = 1 << 16
_LINES_KEPT = 20
_LINE_BYTES = 4096
_JOIN_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One answer of the worker."""

    header: Mapping[str, object]
    payload: bytes


class WorkerProcess:
    """One run of the worker. Owned by one thread; only `interrupt` may be called from another."""

    def __init__(self, command: Sequence[str], clock: Clock) -> None:
        """Start the process.

        Raises:
            UnsupportedError: There is no such program.
        """
        self._clock = clock
        try:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONSAFEPATH": "1"},
                start_new_session=True,  # Ctrl-C is for us to handle
            )
        except OSError as error:
            raise UnsupportedError(f"{command[0]} cannot be started: {error.strerror}") from error
        self._stdin, self._stdout = _descriptor(self._process.stdin), _descriptor(self._process.stdout)
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)
        self._received = bytearray()
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._listener = threading.Thread(target=self._listen, name="roboflow-worker-stderr", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def send(self, parts: Sequence[bytes | memoryview], timeout_s: float) -> None:
        """Write the parts of a frame.

        Raises:
            TransientError: The worker ended, or did not take them in time.
        """
        deadline_s = self._clock.monotonic() + timeout_s
        for part in parts:
            rest = memoryview(part).cast("B")
            while rest:
                try:
                    rest = rest[os.write(self._stdin, rest) :]
                except BlockingIOError:
                    if not self._wait(self._stdin, selectors.EVENT_WRITE, deadline_s):
                        raise TransientError(f"it took no pictures for {timeout_s:g} s") from None
                except BrokenPipeError:
                    raise TransientError(self._obituary()) from None

    def receive(self, timeout_s: float) -> Frame | None:
        """Return the next answer, or None if there is no whole one in time.

        Raises:
            TransientError: The worker ended, or what it sends is no frame.
        """
        deadline_s = self._clock.monotonic() + timeout_s
        while (frame := self._take_frame()) is None:
            try:
                data = os.read(self._stdout, _READ_BYTES)
            except BlockingIOError:
                if not self._wait(self._stdout, selectors.EVENT_READ, deadline_s):
                    return None
                continue
            if not data:
                raise TransientError(self._obituary())
            self._received += data
        return frame

    def interrupt(self) -> None:
        """Kill the process; a call that waits for it in another thread then fails at once."""
        if self._process.returncode is not None:
            return  # its id may be another's by now
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self, grace_s: float = 0.0) -> None:
        """End the process and free what it held; it is killed unless it ends by itself within `grace_s`."""
        if self._process.stdin is not None:
            self._process.stdin.close()  # the worker takes it for the end
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        if self._process.poll() is None:
            self.interrupt()
        self._process.wait()
        self._listener.join(_JOIN_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _take_frame(self) -> Frame | None:
        if len(self._received) < LENGTHS.size:
            return None
        header_bytes, payload_bytes = LENGTHS.unpack_from(self._received)
        if header_bytes > _MAX_HEADER_BYTES or payload_bytes > _MAX_PAYLOAD_BYTES:
            raise TransientError(f"it sends what is no answer: {bytes(self._received[:40])!r}")
        begin, end = LENGTHS.size + header_bytes, LENGTHS.size + header_bytes + payload_bytes
        if len(self._received) < end:
            return None
        try:
            header = json.loads(self._received[LENGTHS.size : begin])
        except ValueError as error:
            raise TransientError(f"it sends what is no answer: {error}") from error
        payload = bytes(self._received[begin:end])
        del self._received[:end]
        if not isinstance(header, dict):
            raise TransientError(f"it sends what is no answer: {header!r}"[:200])
        return Frame(header, payload)

    def _wait(self, descriptor: int, event: int, deadline_s: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, event)
            return bool(selector.select(max(0.0, deadline_s - self._clock.monotonic())))

    def _obituary(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_JOIN_TIMEOUT_S)
        self._listener.join(_JOIN_TIMEOUT_S)
        status = self._process.poll()
        # A process that a signal ended had no last word; what it wrote before is not the reason.
        last = f": {self._lines[-1]}" if self._lines and status is not None and status > 0 else ""
        return f"it ended with status {status}{last}"

    def _listen(self) -> None:
        stderr = self._process.stderr
        if stderr is None:
            return
        lines = io.BufferedReader(io.FileIO(os.dup(stderr.fileno())))
        with lines:
            while line := lines.readline(_LINE_BYTES):
                text = line.decode(errors="replace").strip()
                if text:
                    self._lines.append(text)
                    logger.debug("roboflow worker: %s", text)


def _descriptor(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise UnsupportedError("the worker has no pipes")
    return pipe.fileno()
