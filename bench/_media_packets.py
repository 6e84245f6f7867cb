"""Decoding alone: our decoder with its look at every picture, and PyAV's, fed with the same packets in turns."""

import statistics
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext
from bench._media_clips import Clip, ClipStore, Coding
from bench._rows import Row

from nvr.core.errors import TransientError
from nvr.core.rate import RateGate
from nvr.demo.scene import Scene, SceneSettings
from nvr.events.schema import TimestampSource
from nvr.media.adaptive_decoder import AdaptiveDecoder, DecodeCounters, DecodeSettings
from nvr.media.frame import Frame
from nvr.media.packet import MediaPacket
from nvr.media.packet_file import default_cache_dir
from nvr.media.pixels import shrink_to_bgr
from nvr.media.stream import CameraStream, IngestSettings

RATE = 5.0
SHRUNK_PX = (416, 234)
SECONDS = 10.0
SOURCE: TimestampSource = "file"


def measure_packets(rounds: int) -> list[Row]:
    """Return the CPU time of both for a busy 720p camera, and their ratio."""
    packets = _packets(_clip())
    ours: list[float] = []
    peer: list[float] = []
    for _ in range(rounds):
        ours.append(_cpu_s(lambda: _ours(packets)) / SECONDS)
        peer.append(_cpu_s(lambda: _peer(packets)) / SECONDS)
    mine, theirs = statistics.median(ours), statistics.median(peer)
    return [
        Row("media.busy.decoder_cpu", round(mine, 4), "s/s", "", round(theirs, 4)),
        Row("media.busy.decoder_ratio", round(mine / theirs, 3), ""),
    ]


def _clip() -> Path:
    settings = SceneSettings(1280, 720, Fraction(25), SECONDS, has_overlay=False)

    def make() -> Clip:
        scene = Scene(settings)
        numbers = range(settings.n_frames)
        return Clip("busy", settings.fps, 1280, 720, len(numbers), (), lambda: map(scene.render, numbers))

    store = ClipStore(default_cache_dir().parent / "bench")
    [coded] = store.code(f"busy-{SECONDS:g}", make, [Coding("cbr", 2.0)]).values()
    return coded.path


def _packets(path: Path) -> list[MediaPacket]:
    stream = CameraStream(0, str(path), settings=IngestSettings(file_pace="fast"), decode=None)
    reader = stream.ring.reader()
    stream.start()
    packets: list[MediaPacket] = []
    while not reader.is_at_end:
        packets += [packet for packet in reader.read(0.5) if packet.kind == "video"]
    stream.stop()
    if len(packets) != round(SECONDS * 25) or reader.lost:
        raise TransientError(f"{path.name}: expected {SECONDS * 25:g} packets, got {len(packets)}")
    return packets


def _ours(packets: Sequence[MediaPacket]) -> None:
    decoder = AdaptiveDecoder("busy", DecodeSettings(max_fps=RATE), DecodeCounters())
    gate = RateGate(RATE)
    for packet in packets:
        for shown in decoder.feed(packet, gop_start_before=lambda _: None).shown:
            picture = shown.picture
            if gate.admits(float(picture.pts * picture.time_base)):
                frame = Frame(
                    0,
                    packet.sequence,
                    packet.captured_at,
                    SOURCE,
                    packet.received_s,
                    picture.pts,
                    picture.time_base,
                    picture.picture,
                )
                shrink_to_bgr(frame, *SHRUNK_PX)


def _peer(packets: Sequence[MediaPacket]) -> None:
    context = av.CodecContext.create("h264", "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_type, context.thread_count = "NONE", 1
    context.extradata = packets[0].parameters.extradata or None
    context.options = {"skip_loop_filter": "all"}
    for packet in packets:
        for _ in context.decode(packet.coded):
            pass


def _cpu_s(work: Callable[[], None]) -> float:
    start_s = time.thread_time()
    work()
    return time.thread_time() - start_s
