"""A camera whose packets come when a test says so, its recorder, and what can be seen of its files."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from nvr.core.clock import ManualClock
from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from nvr.recording.disk import Activity, RecordingState
from nvr.recording.modes import parse_modes
from nvr.recording.plan import PlanSettings
from nvr.recording.recorder import Recorder
from nvr.recording.segment_file import SegmentFile
from nvr.recording.segment_writer import FinishedSegment
from nvr.recording.segmenter import CreateFile, RecorderSettings
from tests.recording.packets import NOON, camera_packets
from tests.waiting import wait_until

FPS = 25
SOURCE = 7
ROLLS = PlanSettings(segment_s=2, pre_roll_s=2, post_roll_s=1)


class Camera:
    """Packets, a clock that goes with them, and a recorder."""

    def __init__(
        self,
        root: Path,
        modes: str = "continuous",
        *,
        packets: Iterable[MediaPacket] | None = None,
        ring_s: float = 60.0,
        settings: RecorderSettings | None = None,
        create_file: CreateFile = SegmentFile,
        on_segment: Callable[[FinishedSegment], None] | None = None,
    ) -> None:
        self.root = root
        self.clock = ManualClock(NOON)
        self.ring = PacketRing(max_seconds=ring_s)
        self.waiting = list(camera_packets(250) if packets is None else packets)
        self.finished: list[FinishedSegment] = []
        self.states: list[RecordingState] = []
        self.space_calls: list[float] = []
        self.recorder = Recorder(
            SOURCE,
            self.ring,
            root=root,
            tenant="default",
            modes=parse_modes(modes),
            settings=settings or RecorderSettings(plan=ROLLS),
            clock=self.clock,
            on_segment=on_segment or self.finished.append,
            on_state=self.states.append,
            on_space_short=lambda: self.space_calls.append(self.clock.monotonic()),
            create_file=create_file,
        )

    def start(self) -> "Camera":
        """Start the recorder."""
        self.recorder.start()
        return self

    def send(self, count: int) -> None:
        """Let the camera send its next packets; the clock goes with them."""
        for _ in range(count):
            packet = self.waiting.pop(0)
            self.clock.advance(max(0.0, packet.received_s - self.clock.monotonic()))
            self.ring.append(packet)

    def send_and_wait(self, count: int) -> None:
        """Let the camera send, and wait until the recorder has written all of it."""
        before = self.written
        self.send(count)
        wait_until(lambda: self.written >= before + count, f"{count} packets are written")

    def send_until_paused(self) -> None:
        """Let the camera send until the disk fails."""
        while not self.is_paused():
            self.send_or_pause()

    def send_or_pause(self, count: int = 25) -> None:
        """Let the camera send, and wait until all of it is written or recording pauses."""
        written, pauses = self.written, self.recorder.counters.pauses
        self.send(count)
        wait_until(
            lambda: self.written >= written + count or self.recorder.counters.pauses > pauses, "written or paused"
        )

    def wait_for_try(self) -> None:
        """Wait until a recorder that pauses has tried again; the clock goes on."""
        pauses = self.recorder.counters.pauses

        def has_tried() -> bool:
            self.clock.advance(0.1)
            return not self.is_paused() or self.recorder.counters.pauses > pauses

        wait_until(has_tried, "the recorder has tried again")

    @property
    def written(self) -> int:
        """Packets that the recorder has written."""
        return self.recorder.counters.written.written_packets

    def is_paused(self) -> bool:
        return self.recorder.state.activity is Activity.PAUSED

    def wait_for(self, activity: Activity) -> None:
        """Wait for a state; the clock goes on, for the recorder may wait for its next try."""

        def has_come() -> bool:
            self.clock.advance(0.1)
            return self.recorder.state.activity is activity

        wait_until(has_come, f"the recorder is {activity}")

    def stop(self) -> None:
        assert self.recorder.stop(30)

    @property
    def pictures(self) -> list[int]:
        """Numbers of all pictures in all finished files, in order."""
        return [number for path in sorted(self.root.rglob("*.mp4")) for number in picture_numbers(path)]

    @property
    def unfinished(self) -> list[Path]:
        return sorted(self.root.rglob("*.recording"))


def picture_numbers(path: Path) -> list[int]:
    """Decode a file of `camera_packets` and return which pictures it holds."""
    numbers = []
    with av.open(f"file:{path}", format="mp4") as container:
        for frame in container.decode(video=0):
            luma = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(-1, frame.planes[0].line_size)
            numbers.append(round(float(luma[:, : frame.width].mean())) - 16)
    return numbers


def renumbered(packets: Iterable[MediaPacket], first_sequence: int) -> list[MediaPacket]:
    """Return packets that follow on others."""
    return [replace(packet, sequence=first_sequence + place) for place, packet in enumerate(packets)]
