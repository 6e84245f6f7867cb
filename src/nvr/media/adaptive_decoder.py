"""Decodes as much of a camera as its policy wants: the decisions and the decoder, without threads and clocks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from nvr.media.decoder import Picture, Skip, VideoDecoder
from nvr.media.frame import luma_rows
from nvr.media.motion_gate import Grid, MotionGate, grid_of
from nvr.media.packet import MediaPacket
from nvr.media.packet_watch import PacketWatch
from nvr.media.sleep_policy import DEFAULT_QUIET_S, REFERENCE_AGE_S, SleepPolicy

DecodePolicy = Literal["adaptive", "all", "nonref", "keyframes", "nothing"]

KEY_FRAME_EVERY_S = 0.45
"""Asleep, key frames are decoded at most so often: some cameras send nothing else."""


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How much of a camera to decode, and how much of that to hand on."""

    policy: DecodePolicy = "adaptive"
    hwaccel: str = "none"
    """A device of `nvr.media.decoder.hwaccel_choices`."""
    max_fps: float | None = None
    """Most frames per second that are handed to the sink; None for all that are decoded."""
    quiet_s: float = DEFAULT_QUIET_S
    """Seconds without motion until an adaptive camera decodes key frames only."""
    is_lossless: bool = False
    """Wait for the sink instead of replacing frames, and skip nothing: for files that are read as fast as possible."""

    @property
    def skip(self) -> Skip:
        """What the decoder itself leaves out."""
        return "nonref" if self.policy == "nonref" else "nothing"


@dataclass(slots=True)
class DecodeCounters:
    """What became of a camera's packets since its stream object was made; one thread writes."""

    decoded: int = 0
    """Frames."""
    sampled: int = 0
    """Frames that went to the sink."""
    replayed: int = 0
    """Frames that were decoded late, after a wake-up."""
    thinned: int = 0
    """Frames that were decoded and did not go to the sink, which wants fewer."""
    dozed: int = 0
    """Packets that were passed over asleep, of which those of a replay are decoded later, or while nobody looks."""
    asleep: int = 0
    """Of these, those that are not decoded any more: told once the camera is seen to have been quiet."""
    unwanted: int = 0
    """Likewise, of those that were passed over while nobody looked; told with the next key frame."""
    skipped: int = 0
    """Packets that were not decoded in order to keep up with the camera."""
    lost: int = 0
    """Packets that had left the ring before they could be decoded."""
    broken: int = 0
    """Packets that the decoder refused."""
    wakes: int = 0


class Shown(NamedTuple):
    """A picture that came out, with what was seen in it."""

    picture: Picture
    grid: Grid | None
    """Its luma, where it was looked at."""
    is_onset: bool = False
    """Motion begins here: this picture is to be analysed, whatever the rate."""
    is_quiet: bool = False
    """Nothing moves: what is seen here holds until the next picture, which may be a GOP away."""


@dataclass(slots=True)
class Step:
    """What came of one packet."""

    shown: list[Shown] = field(default_factory=list)
    replay_from: int | None = None
    """Go on with this packet: the camera woke up."""


