"""What a soak was, and what is said about it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench._event_log import counts_per_bin, longest_silence, wait_after
from bench._flatness import Sample, ends, growth_percent, trend_percent
from bench._rows import Row

N_CAMERAS = 4
DROPPED_CAMERA = 1
WARM_UP_SHARE = 0.25
MAX_GROWTH_PERCENT = 2.0
MAX_RECOVERY_S = 15.0
JUDGED = ("processor", "wall")
"""The simulator is measured too, but nothing is promised about it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long it takes and what goes wrong how often, in seconds."""

    run_s: float
    sample_every_s: float = 10.0
    drop_every_s: float = 97.0
    server_restart_every_s: float = 600.0
    server_away_s: float = 5.0
    broker_restart_every_s: float = 420.0
    broker_away_s: float = 5.0
    count_every_s: float = 60.0
    is_quick: bool = False
    """Too short to judge memory: figures without verdict."""

    @property
    def warm_up_s(self) -> float:
        return self.run_s * WARM_UP_SHARE


QUICK = Plan(
    run_s=40,
    sample_every_s=1,
    drop_every_s=9,
    server_restart_every_s=25,
    server_away_s=2,
    broker_restart_every_s=15,
    broker_away_s=2,
    count_every_s=10,
    is_quick=True,
)


@dataclass(slots=True)
class Record:
    """What happened; moments are monotonic seconds."""

    start_s: float
    end_s: float = 0.0
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    """CPU seconds that each process used after the warm-up."""
    broker_returns: list[float] = field(default_factory=list)
    server_returns: list[float] = field(default_factory=list)
    arrivals: dict[int, list[float]] = field(default_factory=dict)
    """Events by camera."""
    n_boxes: int = 0
    n_invalid: int = 0
    """Messages that were no event."""
    viewer_bytes: list[int] = field(default_factory=list)
    """Of the fast and of the slow viewer of the wall's page."""
    viewer_connections: int = 0


def judge(plan: Plan, record: Record) -> list[Row]:
    """Return the figures of a run."""
    rows: list[Row] = []
    for name, samples in record.samples.items():
        after = [sample for sample in samples if sample.at_s >= plan.warm_up_s]
        rows += _memory_rows(name, after, has_verdict=name in JUDGED and not plan.is_quick)
        rows += _count_rows(name, after, has_verdict=name in JUDGED)
        rows.append(Row(f"soak.{name}.cpu", round(record.cpu_s[name] / (plan.run_s - plan.warm_up_s), 3), "s/s"))
    rows += recovery_rows("broker", record.broker_returns, record)
    rows += recovery_rows("camera_server", record.server_returns, record)
    rows += _flow_rows(plan, record)
    for name, n_bytes in zip(("fast", "slow"), record.viewer_bytes, strict=True):
        mb_per_s = n_bytes / 1e6 / (record.end_s - record.start_s)
        rows.append(Row(f"soak.viewer.{name}", round(mb_per_s, 3), "MB/s", "> 0", None, n_bytes > 0))
    rows.append(Row("soak.viewer.connections", record.viewer_connections, ""))
    return rows


def _memory_rows(name: str, after: Sequence[Sample], *, has_verdict: bool) -> list[Row]:
    rss, uss = [sample.rss_mb for sample in after], [sample.uss_mb for sample in after]
    growth = growth_percent(rss)
    times_s = [sample.at_s for sample in after]
    target, ok = (f"< {MAX_GROWTH_PERCENT:g}", growth < MAX_GROWTH_PERCENT) if has_verdict else ("", None)
    return [
        Row(f"soak.{name}.rss", round(ends(rss)[1], 1), "MB"),
        Row(f"soak.{name}.rss_growth", round(growth, 2), "%", target, None, ok),
        Row(f"soak.{name}.rss_trend", round(trend_percent(times_s, rss), 2), "%"),
        Row(f"soak.{name}.uss_growth", round(growth_percent(uss), 2), "%"),
    ]


def _count_rows(name: str, after: Sequence[Sample], *, has_verdict: bool) -> list[Row]:
    rows = []
    for what, values in (
        ("threads", [sample.n_threads for sample in after]),
        ("files", [sample.n_fds for sample in after]),
    ):
        first, last = ends(values)
        target, ok = (f"<= {first:g}", last <= first) if has_verdict else ("", None)
        rows.append(Row(f"soak.{name}.{what}", last, "", target, None, ok))
    return rows


def recovery_rows(what: str, returns: Sequence[float], record: Record) -> list[Row]:
    """Return how long events of each camera took after the return of the broker or the cameras' server.

    A return so close to the end that the time was too short to judge is left out.
    """
    counted = [moment_s for moment_s in returns if moment_s + MAX_RECOVERY_S < record.end_s]
    waits = [wait_after(arrivals, moment_s) for moment_s in counted for arrivals in record.arrivals.values()]
    came = [wait_s for wait_s in waits if wait_s is not None]
    name = f"soak.{what}"
    rows = [Row(f"{name}.restarts", len(counted), "", "> 0", None, len(counted) > 0)]
    if came:
        is_quick_enough = max(came) < MAX_RECOVERY_S
        rows.append(Row(f"{name}.next_event_p50", round(median(came), 2), "s"))
        rows.append(
            Row(f"{name}.next_event_max", round(max(came), 2), "s", f"< {MAX_RECOVERY_S:g}", None, is_quick_enough)
        )
    rows.append(Row(f"{name}.never_again", len(waits) - len(came), "", "0", None, len(came) == len(waits)))
    return rows


def _flow_rows(plan: Plan, record: Record) -> list[Row]:
    start_s, end_s = record.start_s, record.end_s
    counts = [
        count
        for arrivals in record.arrivals.values()
        for count in counts_per_bin(arrivals, start_s, end_s, plan.count_every_s)
    ]
    silence_s = {source: longest_silence(arrivals, start_s, end_s) for source, arrivals in record.arrivals.items()}
    worst_s = max(silence_s.values())
    limit_s = max(plan.broker_away_s, plan.server_away_s) + MAX_RECOVERY_S
    unit = f"/{plan.count_every_s:g} s"
    return [
        Row("soak.events.total", sum(len(arrivals) for arrivals in record.arrivals.values()), ""),
        Row("soak.events.boxes", record.n_boxes, ""),
        Row("soak.events.invalid", record.n_invalid, "", "0", None, record.n_invalid == 0),
        Row("soak.events.median_per_camera", median(counts), unit),
        Row("soak.events.least_per_camera", min(counts), unit, "> 0", None, min(counts) > 0),
        Row("soak.events.longest_silence", round(worst_s, 2), "s", f"< {limit_s:g}", None, worst_s < limit_s),
        Row(f"soak.events.longest_silence_camera_{DROPPED_CAMERA}", round(silence_s[DROPPED_CAMERA], 2), "s"),
    ]
