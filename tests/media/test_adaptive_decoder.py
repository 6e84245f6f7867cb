"""What is decoded of a camera, on real packets of still scenes with known events."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from nvr.media.adaptive_decoder import AdaptiveDecoder, DecodeCounters, DecodePolicy, DecodeSettings
from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from tests.media.clips import FPS, make_clip, make_clip_with_b_frames, read_packets


class Run:
    """Feeds all packets as a worker would, with replays, and remembers which frames were shown in which order."""

    def __init__(self, packets: Sequence[MediaPacket], policy: DecodePolicy, quiet_s: float = 2.0) -> None:
        self.counters = DecodeCounters()
        self.decoder = AdaptiveDecoder("test", DecodeSettings(policy, quiet_s=quiet_s), self.counters)
        self.frames: list[int] = []
        self.onsets: list[int] = []
        self.asleep_at: list[int] = []
        self.quiet: list[int] = []
        ring = PacketRing(max_seconds=1e6)
        for packet in packets:
            ring.append(packet)
            self._feed(packet, ring)
        last = self.decoder.finish()
        self.frames += [frame_number(shown.picture.pts, shown.picture.time_base) for shown in last.shown]

    def _feed(self, packet: MediaPacket, ring: PacketRing) -> None:
        step = self.decoder.feed(packet, gop_start_before=ring.gop_start_before)
        if self.decoder.is_asleep:
            self.asleep_at.append(packet.sequence)
        for shown in step.shown:
            self.frames.append(frame_number(shown.picture.pts, shown.picture.time_base))
            if shown.is_onset:
                self.onsets.append(self.frames[-1])
            if shown.is_quiet:
                self.quiet.append(self.frames[-1])
        if step.replay_from is not None:
            for earlier in ring.slice_from(step.replay_from, 10_000)[1]:
                self._feed(earlier, ring)


def frame_number(pts: int, time_base: Fraction) -> int:
    return round(float(pts * time_base) * FPS)


@pytest.fixture(scope="module")
def event_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 s, a key frame a second, something crosses from frame 263 (mid-GOP) to 299."""
    return make_clip(tmp_path_factory.mktemp("clips") / "event.mp4", 400, [(263, 299)])


