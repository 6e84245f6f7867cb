"""Hanging up on a stream and beginning again."""

from pathlib import Path

import pytest

from nvr.media.packet_ring import RingReader
from nvr.media.stream import CameraStream, IngestSettings, StreamState
from tests.media.clips import make_clip
from tests.waiting import wait_until

FAST = IngestSettings(file_pace="fast")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "still.mp4", 150)


def test_a_pause_leaves_no_hole_in_what_is_read(clip: Path) -> None:
    stream = CameraStream(1, str(clip), settings=FAST, decode=None)
    reader = stream.ring.reader()
    stream.start()
    wait_until(lambda: stream.ring.end > 50, "the stream waits for its reader")
    stream.pause()
    wait_until(lambda: stream.state is StreamState.PAUSED, "it has hung up")
    stream.resume()
    sequences = read_to_the_end(reader)
    assert stream.stop(30)
    assert sequences == list(range(len(sequences)))
    assert len(sequences) > 150
    assert reader.lost == 0


def test_a_file_that_is_resumed_at_once_begins_anew(clip: Path) -> None:
    stream = CameraStream(1, str(clip), settings=FAST, decode=None)
    reader = stream.ring.reader()
    stream.start()
    wait_until(lambda: stream.ring.end > 50, "the stream waits for its reader")
    stream.pause()
    stream.resume()
    assert {packet for packet in read_to_the_end(reader) if packet >= 150}, "nobody asked it to end"
    assert stream.state is StreamState.ENDED
    assert stream.stop(30)


def read_to_the_end(reader: RingReader) -> list[int]:
    sequences: list[int] = []
    while not reader.is_at_end:
        sequences += [packet.sequence for packet in reader.read(0.2, 1)]
    return sequences
