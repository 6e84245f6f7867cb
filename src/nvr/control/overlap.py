"""Takes each message once while two connections of the same instance hear the same."""

import threading
from collections import Counter

MAX_MESSAGES = 10_000
"""That are told apart; of more, only those of the connection that counts are taken."""


class Overlap:
    """For the moment in which one connection takes over from another. Any thread may ask.

    What one of them hears first is taken from it; what only one of them hears, as the broker did not know the other
    yet or no more, is taken as well. Two messages that are equal stay two.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[object, Counter[tuple[str, bytes]]] = {}
        self._taken = Counter[tuple[str, bytes]]()

    def admits(self, connection: object, topic: str, payload: bytes, *, is_current: bool) -> bool:
        """Tell whether a message that a connection has heard is to be taken."""
        message = (topic, payload)
        with self._lock:
            if self._taken.total() >= MAX_MESSAGES:
                return is_current
            heard = self._heard.setdefault(connection, Counter())
            heard[message] += 1
            if heard[message] <= self._taken[message]:
                return False
            self._taken[message] += 1
            return True
