"""Which processes still run."""

import psutil


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process has ended, be it that nobody has taken note of it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # between the two questions
        return True
