"""The processor as it is, with a detector that does nothing: what is left is ingest, decoding and recording.

Started by `media.py`. Prints `ready` once every camera gave a frame to the detector, and on SIGUSR1 one line of JSON
with its counters.
"""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._programs import end_on_sigterm

from nvr.app.instance.recording_processor import make_processor
from nvr.config.processor import StreamProcessorConfig
from nvr.config.recording import RecordingConfig
from nvr.detection.detections import Detections, Image

MODEL_SIZE_PX = 416
"""Of YOLOX-Nano: the longer side of what the detector is given."""


class NoDetector:
    """Takes small pictures as a network does, and looks at none."""

    model_id = "none"
    class_names = ()
    canvas_size_px = None
    has_real_batches = False

    def __init__(self, n_cameras: int) -> None:
        self._n_cameras = n_cameras
        self._seen: set[int] = set()

    def input_size_px(self, width: int, height: int) -> tuple[int, int] | None:
        """As `Detector`."""
        scale = MODEL_SIZE_PX / max(width, height)
        return round(width * scale / 2) * 2, round(height * scale / 2) * 2

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        """As `Detector`."""
        new = set(source_ids or ()) - self._seen
        self._seen |= new
        if new and len(self._seen) == self._n_cameras:
            print("ready", flush=True)
        return [Detections.empty() for _ in images]

    def close(self) -> None:
        """As `Detector`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-fps", type=float, required=True)
    parser.add_argument("--recordings", type=Path)
    parser.add_argument("--pre-roll", type=float, default=10.0)
    parser.add_argument("uris", nargs="+")
    options = parser.parse_args()
    end_on_sigterm()
    config = StreamProcessorConfig(stream_uris=options.uris, max_fps=options.max_fps, mqtt_enabled=False)
    recording = RecordingConfig()
    if options.recordings is not None:
        options.recordings.mkdir(exist_ok=True)
        recording = RecordingConfig(root=options.recordings, mode="continuous", pre_roll_s=options.pre_roll)
    processor, _ = make_processor(config, recording, detector=NoDetector(len(options.uris)))
    asked = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: asked.set())
    try:
        processor.start()
        while not processor.join(0.2):
            if asked.is_set():
                asked.clear()
                cameras = processor.report().cameras
                print(json.dumps({"n_asleep": sum(camera.stream.is_asleep for camera in cameras)}), flush=True)
    except KeyboardInterrupt:
        processor.terminate()


if __name__ == "__main__":
    main()
