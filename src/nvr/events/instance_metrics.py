"""Counters and latencies of an instance, every ten seconds; the same figures as its Prometheus endpoint has."""

from typing import Annotated, Literal

from pydantic import Field

from nvr.events.message import AwareUtc, Count, Message, MessagePart, NonNegative, SourceId

Stage = Literal["capture_to_decode", "decode_to_detect", "detect_to_publish", "capture_to_publish"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Latency(MessagePart):
    """How long a stage took, over the instance's life; percentiles are upper bounds of histogram buckets."""

    count: Count = Field(description="How many frames.")
    mean_ms: NonNegative = Field(description="Mean in milliseconds.")
    p50_ms: NonNegative = Field(description="Half of them took at most so long.")
    p95_ms: NonNegative = Field(description="95 % of them took at most so long.")


class CameraMetrics(MessagePart):
    """One camera since the instance's start."""

    source_id: SourceId = Field(description="Number of the camera.")
    frames_in: Count = Field(description="Video frames that it sent.")
    decoded: Count = Field(description="Frames decoded.")
    analysed: Count = Field(description="Frames that were looked at, those too in which nothing moved.")
    dropped: dict[str, Count] = Field(default={}, description="Frames that were not looked at, by reason.")
    bytes_in: Count = Field(default=0, description="Bytes that it sent.")
    reconnects: Count = Field(default=0, description="How often its connection failed.")
    packets_lost: Count = Field(default=0, description="Packets that never came or were broken.")
    fps: NonNegative = Field(default=0.0, description="Frames per second that it sends now.")
    analysed_fps: NonNegative = Field(default=0.0, description="Frames per second that are looked at now.")
    motion_ratio: Share | None = Field(
        default=None, description="Share of the looked-at frames in which something moved."
    )
    cpu_s: NonNegative = Field(default=0.0, description="CPU seconds of its own threads.")
    recorded_bytes: Count = Field(default=0, description="Bytes recorded.")
    latency: dict[Stage, Latency] = Field(default={}, description="How long each stage took.")


class ModelMetrics(MessagePart):
    """One model since the instance's start."""

    model_id: str = Field(description="Its name.")
    inferences: Count = Field(description="Pictures that it has looked at.")
    failures: Count = Field(default=0, description="Inferences that failed.")
    frames: Count = Field(default=0, description="Frames that went into them.")
    occupancy: Share | None = Field(default=None, description="Share of the pictures' area that was used.")
    inference_ms: Latency | None = Field(default=None, description="How long an inference took.")


class QueueMetrics(MessagePart):
    """One queue now, and what it has dropped."""

    name: str = Field(description="What it leads to.")
    depth: Count = Field(description="What waits in it now.")
    capacity: Count = Field(description="What may wait.")
    dropped: Count = Field(default=0, description="What gave way.")


class DiskMetrics(MessagePart):
    """The disk of the recordings."""

    total_bytes: Count = Field(description="Size of the disk.")
    free_bytes: Count = Field(description="What is free.")
    recordings_bytes: Count | None = Field(default=None, description="What the recordings take.")
    forecast_days: NonNegative | None = Field(
        default=None, description="How many days of recordings fit at the rate of the last day."
    )


class InstanceMetrics(Message):
    """Counters of an instance since its start."""

    instance_id: str = Field(description="Name of the instance.")
    timestamp: AwareUtc = Field(description="When this was counted, aware UTC.")
    uptime_s: NonNegative = Field(description="Seconds since its start.")
    cpu_s: NonNegative = Field(default=0.0, description="CPU seconds of the process.")
    cpu_percent: NonNegative = Field(default=0.0, description="Of one core, since the metrics before.")
    rss_bytes: Count = Field(default=0, description="Resident memory.")
    threads: Count = Field(default=0, description="Threads of the process.")
    events_lost: Count = Field(default=0, description="Events that no sink took.")
    cameras: tuple[CameraMetrics, ...] = Field(default=(), description="Its cameras.")
    models: tuple[ModelMetrics, ...] = Field(default=(), description="Its models.")
    queues: tuple[QueueMetrics, ...] = Field(default=(), description="Its queues.")
    disk: DiskMetrics | None = Field(default=None, description="The disk of the recordings, where there are some.")

    @property
    def subject(self) -> str:
        """The instance, for errors."""
        return f"instance {self.instance_id}"
