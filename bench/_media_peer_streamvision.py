"""The peer: streamvision's pipeline with a model that does nothing. Runs in a venv of its own, without this package.

Started by `media.py --peer-venv`; see `_media_peer.py`. Prints `ready` once every camera gave a picture.
"""

import argparse
import signal
import sys
import threading
from typing import Any

from streamvision.stream.pipeline import InferencePipeline  # type: ignore[import-not-found]  # of the peer's venv


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-fps", type=float, required=True, help="of all cameras together, as this pipeline has it")
    parser.add_argument("uris", nargs="+")
    options = parser.parse_args()
    seen: set[int] = set()
    is_ready = threading.Event()

    def on_video_frame(frames: list[Any]) -> list[dict[str, Any]]:
        seen.update(frame.source_id or 0 for frame in frames)
        if len(seen) == len(options.uris) and not is_ready.is_set():
            is_ready.set()
            print("ready", flush=True)
        return [{} for _ in frames]

    pipeline = InferencePipeline.init_with_custom_logic(
        video_reference=options.uris if len(options.uris) > 1 else options.uris[0],
        on_video_frame=on_video_frame,
        on_prediction=lambda *_: None,
        max_fps=options.max_fps,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    pipeline.start(use_main_thread=False)
    pipeline.join()


if __name__ == "__main__":
    main()
