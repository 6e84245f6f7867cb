"""Fetch one file over HTTP into a part file: retries, resume, limits on time, size and redirects.

Whether the bytes are the right ones, and giving them their name, is the business of `nvr.assets.store`.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from nvr.assets.cancelling import POLL_S, IsCancelled, run_cancellable
from nvr.core.backoff import Backoff
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import DownloadError, TransientError

Progress = Callable[[int, int | None], None]
"""Called with the bytes there so far and the bytes in all, None where nobody knows."""

_RETRY_STATUSES = frozenset({408, 425, 429})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """How much patience and room a download gets."""

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    """Between two chunks."""
    max_redirects: int = 5
    tries: int = 5
    """In a row without one new byte; a try that brought some starts the count anew."""
    max_tries: int = 50
    """In all, against a server that gives a few bytes at a time for ever."""
    least_bytes_per_s: int = 1024
    """Mean of one try, looked at after `grace_s`; a slower one is cut and tried again."""
    grace_s: float = 60.0


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be fetched, the same for every try."""

    url: str
    size_bytes: int | None
    max_bytes: int
    progress: Progress
    is_cancelled: IsCancelled

    def check_cancelled(self) -> None:
        if self.is_cancelled():
            raise TransientError(f"the download of {self.url} was cancelled")


class _TryAgainError(Exception):
    """This try failed; the next may not. The message is the reason."""

    def __init__(self, reason: str, cost: int = 1) -> None:
        super().__init__(reason)
        self.cost = cost
        """How many tries it counts for: where nobody answers at all, the user should not wait for five."""


@dataclass(slots=True)
class _Part:
    """The file so far, and what lets the next try go on where this one ended."""

    file: BinaryIO
    received_bytes: int = 0
    etag: str | None = None
    total_bytes: int | None = None

    def restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.received_bytes, self.etag, self.total_bytes = 0, None, None


