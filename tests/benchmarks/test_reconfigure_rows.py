import pytest
from bench._reconfigure_rows import Arrival, Change, loss_row, loss_row_of, lost_frames, percentile, rows_of


def heard(*frame_ids: int) -> list[Arrival]:
    return [Arrival(0.2 * i, frame_id, "motion") for i, frame_id in enumerate(frame_ids)]


@pytest.mark.parametrize(
    ("frame_ids", "lost"),
    [
        ((), 0),
        ((7,), 0),
        ((7, 8, 9), 0),
        ((7, 9, 12), 3),
        ((7, 8, 0, 1), 0),  # it began anew
    ],
)
def test_counts_the_numbers_that_are_missing(frame_ids: tuple[int, ...], lost: int) -> None:
    assert lost_frames(heard(*frame_ids), 0, 100) == lost


def test_looks_between_two_moments_only() -> None:
    arrivals = heard(0, 5, 6, 7, 20)
    assert lost_frames(arrivals, 0.2, 0.6) == 0
    assert loss_row("x", {0: arrivals, 1: heard(1, 2)}, 0, 10, is_judged=True).ok is False
    assert loss_row("x", {0: arrivals}, 0.2, 0.6, is_judged=True).ok is True
    assert loss_row("x", {0: arrivals}, 0, 10, is_judged=False).ok is None


def test_what_the_camera_takes_to_connect_is_no_cost_of_ours() -> None:
    changes = [Change("add", 10.0, 10.01, 10.02, 11.5, connect_s=1.2), Change("add", 20.0, 20.01, 20.02, 21.0, 1.2)]
    rows = {row.name: row for row in rows_of(changes)}
    assert rows["add.effect.p95"].value == pytest.approx(300)
    assert rows["add.effect.p95"].ok
    assert rows["add.with_connect.p95"].value == pytest.approx(1500)
    assert rows["add.received.p95"].value == pytest.approx(10)


def test_a_pause_has_a_tenth_of_the_time() -> None:
    rows = {row.name: row for row in rows_of([Change("pause", 0, 0.01, 0.02, 0.15)])}
    assert rows["pause.effect.p95"].ok is False


def test_a_loss_during_a_change_is_its_doing() -> None:
    arrivals = {0: heard(0, 1, 3, 4)}  # frame 2 is missing at 0.4 s
    assert loss_row_of([Change("add", 0.3, 0.3, 0.31, 0.35)], arrivals, 0.2).value == 1
    assert loss_row_of([Change("add", 5, 5, 5, 5)], arrivals, 0.2).value == 0


def test_percentiles_of_few_values() -> None:
    assert percentile([], 0.95) == 0
    assert percentile([3.0], 0.5) == 3
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.95) == 4
