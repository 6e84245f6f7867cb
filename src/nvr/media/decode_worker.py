"""The thread that decodes one camera: apart from the one that reads, so that slow decoding delays no recording."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from nvr.core.clock import Clock
from nvr.core.errors import NvrError, UnsupportedError
from nvr.core.log_context import log_fields
from nvr.core.rate import RateGate
from nvr.core.throttle import ThrottledLog
from nvr.media.adaptive_decoder import AdaptiveDecoder, DecodeCounters, DecodeSettings, Shown, Step
from nvr.media.frame import Frame
from nvr.media.frame_rate import FrameRate
from nvr.media.motion_gate import Grid
from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import IDLE_PATIENCE_S, PacketRing
from nvr.media.parameters import StreamParameters

logger = logging.getLogger(__name__)

MAX_LAG_S = 0.5
"""Further behind its camera than this, the decoder skips to the next key frame."""

CATCH_UP_S = 10.0
"""How long after waking up it may be further behind: it has a GOP to replay."""

CATCH_UP_LAG_S = 0.3
"""Until it is so close behind its camera, each due frame is handed on as in a replay: of frames that come together as
usual only the newest is, and they span 0.2 s at most."""

DOZE_S = 0.3
"""How often the packets of a sleeping camera are looked through."""

POLL_S = 0.5
BATCH = 64

LONGEST_WAIT_S = 1.0
"""A replayed frame waits so long for the sink to take the one before, which it then replaces."""

GRID_EVERY_S = 1.0


class FrameSink(Protocol):
    """Where sampled frames go: `FreshestFrames` is one."""

    def put(self, frame: Frame) -> None:
        """Take a frame; must not wait."""
        ...

    def wait_until_taken(self, source_id: int, timeout_s: float) -> bool:
        """Wait until the camera's last frame was taken; False after `timeout_s`."""
        ...


