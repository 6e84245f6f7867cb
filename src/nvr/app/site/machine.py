"""How many cores this process may use: those that it may run on, less where its container has a smaller share."""

import math
import os
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota_file: Path = CPU_QUOTA) -> int:
    """Return the number of cores, at least 1."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota = read_quota(quota_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return cores
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def read_quota(text: str) -> float | None:
    """Return the cores that a cgroup's `cpu.max` allows, or None for all; `200000 100000` is two.

    Raises:
        ValueError: It is no such text.
    """
    quota, _, period = text.strip().partition(" ")
    if quota == "max":
        return None
    period_us = int(period or "100000")
    if period_us <= 0:
        raise ValueError(f"a period of {period_us} us")
    return int(quota) / period_us
