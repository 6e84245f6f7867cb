"""MOTA, IDF1, HOTA and id switches as TrackEval counts them. Runs in the peer's venv, without this package.

Started by `tracking.py --peer-venv`; see `_tracking_peer.py`. Its readers of data sets are passed by: they need the
folders of MOTChallenge, and do nothing else for MOT15 than drop the truth of flag 0.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trackeval.metrics import CLEAR, HOTA, Identity  # type: ignore[import-not-found]  # of the peer's venv

Rows = NDArray[np.float64]
"""(n, 6) frame, identity, left, top, right, bottom."""


def main() -> None:
    """Read `truth, tracks, n_frames`; print the figures as JSON, shares in percent."""
    with np.load(Path(sys.argv[1])) as saved:
        data = sequence(saved["truth"], saved["tracks"], int(saved["n_frames"]))
    clear = CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    identity = Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    hota = HOTA().eval_sequence(data)
    figures = {"mota": clear["MOTA"] * 100, "idf1": identity["IDF1"] * 100, "hota": hota["HOTA"].mean() * 100}
    print(json.dumps({**{name: float(value) for name, value in figures.items()}, "idsw": float(clear["IDSW"])}))


def sequence(truth: Rows, tracks: Rows, n_frames: int) -> dict[str, Any]:
    """Return what TrackEval's metrics read: ids from 0, and the IoU of all pairs, frame by frame."""
    truth, n_truth_ids = numbered(truth)
    tracks, n_track_ids = numbered(tracks)
    by_frame = [(truth[truth[:, 0] == i], tracks[tracks[:, 0] == i]) for i in range(n_frames)]
    return {
        "gt_ids": [there[:, 1].astype(int) for there, _ in by_frame],
        "tracker_ids": [found[:, 1].astype(int) for _, found in by_frame],
        "similarity_scores": [iou(there[:, 2:], found[:, 2:]) for there, found in by_frame],
        "num_timesteps": n_frames,
        "num_gt_ids": n_truth_ids,
        "num_tracker_ids": n_track_ids,
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(tracks),
    }


def numbered(rows: Rows) -> tuple[Rows, int]:
    known, index = np.unique(rows[:, 1], return_inverse=True)
    return np.column_stack([rows[:, 0], index, rows[:, 2:]]), len(known)


def iou(first: Rows, second: Rows) -> Rows:
    left_top = np.maximum(first[:, None, :2], second[None, :, :2])
    size = np.maximum(np.minimum(first[:, None, 2:], second[None, :, 2:]) - left_top, 0)
    inner = size.prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    shares: Rows = inner / np.maximum(areas[0][:, None] + areas[1] - inner, 1e-9)
    return shares


if __name__ == "__main__":
    main()