class DecodeWorker:
    """Reads a ring, decodes what the policy wants, and hands the frames on."""

    def __init__(
        self,
        source_id: int,
        name: str,
        ring: PacketRing,
        settings: DecodeSettings,
        *,
        clock: Clock,
        on_failure: Callable[[NvrError], None],
        sink: FrameSink | None = None,
        on_frame: Callable[[Frame], None] | None = None,
        on_grid: Callable[[Grid, float], None] | None = None,
    ) -> None:
        """Prepare the thread.

        Args:
            source_id: Number of the camera.
            name: Its URI without credentials.
            ring: Its packets.
            settings: See there.
            clock: For lag and rates.
            on_failure: Called in the worker's thread when decoding is hopeless; it goes on with what comes next.
            sink: Takes sampled frames.
            on_frame: Called in the worker's thread with every decoded frame; must be quick and raise nothing.
            on_grid: Called about once a second with the luma grid of a picture and its monotonic time of arrival.

        Raises:
            ConfigurationError: The settings name a device that is unknown to this build of FFmpeg.
        """
        self._source_id = source_id
        self._ring = ring
        self._settings = settings
        self._clock = clock
        self._on_failure = on_failure
        self._sink = sink
        self._on_frame = on_frame
        self._on_grid = on_grid
        self._counters = DecodeCounters()
        self._decoder = AdaptiveDecoder(name, settings, self._counters)
        self._reader = ring.reader(wakes_on=self._wakes_on, patience_s=self._patience_s)
        self._is_stopping = threading.Event()
        self._next_settings: DecodeSettings | None = None
        self._rate = FrameRate()
        self._sampler = RateGate(settings.max_fps)
        self._sampled_session = -1
        self._grid_s = float("-inf")
        self._replay_until = -1
        self._catch_up_until_s = float("-inf")
        self._last_packet: MediaPacket | None = None
        self._due: tuple[Shown, int] | None = None
        self._trouble = ThrottledLog(logger, logging.ERROR, clock=clock)
        self._undecodable: StreamParameters | None = None
        self._thread = threading.Thread(target=self._run, name=f"decoder-{source_id}", daemon=True)

    @property
    def counters(self) -> DecodeCounters:
        """A copy of the counters."""
        return replace(self._counters, lost=self._reader.lost)

    @property
    def is_asleep(self) -> bool:
        """Whether only key frames are decoded since nothing moves."""
        return self._decoder.is_asleep

    @property
    def device(self) -> str | None:
        """The hardware that decodes; None in software."""
        return self._decoder.device

    @property
    def gop_s(self) -> float:
        """Length of the camera's GOPs; 0 where it is not known yet."""
        return self._decoder.gop_s

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def fps(self) -> float:
        """Return how many frames per second are decoded, over the last seconds."""
        return self._rate.per_second(self._clock.monotonic())

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def retune(self, settings: DecodeSettings) -> None:
        """Go on with other settings from the next packet on; any thread."""
        self._next_settings = settings
        self._reader.wake()

    def request_stop(self) -> None:
        """Ask the thread to end, without waiting."""
        self._is_stopping.set()
        self._reader.wake()

    def stop(self, timeout_s: float) -> bool:
        """End the thread; False where it still works after `timeout_s`."""
        self.request_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with log_fields(source_id=self._source_id):
            self._work()

    def _work(self) -> None:
        try:
            while not self._is_stopping.is_set() and not self._reader.is_at_end:
                self._take_settings()
                self._read_some()
            if not self._is_stopping.is_set() and self._last_packet is not None:
                self._deliver_all(self._decoder.finish(), self._last_packet)
                self._hand_over_due()
        finally:
            self._reader.close()

    def _wakes_on(self, packet: MediaPacket) -> bool:
        return packet.starts_gop or self._settings.is_lossless or not self._is_patient()

    def _is_patient(self) -> bool:
        return self._decoder.is_asleep or self._settings.policy in {"keyframes", "nothing"}

    def _patience_s(self) -> float:
        if self._is_patient():
            return IDLE_PATIENCE_S
        # only what is handed on has to come at once; the frames before it are decoded together with it
        if self._on_frame is not None or not self._settings.max_fps:
            return 0.0
        return min(1 / self._settings.max_fps, IDLE_PATIENCE_S)  # what waits for longer counts as late

    def _take_settings(self) -> None:
        settings, self._next_settings = self._next_settings, None
        if settings is None:
            return
        begins_to_look = self._settings.policy == "nothing" != settings.policy
        start = self._ring.newest_gop_start
        goes_back = begins_to_look and start is not None and not settings.is_lossless
        if goes_back:
            self._decoder.go_back()
        self._decoder.retune(settings)
        if settings.max_fps != self._settings.max_fps:
            self._sampler = RateGate(settings.max_fps)
        self._settings = settings
        if goes_back and start is not None:
            # the next key frame may be seconds away; what came before is decoded for what follows
            self._replay_until = self._ring.end
            self._catch_up_until_s = self._clock.monotonic() + CATCH_UP_S
            self._reader.seek(start)

    def _read_some(self) -> None:
        expected = self._reader.position
        for packet in self._reader.read(DOZE_S if self._is_patient() else POLL_S, BATCH):
            if self._is_stopping.is_set():
                return
            if packet.sequence != expected:
                self._decoder.note_gap()
            expected = packet.sequence + 1
            if packet.kind == "video" and self._feed(packet):
                break
        self._hand_over_due()

    def _feed(self, packet: MediaPacket) -> bool:
        """Decode one packet; True where the reader was set back, so that the rest of the batch is to be read anew."""
        self._last_packet = packet
        if self._undecodable is not None and packet.parameters == self._undecodable:
            self._counters.broken += 1
            return False
        try:
            step = self._decoder.feed(
                packet, is_late=self._is_late(packet), gop_start_before=self._ring.gop_start_before
            )
        except NvrError as error:
            self._decoder.note_gap()
            self._on_failure(error)
            if isinstance(error, UnsupportedError):  # nor will the next packet be, until the camera is set otherwise
                self._counters.broken += 1
                self._undecodable = packet.parameters
            return False
        except Exception as error:  # noqa: BLE001 - the supervisor of what strangers send: the thread must outlive it
            self._decoder.note_gap()
            self._counters.broken += 1
            self._trouble.report(f"camera {self._source_id}: a packet cannot be handled: {error!r}", error)
            return False
        if step.replay_from is not None:
            self._replay_until = self._ring.end
            self._catch_up_until_s = self._clock.monotonic() + CATCH_UP_S
            self._reader.seek(step.replay_from)
            self._sampler = RateGate(self._settings.max_fps)
            return True
        self._deliver_all(step, packet)
        return False

    def _is_late(self, packet: MediaPacket) -> bool:
        now_s = self._clock.monotonic()
        if self._settings.is_lossless or now_s - packet.received_s <= MAX_LAG_S or now_s < self._catch_up_until_s:
            return False
        # the newest key frame is the best there is, however late it comes
        return not packet.is_keyframe or self._ring.newest_gop_start != packet.sequence

    def _is_catching_up(self, packet: MediaPacket) -> bool:
        now_s = self._clock.monotonic()
        return now_s < self._catch_up_until_s and now_s - packet.received_s > CATCH_UP_LAG_S

    def _deliver_all(self, step: Step, packet: MediaPacket) -> None:
        for shown in step.shown:
            self._deliver(shown, packet)

    def _deliver(self, shown: Shown, packet: MediaPacket) -> None:
        number, received_s = self._counters.decoded, shown.picture.packet.received_s
        is_replayed = packet.sequence < self._replay_until or self._is_catching_up(packet)
        self._counters.decoded += 1
        self._counters.replayed += is_replayed
        self._rate.count(shown.picture.packet)
        if self._on_grid is not None and shown.grid is not None and received_s - self._grid_s >= GRID_EVERY_S:
            self._grid_s = received_s
            self._on_grid(shown.grid, received_s)
        if self._on_frame is not None:
            self._on_frame(self._frame(shown, number, is_replayed=is_replayed))
        if self._sink is None:
            return
        is_due = self._is_sampled(shown, packet)
        if shown.is_onset or is_replayed or self._settings.is_lossless:
            if is_due:
                self._thin_out_due()  # it would come after a newer one, and replace it
                self._hand_over(self._frame(shown, number, is_replayed=is_replayed), self._sink)
            else:
                self._counters.thinned += 1
        elif is_due or self._due is not None:
            self._thin_out_due()
            self._due = (shown, number)  # of frames that came together the newest is handed on
        else:
            self._counters.thinned += 1

    def _thin_out_due(self) -> None:
        self._counters.thinned += self._due is not None
        self._due = None

    def _frame(self, shown: Shown, number: int, *, is_replayed: bool) -> Frame:
        picture, packet, _ = shown.picture
        return Frame(
            source_id=self._source_id,
            frame_id=number,
            captured_at=packet.captured_at,
            timestamp_source=packet.timestamp_source,
            received_s=packet.received_s,
            pts=packet.pts,
            time_base=packet.time_base,
            picture=picture,
            is_replayed=is_replayed,
            is_quiet=shown.is_quiet,
            decoded_s=self._clock.monotonic(),
        )

    def _hand_over_due(self) -> None:
        due, self._due = self._due, None
        if due is not None and self._sink is not None:
            self._hand_over(self._frame(*due, is_replayed=False), self._sink)

    def _is_sampled(self, shown: Shown, packet: MediaPacket) -> bool:
        if packet.session != self._sampled_session:
            self._sampled_session = packet.session
            self._sampler = RateGate(self._settings.max_fps)
        # by media time, since a replay and a file that is read fast come in no time
        is_due = self._sampler.admits(shown.picture.packet.media_s)
        return is_due or shown.is_onset or shown.is_quiet

    def _hand_over(self, frame: Frame, sink: FrameSink) -> None:
        if self._settings.is_lossless:
            while not sink.wait_until_taken(self._source_id, LONGEST_WAIT_S) and not self._is_stopping.is_set():
                pass
        elif frame.is_replayed:
            sink.wait_until_taken(self._source_id, LONGEST_WAIT_S)
        if self._is_stopping.is_set():  # the camera may have been forgotten by now
            return
        self._counters.sampled += 1
        sink.put(frame)
