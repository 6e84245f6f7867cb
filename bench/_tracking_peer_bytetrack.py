"""The peer: `trackers`' ByteTrack with its defaults. Runs in a venv of its own, without this package.

Started by `tracking.py --peer-venv`; see `_tracking_peer.py`. It is told no times: with them, on these videos, it loses
its tracks more often.
"""

import sys
import time
from pathlib import Path

import numpy as np
import supervision as sv  # type: ignore[import-not-found]  # of the peer's venv
from trackers import ByteTrackTracker  # type: ignore[import-not-found]  # of the peer's venv


def main() -> None:
    """Read `frame, xyxy_px, confidence, class_id, n_frames`; write `track_id` of each box and `ms` of each frame."""
    source, target = map(Path, sys.argv[1:])
    with np.load(source) as saved:
        frame, xyxy_px, confidence = saved["frame"], saved["xyxy_px"], saved["confidence"]
        n_frames = int(saved["n_frames"])
    tracker = ByteTrackTracker()
    track_id = np.zeros(len(frame), np.int64)
    ms = np.zeros(n_frames)
    for number in range(n_frames):
        index = np.flatnonzero(frame == number)
        # the class carries the place, as the order may change
        found = sv.Detections(xyxy=xyxy_px[index], confidence=confidence[index], class_id=index)
        start_s = time.thread_time()
        answer = tracker.update(found)
        ms[number] = (time.thread_time() - start_s) * 1e3
        if len(answer):
            track_id[answer.class_id] = np.where(answer.tracker_id >= 0, answer.tracker_id + 1, 0)
    np.savez(target, track_id=track_id, ms=ms)


if __name__ == "__main__":
    main()
