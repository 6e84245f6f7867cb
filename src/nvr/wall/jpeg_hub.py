"""One view as a stream of JPEGs: encoded once for all clients, and not at all when there is none."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from contextlib import suppress

from nvr.core.throttle import ThrottledLog
from nvr.wall.compositor import Composition
from nvr.wall.encoding import encode
from nvr.wall.view import WallView

logger = logging.getLogger(__name__)


class JpegHub:
    """Lives in one event loop; encodes in `encoder`, a single thread that all hubs share.

    Each client takes the newest picture whenever it is ready for one: a slow client sees fewer and delays nobody.
    """

    def __init__(self, view: WallView, encoder: Executor, *, min_interval_s: float) -> None:
        self._view = view
        self._encoder = encoder
        self._min_interval_s = min_interval_s
        self._changed = asyncio.Condition()
        self._fresh = asyncio.Event()
        self._composition: Composition | None = None
        self._jpeg = b""
        self._version = 0
        self._n_clients = 0
        self._n_encoded = 0
        self._is_closed = False
        self._producer: asyncio.Task[None] | None = None
        self._n_failures = 0
        self._faults = ThrottledLog(logger, logging.ERROR)

    @property
    def view(self) -> WallView:
        """What it shows."""
        return self._view

    @property
    def n_clients(self) -> int:
        """How many are watching."""
        return self._n_clients

    @property
    def n_encoded(self) -> int:
        """How many pictures were encoded so far."""
        return self._n_encoded

    async def snapshot(self) -> bytes:
        """Return the picture of now."""
        composition = await asyncio.get_running_loop().run_in_executor(self._encoder, self._view.compose)
        return await self._encoded(composition)

    async def pictures(self) -> AsyncGenerator[bytes, None]:
        """Yield the newest JPEG each time the client is ready for another; ends with the hub or when encoding fails."""
        # a client that joins others gets their last picture at once; the first one must not get that of an hour ago
        seen = self._version if self._producer is None else 0
        n_failures = self._n_failures
        self._n_clients += 1
        if self._producer is None:
            self._producer = asyncio.create_task(self._produce(), name="wall-jpeg-producer")
        try:
            while True:
                async with self._changed:
                    while not self._is_closed and n_failures == self._n_failures and self._version <= seen:
                        await self._changed.wait()
                    jpeg, seen = self._jpeg, self._version
                if self._is_closed or n_failures != self._n_failures:
                    return
                yield jpeg
        finally:
            self._n_clients -= 1
            if self._n_clients == 0:
                self._stop_producer()

    async def close(self) -> None:
        """End every client's stream."""
        async with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._stop_producer()

    def _stop_producer(self) -> None:
        # not awaited: the client that leaves last may itself be cancelled, and the task holds nothing but its watch
        if self._producer is not None:
            self._producer.cancel()
        self._producer = self._composition = None
        self._fresh.clear()

    async def _produce(self) -> None:
        try:
            await self._produce_pictures()
        except Exception as error:  # the supervisor of the producer: clients that wait for it must not wait for ever
            if self._n_failures == 0:
                logger.exception("a stream of pictures failed; its clients may ask again")
            self._faults.report(f"a stream of pictures failed: {error!r}")
            self._n_failures += 1
            self._producer = self._composition = None
            async with self._changed:
                self._changed.notify_all()

    async def _produce_pictures(self) -> None:
        loop = asyncio.get_running_loop()

        def take(composition: Composition) -> None:
            with suppress(RuntimeError):  # the loop was closed between the check and the call
                loop.call_soon_threadsafe(self._take, composition)

        with self._view.watch(take):
            while True:
                await self._fresh.wait()
                self._fresh.clear()
                composition = self._composition
                if composition is None:
                    continue
                started_s = loop.time()
                jpeg = await self._encoded(composition)
                async with self._changed:
                    self._jpeg, self._version = jpeg, self._version + 1
                    self._changed.notify_all()
                await asyncio.sleep(max(0.0, started_s + self._min_interval_s - loop.time()))

    def _take(self, composition: Composition) -> None:
        self._composition = composition
        self._fresh.set()

    async def _encoded(self, composition: Composition) -> bytes:
        loop = asyncio.get_running_loop()
        jpeg = await loop.run_in_executor(self._encoder, encode, composition.picture, ".jpg")
        self._n_encoded += 1
        return jpeg
