"""Packets to pictures: one FFmpeg decoder of a camera, without threads of its own."""

import logging
from collections import OrderedDict
from fractions import Fraction
from typing import Literal, NamedTuple

import av
from av.codec.hwaccel import HWAccel, HWDeviceType, hwdevices_available
from av.video.codeccontext import VideoCodecContext

from nvr.core.errors import ConfigurationError, StreamError, UnsupportedError
from nvr.media.packet import MediaPacket
from nvr.media.parameters import StreamParameters

logger = logging.getLogger(__name__)

MAX_PACKETS_IN_DECODER = 64
"""Packets that are remembered until their picture comes out; no codec reorders over more."""

MAX_BROKEN_IN_A_ROW = 250
"""Packets refused one after the other until the connection is given up: 10 s at 25 fps."""

SKIPPABLE = frozenset({"h264", "hevc"})
"""Codecs with a loop filter. Without it pictures are 42 dB like those with it, and a fifth cheaper (facts)."""

Skip = Literal["nothing", "nonref"]


class Picture(NamedTuple):
    """A decoded picture with its packet; a tuple, since 25 a second and camera are made."""

    picture: av.VideoFrame
    packet: MediaPacket
    is_keyframe: bool

    @property
    def pts(self) -> int:
        """In units of `time_base`."""
        return self.packet.pts

    @property
    def time_base(self) -> Fraction:
        """Seconds per unit."""
        return self.packet.time_base


def hwaccel_choices() -> tuple[str, ...]:
    """Return the words that a decoder's `hwaccel` may be: `auto`, `none`, and FFmpeg's names of devices.

    A build has some of the devices, a machine fewer; those that cannot be had fall back to the CPU.
    """
    return ("auto", *(device.name for device in HWDeviceType))


def check_hwaccel(hwaccel: str) -> None:
    """Refuse what is no device; whether build and machine have it shows when it is opened.

    Raises:
        ConfigurationError: It is none of `hwaccel_choices`.
    """
    if hwaccel not in hwaccel_choices():
        raise ConfigurationError(f"hwaccel {hwaccel!r}: expected one of {', '.join(hwaccel_choices())}")


