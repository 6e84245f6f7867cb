from bench._flatness import Sample
from bench._rows import Row
from bench._soak_rows import N_CAMERAS, Plan, Record, judge

PLAN = Plan(run_s=3600)


def record(
    *,
    last_rss_mb: float = 200.0,
    last_threads: int = 12,
    last_event_s: float = 3600.0,
    returns: tuple[float, ...] = (600.0,),
) -> Record:
    """An hour that begins at 0, with five events a second of each camera, except for 8 s after each return."""
    times = [10.0 * i for i in range(361)]

    def sample(at_s: float) -> Sample:
        is_warm, is_late = at_s >= 900, at_s >= 3000
        return Sample(
            at_s=at_s,
            rss_mb=last_rss_mb if is_late else 200.0 if is_warm else 100.0,
            uss_mb=100.0,
            n_threads=last_threads if is_late else 12,
            n_fds=15,
        )

    arrivals = [
        moment / 5 for moment in range(int(last_event_s * 5)) if not any(at <= moment / 5 < at + 8 for at in returns)
    ]
    return Record(
        start_s=0.0,
        end_s=3600.0,
        samples={name: [sample(at_s) for at_s in times] for name in ("simulate", "processor", "wall")},
        cpu_s={"simulate": 27.0, "processor": 270.0, "wall": 270.0},
        broker_returns=list(returns),
        server_returns=list(returns),
        arrivals={source: list(arrivals) for source in range(N_CAMERAS)},
        n_boxes=1,
        viewer_bytes=[1000, 10],
        viewer_connections=2,
    )


def failed(rows: list[Row]) -> set[str]:
    return {row.name for row in rows if row.ok is False}


def value(rows: list[Row], name: str) -> float:
    return next(row.value for row in rows if row.name == name)


def test_a_flat_hour_with_short_outages_passes_whatever_the_warm_up_took() -> None:
    rows = judge(PLAN, record())
    assert failed(rows) == set()
    assert value(rows, "soak.processor.rss_growth") == 0.0
    assert value(rows, "soak.broker.next_event_max") == 8.0
    assert value(rows, "soak.events.longest_silence") == 8.2


def test_memory_that_grows_by_two_percent_after_the_warm_up_fails() -> None:
    assert failed(judge(PLAN, record(last_rss_mb=204.0))) == {"soak.processor.rss_growth", "soak.wall.rss_growth"}


def test_a_thread_more_at_the_end_fails() -> None:
    assert failed(judge(PLAN, record(last_threads=13))) == {"soak.processor.threads", "soak.wall.threads"}


def test_cameras_that_never_come_back_fail() -> None:
    names = failed(judge(PLAN, record(last_event_s=1700.0, returns=(600.0, 1800.0))))
    assert {"soak.broker.never_again", "soak.camera_server.never_again", "soak.events.longest_silence"} <= names
    assert "soak.events.least_per_camera" in names


def test_a_run_in_which_nothing_went_wrong_proves_nothing() -> None:
    assert failed(judge(PLAN, record(returns=()))) == {"soak.broker.restarts", "soak.camera_server.restarts"}


def test_a_return_right_before_the_end_is_not_judged() -> None:
    rows = judge(PLAN, record(returns=(600.0, 3590.0)))
    assert value(rows, "soak.broker.restarts") == 1
    assert "soak.broker.never_again" not in failed(rows)
