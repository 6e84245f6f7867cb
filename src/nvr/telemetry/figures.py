"""The figures of an instance as plain values, of which the Prometheus endpoint and the metrics over MQTT are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from nvr.core.histogram import HistogramSnapshot
from nvr.events.instance_metrics import Stage

DropReason = Literal["asleep", "skipped", "broken", "sampled_out", "replaced", "paused", "failed"]
"""Why a frame that a camera sent was not looked at:

`asleep`: not decoded, since nothing moved or only key frames are wanted; `skipped`: not decoded, to keep up with the
camera; `broken`: the decoder refused it; `sampled_out`: decoded, and more than `max_fps`; `replaced`: a newer one came
before the model had time; `paused`: the camera pauses; `failed`: its picture or the model failed.
"""


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """One camera since the start of its instance."""

    source_id: int
    name: str
    """What people call it, without credentials."""
    state: str
    """One of `CAMERA_STATES`."""
    is_detecting: bool = True
    """False while it pauses: nothing of it is looked at."""
    is_asleep: bool = False
    frames_in: int = 0
    """Video frames that it sent."""
    decoded: int = 0
    analysed: int = 0
    """Those too in which nothing was worth a look."""
    dropped: Mapping[DropReason, int] = field(default_factory=dict)
    watched: int = 0
    """Analysed frames of which it is known whether something moved."""
    moving: int = 0
    """Of these, those in which something did."""
    bytes_in: int = 0
    connections: int = 0
    reconnects: int = 0
    """Connections that failed or were lost."""
    packets_lost: int = 0
    """Packets of which a part was lost on the way."""
    timestamp_breaks: int = 0
    fps: float = 0.0
    decoded_fps: float = 0.0
    analysed_fps: float = 0.0
    clock_error_s: float | None = None
    """How far its clock is ahead of this machine's; None where it does not tell."""
    cpu_s: float = 0.0
    """Of its own threads."""
    memory_bytes: int = 0
    """Of the packets that are remembered."""
    is_recording: bool | None = None
    """None where it is not to be recorded."""
    recorded_bytes: int = 0
    recording_lost_packets: int = 0
    recording_pauses: int = 0
    latency: Mapping[Stage, HistogramSnapshot] = field(default_factory=dict)
    """Seconds of each stage."""


CAMERA_STATES = ("connecting", "running", "stalled", "offline", "paused", "ended", "stopped")


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model since the start of its instance."""

    model_id: str
    is_ok: bool | None
    """Whether its last inference succeeded; None where it is in use no more."""
    inferences: int = 0
    frames: int = 0
    failures: int = 0
    used_px: int = 0
    """Pixels of canvases that showed something; 0 without canvases."""
    offered_px: int = 0
    seconds: HistogramSnapshot | None = None
    """How long a look took."""


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One queue."""

    name: str
    depth: int
    capacity: int
    dropped: int


@dataclass(frozen=True, slots=True)
class PublishedFigures:
    """Messages of one kind to the broker."""

    topic: str
    """With the key in braces: `nvr/detections/{source_id}`."""
    sent: int
    failed: int


@dataclass(frozen=True, slots=True)
class DiskFigures:
    """The disk of the recordings."""

    path: str
    total_bytes: int
    free_bytes: int
    recordings_bytes: int
    forecast_days: float | None = None
    """How many days of recordings fit at the rate of the last day; None where ages end them before, or too little was
    recorded to tell."""


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """The process."""

    cpu_s: float = 0.0
    cpu_percent: float = 0.0
    """Of one core, since the figures before."""
    rss_bytes: int = 0
    threads: int = 0


@dataclass(frozen=True, slots=True)
class InstanceFigures:
    """All figures of a processor at one moment."""

    instance_id: str
    at: datetime
    """Aware UTC."""
    uptime_s: float
    process: ProcessFigures = ProcessFigures()
    events_lost: int = 0
    is_broker_connected: bool = False
    watchdog_reconnects: int = 0
    detector_hangs: bool = False
    cameras: tuple[CameraFigures, ...] = ()
    models: tuple[ModelFigures, ...] = ()
    queues: tuple[QueueFigures, ...] = ()
    published: tuple[PublishedFigures, ...] = ()
    disk: DiskFigures | None = None


@dataclass(frozen=True, slots=True)
class WallFigures:
    """All figures of a wall at one moment."""

    events: int
    """Good detection events."""
    invalid_messages: int
    is_broker_connected: bool
    pictures: int
    """Composed, of the grid and of enlarged cameras."""
    faults: int
    streams: int
    """Being watched on its page."""
    cameras_by_state: Mapping[str, int]
    latency: HistogramSnapshot
    """Seconds from the capture of a frame to the arrival of its event."""
    topic: str
    """Which events it listens to."""
