"""Numbers for tracks that come once, also over restarts."""

from datetime import datetime

TRACKS_PER_MS = 1000
MAX_TRACK_ID = 2**53 - 1
"""JSON readers in JavaScript hold larger numbers inexactly."""


def first_track_id(now: datetime) -> int:
    """Return the first id of a tracker that is made now; it counts up from there.

    Its first digits are the milliseconds of the Unix epoch. A tracker that is made later begins above all ids of
    those before it, unless they began more than 1000 tracks a millisecond or the wall clock went back in between.
    Fits until the year 2255.
    """
    return round(now.timestamp() * 1000) * TRACKS_PER_MS + 1
