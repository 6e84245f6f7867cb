"""Cameras without a network: they obey the wall's `FrameSource`, and a test says what they show."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from nvr.core.clock import Clock
from nvr.events import BoundingBox, Detection, DetectionEvent
from nvr.media import StreamState, StreamStats

Array = NDArray[np.uint8]
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class PlainFrame:
    """A frame of one colour, as 4:2:0 planes or, with `is_planar` false, as BGR only."""

    frame_id: int
    received_s: float
    width: int = 320
    height: int = 180
    luma: int = 120
    is_planar: bool = True
    captured_at: datetime = START

    def planes(self) -> tuple[Array, Array, Array] | None:
        if not self.is_planar:
            return None
        chroma_shape = (-(-self.height // 2), -(-self.width // 2))
        luma = np.full((self.height, self.width), self.luma, np.uint8)
        return luma, np.full(chroma_shape, 128, np.uint8), np.full(chroma_shape, 128, np.uint8)

    def to_bgr(self) -> Array:
        return np.full((self.height, self.width, 3), self.luma, np.uint8)


@dataclass
class FakeCamera:
    """A source whose state the test sets; `show` gives it another picture."""

    source_id: int
    clock: Clock
    frame: PlainFrame | None = None
    state: StreamState = StreamState.CONNECTING
    last_error: str | None = None
    fps: float = 25.0
    name: str = "rtsp://***@camera.example/live"
    was_started: bool = False
    was_stopped: bool = False

    @property
    def stats(self) -> StreamStats:
        return StreamStats(
            frames=0,
            skipped_packets=0,
            broken_packets=0,
            sessions=1,
            failures=0,
            fps=self.fps,
            last_error=self.last_error,
        )

    def latest(self) -> PlainFrame | None:
        return self.frame

    def show(self, luma: int = 120, width: int = 320, height: int = 180, *, is_planar: bool = True) -> None:
        frame_id = 0 if self.frame is None else self.frame.frame_id + 1
        self.frame = PlainFrame(frame_id, self.clock.monotonic(), width, height, luma, is_planar, self.clock.now())
        self.state = StreamState.RUNNING

    def start(self) -> None:
        self.was_started = True

    def request_stop(self) -> None:
        self.was_stopped = True

    def stop(self, timeout_s: float = 1.0) -> bool:
        return timeout_s >= 0


def event_of(
    source_id: int = 0,
    *boxes: tuple[float, float, float, float],
    class_name: str = "person",
    confidence: float = 0.9,
    tracker_id: int | None = None,
    timestamp: datetime = START,
    later_s: float = 0.0,
    extra: Mapping[str, int | float] | None = None,
) -> DetectionEvent:
    """Return an event whose boxes are given by their edges."""
    found = tuple(
        Detection(
            class_name=class_name,
            confidence=confidence,
            bbox=BoundingBox.from_xyxy_px(*box),
            tracker_id=tracker_id,
        )
        for box in boxes
    )
    return DetectionEvent.model_validate(
        {
            "source_id": source_id,
            "frame_id": 1,
            "timestamp": timestamp + timedelta(seconds=later_s),
            "model_id": "test",
            "inference_time_ms": 1.0,
            "detections": found,
            **(extra or {}),
        }
    )


def unused_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
