"""What a processor has done so far, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nvr.events.protocol import TopicKind
from nvr.processor.camera import CameraReport
from nvr.processor.model_slot import ModelStatus
from nvr.processor.model_work import ModelWork
from nvr.tracking.zone_counts import CountsSnapshot


@dataclass(frozen=True, slots=True)
class QueueReport:
    """A queue, and what leads out of it."""

    name: str
    """What it leads to."""
    depth: int
    """What waits now."""
    capacity: int
    """What may wait."""
    dropped: int
    """What gave way."""
    delivered: int = 0
    """What was taken at its other end."""
    failed: int = 0
    """What was not, and is lost."""
    topic: TopicKind | None = None
    """Where it leads to the broker: what is published."""


@dataclass(frozen=True, slots=True)
class ProcessorReport:
    """What a processor has done so far."""

    cameras: tuple[CameraReport, ...]
    analysed_frames: int
    """Those too in which nothing was worth a look."""
    inferences: int
    """Pictures that the models have looked at."""
    detector_failures: int
    lost_events: int
    """Dropped because a sink was slow, or not taken by the broker, the disk or the callback."""
    is_broker_connected: bool
    watchdog_reconnects: int
    """Cameras that were told to begin anew because they showed nothing."""
    detector_hangs: bool
    """Whether the present inference takes longer than the watchdog's timeout."""
    models: tuple[ModelStatus, ...] = ()
    """How each model does."""
    counts: Mapping[int, CountsSnapshot] = field(default_factory=dict)
    """Who is in the zones, came in, and crossed the lines, by source id; cameras without any are left out."""
    works: tuple[ModelWork, ...] = ()
    """What each model has worked, those too that were swapped out."""
    queues: tuple[QueueReport, ...] = ()
    """Those of the models' freshest frames, and one for each way out."""
