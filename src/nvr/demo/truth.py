"""What truly was in each frame that a camera sent, as values and as JSON lines."""

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from nvr.core.errors import ConfigurationError
from nvr.demo.scene import SceneEvent, SceneObject

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """One frame that left a camera."""

    camera: int
    frame_number: int
    """As burnt in: starts again with each round of the loop."""
    captured_at: datetime
    """Aware UTC; rises over all rounds, in showing order."""
    rtp_timestamp: int
    """As sent: 32 bits that wrap."""
    objects: tuple[SceneObject, ...]
    """Empty where the camera sends a file, whose truth nobody knows."""

    def to_json(self) -> str:
        """Return one line."""
        return json.dumps(
            {
                "camera": self.camera,
                "frame_number": self.frame_number,
                "captured_at": self.captured_at.isoformat(timespec="microseconds"),
                "rtp_timestamp": self.rtp_timestamp,
                "objects": [
                    {
                        "id": thing.object_id,
                        "class_name": thing.class_name,
                        "xyxy_px": [round(edge, 1) for edge in thing.xyxy_px],
                        "inside_fraction": round(thing.inside_fraction, 3),
                    }
                    for thing in self.objects
                ],
            },
            separators=(",", ":"),
        )


class TruthLog:
    """A file of JSON lines, one per frame sent; thread-safe."""

    def __init__(self, path: Path) -> None:
        """Create or empty the file; ConfigurationError where that cannot be."""
        try:
            self._file = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise ConfigurationError(f"{path}: the truth cannot be written there: {error.strerror}") from error
        self._lock = threading.Lock()

    def write(self, truth: FrameTruth) -> None:
        """Append one line; nothing after `close`."""
        with self._lock:
            if self._file.closed:
                return
            try:
                self._file.write(truth.to_json() + "\n")
            except OSError as error:  # a full disk ends the log, not the cameras
                logger.error("%s: the truth log ends here: %s", self._file.name, error)  # noqa: TRY400 - the trace says no more
                self._file.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def write_events(path: Path, events: Sequence[Sequence[SceneEvent]]) -> None:
    """Write one JSON line for each event of each camera; ConfigurationError where that cannot be."""
    try:
        with path.open("w", encoding="utf-8") as file:
            for camera, of_camera in enumerate(events):
                for event in of_camera:
                    file.write(json.dumps({"camera": camera, **asdict(event)}, separators=(",", ":")) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{path}: the events cannot be written there: {error.strerror}") from error
