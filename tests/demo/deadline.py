"""Wait for a state instead of for a time."""

import time
from collections.abc import Callable


def wait_until(is_so: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Return once `is_so`; fail naming `what` after the timeout."""
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline_s, f"after {timeout_s} s still not so: {what}"
        time.sleep(0.02)
