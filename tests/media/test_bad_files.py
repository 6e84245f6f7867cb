"""Files that are cut off, damaged, forged or none at all: each ends, in a sentence or as far as it can be read."""

import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvr.core.clock import SystemClock
from nvr.core.errors import NvrError
from nvr.media.decoder import VideoDecoder
from nvr.media.demuxer import DemuxCounters, Demuxer
from nvr.media.encode import EncoderSettings, encode_frames, encode_pictures
from nvr.media.health import HealthState
from nvr.media.packet import MediaPacket
from nvr.media.source import SourceOptions, open_source
from nvr.media.stream import IngestSettings, StreamState, StreamStats
from tests.media.watched import bounded_memory, watched
from tests.waiting import wait_until

FAST = IngestSettings(file_pace="fast")
N_FRAMES = 50


class Films:
    """The same two seconds in several containers, as bytes."""

    def __init__(self, folder: Path) -> None:
        mp4 = folder / "a.mp4"
        rng = np.random.default_rng(1)
        pictures = (rng.integers(0, 255, (96, 160, 3), dtype=np.uint8) for _ in range(N_FRAMES))
        encode_pictures(pictures, mp4, EncoderSettings(160, 96, Fraction(25), gop_s=1))
        self.mp4 = mp4.read_bytes()
        self.fragmented = remux(mp4, folder / "f.mp4", "mp4", {"movflags": "frag_keyframe+empty_moov"})
        self.ts = remux(mp4, folder / "a.ts", "mpegts")
        self.matroska = remux(mp4, folder / "a.mkv", "matroska")
        self.avi = remux(folder / "a.ts", folder / "a.avi", "avi")


def remux(source: Path, target: Path, container: str, options: dict[str, str] | None = None) -> bytes:
    with av.open(str(source)) as reader, av.open(str(target), "w", format=container, options=options or {}) as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                writer.mux(packet)
    return target.read_bytes()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Films:
    return Films(tmp_path_factory.mktemp("films"))


def box(film: bytes, name: bytes) -> int:
    """Return where the content of a box of an MP4 file begins, after its name."""
    return film.index(name) + 4


def with_numbers(film: bytes, at: int, numbers: Iterator[int] | list[int]) -> bytes:
    changed = bytearray(film)
    for i, number in enumerate(numbers):
        struct.pack_into(">I", changed, at + 4 * i, number)
    return bytes(changed)


def without_durations(film: bytes) -> bytes:
    """Set all durations of the samples to zero: 0 frames per second."""
    at = box(film, b"stts")
    (count,) = struct.unpack_from(">I", film, at + 4)
    changed = film
    for i in range(count):
        changed = with_numbers(changed, at + 8 + 8 * i + 4, [0])
    return changed


def without_rate(film: bytes) -> bytes:
    """Set rate and scale in an AVI header to zero."""
    at = film.index(b"strh") + 28
    return film[:at] + bytes(8) + film[at + 8 :]


def play(path: Path, options: IngestSettings = FAST) -> tuple[StreamState, StreamStats]:
    """Play a file to its end, whatever that is."""
    with bounded_memory(), watched(str(path), options) as camera:
        wait_until(camera.stream.is_finished, f"{path.name} ends")
        camera.look()
        expected = HealthState.ENDED if camera.stream.state is StreamState.ENDED else HealthState.OFFLINE
        assert camera.said[-1].new is expected
        return camera.stream.state, camera.stream.stats


NO_VIDEO = "sends what is no video, or nothing at all"

