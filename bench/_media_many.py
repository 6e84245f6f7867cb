"""Sixteen cameras on this machine, one in four of them busy: is anything lost, missed or late?"""

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from bench._media_events import Event, judge_events, share_begun, share_noticed
from bench._media_site import Cameras, Site
from bench._media_tape import packet_times_s
from bench._programs import cpu_s
from bench._rows import Row

FPS = 25
FRAME_S = 1 / FPS
RATE = 5.0
MAX_DRIFT = 1.25
"""The 95th percentile of the last third over that of the first: more is not flat."""
TAIL_S = 3.0
"""What was captured last shall be analysed and recorded."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many cameras, and for how long."""

    cameras: Cameras
    settle_s: float
    """For cameras to fall asleep."""
    seconds: float


FULL = Plan(Cameras(16, ("busy", "sparse", "sparse", "sparse"), scene_s=40.0), 20.0, 120.0)
QUICK = Plan(Cameras(4, ("busy", "sparse", "sparse", "sparse"), scene_s=30.0, size="640x360"), 4.0, 10.0)


@dataclass(slots=True)
class Run:
    """What was sent, analysed and recorded between two moments, wall seconds."""

    start_s: float
    end_s: float
    loop_s: float
    sent: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    """By camera: number in the loop and capture time of each frame."""
    analysed: dict[int, list[tuple[float, float, bool]]] = field(default_factory=dict)
    """By camera: capture time, latency in ms, and whether it was replayed."""
    looked_at: dict[int, list[float]] = field(default_factory=dict)
    """By camera: capture times of the analysed frames that the model saw some of; in the others nothing moved."""
    recorded: dict[int, list[float]] = field(default_factory=dict)
    """By camera: capture times of the packets on the disk, rising."""
    scene_events: dict[int, list[tuple[int, int, str, int]]] = field(default_factory=dict)
    """By camera: first and last frame of each event of the loop, what, and its area."""


def measure_many(plan: Plan, model: str, logs: Path | None) -> list[Row]:
    """Return the figures of a run."""
    with tempfile.TemporaryDirectory(prefix="nvr-bench-many-") as folder, Site(plan.cameras, logs) as site:
        root = Path(folder)
        options = ("--model", model, "--max-fps", f"{RATE:g}", "--recordings", str(root), "--record", "continuous")
        process = site.start_processor("many", plan.cameras.n, *options)
        site.settle(plan.settle_s)
        psutil.cpu_percent()
        start_s, used_s = site.now_s(), cpu_s(process)
        site.settle(plan.seconds)
        end_s, used_s = site.now_s(), cpu_s(process) - used_s
        busy = psutil.cpu_percent()
        site.settle(TAIL_S)
        site.end("many")
        site.stop()
        run = Run(start_s, end_s, plan.cameras.scene_s)
        _read(run, site, root)
    rows = many_rows(run)
    rows.append(Row("media.many.cpu", round(used_s / (end_s - start_s), 3), "s/s"))
    return [*rows, Row("media.many.machine_busy", busy, "%")]


