"""One camera of the server: a paced source that feeds all its clients at once, with its faults."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from nvr.core.clock import Clock
from nvr.demo.fault import CameraFaults
from nvr.demo.rtsp.player import Player
from nvr.demo.rtsp.rtcp import sender_report
from nvr.demo.rtsp.rtp import rtp_packets
from nvr.demo.rtsp.timeline import Moment, PacketizedLoop, Timeline

REPORT_INTERVAL_S = 5.0
_MAX_LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class SentFrame:
    """A frame that left the camera to at least one client."""

    camera: int
    unit_index: int
    captured_at: datetime
    rtp_timestamp: int


class Camera:
    """A looping camera. Its methods belong to the thread of the server's loop; counters may be read from any."""

    def __init__(
        self,
        index: int,
        packets: PacketizedLoop,
        *,
        faults: CameraFaults,
        clock: Clock,
        rng: random.Random,
        on_frame: Callable[[SentFrame], None] | None = None,
        phase_s: float = 0.0,
    ) -> None:
        self.index = index
        self.loop = packets.loop
        self.faults = faults
        self.ssrc = rng.getrandbits(32)
        self.frames_sent = 0
        """Frames that went to at least one client."""
        self._timeline = Timeline(packets, rng.getrandbits(16), rng.getrandbits(32))
        self._clock = clock
        self._rng = rng
        self._on_frame = on_frame
        self._players: set[Player] = set()
        self._made_s = clock.monotonic()
        self._started_s = self._made_s + phase_s
        self._started_at = clock.now() + timedelta(seconds=phase_s)
        self._position = 0
        self._is_held = False
        self._next_report_s = 0.0
        self._packets_sent = 0
        self._payload_bytes_sent = 0

    @property
    def n_players(self) -> int:
        """How many clients play."""
        return len(self._players)

    @property
    def is_frozen(self) -> bool:
        """Whether it sends nothing now, by its faults or by `freeze`."""
        fault = self.faults.freeze
        return self._is_held or (fault is not None and fault.is_active(self._clock.monotonic() - self._made_s))

    def freeze(self) -> None:
        """Send nothing until `thaw`; connections stay open."""
        self._is_held = True

    def thaw(self) -> None:
        """Go on sending, with the next key frame."""
        self._is_held = False

    def first_frame_of_next_client(self) -> Moment:
        """Return the frame a client that starts now will see first, for RTP-Info."""
        return self._timeline.next_keyframe(self._position)

    def add(self, player: Player) -> None:
        """Feed a client from the next key frame on."""
        self._players.add(player)

    def remove(self, player: Player) -> None:
        """Feed a client no more."""
        self._players.discard(player)

    def drop_clients(self) -> None:
        """Cut the connections of all clients."""
        for player in tuple(self._players):
            player.sink.abort()
        self._players.clear()

    async def run(self) -> None:
        """Send frames at their times, for ever."""
        while True:
            moment = self._timeline.at(self._position)
            late_s = self._clock.monotonic() - self._started_s - moment.sent_s
            if (
                late_s - self.faults.jitter_s > _MAX_LATE_S
            ):  # more than it means to be: the machine slept: a live camera does not catch up
                self._position = self._timeline.position_at(late_s + moment.sent_s)
                self._require_keyframes()
                continue
            jitter_s = self._rng.uniform(0, self.faults.jitter_s) if self.faults.jitter_s else 0.0
            await asyncio.sleep(max(0.0, jitter_s - late_s))
            self._send(moment)
            self._position += 1

    def _send(self, moment: Moment) -> None:
        if not self._players:
            return
        if self.is_frozen:
            self._require_keyframes()
            return
        chosen = [player for player in self._players if player.wants(is_keyframe=moment.is_keyframe)]
        if not chosen:
            return
        captured_at = self._started_at + timedelta(seconds=moment.media_s)
        self._send_reports(chosen, moment, captured_at)
        packets = rtp_packets(moment.payloads, moment.sequence, moment.rtp_timestamp, self.ssrc)
        self._packets_sent += len(packets)  # RFC 3550 6.4.1: what was sent, whether or not the network loses it
        self._payload_bytes_sent += sum(map(len, moment.payloads))
        if self.faults.loss:
            packets = [packet for packet in packets if self._rng.random() >= self.faults.loss]
        for player in chosen:
            player.sink.send_rtp(packets)
        self.frames_sent += 1
        if self._on_frame is not None:
            self._on_frame(SentFrame(self.index, moment.unit_index, captured_at, moment.rtp_timestamp & 0xFFFFFFFF))

    def _send_reports(self, players: list[Player], moment: Moment, captured_at: datetime) -> None:
        if not self.faults.sends_reports:
            return
        is_due = moment.media_s >= self._next_report_s
        waiting = [player for player in players if is_due or not player.has_report]
        if not waiting:
            return
        if is_due:
            self._next_report_s = moment.media_s + REPORT_INTERVAL_S
        report = sender_report(
            ssrc=self.ssrc,
            captured_at=captured_at + timedelta(seconds=self.faults.clock_skew_s),
            rtp_timestamp=moment.rtp_timestamp,
            packets_sent=self._packets_sent,
            payload_bytes_sent=self._payload_bytes_sent,
            cname=f"camera-{self.index}@nvr-simulator",
        )
        for player in waiting:
            player.sink.send_rtcp(report)
            player.has_report = True

    def _require_keyframes(self) -> None:
        for player in self._players:
            player.require_keyframe()
