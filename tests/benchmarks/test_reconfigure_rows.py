import pytest
from bench._reconfigure_rows import Arrival, Change, loss_row, loss_rows, losses, n_frames, percentile, rows_of


def heard(*frame_ids: int) -> list[Arrival]:
    return [Arrival(0.2 * i, frame_id, "motion") for i, frame_id in enumerate(frame_ids)]


@pytest.mark.parametrize(
    ("frame_ids", "lost"),
    [
        ((), 0),
        ((7,), 0),
        ((7, 8, 9), 0),
        ((7, 9, 12), 3),
        ((7, 8, 0, 1), 1),  # it began anew
        ((7, 7), 1),
    ],
)
def test_counts_the_numbers_that_are_missing(frame_ids: tuple[int, ...], lost: int) -> None:
    assert sum(loss.n_frames for loss in losses(heard(*frame_ids))) == lost


def test_looks_between_two_moments_only() -> None:
    arrivals = heard(0, 5, 6, 7, 20)
    assert n_frames({0: arrivals, 1: heard(1, 2)}, 0.1, 0.7) == 4
    assert loss_row("x", {0: arrivals, 1: heard(1, 2)}, 0, 10, is_judged=True).ok is False
    assert loss_row("x", {0: arrivals}, 0.3, 0.6, is_judged=True).ok is True
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


def test_a_loss_is_the_doing_of_the_last_change_before_it_and_counts_once() -> None:
    arrivals = {0: heard(0, 1, 3, 4)}  # frame 2 is missing at 0.4 s
    add, later = Change("add", 0.3, 0.3, 0.31, 0.35), Change("remove", 5, 5, 5, 5)
    earlier = Change("remove", 0.2, 0.2, 0.25, 0.25)
    assert [(row.name, row.value, row.ok) for row in loss_rows([earlier, add, later], arrivals, 0.2)] == [
        ("remove.others_lost", 0, True),
        ("add.others_lost", 1, False),
    ]
    assert [row.value for row in loss_rows([earlier], arrivals, 0.1)] == [0], "too long ago"
    assert [row.value for row in loss_rows([later], arrivals, 0.2)] == [0]


def test_percentiles_of_few_values() -> None:
    assert percentile([], 0.95) == 0
    assert percentile([3.0], 0.5) == 3
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.95) == 4
