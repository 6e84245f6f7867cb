import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from typing import ParamSpec, TypeVar

import pytest

from nvr.wall.jpeg_hub import JpegHub
from tests.wall.conftest import MakeWall

P = ParamSpec("P")
T = TypeVar("T")
TIMEOUT_S = 40.0


class MoodyEncoder(ThreadPoolExecutor):
    """A thread whose work fails while `is_broken`."""

    is_broken = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if not self.is_broken:
            return super().submit(fn, *args, **kwargs)
        failed: Future[T] = Future()
        failed.set_exception(MemoryError("no room for a picture"))
        return failed


def test_encoding_that_fails_ends_the_streams_and_the_next_client_starts_anew(
    make_wall: MakeWall, caplog: pytest.LogCaptureFixture
) -> None:
    wall, sources = make_wall(1, stale_after_seconds=600)
    sources[0].show()
    wall.start()

    async def watch(encoder: MoodyEncoder) -> None:
        hub = JpegHub(wall.view(), encoder, min_interval_s=0.01)
        async with aclosing(hub.pictures()) as first, aclosing(hub.pictures()) as second:
            assert (await anext(first)).startswith(b"\xff\xd8")
            assert (await anext(second)).startswith(b"\xff\xd8")
            encoder.is_broken = True
            sources[0].show(luma=200)
            for stream in (first, second):
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)
        assert hub.n_clients == 0
        encoder.is_broken = False
        async with aclosing(hub.pictures()) as third:
            assert (await anext(third)).startswith(b"\xff\xd8")

    with MoodyEncoder(1) as encoder:
        asyncio.run(asyncio.wait_for(watch(encoder), TIMEOUT_S))
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert failures[0].exc_info is not None
    assert "no room for a picture" in failures[-1].getMessage()
