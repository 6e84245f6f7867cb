"""Does a sleeping camera wake up in time? Every event of clips whose truth is known, coded as cameras do."""

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench._media_clips import (
    Clip,
    ClipStore,
    CodedClip,
    Coding,
    load_cars,
    load_pets,
    original_clip,
    scene_clip,
    spliced_clip,
)
from bench._media_cutouts import Material
from bench._media_events import Verdict, judge_events, share_noticed
from bench._rows import Row

from nvr.core.errors import TransientError
from nvr.media.adaptive_decoder import DecodePolicy, DecodeSettings
from nvr.media.frame import Frame
from nvr.media.packet_file import default_cache_dir
from nvr.media.stream import CameraStream, IngestSettings, StreamState

RATE = 5.0
"""Analysed frames per second."""
TIMEOUT_S = 600.0
CODINGS = tuple(Coding(control, gop_s) for control in ("cbr", "vbr") for gop_s in (1.0, 2.0, 4.0))
QUICK_CODINGS = (Coding("cbr", 2.0), Coding("vbr", 2.0))
NEEDED_SHORT = 90.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one clip in one coding came to."""

    source: str
    coding: Coding
    clip: CodedClip
    verdicts: list[Verdict]
    decoded_share: float
    """Decoded frames of all: what the sleep saves."""
    peer: list[Verdict]
    """The same by key frames alone."""


class Collector:
    """Takes the frames that would be analysed, and remembers their media time."""

    def __init__(self) -> None:
        self.times_s: list[float] = []

    def put(self, frame: Frame) -> None:
        """Called in the decoding thread."""
        if frame.pts is not None and frame.time_base is not None:
            self.times_s.append(float(frame.pts * frame.time_base))

    def wait_until_taken(self, source_id: int, timeout_s: float) -> bool:  # noqa: ARG002 - as frame sinks have it
        """Every frame is taken at once."""
        return True


def measure_recall(assets: Path, *, is_quick: bool) -> list[Row]:
    """Return the figures; the missed events are told on standard error."""
    store = ClipStore(default_cache_dir().parent / "bench")
    codings = QUICK_CODINGS if is_quick else CODINGS
    outcomes = []
    for source, name, make in _sources(assets, is_quick=is_quick):
        for coding, clip in zip(codings, store.code(name, make, codings).values(), strict=True):
            outcomes.append(_run(source, coding, clip))
            _tell_missed(outcomes[-1])
    return recall_rows(outcomes)


def _sources(assets: Path, *, is_quick: bool) -> list[tuple[str, str, Callable[[], Clip]]]:
    def scene(camera: int, seconds: float, size: tuple[int, int]) -> tuple[str, str, Callable[[], Clip]]:
        name = f"scene-{camera}-{seconds:g}-{size[0]}x{size[1]}"
        return "simulator", name, lambda: scene_clip(camera, seconds, size)

    if is_quick:
        return [scene(0, 60.0, (640, 360))]
    found = [scene(camera, 240.0, (1280, 720)) for camera in (0, 1)]
    cars, pets = assets / "videos" / "car-detection.mp4", assets / "videos" / "PETS09-S2L1"
    if cars.is_file():
        found += _real("cars", lambda: load_cars(cars))
    if pets.is_dir():
        found += _real("pets", lambda: load_pets(pets))
    return found


def _real(source: str, load: Callable[[], tuple[Path, Material]]) -> list[tuple[str, str, Callable[[], Clip]]]:
    kept: list[tuple[Path, Material]] = []

    def material() -> tuple[Path, Material]:
        if not kept:
            kept.append(load())
        return kept[0]

    return [
        (source, f"{source}-original", lambda: original_clip(source, *material())),
        (source, f"{source}-spliced-300", lambda: spliced_clip(source, material()[1], 300.0, seed=1)),
    ]


def _run(source: str, coding: Coding, clip: CodedClip) -> Outcome:
    verdicts, decoded_share = _play(clip, "adaptive")
    peer, _ = _play(clip, "keyframes")
    return Outcome(source, coding, clip, verdicts, decoded_share, peer)


def _play(clip: CodedClip, policy: DecodePolicy) -> tuple[list[Verdict], float]:
    collector = Collector()
    stream = CameraStream(
        0,
        str(clip.path),
        settings=IngestSettings(file_pace="fast"),
        decode=DecodeSettings(policy=policy, max_fps=RATE, is_lossless=True),
        sink=collector,
    )
    stream.start()
    waiting = threading.Event()
    for _ in range(round(TIMEOUT_S / 0.05)):
        if stream.is_finished():
            break
        waiting.wait(0.05)
    stats, state = stream.stats, stream.state
    stream.stop()
    if state is not StreamState.ENDED:
        raise TransientError(f"{clip.name}: ended as {state} ({stats.last_error})")
    times_s = sorted(set(collector.times_s))
    return judge_events(clip.events, times_s, clip.frame_s), stats.frames / max(1, stats.demuxed.packets)


def _tell_missed(outcome: Outcome) -> None:
    for verdict in outcome.verdicts:
        if not verdict.is_noticed:
            event = verdict.event
            delay = "never" if verdict.delay_s is None else f"after {verdict.delay_s:.2f} s"
            print(
                f"media: missed in {outcome.clip.name}: {event.what} at {event.start_s:.2f} s for "
                f"{event.length_s(outcome.clip.frame_s):.2f} s, {event.area_px} px: {delay}, gap {verdict.gap_s:.2f} s",
                file=sys.stderr,
                flush=True,
            )


def recall_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return the share of noticed events: all together, by source and by coding, and what is decoded for it. Pure."""
    rows = []
    all_ours = [verdict for outcome in outcomes for verdict in outcome.verdicts]
    all_theirs = [verdict for outcome in outcomes for verdict in outcome.peer]
    for name, is_long, needed in (("long", True, 100.0), ("short", False, NEEDED_SHORT)):
        ours = [verdict for verdict in all_ours if verdict.is_long is is_long]
        theirs = [verdict for verdict in all_theirs if verdict.is_long is is_long]
        share = share_noticed(ours)
        rows.append(Row(f"media.recall.{name}", round(share, 1), "%", f">= {needed:g}",
                        round(share_noticed(theirs), 1), share >= needed))  # fmt: skip
        rows.append(Row(f"media.recall.{name}.events", len(ours), ""))
        rows.append(Row(f"media.recall.{name}.missed", sum(not verdict.is_noticed for verdict in ours), ""))
    for source in dict.fromkeys(outcome.source for outcome in outcomes):
        rows += _group_rows(f"media.recall.{source}", [outcome for outcome in outcomes if outcome.source == source])
    for coding in dict.fromkeys(outcome.coding for outcome in outcomes):
        rows += _group_rows(f"media.recall.{coding.name}", [o for o in outcomes if o.coding == coding])
    return rows


def _group_rows(name: str, outcomes: Sequence[Outcome]) -> list[Row]:
    ours = [verdict for outcome in outcomes for verdict in outcome.verdicts]
    theirs = [verdict for outcome in outcomes for verdict in outcome.peer]
    decoded = sum(outcome.decoded_share for outcome in outcomes) / len(outcomes)
    return [
        Row(name, round(share_noticed(ours), 1), "%", "", round(share_noticed(theirs), 1)),
        Row(f"{name}.decoded", round(100 * decoded, 1), "%"),
    ]
