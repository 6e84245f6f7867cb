"""Small coded videos with sound, and their packets the way the engine hands them out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from nvr.media.packet import MediaPacket
from nvr.media.parameters import StreamParameters, annex_b_filter, read_parameters

START = datetime(2026, 1, 1, tzinfo=UTC)
"""Capture time of what is at time 0 of a file."""

_SAMPLES = 1024


@dataclass(frozen=True)
class Recipe:
    """What to code."""

    codec: str = "h264"
    seconds: float = 4.0
    fps: int = 25
    gop: int = 25
    b_frames: int = 0
    audio: str | None = None
    audio_rate_hz: int = 48000
    size: tuple[int, int] = (160, 96)
    is_noise: bool = False
    """Pictures that hardly compress, for packets of a camera's size."""


def make_video(path: Path, recipe: Recipe) -> Path:
    """Code a video into a container that fits the file's suffix."""
    with av.open(str(path), "w") as container:
        video = _add_video(container, recipe)
        audio = container.add_stream(recipe.audio, rate=recipe.audio_rate_hz) if recipe.audio else None
        if isinstance(audio, AudioStream):
            audio.layout = "mono"
        samples = 0
        for index in range(round(recipe.seconds * recipe.fps)):
            container.mux(video.encode(_picture(index, recipe)))
            while isinstance(audio, AudioStream) and samples * recipe.fps < (index + 1) * recipe.audio_rate_hz:
                container.mux(audio.encode(_sound(samples, recipe.audio_rate_hz)))
                samples += _SAMPLES
        container.mux(video.encode(None))
        if isinstance(audio, AudioStream):
            container.mux(audio.encode(None))
    return path


def _add_video(container: av.container.OutputContainer, recipe: Recipe) -> VideoStream:
    keys = f"keyint={recipe.gop}:min-keyint={recipe.gop}:scenecut=0:bframes={recipe.b_frames}"
    options = {
        "h264": {"preset": "ultrafast", "x264-params": keys},
        "hevc": {"preset": "ultrafast", "x265-params": f"{keys}:log-level=error:pools=none"},
    }
    stream = container.add_stream(recipe.codec, rate=recipe.fps, options=options.get(recipe.codec))
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = recipe.size
    stream.pix_fmt = "yuvj420p" if recipe.codec == "mjpeg" else "yuv420p"
    stream.codec_context.max_b_frames = recipe.b_frames
    stream.codec_context.thread_count = 1
    return stream


def _picture(index: int, recipe: Recipe) -> av.VideoFrame:
    width, height = recipe.size
    pixels = np.full((height, width, 3), 40, np.uint8)
    if recipe.is_noise:
        pixels = np.random.default_rng(index).integers(0, 255, pixels.shape, np.uint8)
    pixels[:, : (4 * index) % width] = 200
    picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    picture = picture.reformat(format="yuvj420p" if recipe.codec == "mjpeg" else "yuv420p")
    picture.pts, picture.time_base = index, Fraction(1, recipe.fps)
    return picture


def _sound(first_sample: int, rate_hz: int) -> av.AudioFrame:
    wave = np.sin(np.arange(first_sample, first_sample + _SAMPLES) * 0.05) * 8000
    frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts = rate_hz, first_sample
    return frame


@dataclass(frozen=True)
class Media:
    """Packets as the engine hands them out, with their parameters."""

    video: StreamParameters
    audio: StreamParameters | None
    packets: list[MediaPacket]

    def of_kind(self, kind: str) -> list[MediaPacket]:
        """Return the packets of one kind."""
        return [packet for packet in self.packets if packet.kind == kind]


def read_media(path: Path) -> Media:
    """Read all packets of a file, video as Annex-B."""
    packets: list[MediaPacket] = []
    with av.open(str(path)) as container:
        found: list[VideoStream | AudioStream] = [*container.streams.video, *container.streams.audio]
        streams = {stream.index: stream for stream in found}
        parameters = {index: read_parameters(stream) for index, stream in streams.items()}
        convert = annex_b_filter(container.streams.video[0])
        for packet in container.demux(list(streams.values())):
            if packet.size == 0:
                continue
            index = packet.stream_index
            is_video = isinstance(streams[index], VideoStream)
            ready: list[av.Packet[Any]] = [packet]
            if is_video and convert is not None:
                ready = [*convert.filter(packet)]
            for coded in ready:
                packets.append(_packet(coded, parameters[index], streams[index].time_base, len(packets)))
    kinds = {one.kind: one for one in parameters.values()}
    return Media(kinds["video"], kinds.get("audio"), packets)


def _packet(
    coded: "av.Packet[Any]", parameters: StreamParameters, time_base: Fraction | None, sequence: int
) -> MediaPacket:
    assert time_base is not None
    assert coded.pts is not None
    assert coded.dts is not None
    seconds = float(coded.pts * time_base)
    return MediaPacket(
        kind=parameters.kind,
        coded=coded,
        parameters=parameters,
        session=0,
        sequence=sequence,
        pts=coded.pts,
        dts=coded.dts,
        duration=coded.duration or 0,
        time_base=time_base,
        is_keyframe=coded.is_keyframe,
        size_bytes=coded.size,
        captured_at=START + timedelta(seconds=seconds),
        timestamp_source="file",
        received_s=seconds,
    )
