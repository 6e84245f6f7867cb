"""The decoding thread: sampling, replay for a detector that takes its time, and what it does when it is behind."""

import threading
from pathlib import Path

import pytest

from nvr.core.clock import ManualClock, SystemClock
from nvr.core.errors import NvrError, StreamError, UnsupportedError
from nvr.media.adaptive_decoder import DecodeSettings
from nvr.media.decode_worker import MAX_LAG_S, DecodeWorker
from nvr.media.frame import Frame
from nvr.media.freshest import FreshestFrames
from nvr.media.motion_gate import Grid
from nvr.media.packet_ring import IDLE_PATIENCE_S, PacketRing
from nvr.media.parameters import StreamParameters
from tests.media.clips import FPS, make_clip, make_clip_with_b_frames, read_packets
from tests.media.packets import make_packet
from tests.waiting import wait_until


class Taker:
    """Takes frames as the multiplexer does, one after the other."""

    def __init__(self) -> None:
        self.frames = FreshestFrames()
        self.taken: list[Frame] = []
        self._thread = threading.Thread(target=self._run, name="test-taker")
        self._thread.start()

    def _run(self) -> None:
        while taken := self.frames.take(1, 30):
            self.taken += taken

    def stop(self) -> list[int]:
        self.frames.close()
        self._thread.join(30)
        return [number(frame) for frame in self.taken]


class Sink:
    """Takes each frame at once."""

    def __init__(self) -> None:
        self.frames: list[int] = []

    def put(self, frame: Frame) -> None:
        self.frames.append(number(frame))

    def wait_until_taken(self, source_id: int, timeout_s: float) -> bool:
        del source_id, timeout_s
        return True


def number(frame: Frame) -> int:
    assert frame.pts is not None
    assert frame.time_base is not None
    return round(float(frame.pts * frame.time_base) * FPS)


@pytest.fixture(scope="module")
def event_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "event.mp4", 400, [(263, 299)])


def play(worker: DecodeWorker, ring: PacketRing, path: Path, *, lossless: bool = True) -> None:
    worker.start()
    for packet in read_packets(path):
        ring.append(packet)
        if lossless:
            assert ring.wait_for_room(60)
    ring.close()
    wait_until(lambda: not worker.is_alive, "the worker has drained the ring")


def test_an_event_is_sampled_from_its_first_frame_on_though_it_was_noticed_later(tmp_path: Path) -> None:
    ring, taker = PacketRing(), Taker()
    settings = DecodeSettings("adaptive", max_fps=5, quiet_s=2, is_lossless=True)
    worker = DecodeWorker(
        7, "test", ring, settings, clock=ManualClock(), on_failure=lambda error: pytest.fail(str(error)),
        sink=taker.frames,
    )  # fmt: skip
    play(worker, ring, make_clip(tmp_path / "sleepy.mp4", 400, [(263, 299)], gop_s=12 / FPS))
    frames = taker.stop()
    assert 263 in frames, "the onset passes whatever the rate"
    event = [frame for frame in frames if 251 <= frame <= 349]
    assert len(event) == pytest.approx(100 / 5, abs=2)
    counters = worker.counters
    assert counters.wakes == 1
    assert counters.replayed > 10
    assert counters.sampled == len(frames)
    assert counters.thinned == counters.decoded - counters.sampled
    assert all(frame.decoded_s is not None for frame in taker.taken)
    assert counters.decoded + counters.dozed >= 400
    assert {frame.source_id for frame in taker.taken} == {7}
    assert [frame.frame_id for frame in taker.taken] == sorted({frame.frame_id for frame in taker.taken})
    assert any(frame.is_replayed for frame in taker.taken)


