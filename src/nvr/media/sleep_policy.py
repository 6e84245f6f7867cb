"""Decide how much of a camera to decode: everything while something moves, key frames while nothing does. Pure.

Asleep, the pictures of key frames are compared with each other, and the packets between them are weighed. What either
notices is decoded from the beginning of its GOP out of the packet ring, so that no frame of an event is missed. The
price is that a camera sleeps only where it is safe: where an event could hide between two key frames, it stays awake.
"""

DEFAULT_QUIET_S = 5.0

REFERENCE_AGE_S = 0.4
"""Awake, a picture is compared with one that is so much older: slow things have moved by then, and what has come to
rest is at rest."""

SAFE_GOP_S = 0.6
"""With two key frames a second nothing that lasts half a second is overslept, whatever the packets tell. With one a
second, 9 of 12 events shorter than a second were (`bench/media.py`, constant bit rate)."""

LONGEST_GOP_S = 5.0
"""Replaying a longer GOP would be later than it is worth, and take a ring of its size."""

ONSET_AFTER_S = 0.6
"""Motion after a rest of so long is the beginning of something."""


class SleepPolicy:
    """The state of one camera, awake at first; used by one thread. All times are media time in seconds."""

    def __init__(self, quiet_s: float = DEFAULT_QUIET_S) -> None:
        """Prepare; `quiet_s` without motion let a camera fall asleep."""
        self._quiet_s = quiet_s
        self._is_asleep = False
        self._awake_from_s: float | None = None
        self._moved_s: float | None = None
        self._last_key_s: float | None = None
        self._gop_s = 0.0

    @property
    def is_asleep(self) -> bool:
        """Whether only key frames are to be decoded."""
        return self._is_asleep

    @property
    def gop_s(self) -> float:
        """Length of the camera's GOPs, rather too long than too short; 0 before the second key frame."""
        return self._gop_s

    def restart(self) -> None:
        """Begin awake, as after a new connection."""
        self._is_asleep = False
        self._awake_from_s = self._moved_s = self._last_key_s = None
        self._gop_s = 0.0

    def note_key_frame(self, media_s: float) -> None:
        """Learn how long GOPs are; a key frame that was told before, as in a replay, changes nothing."""
        if self._last_key_s is not None and media_s <= self._last_key_s:
            return
        if self._last_key_s is not None:
            gop_s = media_s - self._last_key_s
            # what was long once is forgotten over some GOPs: a setting of the camera may have changed
            self._gop_s = gop_s if gop_s > self._gop_s else self._gop_s + (gop_s - self._gop_s) / 4
        self._last_key_s = media_s

    def oversleeps(self, media_s: float) -> bool:
        """Tell whether the camera has sent no key frame for longer than it may sleep."""
        return self._last_key_s is not None and media_s - self._last_key_s > LONGEST_GOP_S

    def is_resting(self, media_s: float) -> bool:
        """Tell whether nothing has moved lately, while awake."""
        return self._awake_from_s is not None and media_s - self._quiet_from_s >= ONSET_AFTER_S

    def is_onset(self, media_s: float) -> bool:
        """Tell whether motion now, before it is told to `see`, begins something new."""
        return self._moved_s is None or not 0 <= media_s - self._moved_s < ONSET_AFTER_S

    def see(self, media_s: float, *, is_moving: bool, weighs_packets: bool) -> None:
        """Take what a picture shows while awake; falls asleep after the quiet time.

        Args:
            media_s: Of the picture.
            is_moving: Whether it differs from one of a moment ago.
            weighs_packets: Whether the weight of this camera's packets tells motion.
        """
        if self._awake_from_s is None:
            self._awake_from_s = media_s
        if is_moving:
            self._moved_s = media_s
            return
        is_safe = 0 < self._gop_s <= (LONGEST_GOP_S if weighs_packets else SAFE_GOP_S)
        self._is_asleep = is_safe and media_s - self._quiet_from_s >= self._quiet_s

    @property
    def has_moved(self) -> bool:
        """Whether anything was seen to move since it woke up or began."""
        return self._moved_s is not None

    @property
    def _quiet_from_s(self) -> float:
        awake_from_s = float("-inf") if self._awake_from_s is None else self._awake_from_s
        return awake_from_s if self._moved_s is None else max(awake_from_s, self._moved_s)

    def wake(self, media_s: float) -> None:
        """Be awake until the quiet time has passed after `media_s`, whose GOP is now looked at from its beginning."""
        self._is_asleep = False
        self._awake_from_s = media_s
        if self.oversleeps(media_s):  # an endless GOP is replayed once, not from its beginning each time it is quiet
            self._gop_s = max(self._gop_s, media_s - (self._last_key_s or 0.0))
        self._moved_s = None  # so that the first moving picture is an onset
