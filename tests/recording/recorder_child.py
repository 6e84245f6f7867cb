"""Record packets of a camera until somebody kills this process; says after each picture that the recorder has it."""

import sys
from functools import partial
from pathlib import Path

from nvr.recording.segmenter import RecorderSettings
from tests.recording.camera import ROLLS, Camera
from tests.recording.packets import camera_packets
from tests.waiting import wait_until


def has_written(camera: Camera, count: int) -> bool:
    return camera.written >= count


def main() -> None:
    """Record into the folder that the first argument names."""
    camera = Camera(Path(sys.argv[1]), packets=camera_packets(200), settings=RecorderSettings(plan=ROLLS)).start()
    for number in range(200):
        camera.send(1)
        if number % 5 == 4:
            wait_until(partial(has_written, camera, number + 1), "the packets are written")
            sys.stdout.write(f"{number + 1}\n")
            sys.stdout.flush()
    sys.stdin.read()


main()
