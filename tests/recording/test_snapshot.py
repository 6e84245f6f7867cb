"""Snapshots out of coded packets, as files."""

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from nvr.core.clock import ManualClock
from nvr.core.errors import StreamError
from nvr.events.recording_event import SegmentEvent
from nvr.media.packet_ring import PacketRing
from nvr.recording.best_frame import Candidate
from nvr.recording.snapshot import MAX_WAITING, Job, SnapshotWorker, frame_from_ring
from tests.media.coded_media import Recipe, make_video, read_media
from tests.recording.packets import NOON, at, camera_packets
from tests.waiting import wait_until


def ring_of(seconds: int = 4) -> PacketRing:
    ring = PacketRing(max_seconds=60)
    for packet in camera_packets(25 * seconds):
        ring.append(packet)
    return ring


def wanted(second: float) -> Candidate:
    return Candidate(at(second), 1.0, "person", 0.9)


def worker(root: Path, events: list[SegmentEvent]) -> SnapshotWorker:
    return SnapshotWorker(root, "default", instance_id=lambda: "i", clock=ManualClock(NOON), on_snapshot=events.append)


def test_a_snapshot_is_the_frame_of_its_time_beside_the_segments(tmp_path: Path) -> None:
    events: list[SegmentEvent] = []
    snapshots = worker(tmp_path, events)
    snapshots.start()
    snapshots.put(Job(7, ring_of(), wanted(2.21)))
    assert snapshots.stop(30)
    (event,) = events
    assert event.path == "default/7/2026/11/24/12/20261124T120002.200000Z_snapshot.jpg"
    assert (event.type, event.kind, event.class_name, event.confidence) == ("snapshot", "event", "person", 0.9)
    assert (event.start, event.width, event.height, event.codec) == (at(2.2), 160, 96, "mjpeg")
    content = (tmp_path / event.path).read_bytes()
    assert len(content) == event.size_bytes
    assert b"2026:11:24 12:00:02" in content
    with av.open(io.BytesIO(content), "r", format="jpeg_pipe") as container:
        (picture,) = container.decode(video=0)
    # the grey of picture 55, of full range
    expected = (16 + 55 - 16) * 255 / 219
    assert float(np.mean(picture.to_ndarray(format="gray"))) == pytest.approx(expected, abs=3)
    assert [path.name for path in tmp_path.iterdir()] == ["default"], "nothing else is left"


def test_a_picture_of_an_open_gop_is_found(tmp_path: Path) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(seconds=4, gop=25, b_frames=3)))
    ring = PacketRing(max_seconds=60)
    for packet in media.packets:
        ring.append(replace(packet, captured_at=at(packet.received_s)))
    for packet in media.of_kind("video")[20:60]:
        frame = frame_from_ring(7, ring, wanted(packet.received_s))
        assert frame.captured_at == at(packet.received_s)


@pytest.mark.parametrize("second", [-3, 9])
def test_a_frame_that_memory_does_not_hold_is_an_error(second: float) -> None:
    with pytest.raises(StreamError, match=r"camera 7: the picture of .* is not in memory, the nearest is"):
        frame_from_ring(7, ring_of(), wanted(second))


def test_an_empty_ring_is_an_error() -> None:
    with pytest.raises(StreamError, match=r"camera 7: no picture of .* is in memory"):
        frame_from_ring(7, PacketRing(), wanted(1))


def test_what_cannot_be_taken_is_counted_and_the_next_is_taken(tmp_path: Path) -> None:
    events: list[SegmentEvent] = []
    root = tmp_path / "root"
    snapshots = worker(root, events)
    snapshots.start()
    snapshots.put(Job(7, PacketRing(), wanted(1)))
    snapshots.put(Job(7, ring_of(), wanted(1)))
    wait_until(lambda: snapshots.failures == 2, "both fail: no picture, no disk")
    assert not root.exists()
    root.mkdir()
    snapshots.put(Job(7, ring_of(), wanted(1)))
    assert snapshots.stop(30)
    assert (snapshots.taken, snapshots.failures) == (1, 2)
    assert len(events) == 1


def test_of_too_many_the_oldest_are_dropped_and_counted(tmp_path: Path) -> None:
    events: list[SegmentEvent] = []
    snapshots = worker(tmp_path, events)
    ring = ring_of(2)
    for number in range(MAX_WAITING + 3):
        snapshots.put(Job(7, ring, wanted(number / 25)))
    assert snapshots.dropped == 3
    snapshots.start()
    assert snapshots.stop(30)
    assert [event.start for event in events] == [at(number / 25) for number in range(3, MAX_WAITING + 3)]
    snapshots.put(Job(7, ring, wanted(1)))
    assert snapshots.taken == MAX_WAITING