def test_every_decoded_frame_is_told_and_a_grid_once_a_second(event_clip: Path) -> None:
    ring, frames, grids = PacketRing(), list[Frame](), list[tuple[Grid, float]]()
    clock = ManualClock()
    worker = DecodeWorker(
        0, "test", ring, DecodeSettings("all", is_lossless=True), clock=clock,
        on_failure=lambda error: pytest.fail(str(error)), on_frame=frames.append,
        on_grid=lambda grid, at_s: grids.append((grid, at_s)),
    )  # fmt: skip
    worker.start()
    for packet in read_packets(event_clip, clock=clock)[:50]:
        ring.append(packet)
    ring.close()
    wait_until(lambda: not worker.is_alive, "the worker has drained the ring")
    assert [number(frame) for frame in frames] == list(range(50))
    assert len(grids) == 1, "all of them arrived in the same moment"


def test_a_worker_that_is_behind_goes_on_with_the_newest_key_frame(event_clip: Path) -> None:
    clock = ManualClock()
    packets = read_packets(event_clip, clock=clock)[:90]
    clock.advance(MAX_LAG_S + 0.1)
    ring, frames = PacketRing(), list[Frame]()
    worker = DecodeWorker(
        0, "test", ring, DecodeSettings("all"), clock=clock, on_failure=lambda error: pytest.fail(str(error)),
        on_frame=frames.append,
    )  # fmt: skip
    for packet in packets:
        ring.append(packet)
    worker.start()
    ring.close()
    wait_until(lambda: not worker.is_alive, "the worker has drained the ring")
    assert [number(frame) for frame in frames] == [75], (
        "later ones of its GOP are as late, and cannot be caught up with"
    )
    assert worker.counters.skipped == 89


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        (StreamParameters("video", "no_such_codec"), "this build of FFmpeg has no decoder for no_such_codec"),
        (StreamParameters("video", "hevc", b"\x01garbage" * 4), "hevc cannot be decoded: its parameters are damaged"),
    ],
)
def test_what_cannot_be_decoded_is_told_once_and_counted_until_the_camera_is_set_otherwise(
    event_clip: Path, parameters: StreamParameters, reason: str
) -> None:
    ring, errors, frames = PacketRing(), list[NvrError](), list[Frame]()
    packets = read_packets(event_clip)[:75]
    for packet in packets[:50]:
        object.__setattr__(packet, "parameters", parameters)
    worker = DecodeWorker(
        0, "front door", ring, DecodeSettings("all", is_lossless=True), clock=ManualClock(), on_failure=errors.append,
        on_frame=frames.append,
    )  # fmt: skip
    ring.extend(packets)
    ring.close()
    worker.start()
    wait_until(lambda: not worker.is_alive, "the worker has drained the ring")
    assert [type(error) for error in errors] == [UnsupportedError]
    assert f"front door: {reason}" in str(errors[0])
    assert worker.counters.broken == 50
    assert len(frames) == 25


def test_endless_garbage_is_told_once_per_many_packets() -> None:
    ring, errors = PacketRing(max_seconds=1000), list[NvrError]()
    worker = DecodeWorker(
        0, "test", ring, DecodeSettings("all", is_lossless=True), clock=SystemClock(), on_failure=errors.append
    )
    worker.start()
    for sequence in range(600):
        ring.append(make_packet(sequence, is_keyframe=True, size_bytes=50))
    ring.close()
    wait_until(lambda: not worker.is_alive, "the worker has drained the ring")
    assert [type(error) for error in errors] == [StreamError, StreamError]
    assert worker.counters.broken == 600


def test_it_ends_when_asked_while_it_waits_for_packets_or_for_a_sink() -> None:
    worker = DecodeWorker(
        0, "test", PacketRing(), DecodeSettings("all"), clock=SystemClock(), on_failure=lambda _: None
    )
    worker.start()
    assert worker.stop(30)


def test_it_ends_when_asked_while_nobody_takes_its_frames(event_clip: Path) -> None:
    ring, nobody = PacketRing(), FreshestFrames()
    settings = DecodeSettings("all", is_lossless=True)
    worker = DecodeWorker(0, "test", ring, settings, clock=SystemClock(), on_failure=lambda _: None, sink=nobody)
    worker.start()
    for packet in read_packets(event_clip)[:50]:
        ring.append(packet)
    wait_until(lambda: worker.counters.sampled == 1, "the first frame waits to be taken")
    assert worker.stop(30)


