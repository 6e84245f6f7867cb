"""What packets tell while nothing is decoded: sizes of quiet, of motion, and of a camera that hides both."""

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from nvr.media.adaptive_decoder import AdaptiveDecoder, DecodeCounters, DecodeSettings
from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from nvr.media.packet_watch import PacketWatch
from nvr.media.parameters import StreamParameters
from tests.media.clips import FPS, read_packets, still_with_events
from tests.media.packets import make_packet

HD = StreamParameters("video", "h264", width_px=1280, height_px=720)
GOP = 100


def packets(seconds: float, sizes: Iterator[int], *, first: int = 0) -> Iterator[MediaPacket]:
    for sequence in range(first, first + round(seconds * FPS)):
        is_keyframe = sequence % GOP == 0
        size_bytes = 60_000 if is_keyframe else next(sizes)
        yield replace(make_packet(sequence, is_keyframe=is_keyframe, size_bytes=size_bytes), parameters=HD)


def around(mean: float, spread: float, seed: int = 0) -> Iterator[int]:
    rng = random.Random(seed)
    while True:
        yield max(20, round(rng.gauss(mean, spread)))


def taught(mean: float = 400, spread: float = 40, seconds: float = 60) -> PacketWatch:
    watch = PacketWatch()
    assert not any(watch.note(packet, is_quiet=True) for packet in packets(seconds, around(mean, spread)))
    return watch


def test_it_tells_nothing_before_it_has_seen_quiet_for_a_while() -> None:
    watch = taught(seconds=20)
    assert not watch.is_usable
    assert not any(watch.note(packet, is_quiet=True) for packet in packets(1, around(5000, 10), first=500))


def test_motion_in_a_stream_of_small_packets_is_told_within_some_frames() -> None:
    watch = taught()
    assert watch.is_usable
    told = [watch.note(packet, is_quiet=True) for packet in packets(2, around(2500, 300), first=1510)]
    assert True in told[: round(0.4 * FPS)]


def test_an_hour_of_quiet_wakes_nobody() -> None:
    watch = taught()
    quiet = packets(3600, around(400, 40, seed=7), first=1500)
    assert sum(watch.note(packet, is_quiet=True) for packet in quiet) == 0


def test_noise_that_grows_slowly_is_still_quiet() -> None:
    watch, first = taught(), 1500
    for step in range(40):
        told = [watch.note(packet, is_quiet=True) for packet in packets(30, around(400 + 10 * step, 40), first=first)]
        assert not any(told), f"step {step}"
        first += 30 * FPS


@pytest.mark.parametrize(("mean", "spread"), [(10_000, 2_000), (2_500, 900)])
def test_a_rate_control_that_fills_its_rate_hides_motion_and_that_is_known(mean: float, spread: float) -> None:
    watch = PacketWatch()
    for packet in packets(120, around(mean, spread)):
        assert not watch.note(packet, is_quiet=True)
    assert not watch.is_usable


def test_what_moves_is_not_learnt_as_quiet() -> None:
    watch = taught()
    for packet in packets(60, around(4000, 300), first=1500):
        watch.note(packet, is_quiet=False)
    assert watch.is_usable
    told = [watch.note(packet, is_quiet=True) for packet in packets(1, around(2500, 100), first=3010)]
    assert any(told)


def test_a_replay_teaches_nothing_and_tells_nothing() -> None:
    watch = taught()
    assert not any(watch.note(packet, is_quiet=True) for packet in packets(20, around(9000, 10), first=500))
    assert watch.is_usable


def test_false_alarms_raise_the_margin_and_it_is_forgiven_later() -> None:
    watch = taught()
    for _ in range(10):
        watch.note_false_alarm()
    assert not any(watch.note(packet, is_quiet=True) for packet in packets(1, around(600, 10), first=1510))
    for packet in packets(1200, around(400, 40, seed=3), first=1600):
        watch.note(packet, is_quiet=True)
    told = [watch.note(packet, is_quiet=True) for packet in packets(1, around(600, 10), first=31_610)]
    assert any(told)


def test_a_new_connection_keeps_what_was_learnt_and_a_new_encoder_does_not() -> None:
    watch = taught()
    (again,) = packets(1 / FPS, around(400, 40), first=1501)
    watch.note(replace(again, session=1), is_quiet=True)
    assert watch.is_usable
    other = replace(again, sequence=1502, parameters=replace(HD, extradata=b"new"))
    watch.note(other, is_quiet=True)
    assert not watch.is_usable


def test_an_event_between_two_key_frames_of_a_real_vbr_stream_is_shown_from_its_first_frame(tmp_path: Path) -> None:
    first, last, n_frames = 1236, 1261, 1400
    settings = EncoderSettings(320, 192, Fraction(FPS), gop_s=4.0, rate_control="vbr")
    clip = tmp_path / "vbr.mp4"
    encode_pictures(still_with_events(n_frames, [(first, last)]), clip, settings)
    ring, shown = PacketRing(max_seconds=1e9), list[int]()
    decoder = AdaptiveDecoder("test", DecodeSettings("adaptive", quiet_s=3), DecodeCounters())

    def feed(packet: MediaPacket) -> None:
        step = decoder.feed(packet, gop_start_before=ring.gop_start_before)
        shown.extend(round(each.picture.packet.media_s * FPS) for each in step.shown)
        if step.replay_from is not None:
            for earlier in ring.slice_from(step.replay_from, n_frames)[1]:
                feed(earlier)

    for packet in read_packets(clip):
        ring.append(packet)
        feed(packet)
        if packet.sequence == first - 1:
            assert decoder.is_asleep, "four seconds between key frames, and the packets tell"
    assert set(range(first, last + 1)) <= set(shown)
    assert len(shown) < n_frames * 0.8
