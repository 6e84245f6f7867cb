"""A processor that also reads, from the pixels of each frame it analysed, which frame of the camera that was.

Started by `latency.py`. Each line of `--out`: source, frame id, burnt-in number or null, when its event was made.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TextIO

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._programs import end_on_sigterm

from nvr.config.processor import StreamProcessorConfig
from nvr.config.streams import stream_server_uris
from nvr.demo.frame_code import read_frame_code
from nvr.events.schema import DetectionEvent
from nvr.media.frame import Frame
from nvr.processor.stream_processor import StreamProcessor


class Reporter:
    """Writes what became of each frame."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def take(self, event: DetectionEvent, frame: Frame) -> None:
        """Called in the thread of the processor's callback, beside its MQTT sink."""
        planes = frame.planes()
        timestamp_s = event.timestamp.timestamp()
        line = {
            "source_id": event.source_id,
            "frame_id": event.frame_id,
            "number": read_frame_code(frame.to_bgr() if planes is None else planes[0]),
            "timestamp_s": timestamp_s,
            "made_at_s": timestamp_s + (event.latency_ms or 0.0) / 1000,
            "inference_ms": event.inference_time_ms,
            "n_boxes": len(event.detections),
        }
        self._file.write(json.dumps(line) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--stream-server", required=True)
    parser.add_argument("--mqtt-port", type=int, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--max-fps", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    end_on_sigterm()
    config = StreamProcessorConfig(
        stream_uris=stream_server_uris(options.stream_server, options.n),
        model_id=options.model,
        max_fps=options.max_fps,
        mqtt_host="127.0.0.1",
        mqtt_port=options.mqtt_port,
        instance_id="latency",
    )
    with options.out.open("w", buffering=1) as file:
        processor = StreamProcessor(config, on_event=Reporter(file).take)
        try:
            processor.start()
            processor.join()
        except KeyboardInterrupt:
            processor.terminate()


if __name__ == "__main__":
    main()
