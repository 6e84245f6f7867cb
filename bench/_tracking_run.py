"""Track what was seen, by us and by the peer, and say how well."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from bench._rows import Row
from bench._tracking_peer import TrackersVenv
from bench._tracking_videos import Seen, Truth
from numpy.typing import NDArray

from nvr.tracking.association import iou_matrix
from nvr.tracking.tracker import Tracker

MEASURES = {"mota": "%", "idf1": "%", "hota": "%", "idsw": ""}


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """The ids of all boxes of a video, frame by frame, and the CPU time."""

    track_ids: list[NDArray[np.int64]]
    """0 for a box without one."""
    ms: list[float]
    """Of each update."""


def track_ours(seen: Seen) -> Tracked:
    """Follow what was seen with the product's tracker and its defaults."""
    tracker = Tracker(1)
    track_ids, ms = [], []
    for captured_s, found in zip(seen.captured_s, seen.detections, strict=True):
        start_s = time.thread_time()
        ids = tracker.update(found.xyxy_px, found.confidence, found.class_id, captured_s, size_px=seen.size_px)
        ms.append((time.thread_time() - start_s) * 1e3)
        track_ids.append(ids)
    return Tracked(track_ids, ms)


def track_peer(seen: Seen, peer: TrackersVenv, folder: Path) -> Tracked:
    """Follow the same with the peer."""
    counts = [len(found) for found in seen.detections]
    source = folder / "detections.npz"
    np.savez(
        source,
        frame=np.repeat(np.arange(len(counts)), counts),
        xyxy_px=np.concatenate([found.xyxy_px for found in seen.detections]),
        confidence=np.concatenate([found.confidence for found in seen.detections]),
        n_frames=len(counts),
    )
    with np.load(peer.track(source)) as answer:
        return Tracked(np.split(answer["track_id"], np.cumsum(counts)[:-1]), answer["ms"].tolist())


def compare(
    name: str, seen: Seen, truth: Truth, peer: TrackersVenv, folder: Path, *, is_promised: bool = True
) -> list[Row]:
    """Return one row a measure: ours beside the peer's on the same detections, with or without a target."""
    tracked = {"ours": track_ours(seen), "peer": track_peer(seen, peer, folder)}
    figures = {who: peer.score(_save(seen, truth, what, folder / f"{who}.npz")) for who, what in tracked.items()}
    rows = []
    for measure, unit in MEASURES.items():
        ours, theirs = (round(figures[who][measure], 1) for who in ("ours", "peer"))
        is_met = ours <= theirs if measure == "idsw" else ours >= theirs
        target = "<= peer" if measure == "idsw" else ">= peer"
        promise = (target, theirs, is_met) if is_promised else ("", theirs, None)
        rows.append(Row(f"tracking.{name}.{measure}", ours, unit, *promise))
    told = {who: 100 * told_share(seen, truth, what) for who, what in tracked.items()}
    cpu_ms = {who: median(what.ms) for who, what in tracked.items()}
    rows.append(Row(f"tracking.{name}.told", round(told["ours"], 1), "%", "", round(told["peer"], 1)))
    rows.append(Row(f"tracking.{name}.cpu", round(cpu_ms["ours"], 3), "ms", "", round(cpu_ms["peer"], 3)))
    return rows


def told_share(seen: Seen, truth: Truth, tracked: Tracked) -> float:
    """Return how many of the detections of a true person carry an id: what waiting for confirmation costs."""
    n_found, n_told = 0, 0
    for number, (found, ids) in enumerate(zip(seen.detections, tracked.track_ids, strict=True)):
        there = truth.rows[truth.rows[:, 0] == number, 2:]
        overlap = iou_matrix(found.xyxy_px.astype(np.float64), there)
        is_person = (overlap >= 0.5).any(axis=1) if len(there) else np.zeros(len(found), bool)
        n_found += int(is_person.sum())
        n_told += int((is_person & (ids > 0)).sum())
    return n_told / max(n_found, 1)


def count_false(seen: Seen, class_id: int) -> int:
    """Return how many confirmed tracks of a class our tracker makes of a video that shows none."""
    tracker = Tracker(1)
    for captured_s, found in zip(seen.captured_s, seen.detections, strict=True):
        tracker.update(found.xyxy_px, found.confidence, found.class_id, captured_s, size_px=seen.size_px)
    tracker.reset()
    return sum(track.class_id == class_id for track in tracker.take_ended())


def _save(seen: Seen, truth: Truth, tracked: Tracked, path: Path) -> Path:
    rows = [
        np.column_stack([np.full(int((ids > 0).sum()), number), ids[ids > 0], found.xyxy_px[ids > 0]])
        for number, (found, ids) in enumerate(zip(seen.detections, tracked.track_ids, strict=True))
    ]
    np.savez(path, truth=truth.rows, tracks=np.concatenate(rows), n_frames=len(seen.detections))
    return path
