"""A processor that was started, with what belongs to it."""

from dataclasses import dataclass

from nvr.control.metrics import ProcessorMeter
from nvr.processor.stream_processor import StreamProcessor
from nvr.recording.service import RecordingService


@dataclass(frozen=True, slots=True)
class Running:
    """A processor that was started, with what records its cameras and what counts for both."""

    processor: StreamProcessor
    recorder: RecordingService | None
    meter: ProcessorMeter