def _read(run: Run, site: Site, root: Path) -> None:
    for line in _lines(site.truth_path):
        run.sent.setdefault(line["camera"], []).append((line["frame_number"], _seconds(line["captured_at"])))
    for line in _lines(site.folder / "many.jsonl"):
        analysed = (_seconds(line["timestamp"]), float(line.get("latency_ms") or 0.0), bool(line.get("replayed")))
        if line["inference_time_ms"] > 0:
            run.looked_at.setdefault(line["source_id"], []).append(analysed[0])
        run.analysed.setdefault(line["source_id"], []).append(analysed)
    for line in _lines(site.events_path):
        areas = sorted(line["areas_px"])
        event = (line["start_frame"], line["end_frame"], line["class_name"], areas[len(areas) // 2])
        run.scene_events.setdefault(line["camera"], []).append(event)
    run.recorded = packet_times_s(root)


def many_rows(run: Run) -> list[Row]:
    """Return the figures of what happened between the two moments; pure."""
    lost = sum(_lost(run, camera) for camera in run.sent)
    n_sent = sum(1 for sent in run.sent.values() for _, at_s in sent if run.start_s <= at_s < run.end_s)
    verdicts = [
        verdict
        for camera, sent in run.sent.items()
        for verdict in judge_events(
            events_in(run, camera, sent), sorted(at_s for at_s, _, _ in run.analysed.get(camera, [])), FRAME_S
        )
    ]
    looked_at = [
        verdict
        for camera, sent in run.sent.items()
        for verdict in judge_events(events_in(run, camera, sent), sorted(run.looked_at.get(camera, [])), FRAME_S)
    ]
    for verdict in verdicts:
        if not verdict.is_noticed:
            print(f"media: missed {verdict.describe()}", file=sys.stderr, flush=True)
    long, short = ([v for v in verdicts if v.is_long is is_long] for is_long in (True, False))
    delays_ms = sorted(1000 * verdict.delay_s for verdict in verdicts if verdict.delay_s is not None)
    return [
        Row("media.many.cameras", len(run.sent), ""),
        Row("media.many.frames_sent", n_sent, ""),
        Row("media.many.frames_lost", lost, "", "0", None, not lost),
        Row("media.many.events", len(verdicts), ""),
        Row(
            "media.many.events_begun",
            round(share_begun(verdicts), 1),
            "%",
            ">= 100",
            None,
            share_begun(verdicts) >= 100,
        ),
        Row("media.many.events_begun_by_model", round(share_begun(looked_at), 1), "%"),
        Row("media.many.events_long", round(share_noticed(long), 1), "%", ">= 100", None, share_noticed(long) >= 100),
        Row("media.many.events_short", round(share_noticed(short), 1), "%", ">= 90", None, share_noticed(short) >= 90),
        *([Row("media.many.first_frame_p95", round(percentile(delays_ms, 0.95), 1), "ms")] if delays_ms else []),
        *_latency_rows(run),
    ]


def events_in(run: Run, camera: int, sent: Sequence[tuple[int, float]]) -> list[Event]:
    """Return the events of a camera that happened between the two moments, at the times when they did."""
    found = []
    for first, last, what, area_px in run.scene_events.get(camera, []):
        for number, at_s in sent:
            end_s = at_s + (last - first) * FRAME_S
            if number == first and first > 0 and run.start_s <= at_s and end_s < run.end_s:
                found.append(Event(at_s, end_s, f"camera {camera}: {what}", area_px))
    return found


def _lost(run: Run, camera: int) -> int:
    """Count frames that were sent and are not on the disk; times may differ by half a frame."""
    recorded = {round(at_s / FRAME_S) for at_s in run.recorded.get(camera, [])}
    near = recorded | {slot + step for slot in recorded for step in (-1, 1)}
    expected = [at_s for _, at_s in run.sent[camera] if run.start_s <= at_s < run.end_s]
    n_recorded = sum(
        run.start_s - FRAME_S / 2 <= at_s < run.end_s - FRAME_S / 2 for at_s in run.recorded.get(camera, [])
    )
    missing = sum(round(at_s / FRAME_S) not in near for at_s in expected)
    return max(missing, len(expected) - n_recorded - 1)


def _latency_rows(run: Run) -> list[Row]:
    live = sorted(
        (at_s, latency_ms)
        for of_camera in run.analysed.values()
        for at_s, latency_ms, is_replayed in of_camera
        if not is_replayed and run.start_s <= at_s < run.end_s
    )
    third = (run.end_s - run.start_s) / 3
    first = [latency_ms for at_s, latency_ms in live if at_s < run.start_s + third]
    last = [latency_ms for at_s, latency_ms in live if at_s >= run.end_s - third]
    rows = [Row("media.many.analysed", len(live), "")]
    if not first or not last:
        return rows
    drift = percentile(last, 0.95) / percentile(first, 0.95)
    return [
        *rows,
        Row("media.many.latency_p50", round(percentile([ms for _, ms in live], 0.5), 1), "ms"),
        Row("media.many.latency_p95_first", round(percentile(first, 0.95), 1), "ms"),
        Row("media.many.latency_p95_last", round(percentile(last, 0.95), 1), "ms"),
        Row("media.many.latency_drift", round(drift, 3), "", f"<= {MAX_DRIFT:g}", None, drift <= MAX_DRIFT),
    ]


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value below which that share of the values is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        print(f"media: {path.name} is missing", file=sys.stderr, flush=True)
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
