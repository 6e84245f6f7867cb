"""Capture times of the packets of a camera over RTSP, against what the camera knows."""

import threading
from datetime import datetime, timedelta
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from nvr.core.clock import SystemClock
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.demo.truth import FrameTruth
from nvr.media.demuxer import DemuxCounters, Demuxer
from nvr.media.packet import MediaPacket
from nvr.media.source import SourceOptions, open_source

pytestmark = pytest.mark.camera

N_PACKETS = 60


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loops")


class Played(NamedTuple):
    """What came of a camera."""

    n_buffered: int
    """Packets that came at once when the connection began, and the first one after them."""
    packets: list[MediaPacket]
    truth: list[datetime]
    """When the camera captured its frames."""
    clock_error_s: float | None


def play(cache_dir: Path, *faults: str) -> Played:
    truth: list[datetime] = []

    def note(frame: FrameTruth) -> None:
        truth.append(frame.captured_at)

    config = SimulatorConfig(1, width_px=160, height_px=96, faults=faults, cache_dir=cache_dir)
    with (
        Simulator(config, on_frame=note) as simulator,
        open_source(simulator.uri(0), SourceOptions("tcp", 10, 10)) as it,
    ):
        demuxer = Demuxer(
            it,
            name="camera",
            clock=SystemClock(),
            ended=threading.Event(),
            pace="live",
            counters=DemuxCounters(),
            session=0,
            sequence=0,
        )
        batches = demuxer.batches()
        first = next(batches)
        packets = [*first, *islice(chain.from_iterable(batches), N_PACKETS)]
        return Played(len(first), packets, truth, demuxer.clock_error_s)


def test_sender_reports_tell_the_moment_of_capture(cache_dir: Path) -> None:
    played = play(cache_dir)
    assert {packet.timestamp_source for packet in played.packets} == {"rtcp"}
    errors = [min(abs(at - packet.captured_at) for at in played.truth) for packet in played.packets]
    assert max(errors) < timedelta(milliseconds=2)
    assert played.clock_error_s is not None
    assert played.clock_error_s < 0, "capture comes before arrival"


def test_pictures_from_a_buffer_lie_as_far_apart_as_they_were_captured(cache_dir: Path) -> None:
    played = play(cache_dir, "0:no-sr")
    assert {packet.timestamp_source for packet in played.packets} == {"arrival"}
    assert played.clock_error_s is None
    assert played.n_buffered > 1
    buffered = [packet.captured_at for packet in played.packets[: played.n_buffered]]
    distances = [after - before for before, after in pairwise(buffered)]
    assert all(abs(distance - timedelta(milliseconds=40)) < timedelta(milliseconds=2) for distance in distances)
    assert all(after.captured_at > before.captured_at for before, after in pairwise(played.packets))


def test_a_clock_that_is_an_hour_off_is_told_and_not_believed(cache_dir: Path) -> None:
    played = play(cache_dir, "0:skew=3600")
    assert {packet.timestamp_source for packet in played.packets} == {"arrival"}
    assert played.clock_error_s == pytest.approx(3600, abs=60)
    assert all(abs(packet.captured_at - played.truth[0]) < timedelta(minutes=10) for packet in played.packets)