class HttpDownloader:
    """Downloads with httpx. Holds no connection between calls."""

    def __init__(
        self,
        limits: DownloadLimits | None = None,
        *,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = limits or DownloadLimits()
        self._clock = clock or SystemClock()
        self._backoff = backoff or Backoff(initial_s=0.5, max_s=10.0)
        self._sleep = sleep

    def download(
        self,
        url: str,
        part: Path,
        *,
        size_bytes: int | None,
        max_bytes: int,
        progress: Progress,
        is_cancelled: IsCancelled | None = None,
    ) -> None:
        """Write what `url` serves to `part`, from the first byte on; what was in `part` goes.

        Args:
            url: https or http; a redirect from the first to the second is refused.
            part: The file to write. The caller removes it after an error.
            size_bytes: How long the file is to be, None if unknown.
            max_bytes: More than that is not read from the network.
            progress: Called after each chunk; from another thread where there is an `is_cancelled`.
            is_cancelled: Asked ten times a second; once it says yes, the download ends within about a second.

        Raises:
            DownloadError: It is not there, too long, too short, or no try succeeded.
            TransientError: It was cancelled.
            OSError: `part` cannot be written.
        """
        if is_cancelled is None:
            self._download(_Order(url, size_bytes, max_bytes, progress, _nobody_cancels), part)
            return
        run_cancellable(
            lambda is_left: self._download(_Order(url, size_bytes, max_bytes, progress, is_left), part),
            is_cancelled,
            f"the download of {url}",
        )

    def _download(self, order: _Order, part: Path) -> None:
        limits = self._limits
        order.check_cancelled()
        self._backoff.reset()
        timeout = httpx.Timeout(limits.read_timeout_s, connect=limits.connect_timeout_s)
        with (
            part.open("w+b") as file,
            httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=limits.max_redirects) as client,
        ):
            state = _Part(file)
            fruitless, reason = 0, "no try was made"  # fruitless: what was spent since the last new byte
            for _ in range(limits.max_tries):
                before_bytes = state.received_bytes
                try:
                    self._try_once(client, order, state)
                except _TryAgainError as error:
                    reason, cost = str(error), error.cost
                else:
                    return
                if state.received_bytes > before_bytes:
                    fruitless = 0
                    self._backoff.reset()
                fruitless += cost
                if fruitless >= limits.tries:
                    break
                self._pause(order, self._backoff.next_s())
        raise DownloadError(f"{order.url}: {reason}, after several tries")

    def _pause(self, order: _Order, pause_s: float) -> None:
        """Sleep in slices, so that a cancellation need not wait for the whole of a long one."""
        while pause_s > 0:
            order.check_cancelled()
            self._sleep(min(pause_s, POLL_S))
            pause_s -= POLL_S
        order.check_cancelled()

    def _try_once(self, client: httpx.Client, order: _Order, state: _Part) -> None:
        headers = {"Accept-Encoding": "identity"}
        if state.received_bytes and (state.etag or order.size_bytes is not None):
            headers["Range"] = f"bytes={state.received_bytes}-"
            if state.etag:
                headers["If-Range"] = state.etag
        try:
            with client.stream("GET", order.url, headers=headers) as response:
                _refuse_downgrade(order.url, [*response.history, response])
                _begin(order.url, state, response, is_resume="Range" in headers)
                _refuse_length(order, state.total_bytes)
                self._receive(order, state, response)
        except (httpx.TooManyRedirects, httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.DecodingError) as error:
            raise DownloadError(f"{order.url}: {error}") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _TryAgainError(f"no connection ({error})", cost=2) from error
        except httpx.TimeoutException as error:
            raise _TryAgainError("the server does not answer") from error
        except httpx.TransportError as error:
            raise _TryAgainError(str(error) or type(error).__name__) from error
        expected_bytes = order.size_bytes if order.size_bytes is not None else state.total_bytes
        if expected_bytes is not None and state.received_bytes < expected_bytes:
            raise _TryAgainError(f"the connection ended after {state.received_bytes} of {expected_bytes} bytes")

    def _receive(self, order: _Order, state: _Part, response: httpx.Response) -> None:
        limit_bytes = order.size_bytes or order.max_bytes
        began_s, began_bytes = self._clock.monotonic(), state.received_bytes
        for chunk in response.iter_raw():
            order.check_cancelled()
            if state.received_bytes + len(chunk) > limit_bytes:
                raise DownloadError(f"{order.url}: expected at most {limit_bytes} bytes, the server sends more")
            state.file.write(chunk)
            state.received_bytes += len(chunk)
            order.progress(state.received_bytes, order.size_bytes or state.total_bytes)
            elapsed_s = self._clock.monotonic() - began_s
            pace = (state.received_bytes - began_bytes) / elapsed_s if elapsed_s > self._limits.grace_s else None
            if pace is not None and pace < self._limits.least_bytes_per_s:
                raise _TryAgainError(f"the server sends {pace:.0f} bytes a second")


def _nobody_cancels() -> bool:
    return False


def _begin(url: str, state: _Part, response: httpx.Response, *, is_resume: bool) -> None:
    """Make the part ready for the body of a response: go on behind its last byte, or start anew."""
    status = response.status_code
    if status >= 500 or status in _RETRY_STATUSES:
        raise _TryAgainError(f"the server answers {status} {response.reason_phrase}")
    if is_resume and status in {206, 416}:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        is_next = status == 206 and found is not None and int(found[1]) == state.received_bytes
        if is_next and found and (state.total_bytes is None or found[2] in {"*", str(state.total_bytes)}):
            return
        state.restart()
        raise _TryAgainError("the server cannot go on where it ended")
    if status != 200:
        raise DownloadError(f"{url}: the server answers {status} {response.reason_phrase}".rstrip())
    state.restart()
    etag = response.headers.get("ETag", "")
    state.etag = etag if etag.startswith('"') else None  # a weak one does not promise equal bytes
    length = response.headers.get("Content-Length", "")
    state.total_bytes = int(length) if length.isdecimal() else None


def _refuse_downgrade(url: str, responses: list[httpx.Response]) -> None:
    for response in responses:
        if url.startswith("https://") and response.url.scheme != "https":
            raise DownloadError(f"{url}: the server redirects to an unprotected address at {response.url.host}")


def _refuse_length(order: _Order, total_bytes: int | None) -> None:
    if total_bytes is None:
        return
    if order.size_bytes is not None and total_bytes != order.size_bytes:
        raise DownloadError(f"{order.url}: expected {order.size_bytes} bytes, the server announces {total_bytes}")
    if total_bytes > order.max_bytes:
        raise DownloadError(
            f"{order.url}: expected at most {order.max_bytes} bytes, the server announces {total_bytes}"
        )
