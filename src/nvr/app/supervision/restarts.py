"""When a process that ended is started again: pure, so that a night of crashes takes no time to test.

The first restart comes at once, as a process that was killed by somebody should be missed for as short a time as can
be. Those after it wait longer and longer. A process that ends again and again has *failed*: it is told, and tried once
in a while, as its cause may go away by itself.
"""

from dataclasses import dataclass, replace
from typing import Self

STABLE_S = 60.0
"""A process that ran for so long has proved itself: what was before is forgotten."""
CRASH_LOOP_ENDS = 5
CRASH_LOOP_WINDOW_S = 60.0
"""So many ends within so many seconds are a crash loop."""
FIRST_DELAY_S = 0.5
"""Of the second restart; the first has none, each later one twice that of the one before."""
MAX_DELAY_S = 10.0
FAILED_DELAY_S = 60.0
"""Between the tries of what has failed."""


@dataclass(frozen=True, slots=True)
class RestartHistory:
    """What is remembered of a process that ended: made anew with each end."""

    restarts: int = 0
    """All of them, since somebody asked for the process."""
    ends_in_a_row: int = 0
    recent_ends_s: tuple[float, ...] = ()
    """Monotonic seconds of the last ends in a row, at most `CRASH_LOOP_ENDS`."""
    is_failed: bool = False

    def after_end(self, *, started_s: float, ended_s: float, is_hopeless: bool = False) -> Self:
        """Return the history with one more end.

        Args:
            started_s: When the process began, in monotonic seconds.
            ended_s: When it ended.
            is_hopeless: It said itself that another try is in vain, as with a wrong setting.
        """
        is_proved = ended_s - started_s >= STABLE_S
        recent = () if is_proved else self.recent_ends_s
        recent = (*recent, ended_s)[-CRASH_LOOP_ENDS:]
        is_loop = len(recent) == CRASH_LOOP_ENDS and recent[-1] - recent[0] <= CRASH_LOOP_WINDOW_S
        return replace(
            self,
            ends_in_a_row=1 if is_proved else self.ends_in_a_row + 1,
            recent_ends_s=recent,
            is_failed=is_hopeless or is_loop or (self.is_failed and not is_proved),
        )

    def after_restart(self) -> Self:
        """Return the history with one more restart."""
        return replace(self, restarts=self.restarts + 1)

    def delay_s(self, spread: float) -> float:
        """Return how long to wait before the next start, in seconds.

        Args:
            spread: 0..1, drawn for each restart: what failed together does not come back in step.
        """
        if self.is_failed:
            bound_s = FAILED_DELAY_S
        elif self.ends_in_a_row <= 1:
            return 0.0
        else:
            bound_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self.ends_in_a_row - 2, 16))
        return bound_s * (1 + spread) / 2