class AdaptiveDecoder:
    """One camera's decoder with its policy; used by one thread, fed with packets in order or again from a key frame."""

    def __init__(self, name: str, settings: DecodeSettings, counters: DecodeCounters) -> None:
        """Prepare; nothing is opened before the first packet.

        Raises:
            ConfigurationError: The device is unknown to this build of FFmpeg.
        """
        self._name = name
        self._settings = settings
        self._counters = counters
        self._decoder = VideoDecoder(name, hwaccel=settings.hwaccel, skip=settings.skip)
        self._sleep = SleepPolicy(settings.quiet_s)
        self._gate = MotionGate()
        self._watch = PacketWatch()
        self._session = -1
        self._needs_key_frame = True
        self._was_woken_by_packet = False
        self._shown_pts: int | None = None
        self._reference_s: float | None = None
        self._decoded_key_s: float | None = None
        self._quiet_key: int | None = None  # sequence of the last one that was compared asleep
        self._passed_over = 0  # packets since then, which a wake-up would go back to

    @property
    def is_asleep(self) -> bool:
        """Whether only key frames are decoded since nothing moves."""
        return self._sleep.is_asleep

    @property
    def device(self) -> str | None:
        """The hardware that decodes; None in software."""
        return self._decoder.device

    @property
    def gop_s(self) -> float:
        """Length of the camera's GOPs; 0 where it is not known yet."""
        return self._sleep.gop_s

    def retune(self, settings: DecodeSettings) -> None:
        """Go on with other settings."""
        before, self._settings = self._settings, settings
        if (before.hwaccel, before.skip) != (settings.hwaccel, settings.skip):
            self._decoder = VideoDecoder(self._name, hwaccel=settings.hwaccel, skip=settings.skip)
            self._needs_key_frame = True
        if (before.policy, before.quiet_s) != (settings.policy, settings.quiet_s):
            has_gap = self._sleep.is_asleep or before.policy in {"keyframes", "nothing"}
            self._needs_key_frame = self._needs_key_frame or has_gap
            self._leave_passed_over(before.policy)
            self._sleep = SleepPolicy(settings.quiet_s)
            self._quiet_key = None

    def feed(
        self, packet: MediaPacket, *, is_late: bool = False, gop_start_before: Callable[[int], int | None]
    ) -> Step:
        """Take the next packet of the video.

        Args:
            packet: In order; after a gap or a step back decoding begins at the next key frame.
            is_late: The camera is far ahead: leave out what cannot be caught up with.
            gop_start_before: Tells where the GOP before a packet begins, as `PacketRing.gop_start_before`.

        Raises:
            StreamError: Too many packets in a row were broken.
            UnsupportedError: There is no decoder for the codec.
        """
        self._note_place(packet)
        policy = self._settings.policy
        if policy == "nothing":
            if packet.is_keyframe:
                self._leave_passed_over(policy)
            self._pass_over()
            return Step()
        if policy == "keyframes":
            return self._only_key_frames(packet)
        if policy == "adaptive" and self._sleep.is_asleep:
            return self._doze(packet, gop_start_before)
        if policy == "adaptive":
            self._watch.note(packet, is_quiet=self._sleep.is_resting(packet.media_s))
        return self._decode(packet, is_late=is_late)

    def finish(self) -> Step:
        """Return what the decoder still holds after the last packet of a file."""
        pictures = self._decoder.drain()
        self._decoder.restart()
        return Step([shown for picture in pictures if (shown := self._show(picture)) is not None])

    def _note_place(self, packet: MediaPacket) -> None:
        if packet.session != self._session:
            self._session = packet.session
            self._needs_key_frame = True
            self._leave_passed_over(self._settings.policy)
            self._shown_pts = None
            self._reference_s = self._decoded_key_s = self._quiet_key = None
            self._sleep.restart()
            self._gate.forget()
        if packet.is_keyframe:
            self._sleep.note_key_frame(packet.media_s)

    def go_back(self) -> None:
        """Tell that what was passed over since the last key frame comes once more."""
        self._passed_over = 0

    def note_gap(self) -> None:
        """Tell that packets before the next one are missing."""
        self._needs_key_frame = True

    def _only_key_frames(self, packet: MediaPacket) -> Step:
        if not packet.is_keyframe:
            self._counters.dozed += 1
            self._counters.asleep += 1
            return Step()
        return self._shown_of(self._decode_alone(packet))

    def _doze(self, packet: MediaPacket, gop_start_before: Callable[[int], int | None]) -> Step:
        has_spike = self._watch.note(packet, is_quiet=True)
        if not packet.is_keyframe:
            self._pass_over()
            if has_spike or self._sleep.oversleeps(packet.media_s):
                self._was_woken_by_packet = has_spike
                return self._wake(packet, gop_start_before)
            return Step()
        return self._compare_key_frame(packet, gop_start_before)

    def _compare_key_frame(self, packet: MediaPacket, gop_start_before: Callable[[int], int | None]) -> Step:
        if self._decoded_key_s is not None and 0 <= packet.media_s - self._decoded_key_s < KEY_FRAME_EVERY_S:
            self._pass_over()
            return Step()
        self._decoded_key_s = packet.media_s
        picture = self._decode_alone(packet)
        grid = None if picture is None else _grid(picture)
        if picture is None or grid is None or self._gate.is_moving(grid):
            self._was_woken_by_packet = False
            return self._wake(packet, gop_start_before)
        self._gate.refer_to(grid)
        self._quiet_key = packet.sequence
        self._leave_passed_over("adaptive")
        return self._shown_of(picture, grid)

    def _pass_over(self) -> None:
        self._counters.dozed += 1
        self._passed_over += 1

    def _leave_passed_over(self, policy: DecodePolicy) -> None:
        """Note that what was passed over by a policy is not gone back to any more."""
        if policy == "nothing":
            self._counters.unwanted += self._passed_over
        else:
            self._counters.asleep += self._passed_over
        self._passed_over = 0

    def _wake(self, packet: MediaPacket, gop_start_before: Callable[[int], int | None]) -> Step:
        # GOPs that are shorter than KEY_FRAME_EVERY_S are passed over since, and hold the beginning of what moves
        start = None if self._quiet_key is None else gop_start_before(self._quiet_key + 1)
        if start is None:
            start = gop_start_before(packet.sequence)
        if start is None:
            start = packet.sequence
        self._passed_over = 0
        self._sleep.wake(packet.media_s)
        self._watch.interrupt()
        self._needs_key_frame = True
        self._counters.wakes += 1
        return Step(replay_from=start)

    def _decode(self, packet: MediaPacket, *, is_late: bool) -> Step:
        if is_late:
            self._needs_key_frame = True
        if self._needs_key_frame:
            if not packet.is_keyframe or is_late:
                self._counters.skipped += 1
                return Step()
            self._decoder.restart()
            self._needs_key_frame = False
        pictures = self._decode_counted(packet)
        return Step([shown for picture in pictures if (shown := self._show(picture)) is not None])

    def _decode_alone(self, packet: MediaPacket) -> Picture | None:
        self._needs_key_frame = True
        before = self._decoder.broken_packets
        try:
            return self._decoder.decode_alone(packet)
        finally:
            self._counters.broken += self._decoder.broken_packets - before

    def _decode_counted(self, packet: MediaPacket) -> list[Picture]:
        before = self._decoder.broken_packets
        try:
            return self._decoder.decode(packet)
        finally:
            self._counters.broken += self._decoder.broken_packets - before

    def _shown_of(self, picture: Picture | None, grid: Grid | None = None) -> Step:
        if picture is None or (self._shown_pts is not None and picture.pts <= self._shown_pts):
            return Step()
        self._shown_pts = picture.pts
        return Step([Shown(picture, grid if grid is not None else _grid(picture), is_quiet=self._sleep.is_asleep)])

    def _show(self, picture: Picture) -> Shown | None:
        """Look at a decoded picture; None for one that was shown before, as the first ones of a replay."""
        if self._shown_pts is not None and picture.pts <= self._shown_pts:
            return None
        self._shown_pts = picture.pts
        if self._settings.policy != "adaptive":
            return Shown(picture, _grid(picture) if picture.is_keyframe else None)
        grid = _grid(picture)
        if grid is None:  # a pixel format in which motion cannot be seen: never sleeps
            return Shown(picture, None)
        media_s = picture.packet.media_s
        is_moving = self._gate.is_moving(grid)
        is_onset = is_moving and self._sleep.is_onset(media_s)
        if (
            not self._gate.has_reference
            or self._reference_s is None
            or not (0 <= media_s - self._reference_s < REFERENCE_AGE_S)
        ):
            self._gate.refer_to(grid)
            self._reference_s = media_s
        self._sleep.see(media_s, is_moving=is_moving, weighs_packets=self._watch.is_usable)
        if self._sleep.is_asleep:
            self._gate.refer_to(grid)
            self._quiet_key = None
            self._needs_key_frame = True
            if self._was_woken_by_packet and not self._sleep.has_moved:
                self._watch.note_false_alarm()
        return Shown(picture, grid, is_onset, is_quiet=self._sleep.is_asleep)


def _grid(picture: Picture) -> Grid | None:
    rows = luma_rows(picture.picture)
    return None if rows is None else grid_of(rows, picture.picture.width, picture.picture.height)