class VideoDecoder:
    """Decodes one camera's packets in order; used by one thread.

    It is made anew whenever the packets' parameters change, begins anew with their session, and may be restarted at any
    key frame.
    """

    def __init__(self, name: str, *, hwaccel: str = "none", skip: Skip = "nothing") -> None:
        """Prepare; the codec is opened with the first packet.

        Args:
            name: Of the camera, without credentials, for errors.
            hwaccel: A device of `hwaccel_choices`; what cannot be had on this machine falls back to software, with
                one warning.
            skip: `nonref` leaves out pictures that no other needs.

        Raises:
            ConfigurationError: There is no such kind of device.
        """
        check_hwaccel(hwaccel)
        self._name = name
        self._devices = _devices(hwaccel)
        self._skip: Skip = skip
        self._context: VideoCodecContext | None = None
        self._parameters: StreamParameters | None = None
        self._session = -1
        self._packets: OrderedDict[int, MediaPacket] = OrderedDict()
        self._starts_at: int | None = None
        self._broken = 0
        self._broken_in_a_row = 0
        self._device: str | None = None

    @property
    def broken_packets(self) -> int:
        """Packets that the decoder refused, so far."""
        return self._broken

    @property
    def device(self) -> str | None:
        """The hardware that decodes; None in software."""
        return self._device

    def decode(self, packet: MediaPacket) -> list[Picture]:
        """Return the pictures that a packet completes, in order of presentation; maybe none.

        Raises:
            StreamError: Too many packets in a row were broken.
            UnsupportedError: This build of FFmpeg has no decoder for the codec.
        """
        context = self._context_for(packet)
        if self._starts_at is None:
            self._starts_at = packet.pts
        self._packets[packet.pts] = packet
        if len(self._packets) > MAX_PACKETS_IN_DECODER:
            self._packets.popitem(last=False)
        try:
            frames = context.decode(packet.coded)
        except av.FFmpegError as error:
            self._note_broken(error)
            return []
        self._broken_in_a_row = 0
        return self._pictures(frames)

    def decode_alone(self, packet: MediaPacket) -> Picture | None:
        """Return the picture of a key frame without those around it, at once; None where it is broken.

        Raises:
            StreamError: Too many packets in a row were broken.
            UnsupportedError: This build of FFmpeg has no decoder for the codec.
        """
        self.restart()
        pictures = self.decode(packet) + self.drain()
        self.restart()
        return next((picture for picture in pictures if picture.pts == packet.pts), None)

    def drain(self) -> list[Picture]:
        """Return what the decoder still holds; `restart` must follow."""
        if self._context is None:
            return []
        try:
            return self._pictures(self._context.decode(None))
        except av.FFmpegError:
            return []

    def restart(self) -> None:
        """Forget all earlier packets: the next one is a key frame."""
        if self._context is not None and self._context.is_open:
            self._context.flush_buffers()
        self._packets.clear()
        self._starts_at = None

    def _context_for(self, packet: MediaPacket) -> VideoCodecContext:
        if packet.session != self._session:
            self.restart()
        self._session = packet.session
        if self._context is None or packet.parameters != self._parameters:
            self._packets.clear()
            self._starts_at = None
            self._parameters = packet.parameters
            self._context = self._open(packet.parameters)
        return self._context

    def _open(self, parameters: StreamParameters) -> VideoCodecContext:
        for device in self._devices:
            context = self._make_hardware_context(parameters, device)
            if context is not None:
                logger.info("%s: %s is decoded by %s", self._name, parameters.codec, device)
                self._device = device
                return context
        if self._devices:
            devices = " or ".join(self._devices)
            logger.warning("%s: %s cannot decode %s here, the CPU does", self._name, devices, parameters.codec)
            self._devices = ()  # said once, tried once
        self._device = None
        return self._make_context(parameters, None)

    def _make_hardware_context(self, parameters: StreamParameters, device: str) -> VideoCodecContext | None:
        try:
            context = self._make_context(parameters, HWAccel(device, allow_software_fallback=False))
        except (av.FFmpegError, UnsupportedError, ValueError, NotImplementedError, RuntimeError):
            return None
        # for a device that the codec cannot use at all, PyAV opens the software decoder without a word
        return context if context.is_hwaccel else None

    def _make_context(self, parameters: StreamParameters, hwaccel: HWAccel | None) -> VideoCodecContext:
        try:
            context = av.CodecContext.create(parameters.codec, "r", hwaccel)
        except (av.FFmpegError, ValueError) as error:
            raise UnsupportedError(
                f"{self._name}: this build of FFmpeg has no decoder for {parameters.codec}"
            ) from error
        if not isinstance(context, VideoCodecContext):
            raise UnsupportedError(f"{self._name}: {parameters.codec} is no video codec")
        # threads inside a decoder add latency and save no CPU; pictures come out as they are decoded
        context.thread_type = "NONE"
        context.thread_count = 1
        context.extradata = parameters.extradata or None
        context.width, context.height = parameters.width_px, parameters.height_px
        if parameters.pix_fmt:
            context.pix_fmt = parameters.pix_fmt
        if parameters.codec in SKIPPABLE:
            context.options = {"skip_loop_filter": "all"}
        if self._skip == "nonref":
            context.skip_frame = "NONREF"
        try:
            context.open()
        except av.FFmpegError as error:
            raise UnsupportedError(
                f"{self._name}: {parameters.codec} cannot be decoded: its parameters are damaged or incomplete"
            ) from error
        return context

    def _pictures(self, frames: "list[av.VideoFrame]") -> list[Picture]:
        pictures = []
        for frame in frames:
            # pictures before the key frame at which decoding began need what is missing: open GOPs have them
            if frame.pts is None or (self._starts_at is not None and frame.pts < self._starts_at):
                continue
            packet = self._packets.pop(frame.pts, None)
            if packet is not None:
                pictures.append(Picture(frame, packet, bool(frame.key_frame)))
        return pictures

    def _note_broken(self, error: av.FFmpegError) -> None:
        self._broken += 1
        self._broken_in_a_row += 1
        if self._broken_in_a_row >= MAX_BROKEN_IN_A_ROW:
            self._broken_in_a_row = 0
            self._context = None  # its next try shall not be with what may be broken itself
            if self._device is not None:
                logger.warning("%s: %s fails, the CPU decodes", self._name, self._device)
                self._devices = ()
            raise StreamError(f"{self._name}: {MAX_BROKEN_IN_A_ROW} packets in a row cannot be decoded") from error


def _devices(hwaccel: str) -> tuple[str, ...]:
    if hwaccel == "none":
        return ()
    return tuple(hwdevices_available()) if hwaccel == "auto" else (hwaccel,)