@pytest.fixture(scope="module")
def sleepy_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a key frame every 12 frames, which lets it sleep without asking the packets."""
    return make_clip(tmp_path_factory.mktemp("clips") / "sleepy.mp4", 400, [(263, 299)], gop_s=12 / FPS)


def test_all_decodes_every_frame_once_and_in_order(event_clip: Path) -> None:
    run = Run(read_packets(event_clip), "all")
    assert run.frames == list(range(400))
    assert run.counters.broken == run.counters.skipped == 0


def test_keyframes_decodes_those_only(event_clip: Path) -> None:
    run = Run(read_packets(event_clip), "keyframes")
    assert run.frames == list(range(0, 400, 25))
    assert run.counters.dozed == run.counters.asleep == 400 - 16


def test_adaptive_sleeps_while_nothing_moves_and_misses_no_frame_of_what_does(sleepy_clip: Path) -> None:
    run = Run(read_packets(sleepy_clip), "adaptive")
    assert run.frames == sorted(set(run.frames)), "in order, none twice, replayed or not"
    assert set(range(252, 350)) <= set(run.frames), "from the GOP before the motion was noticed to the quiet time after"
    assert 263 in run.onsets
    between = set(run.frames) & set(range(100, 250))
    assert between == set(range(108, 250, 12)), "asleep: key frames only"
    assert run.counters.wakes == 1
    assert run.quiet[0] == 50, "the frame after which it falls asleep says so, and each key frame then"
    assert set(range(60, 253, 12)) <= set(run.quiet)
    assert not set(range(253, 300)) & set(run.quiet)


def test_each_packet_is_shown_or_slept_through_once_though_some_were_gone_back_to(sleepy_clip: Path) -> None:
    run = Run(read_packets(sleepy_clip), "adaptive")
    shown, asleep = len(run.frames), run.counters.asleep
    assert run.counters.wakes == 1
    assert asleep < run.counters.dozed, "what was passed over and then decoded after all was not slept through"
    assert 400 - 12 < shown + asleep <= 400, "of the last GOP it is not known yet"


@pytest.mark.parametrize("gop_s", [0.04, 0.2])
def test_gops_too_short_to_look_at_each_hide_no_frame_of_an_event(tmp_path: Path, gop_s: float) -> None:
    run = Run(read_packets(make_clip(tmp_path / "short.mp4", 200, [(114, 150)], gop_s=gop_s)), "adaptive")
    assert run.counters.wakes == 1
    assert run.frames == sorted(set(run.frames))
    assert set(range(114, 200)) <= set(run.frames)


def test_nothing_that_moves_is_never_woken_up(tmp_path: Path) -> None:
    run = Run(read_packets(make_clip(tmp_path / "quiet.mp4", 500, gop_s=12 / FPS)), "adaptive")
    assert run.counters.wakes == 0
    assert len(run.frames) < 100
    assert run.asleep_at


def test_h265_sleeps_and_wakes_as_well(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "event.mp4", 250, [(180, 200)], codec="hevc", gop_s=12 / FPS)
    run = Run(read_packets(clip), "adaptive")
    assert run.counters.wakes == 1
    assert set(range(176, 200)) <= set(run.frames)


def test_nonref_leaves_out_what_no_other_frame_needs(tmp_path: Path) -> None:
    packets = read_packets(make_clip_with_b_frames(tmp_path / "b.mp4", 100))
    run = Run(packets, "nonref")
    assert run.frames == sorted(set(run.frames))
    assert 20 < len(run.frames) < 80


@pytest.mark.parametrize("is_open_gop", [False, True])
def test_b_frames_come_out_in_order_of_presentation(tmp_path: Path, is_open_gop: bool) -> None:
    packets = read_packets(make_clip_with_b_frames(tmp_path / "b.mp4", 150, is_open_gop=is_open_gop))
    assert Run(packets, "all").frames == list(range(150))


def test_decoding_that_begins_at_an_open_gop_leaves_out_what_it_cannot_show(tmp_path: Path) -> None:
    packets = read_packets(make_clip_with_b_frames(tmp_path / "b.mp4", 150, is_open_gop=True))
    start = next(packet.sequence for packet in packets[1:] if packet.is_keyframe)
    run = Run(packets[start:], "all")
    first = frame_number(packets[start].pts, packets[start].time_base)
    assert run.frames == list(range(first, 150))
    assert run.counters.broken == 0


def test_decoding_begins_at_a_key_frame_and_counts_what_it_left_out(event_clip: Path) -> None:
    run = Run(read_packets(event_clip)[10:100], "all")
    assert run.frames == list(range(25, 100))
    assert run.counters.skipped == 15


def test_a_late_decoder_leaves_out_everything_up_to_a_key_frame_in_time(event_clip: Path) -> None:
    packets = read_packets(event_clip)[:100]
    counters = DecodeCounters()
    decoder = AdaptiveDecoder("test", DecodeSettings("all"), counters)
    frames = []
    for packet in packets:
        late = 30 <= packet.sequence < 60
        step = decoder.feed(packet, is_late=late, gop_start_before=lambda _: None)
        frames += [frame_number(shown.picture.pts, shown.picture.time_base) for shown in step.shown]
    assert frames == [*range(30), *range(75, 100)]
    assert counters.skipped == 45


def test_broken_packets_are_counted_and_the_rest_is_seen(event_clip: Path, tmp_path: Path) -> None:
    content = bytearray(event_clip.read_bytes())
    import av

    with av.open(str(event_clip)) as container:
        broken = [packet for packet in container.demux(video=0) if packet.size and not packet.is_keyframe][30:33]
        for packet in broken:
            assert packet.pos is not None
            content[packet.pos + 4 : packet.pos + packet.size] = b"\xff" * (packet.size - 4)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    run = Run(read_packets(damaged), "all")
    assert 1 <= run.counters.broken <= 3
    assert len(run.frames) >= 394
    assert run.frames[-1] == 399


def test_a_change_of_size_in_mid_stream_goes_on_with_the_new_one(tmp_path: Path) -> None:
    first = read_packets(make_clip(tmp_path / "a.mp4", 50))
    second = read_packets(make_clip(tmp_path / "b.mp4", 50, size=(160, 96)), sequence=50, session=1)
    counters = DecodeCounters()
    decoder = AdaptiveDecoder("test", DecodeSettings("adaptive"), counters)
    sizes = [
        (shown.picture.picture.width, shown.picture.picture.height)
        for packet in [*first, *second]
        for shown in decoder.feed(packet, gop_start_before=lambda _: None).shown
    ]
    assert sizes.count((320, 192)) >= 48
    assert sizes.count((160, 96)) >= 48
    assert counters.broken == 0


def test_retuning_wakes_a_sleeper_and_begins_at_the_next_key_frame(sleepy_clip: Path) -> None:
    packets = read_packets(sleepy_clip)
    decoder = AdaptiveDecoder("test", DecodeSettings("adaptive", quiet_s=2.0), DecodeCounters())
    frames: list[int] = []
    for packet in packets[:250]:
        if packet.sequence == 160:
            assert decoder.is_asleep
            decoder.retune(DecodeSettings("all"))
        step = decoder.feed(packet, gop_start_before=lambda _: None)
        frames += [frame_number(shown.picture.pts, shown.picture.time_base) for shown in step.shown]
    assert [frame for frame in frames if frame >= 150] == [156, *range(168, 250)]


def test_what_comes_while_nobody_looks_counts_as_unwanted_and_not_as_slept_through(event_clip: Path) -> None:
    counters = DecodeCounters()
    decoder = AdaptiveDecoder("test", DecodeSettings("nothing"), counters)
    ring = PacketRing(max_seconds=1e6)
    packets = read_packets(event_clip)
    for packet in packets[:60]:
        ring.append(packet)
        assert decoder.feed(packet, gop_start_before=ring.gop_start_before).shown == []
    assert (counters.unwanted, counters.asleep) == (50, 0), "of the GOP that it is in it is not known yet"
    decoder.go_back()
    decoder.retune(DecodeSettings("all"))
    shown = [decoder.feed(packet, gop_start_before=ring.gop_start_before).shown for packet in packets[50:100]]
    assert sum(map(len, shown)) + len(decoder.finish().shown) == 50
    assert (counters.unwanted, counters.asleep, counters.skipped) == (50, 0, 0)
