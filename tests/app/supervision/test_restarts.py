from hypothesis import given
from hypothesis import strategies as st

from nvr.app.supervision.restarts import (
    CRASH_LOOP_ENDS,
    CRASH_LOOP_WINDOW_S,
    FAILED_DELAY_S,
    MAX_DELAY_S,
    STABLE_S,
    RestartHistory,
)


def crashed(*runs_s: float, pause_s: float = 0.0) -> RestartHistory:
    """Return the history of a process that ran for so long each time."""
    history, now_s = RestartHistory(), 1000.0
    for run_s in runs_s:
        history = history.after_end(started_s=now_s, ended_s=now_s + run_s)
        now_s += run_s + pause_s
    return history


def test_the_first_restart_comes_at_once() -> None:
    assert crashed(1).delay_s(1.0) == 0.0


def test_each_later_restart_waits_longer_up_to_a_bound() -> None:
    delays_s = [crashed(*[20.0] * n).delay_s(1.0) for n in range(2, 12)]
    assert delays_s == sorted(delays_s)
    assert delays_s[0] == 0.5
    assert delays_s[-1] == MAX_DELAY_S


def test_five_ends_within_a_minute_are_a_crash_loop() -> None:
    assert not crashed(*[1.0] * (CRASH_LOOP_ENDS - 1)).is_failed
    assert crashed(*[1.0] * CRASH_LOOP_ENDS).is_failed
    assert not crashed(*[CRASH_LOOP_WINDOW_S / 4 + 1] * CRASH_LOOP_ENDS).is_failed


def test_what_has_failed_is_tried_once_in_a_while_and_stays_failed_until_it_runs_for_long() -> None:
    history = crashed(*[1.0] * CRASH_LOOP_ENDS)
    assert history.delay_s(1.0) == FAILED_DELAY_S
    again = history.after_end(started_s=5000.0, ended_s=5001.0)
    assert again.is_failed
    assert not again.after_end(started_s=6000.0, ended_s=6000.0 + STABLE_S).is_failed


def test_a_run_of_a_minute_resets_the_delay() -> None:
    assert crashed(*[1.0] * 4, STABLE_S).delay_s(1.0) == 0.0


def test_a_process_that_says_that_trying_is_in_vain_has_failed_at_once() -> None:
    assert RestartHistory().after_end(started_s=0, ended_s=1, is_hopeless=True).is_failed


@given(st.lists(st.floats(0, 200), min_size=1, max_size=40), st.floats(0, 1))
def test_delays_are_bounded_and_memory_too(runs_s: list[float], spread: float) -> None:
    history = crashed(*runs_s, pause_s=1.0)
    assert 0 <= history.delay_s(spread) <= FAILED_DELAY_S
    assert len(history.recent_ends_s) <= CRASH_LOOP_ENDS
