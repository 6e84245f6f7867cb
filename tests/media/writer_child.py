"""Writes packets of a video to a file, says so and waits to be killed: for `test_fragment_writer`."""

import json
import sys
from pathlib import Path

from nvr.media.fragment_writer import FragmentWriter
from tests.media.coded_media import read_media

source, target, count = sys.argv[1:]
media = read_media(Path(source))
with Path(target).open("wb", buffering=0) as file:
    writer = FragmentWriter(file, media.video, media.audio)
    for packet in media.packets[: int(count)]:
        writer.write(packet)
    sys.stdout.write(json.dumps({"media_end_s": writer.media_end_s}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
