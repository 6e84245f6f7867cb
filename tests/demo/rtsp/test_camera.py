"""A camera alone, in an event loop of the test's own, with clients that are lists."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from nvr.core.clock import SystemClock
from nvr.demo.fault import CameraFaults
from nvr.demo.rtsp.camera import Camera, SentFrame
from nvr.demo.rtsp.player import Player
from nvr.demo.rtsp.timeline import PacketizedLoop
from tests.demo.rtsp.loops import make_loop, parse_rtp

TIMEOUT_S = 60


class Inbox:
    """A sink that keeps what it is sent."""

    def __init__(self) -> None:
        self.rtp: list[bytes] = []
        self.reports: list[bytes] = []
        self.has_report = asyncio.Event()

    def send_rtp(self, packets: Sequence[bytes]) -> None:
        self.rtp += packets

    def send_rtcp(self, packet: bytes) -> None:
        self.reports.append(packet)
        self.has_report.set()

    def backlog_bytes(self) -> int:
        return 0

    def abort(self) -> None:
        self.rtp.clear()


class Scene:
    """One camera with one client from the start."""

    def __init__(self, faults: CameraFaults, gop: int = 1) -> None:
        packets = PacketizedLoop(make_loop(10, gop))
        self.inbox = Inbox()
        self.camera = Camera(
            0, packets, faults=faults, clock=SystemClock(), rng=random.Random(3), on_frame=self._count_frame
        )
        self.camera.add(Player(self.inbox, SystemClock()))
        self._wanted = 0
        self._has_wanted = asyncio.Event()

    @asynccontextmanager
    async def running(self, frames: int) -> AsyncIterator[None]:
        """Run the camera; the body begins once so many frames were sent."""
        self._wanted = frames
        task = asyncio.create_task(self.camera.run())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._has_wanted.wait()
            yield
        finally:
            task.cancel()

    def _count_frame(self, _frame: SentFrame) -> None:
        if self.camera.frames_sent >= self._wanted:
            self._has_wanted.set()


def test_a_report_counts_what_was_sent_before_any_of_it_was_lost() -> None:
    async def play() -> tuple[list[bytes], int, bytes]:
        scene, later = Scene(CameraFaults(loss=1.0)), Inbox()
        async with scene.running(10):
            frames_before = scene.camera.frames_sent
            scene.camera.add(Player(later, SystemClock()))
            async with asyncio.timeout(TIMEOUT_S):
                await later.has_report.wait()
        return scene.inbox.rtp, frames_before, later.reports[0]

    received, frames_sent, report = asyncio.run(play())
    packets_sent, bytes_sent = struct.unpack("!II", report[20:28])
    assert received == []
    # A frame here: 5 bytes of SPS, 3 of PPS, and 3001 bytes whose first becomes the 2 of each of three fragments.
    assert packets_sent == frames_sent * 5
    assert bytes_sent == frames_sent * (5 + 3 + 3000 + 3 * 2)


def test_more_jitter_than_a_camera_may_be_late_loses_no_frame() -> None:
    async def play() -> list[bytes]:
        scene = Scene(CameraFaults(jitter_s=2.5), gop=5)
        async with scene.running(25):
            return scene.inbox.rtp

    sequences = [parse_rtp(packet).sequence for packet in asyncio.run(play())]
    assert sequences == [(sequences[0] + index) % 65536 for index in range(len(sequences))]
