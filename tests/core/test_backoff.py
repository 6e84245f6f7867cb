import random

import pytest

from nvr.core.backoff import Backoff


def test_grows_to_its_maximum_and_starts_over_after_a_success() -> None:
    backoff = Backoff(initial_s=1, max_s=8, rng=random.Random(1))
    delays = [backoff.next_s() for _ in range(6)]
    for delay, bound in zip(delays, [1, 2, 4, 8, 8, 8], strict=True):
        assert bound / 2 <= delay <= bound
    backoff.reset()
    assert backoff.next_s() <= 1


def test_two_cameras_that_failed_together_part() -> None:
    assert Backoff(rng=random.Random(1)).next_s() != Backoff(rng=random.Random(2)).next_s()


@pytest.mark.parametrize(("initial", "maximum", "factor"), [(0, 1, 2), (2, 1, 2), (1, 2, 0.5)])
def test_refuses_bounds_that_make_no_sense(initial: float, maximum: float, factor: float) -> None:
    with pytest.raises(ValueError, match="expected 0 < initial <= max"):
        Backoff(initial, maximum, factor)
