"""What a camera costs: CPU of a quiet and of a busy one, of recording, and memory."""

import json
import signal
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from bench._media_peer import StreamvisionVenv
from bench._media_site import Cameras, Site, median_per_stream
from bench._rows import Row

from nvr.media.encode import RateControl

RATE = 5.0
"""Frames per second and camera that are handed to the detector."""
MAX_QUIET_CPU = 0.020
MAX_SHARE_OF_PEER = 1 / 6
MAX_BUSY_RATIO = 1.05
MAX_RECORDING_CPU = 0.004
MAX_CAMERA_MB = 25.0
POLL_S = 1.0
PROCESSOR = "_media_processor.py"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure."""

    rounds: int
    round_s: float
    n_cameras: int
    memory_steps: tuple[int, ...]
    memory_settle_s: float
    """What a ring needs to be full."""
    rate_controls: tuple[RateControl, ...]
    asleep_timeout_s: float


FULL = Effort(5, 20.0, 4, (1, 4, 8), 40.0, ("cbr", "vbr"), 90.0)
QUICK = Effort(2, 3.0, 2, (1, 2), 3.0, ("vbr",), 12.0)


def measure_quiet(effort: Effort, peer: StreamvisionVenv | None, logs: Path | None) -> list[Row]:
    """Return the cost of cameras where nothing happens, and what recording adds to it."""
    rows = []
    for control in effort.rate_controls:
        n = effort.n_cameras
        with Site(Cameras(n, ("quiet",), control), logs) as site:
            folder = site.folder / "recordings"
            programs = {
                "recording": site.start_script(
                    "recording", PROCESSOR, n, "--max-fps", f"{RATE:g}", "--recordings", str(folder)
                ),
                "plain": site.start_script("plain", PROCESSOR, n, "--max-fps", f"{RATE:g}"),
            }
            if peer is not None:
                programs["peer"] = site.start_ready("peer", peer.command(RATE, site.uris(n)))
            n_asleep = _wait_until_asleep(site, programs["recording"], n, effort.asleep_timeout_s)
            used = site.cpu_per_s(programs, rounds=effort.rounds, seconds=effort.round_s)
        rows += quiet_rows(control, used["recording"], used["plain"], used.get("peer"), n)
        rows.append(Row(f"media.quiet.{control}.asleep", n_asleep, "", str(n), None, n_asleep == n))
    return rows


def quiet_rows(
    control: str, recording: Sequence[float], plain: Sequence[float], peer: Sequence[float] | None, n: int
) -> list[Row]:
    """Return the figures of CPU seconds per second in some rounds, each of n streams; pure."""
    ours = median_per_stream(recording, n)
    theirs = None if peer is None else median_per_stream(peer, n)
    added = statistics.median(a - b for a, b in zip(recording, plain, strict=True)) / n
    name = f"media.quiet.{control}"
    rows = [
        Row(f"{name}.cpu", round(ours, 4), "s/s", f"<= {MAX_QUIET_CPU:g}",
            None if theirs is None else round(theirs, 4), ours <= MAX_QUIET_CPU),
        Row(f"{name}.cpu_not_recording", round(median_per_stream(plain, n), 4), "s/s"),
        Row(f"media.recording.{control}.cpu", round(added, 4), "s/s", f"<= {MAX_RECORDING_CPU:g}", None,
            added <= MAX_RECORDING_CPU),
    ]  # fmt: skip
    if theirs is not None:
        share = ours / theirs
        rows.append(Row(f"{name}.share_of_peer", round(share, 3), "", f"<= {MAX_SHARE_OF_PEER:.3f}", None,
                        share <= MAX_SHARE_OF_PEER))  # fmt: skip
    return rows


def measure_busy(effort: Effort, logs: Path | None) -> list[Row]:
    """Return the cost of a camera where something always moves, over that of only decoding it."""
    n = max(1, effort.n_cameras // 2)
    with Site(Cameras(n, ("busy",), "cbr"), logs) as site:
        programs = {
            "ours": site.start_script("ours", "_media_ours.py", n, "--max-fps", f"{RATE:g}"),
            "peer": site.start_script("decode_only", "_media_decode_only.py", n),
        }
        used = site.cpu_per_s(programs, rounds=effort.rounds, seconds=effort.round_s)
    return busy_rows(used["ours"], used["peer"], n)


def busy_rows(ours: Sequence[float], peer: Sequence[float], n: int) -> list[Row]:
    """Return the figures of CPU seconds per second in some rounds, each of n streams; pure."""
    mine, theirs = median_per_stream(ours, n), median_per_stream(peer, n)
    ratio = mine / theirs
    return [
        Row("media.busy.cpu", round(mine, 4), "s/s", "", round(theirs, 4)),
        Row("media.busy.ratio", round(ratio, 3), "", f"<= {MAX_BUSY_RATIO:g}", None, ratio <= MAX_BUSY_RATIO),
    ]


def measure_memory(effort: Effort, logs: Path | None) -> list[Row]:
    """Return the private memory that each further camera takes, with recording and 10 s of pre-roll."""
    samples: list[tuple[int, float]] = []
    with Site(Cameras(max(effort.memory_steps), ("busy",), "cbr"), logs) as site:
        for n in effort.memory_steps:
            options = ("--max-fps", f"{RATE:g}", "--recordings", str(site.folder / f"recordings{n}"))
            process = site.start_script(f"memory{n}", PROCESSOR, n, *options)
            site.settle(effort.memory_settle_s)
            samples.append((n, process.memory_full_info().uss / 1e6))
            site.end(f"memory{n}")
    return memory_rows(samples)


def memory_rows(samples: Sequence[tuple[int, float]]) -> list[Row]:
    """Return the slope of megabytes over cameras; pure."""
    slope, base = statistics.linear_regression([n for n, _ in samples], [mb for _, mb in samples])
    rows = [Row(f"media.memory.{n}_cameras", round(mb, 1), "MB") for n, mb in samples]
    return [
        Row("media.memory.per_camera", round(slope, 1), "MB", f"<= {MAX_CAMERA_MB:g}", None, slope <= MAX_CAMERA_MB),
        Row("media.memory.without_cameras", round(base, 1), "MB"),
        *rows,
    ]


def _wait_until_asleep(site: Site, process: psutil.Process, n: int, timeout_s: float) -> int:
    """Return how many of n cameras sleep, as soon as it is all, else after some time."""
    n_asleep = 0
    for _ in range(round(timeout_s / POLL_S)):
        process.send_signal(signal.SIGUSR1)
        site.settle(POLL_S)
        for line in reversed((site.folder / "recording.log").read_text(encoding="utf-8").splitlines()):
            if line.startswith('{"n_asleep"'):
                n_asleep = int(json.loads(line)["n_asleep"])
                break
        if n_asleep == n:
            return n
    print(f"media: only {n_asleep} of {n} quiet cameras sleep", file=sys.stderr, flush=True)
    return n_asleep
