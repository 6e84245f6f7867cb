"""Packets with their place in time, from real files and a clock that moves only when told."""

import threading
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from nvr.core.clock import ManualClock
from nvr.core.errors import UnsupportedError
from nvr.media.demuxer import DemuxCounters, Demuxer, reported_at
from nvr.media.packet import MediaPacket
from tests.media.clips import FPS, make_clip, make_clip_with_b_frames, read_packets


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", 60)


def is_annex_b(packet: MediaPacket) -> bool:
    return bytes(packet.coded).startswith((b"\0\0\1", b"\0\0\0\1"))


def test_packets_are_annex_b_in_order_and_complete(clip: Path) -> None:
    counters = DemuxCounters()
    packets = read_packets(clip, counters=counters, session=3, sequence=100)
    assert [packet.sequence for packet in packets] == list(range(100, 160))
    assert {packet.session for packet in packets} == {3}
    assert all(is_annex_b(packet) for packet in packets)
    assert [packet.is_keyframe for packet in packets] == [index % 25 == 0 for index in range(60)]
    assert all(packet.parameters is packets[0].parameters for packet in packets)
    parameters = packets[0].parameters
    assert (parameters.codec, parameters.width_px, parameters.height_px) == ("h264", 320, 192)
    assert (counters.packets, counters.keyframes) == (60, 3)
    assert counters.size_bytes == sum(packet.size_bytes for packet in packets)


def test_a_file_is_captured_by_its_own_time_from_now_on(clip: Path) -> None:
    clock = ManualClock()
    packets = read_packets(clip, clock=clock)
    assert [packet.captured_at - clock.now() for packet in packets] == [
        timedelta(microseconds=round(index / FPS * 1e6)) for index in range(60)
    ]
    assert {packet.timestamp_source for packet in packets} == {"file"}


def test_b_frames_have_both_times_and_dts_rise(tmp_path: Path) -> None:
    packets = read_packets(make_clip_with_b_frames(tmp_path / "b.mp4", 50))
    assert all(later.dts > earlier.dts for earlier, later in pairwise(packets))
    assert all(packet.pts >= packet.dts for packet in packets)
    assert [packet.pts for packet in packets] != sorted(packet.pts for packet in packets)


def test_sound_comes_with_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        video, audio = container.add_stream("libx264", rate=25), container.add_stream("aac", rate=48_000, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index, np.uint8), format="bgr24")
            container.mux(video.encode(frame))
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), format="fltp", layout="mono")
            sound.rate, sound.pts, sound.time_base = 48_000, index * 1920, Fraction(1, 48_000)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    packets = read_packets(path)
    kinds = [packet.kind for packet in packets]
    assert kinds.count("video") == 25
    assert kinds.count("audio") > 40
    sound_parameters = next(packet.parameters for packet in packets if packet.kind == "audio")
    assert (sound_parameters.codec, sound_parameters.sample_rate_hz, sound_parameters.channels) == ("aac", 48_000, 1)
    assert [packet.sequence for packet in packets] == list(range(len(packets)))


def test_a_file_without_pictures_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        container.mux(audio.encode(sound))
    with pytest.raises(UnsupportedError, match=r"sound\.wav has no video"):
        read_packets(path)


def test_its_end_can_be_asked_for_between_two_packets(clip: Path) -> None:
    ended = threading.Event()
    with av.open(str(clip)) as container:
        demuxer = Demuxer(
            container,
            name="clip",
            clock=ManualClock(),
            ended=ended,
            pace="fast",
            counters=DemuxCounters(),
            session=0,
            sequence=0,
        )
        batches = demuxer.batches()
        assert len(next(batches)) == 1
        ended.set()
        assert [packet for batch in batches for packet in batch] == []
        assert demuxer.sequence == 1


def test_new_parameters_within_a_stream_come_with_their_key_frame(tmp_path: Path) -> None:
    """As a camera whose resolution is changed goes on in the same connection: two elementary streams in a row."""
    raw = tmp_path / "both.h264"
    with raw.open("wb") as file:
        for name, size in (("a", (320, 192)), ("b", (160, 96))):
            for packet in read_packets(make_clip(tmp_path / f"{name}.mp4", 25, size=size)):
                file.write(bytes(packet.coded))
    counters = DemuxCounters()
    packets = read_packets(raw, counters=counters)
    changed = [packet for earlier, packet in pairwise(packets) if packet.parameters is not earlier.parameters]
    assert [packet.is_keyframe for packet in changed] == [True]
    assert (changed[0].parameters.width_px, changed[0].parameters.height_px) == (160, 96)
    assert counters.parameter_changes == 1
    assert all(later.dts > earlier.dts for earlier, later in pairwise(packets)), "bare H.264 has no times of its own"


def test_only_a_whole_producer_reference_time_is_a_report() -> None:
    assert reported_at(av.Packet(b"x")) is None


class SteppingClock(ManualClock):
    """Moves on by the distance of two frames each time that somebody looks: a camera's packets as they arrive."""

    def monotonic(self) -> float:
        self.advance(1 / FPS)
        return super().monotonic()


@pytest.mark.parametrize("start_s", [0.007, 0.013, 0.11, 0.19])
def test_all_cameras_of_a_machine_end_their_batches_together(clip: Path, start_s: float) -> None:
    clock, patience_s = SteppingClock(), 0.2
    clock.advance(start_s)
    with av.open(clip) as container:
        demuxer = Demuxer(
            container,
            name="clip",
            clock=clock,
            ended=threading.Event(),
            pace="fast",
            counters=DemuxCounters(),
            session=0,
            sequence=0,
        )
        batches = list(demuxer.batches(lambda: patience_s))
    inner = [batch for batch in batches[2:-1] if not batch[-1].is_keyframe]
    assert len(inner) >= 5
    for batch in inner:
        # the last packet before a multiple of the patience; a microsecond for the sums of floats
        left_s = patience_s - (batch[-1].received_s + 1e-6) % patience_s
        assert left_s < 1 / FPS + 2e-6
