"""Work that can be called off: a stop must not wait for a network that does not answer."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from nvr.core.errors import TransientError

IsCancelled = Callable[[], bool]
"""Asked again and again while something takes long; yes means that nobody wants the result any more."""

POLL_S = 0.1
_GRACE_S = 1.0


def run_cancellable(work: Callable[[IsCancelled], None], is_cancelled: IsCancelled, what: str) -> None:
    """Run `work` in a thread of its own and wait for it, but only as long as it is wanted.

    Nothing ends a name lookup, a connect or a read at once. So after a cancellation the thread has a second to notice
    it, and else is left to end by its own timeouts. What it still does then must harm nobody.

    Args:
        work: Given a function that tells whether to stop, which it should ask often.
        is_cancelled: Asked ten times a second, from the calling thread.
        what: Names the work in the error and the thread.

    Raises:
        TransientError: `what` was cancelled.
    """
    _check(is_cancelled, what)
    is_left = threading.Event()
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            work(is_left.is_set)
        except BaseException as error:  # noqa: BLE001 - all of it is the caller's, who waits for it
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    thread = threading.Thread(target=run, name=what[:80], daemon=True)
    thread.start()
    try:
        while not outcome.done():
            _check(is_cancelled, what)
            thread.join(POLL_S)
    finally:
        is_left.set()
        thread.join(_GRACE_S)
    outcome.result()


def _check(is_cancelled: IsCancelled, what: str) -> None:
    if is_cancelled():
        raise TransientError(f"{what} was cancelled")
