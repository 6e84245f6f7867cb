"""Our decoding of cameras, without inference: motion on every frame, five frames a second as small BGR pictures.

Started by `media.py`. Prints `ready` once every camera gave a picture.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._programs import end_on_sigterm

from nvr.media.adaptive_decoder import DecodeSettings
from nvr.media.freshest import FreshestFrames
from nvr.media.pixels import shrink_to_bgr
from nvr.media.stream import CameraStream

MODEL_SIZE_PX = 416
"""Of YOLOX-Nano: the longer side of what is handed over."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-fps", type=float, required=True)
    parser.add_argument("uris", nargs="+")
    options = parser.parse_args()
    end_on_sigterm()
    frames = FreshestFrames()
    decode = DecodeSettings(policy="adaptive", max_fps=options.max_fps)
    streams = [CameraStream(number, uri, decode=decode, sink=frames) for number, uri in enumerate(options.uris)]
    for stream in streams:
        stream.start()
    seen: set[int] = set()
    try:
        while True:
            for frame in frames.take(limit=len(streams), timeout_s=1.0):
                scale = MODEL_SIZE_PX / max(frame.width, frame.height)
                shrink_to_bgr(frame, round(frame.width * scale), round(frame.height * scale))
                if frame.source_id not in seen:
                    seen.add(frame.source_id)
                    if len(seen) == len(streams):
                        print("ready", flush=True)
    except KeyboardInterrupt:
        for stream in streams:
            stream.stop()


if __name__ == "__main__":
    main()
