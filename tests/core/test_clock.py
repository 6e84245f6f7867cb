from datetime import UTC, timedelta

import pytest

from nvr.core.clock import ManualClock, SystemClock


def test_system_clock_is_aware_utc_and_monotonic() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_manual_clock_moves_both_clocks_together_and_never_back() -> None:
    clock = ManualClock()
    start = clock.now()
    clock.advance(1.5)
    assert (clock.now() - start, clock.monotonic()) == (timedelta(seconds=1.5), 1.5)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)
