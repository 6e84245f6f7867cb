"""One connection to a camera, from its first packet to its last."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from nvr.core.clock import Clock
from nvr.core.errors import StreamError
from nvr.events.schema import TimestampSource
from nvr.media.capture_time import capture_time
from nvr.media.live_edge import LiveEdge

_FILE: TimestampSource = "file"

MAX_LAG_S = 0.5
"""Further behind its camera than this, the decoder skips to the next key frame."""

MAX_PACKETS_IN_DECODER = 64
"""Packets whose arrival is remembered until their picture comes out; no codec reorders over more."""

MAX_FILE_GAP_S = 10.0
"""A longer jump of a file's time stamps is a cut, which is not waited for."""

MAX_FILE_LATE_S = 1.0
"""A reader further behind a file's pace does not hurry to catch up, nor after a jump back."""

MAX_BROKEN_IN_A_ROW = 250
"""Packets refused by the decoder one after the other until the connection is given up: 10 s at 25 fps."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture with what is known of its packet."""

    picture: av.VideoFrame
    captured_at: datetime
    timestamp_source: TimestampSource
    received_s: float
    pts: int | None
    time_base: Fraction | None


@dataclass(slots=True)
class SessionCounters:
    """What became of packets that gave no picture."""

    skipped_packets: int = 0
    broken_packets: int = 0


class Session:
    """Reads and decodes the video of one open source; `pictures` is consumed by one thread."""

    def __init__(
        self,
        container: InputContainer,
        *,
        clock: Clock,
        ended: threading.Event,
        is_paced: bool,
        counters: SessionCounters,
    ) -> None:
        """Prepare the decoder.

        Args:
            container: An open source that has a video stream.
            clock: For arrival times.
            ended: Set by others to end the session at the next packet.
            is_paced: A file, played at its own pace; its pictures are captured when they are due.
            counters: Added to, never reset.
        """
        self._container = container
        self._stream: VideoStream = container.streams.video[0]
        self._clock = clock
        self._ended = ended
        self._is_paced = is_paced
        self._counters = counters
        self._edge = LiveEdge()
        self._arrivals: OrderedDict[int | None, tuple[datetime, TimestampSource, float]] = OrderedDict()
        self._waits_for_key_frame = True
        self._broken_in_a_row = 0
        self._pace_base_s: float | None = None
        # threads inside a decoder add latency and save no CPU; pictures come out as they are decoded
        self._stream.thread_type = "NONE"
        self._stream.codec_context.thread_count = 1

    def pictures(self) -> Iterator[Picture]:
        """Yield decoded pictures until the source ends or `ended` is set.

        Raises:
            StreamError: Too many packets in a row cannot be decoded.
            av.FFmpegError: Reading failed.
        """
        packets = self._container.demux(self._stream)
        while not self._ended.is_set():
            asked_s = self._clock.monotonic()
            packet = next(packets, None)
            if packet is None:
                return
            now_s = self._clock.monotonic()
            if self._is_paced and not self._wait_until_due(packet):
                return
            if packet.size == 0 and not self._is_paced:
                return
            yield from self._decode(packet, now_s, now_s - asked_s)

    def _wait_until_due(self, packet: "av.Packet[VideoStream]") -> bool:
        if packet.dts is None or packet.time_base is None:
            return True
        media_s = float(packet.dts * packet.time_base)
        now_s = self._clock.monotonic()
        early_s = 0.0 if self._pace_base_s is None else self._pace_base_s + media_s - now_s
        if self._pace_base_s is None or not -MAX_FILE_LATE_S <= early_s <= MAX_FILE_GAP_S:
            self._pace_base_s, early_s = now_s - media_s, 0.0
        return not self._ended.wait(max(0.0, early_s))

    def _decode(self, packet: "av.Packet[VideoStream]", now_s: float, waited_s: float) -> Iterator[Picture]:
        if self._is_to_be_skipped(packet, now_s, waited_s):
            self._counters.skipped_packets += 1
            return
        if packet.size:
            self._remember_arrival(packet)
        try:
            pictures = packet.decode()
        except av.error.InvalidDataError as error:
            self._counters.broken_packets += 1
            self._broken_in_a_row += 1
            if self._broken_in_a_row >= MAX_BROKEN_IN_A_ROW:
                raise StreamError(f"{self._broken_in_a_row} packets in a row cannot be decoded") from error
            return
        self._broken_in_a_row = 0
        for picture in pictures or ():
            yield self._with_time(picture)

    def _is_to_be_skipped(self, packet: "av.Packet[VideoStream]", now_s: float, waited_s: float) -> bool:
        if self._is_paced:
            return False
        if packet.pts is not None and packet.time_base is not None:
            lag_s = self._edge.lag_s(float(packet.pts * packet.time_base), now_s, waited_s)
            if lag_s > MAX_LAG_S:
                self._waits_for_key_frame = True
        if packet.is_keyframe:
            self._waits_for_key_frame = False
        return self._waits_for_key_frame

    def _remember_arrival(self, packet: "av.Packet[VideoStream]") -> None:
        arrived_at = self._clock.now()
        captured_at, timestamp_source = (arrived_at, _FILE) if self._is_paced else capture_time(packet, arrived_at)
        self._arrivals[packet.pts] = (captured_at, timestamp_source, self._clock.monotonic())
        if len(self._arrivals) > MAX_PACKETS_IN_DECODER:
            self._arrivals.popitem(last=False)

    def _with_time(self, picture: av.VideoFrame) -> Picture:
        known = self._arrivals.pop(picture.pts, None)
        if known is None:
            known = (self._clock.now(), _FILE if self._is_paced else "arrival", self._clock.monotonic())
        captured_at, timestamp_source, received_s = known
        return Picture(picture, captured_at, timestamp_source, received_s, picture.pts, picture.time_base)
