"""Wait for a state by looking, with a deadline that a busy machine keeps."""

import time
from collections.abc import Callable

DEADLINE_S = 40.0


def wait_until(is_true: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return as soon as `is_true()`; fail with `what` if it is not so in time."""
    end_s = time.monotonic() + deadline_s
    while not is_true():
        assert time.monotonic() < end_s, f"still not so after {deadline_s:g} s: {what}"
        time.sleep(0.02)
