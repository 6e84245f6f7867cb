"""One connection, on real packets and a clock that moves only when told."""

import threading
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from nvr.core.clock import ManualClock
from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.session import MAX_LAG_S, Picture, Session, SessionCounters

FPS = 25
GOP = 25
N_FRAMES = 100


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds with a key frame each second."""
    path = tmp_path_factory.mktemp("session") / "a.mp4"
    grey = (np.full((96, 160, 3), 2 * i, np.uint8) for i in range(N_FRAMES))
    encode_pictures(grey, path, EncoderSettings(160, 96, Fraction(FPS), gop_s=GOP / FPS))
    return path


def play(path: Path, clock: ManualClock, ended: threading.Event, counters: SessionCounters) -> Iterator[Picture]:
    """Play a file as if it came from the network: without pace, every packet is there at once."""
    with av.open(str(path)) as container:
        session = Session(container, clock=clock, ended=ended, is_paced=False, counters=counters)
        yield from session.pictures()


def frame_number(picture: Picture) -> int:
    assert picture.pts is not None
    assert picture.time_base is not None
    return round(picture.pts * picture.time_base * FPS)


def test_a_reader_that_keeps_up_sees_every_picture(video: Path) -> None:
    clock, counters = ManualClock(), SessionCounters()
    seen = []
    for picture in play(video, clock, threading.Event(), counters):
        seen.append(frame_number(picture))
        clock.advance(1 / FPS)
    # what is left in the decoder at the end of a live stream is nobody's loss
    assert seen == list(range(len(seen)))
    assert len(seen) >= N_FRAMES - 3
    assert counters == SessionCounters()


def test_a_reader_that_falls_behind_skips_to_the_next_key_frame(video: Path) -> None:
    clock, counters = ManualClock(), SessionCounters()
    seen = []
    for picture in play(video, clock, threading.Event(), counters):
        seen.append(frame_number(picture))
        clock.advance(2 / FPS)  # as if each picture took twice its time
    jumps = [(before, after) for before, after in pairwise(seen) if after != before + 1]
    assert jumps
    assert (jumps[0][0] + 1) / FPS == pytest.approx(MAX_LAG_S, abs=3 / FPS)
    assert all(after % GOP == 0 for _, after in jumps), "it goes on where decoding can begin"
    assert counters.skipped_packets >= sum(after - before - 1 for before, after in jumps)


def test_the_end_can_be_asked_for_between_two_pictures(video: Path) -> None:
    ended = threading.Event()
    pictures = play(video, ManualClock(), ended, SessionCounters())
    next(pictures)
    ended.set()
    assert len(list(pictures)) <= 1


def test_broken_packets_are_counted_and_the_rest_is_seen(video: Path, tmp_path: Path) -> None:
    content = bytearray(video.read_bytes())
    with av.open(str(video)) as container:
        broken = [packet for packet in container.demux(video=0) if packet.size and not packet.is_keyframe][30:33]
        for packet in broken:
            assert packet.pos is not None
            content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    counters = SessionCounters()
    seen = [frame_number(picture) for picture in play(damaged, ManualClock(), threading.Event(), counters)]
    assert counters.broken_packets == 3
    assert len(seen) >= N_FRAMES - 6
    assert seen[-1] >= N_FRAMES - 4


def test_arrival_is_the_capture_time_where_the_camera_tells_none(video: Path) -> None:
    clock = ManualClock()
    picture = next(play(video, clock, threading.Event(), SessionCounters()))
    assert (picture.captured_at, picture.timestamp_source, picture.received_s) == (clock.now(), "arrival", 0.0)