UNREADABLE: dict[str, tuple[Callable[[Films], bytes], str]] = {
    "nothing": (lambda _: b"", NO_VIDEO),
    "a byte": (lambda _: b"x", NO_VIDEO),
    "noise": (lambda _: np.random.default_rng(1).bytes(100_000), ""),
    "letters": (lambda _: b"\x1b[2J hello\n" * 5000, ""),
    "MP4 without its end": (lambda films: films.mp4[: len(films.mp4) // 2], NO_VIDEO),
    "MP4 of an unknown codec": (
        lambda films: films.mp4.replace(b"avc1", b"zz9z"),
        "has a codec that this build does not know",
    ),
    "AVI of an unknown codec": (
        lambda films: films.avi.replace(b"H264", b"ZZ9Z"),
        "has a codec that this build does not know",
    ),
    "MP4 with samples of two gigabytes": (
        lambda films: with_numbers(films.mp4, box(films.mp4, b"stsz") + 12, [0x7FFFFFFF] * N_FRAMES),
        "holds nothing that could be read",
    ),
    "MP4 with two billion samples": (
        lambda films: with_numbers(films.mp4, box(films.mp4, b"stsz") + 8, [0x7FFFFFFF]),
        NO_VIDEO,
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("is_looped", [False, True])
def test_what_cannot_be_read_ends_in_a_sentence(films: Films, tmp_path: Path, name: str, is_looped: bool) -> None:
    content, sentence = UNREADABLE[name]
    path = tmp_path / "film.mp4"
    path.write_bytes(content(films))
    state, stats = play(path, IngestSettings(file_pace="fast", loop_file=is_looped))
    assert state is StreamState.OFFLINE
    assert stats.last_error is not None
    assert stats.last_error.startswith(str(path))
    assert sentence in stats.last_error
    assert "Error" not in stats.last_error


READABLE: dict[str, tuple[Callable[[Films], bytes], int]] = {
    "TS without its end": (lambda films: films.ts[: len(films.ts) // 2 + 7], 15),
    "Matroska without its end": (lambda films: films.matroska[: len(films.matroska) // 2], 15),
    "fragments without the last": (lambda films: films.fragmented[: len(films.fragmented) // 2], 15),
    "TS with noise in it": (
        lambda films: films.ts[:30_080] + np.random.default_rng(1).bytes(5000) + films.ts[30_080:],
        N_FRAMES - 5,
    ),
    "TS whose time stamps jump back": (lambda films: films.ts + films.ts, 2 * N_FRAMES - 2),
    "TS whose time stamps jump back by half": (
        lambda films: films.ts[len(films.ts) // 376 * 188 :] + films.ts,
        N_FRAMES,
    ),
    "MP4 of 0 fps": (lambda films: without_durations(films.mp4), N_FRAMES),
    "AVI of 0 fps": (lambda films: without_rate(films.avi), N_FRAMES),
}


@pytest.mark.parametrize("name", READABLE)
def test_what_is_damaged_is_read_as_far_as_it_can_be(films: Films, tmp_path: Path, name: str) -> None:
    content, least = READABLE[name]
    path = tmp_path / "film"
    path.write_bytes(content(films))
    _, stats = play(path)
    assert stats.frames >= least
    assert stats.demuxed.packets == stats.frames + stats.decoding.broken + stats.skipped_packets


def test_samples_of_nothing_are_no_pictures(films: Films, tmp_path: Path) -> None:
    at = box(films.mp4, b"stsz") + 12
    sizes = [0 if i % 3 == 0 else size for i, size in enumerate(struct.unpack_from(f">{N_FRAMES}I", films.mp4, at))]
    path = tmp_path / "film.mp4"
    path.write_bytes(with_numbers(films.mp4, at, sizes))
    _, stats = play(path)
    assert stats.frames < N_FRAMES


def test_a_folder_and_a_pipe_are_no_films(tmp_path: Path) -> None:
    _, stats = play(tmp_path)
    assert stats.last_error == f"{tmp_path} is a folder, not a video file"
    os.mkfifo(tmp_path / "pipe")
    _, stats = play(tmp_path / "pipe")
    assert stats.last_error == f"{tmp_path / 'pipe'} is a pipe, socket or device, not a video file"


def test_a_looped_film_of_one_picture_does_not_spin(tmp_path: Path) -> None:
    path = tmp_path / "one.mp4"
    picture = np.full((96, 160, 3), 90, np.uint8)
    encode_pictures([picture], path, EncoderSettings(160, 96, Fraction(5)))
    with watched(str(path), IngestSettings(loop_file=True)) as camera:
        camera.wait(lambda: camera.stream.stats.sessions >= 5, "five rounds")
        assert camera.stream.stats.fps < 6


def test_an_8k_film_is_decoded_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "8k.mp4"

    def frames() -> Iterator[av.VideoFrame]:
        for shade in (60, 120):
            yield av.VideoFrame.from_ndarray(np.full((4320 * 3 // 2, 7680), shade, np.uint8), format="yuv420p")

    encode_frames(frames(), path, EncoderSettings(7680, 4320, Fraction(25), bitrate_bps=8_000_000))
    with bounded_memory(512 << 20), watched(str(path), FAST) as camera:
        wait_until(camera.stream.is_finished, "the film ends")
        latest = camera.stream.latest()
        assert latest is not None
        assert (latest.width, latest.height) == (7680, 4320)
        assert camera.stream.stats.frames == 2


def read_and_decode(path: Path) -> int:
    """Read a film and decode it, as the threads of a camera do, without them; returns the pictures."""
    clock, counters = SystemClock(), DemuxCounters()
    decoder = VideoDecoder("film")
    n_pictures = 0
    with open_source(str(path), SourceOptions("tcp", 5, 5)) as container:
        demuxer = Demuxer(
            container,
            name="film",
            clock=clock,
            ended=threading.Event(),
            pace="fast",
            counters=counters,
            session=0,
            sequence=0,
        )
        last: MediaPacket | None = None
        for packet in chain.from_iterable(demuxer.batches()):
            is_next = last is not None and last.session == packet.session
            assert last is None or not is_next or packet.dts > last.dts
            assert packet.pts >= packet.dts
            n_pictures += len(decoder.decode(packet))
            last = packet
    return n_pictures


@given(
    container=st.sampled_from(["mp4", "fragmented", "ts", "matroska", "avi"]),
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=8),
    kept=st.floats(0.3, 1),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_damaged_only_known_errors_come_out(
    films: Films, tmp_path: Path, container: str, damage: list[tuple[float, bytes]], kept: float
) -> None:
    content = bytearray(getattr(films, container))
    for where, junk in damage:
        at = int(where * len(content))
        content[at : at + len(junk)] = junk
    path = tmp_path / "film"
    path.write_bytes(content[: int(kept * len(content))])
    with suppress(NvrError, av.FFmpegError):
        read_and_decode(path)