@pytest.mark.parametrize("max_fps", [0.25, 1.0, 5.0, 25.0])
def test_packets_wait_for_each_other_for_a_moment_only_however_slow_the_sampling(max_fps: float) -> None:
    ring = PacketRing()
    worker = DecodeWorker(
        0, "test", ring, DecodeSettings("all", max_fps=max_fps), clock=ManualClock(), on_failure=lambda _: None
    )
    assert ring.patience_s() == min(1 / max_fps, IDLE_PATIENCE_S)
    assert ring.patience_s() < MAX_LAG_S, "else each of them would be too late to be decoded"
    assert worker.stop(30)


def test_the_last_frame_is_handed_on_though_the_decoder_held_it_back(tmp_path: Path) -> None:
    ring, sink = PacketRing(), Sink()
    worker = DecodeWorker(
        0, "test", ring, DecodeSettings("all"), clock=ManualClock(),
        on_failure=lambda error: pytest.fail(str(error)), sink=sink,
    )  # fmt: skip
    play(worker, ring, make_clip_with_b_frames(tmp_path / "b.mp4", 40))
    assert sink.frames[-1] == 39


def test_an_onset_is_followed_by_no_older_frame_of_its_batch(tmp_path: Path) -> None:
    clip, clock = make_clip(tmp_path / "event.mp4", 40, [(30, 39)]), ManualClock()
    ring, sink = PacketRing(), Sink()
    worker = DecodeWorker(
        0, "test", ring, DecodeSettings("adaptive", max_fps=5), clock=clock,
        on_failure=lambda error: pytest.fail(str(error)), sink=sink,
    )  # fmt: skip
    ring.extend(read_packets(clip, clock=clock)[:31])  # the motion begins with the last one
    worker.start()
    ring.close()
    wait_until(lambda: not worker.is_alive, "the worker has drained the ring")
    assert sink.frames[-1] == 30
    assert sink.frames == sorted(sink.frames)


def test_each_decoded_frame_is_handed_on_or_thinned_out(event_clip: Path) -> None:
    ring, sink = PacketRing(), Sink()
    worker = DecodeWorker(
        0, "test", ring, DecodeSettings("all", max_fps=5), clock=ManualClock(),
        on_failure=lambda error: pytest.fail(str(error)), sink=sink,
    )  # fmt: skip
    play(worker, ring, event_clip)
    counters = worker.counters
    assert counters.decoded == 400
    assert (counters.sampled, counters.thinned) == (len(sink.frames), 400 - len(sink.frames))
    assert len(sink.frames) < 200


def test_a_camera_that_nobody_looks_at_is_read_and_not_decoded_and_seen_at_once_again(event_clip: Path) -> None:
    ring, sink = PacketRing(), Sink()
    packets = read_packets(event_clip)[:150]
    key_frames = [packet.sequence for packet in packets if packet.is_keyframe]
    worker = DecodeWorker(
        0, "test", ring, DecodeSettings("nothing"), clock=SystemClock(), on_failure=lambda _: None, sink=sink
    )
    worker.start()
    last = key_frames[2] + 7
    for packet in packets[:last]:
        ring.append(packet)
    wait_until(lambda: worker.counters.dozed >= key_frames[2], "all is passed over")
    assert (worker.counters.decoded, sink.frames) == (0, [])
    worker.retune(DecodeSettings("all"))
    wait_until(lambda: worker.counters.decoded >= 6, "the newest GOP is decoded, for what follows")
    for packet in packets[last:]:
        ring.append(packet)
    ring.close()
    wait_until(lambda: not worker.is_alive, "it ends")
    assert sink.frames == list(range(key_frames[2], len(packets)))
    assert worker.counters.broken == worker.counters.skipped == 0
