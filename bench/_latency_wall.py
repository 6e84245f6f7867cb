"""A wall that also says when the boxes of which frame stood in its picture, and over which frame.

Started by `latency.py`. Each line of `--out`: source, frame id of the event, when, burnt-in number of the picture
that the boxes were drawn on or null.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._programs import end_on_sigterm

from nvr.config.streams import stream_server_uris
from nvr.config.wall import VideoWallConfig
from nvr.core.clock import SystemClock
from nvr.demo.frame_code import read_frame_code
from nvr.events.schema import DetectionEvent
from nvr.media.pixels import Picture
from nvr.wall import VideoWall
from nvr.wall.compositor import GAP_PX
from nvr.wall.layout import GridLayout, Rect


class Reporter:
    """Writes each event once, when it is first in a finished picture."""

    def __init__(self, file: TextIO, tiles: Mapping[int, Rect]) -> None:
        self._file = file
        self._tiles = tiles
        self._clock = SystemClock()
        self._seen: dict[int, int] = {}

    def take(self, picture: Picture, events: Mapping[int, DetectionEvent]) -> None:
        """Called in the wall's thread with each finished picture."""
        now_s = self._clock.now().timestamp()
        for source_id, event in events.items():
            if self._seen.get(source_id) == event.frame_id:
                continue
            self._seen[source_id] = event.frame_id
            tile = self._tiles[source_id]
            number = read_frame_code(picture[tile.y : tile.bottom, tile.x : tile.right])
            line = {"source_id": source_id, "frame_id": event.frame_id, "shown_at_s": now_s, "picture_number": number}
            self._file.write(json.dumps(line) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--stream-server", required=True)
    parser.add_argument("--mqtt-port", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    end_on_sigterm()
    config = VideoWallConfig(
        stream_uris=stream_server_uris(options.stream_server, options.n),
        mqtt_host="127.0.0.1",
        mqtt_port=options.mqtt_port,
    )
    layout = GridLayout(options.n, config.tile_width, config.tile_height, GAP_PX)
    tiles = {source_id: layout.tile(index) for index, source_id in enumerate(config.source_ids)}
    with options.out.open("w", buffering=1) as file:
        wall = VideoWall(config, on_composed=Reporter(file, tiles).take)
        try:
            wall.start()
            wall.join()
        except KeyboardInterrupt:
            wall.stop()


if __name__ == "__main__":
    main()
