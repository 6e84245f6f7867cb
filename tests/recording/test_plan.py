"""What is kept of a stream of 5 pictures a second with a key frame every 2 s, read of a real ring as time goes by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvr.events.recording_event import EndReason
from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from nvr.recording.modes import Modes, parse_modes
from nvr.recording.plan import Ended, PlanSettings, RecordingPlan, SegmentReason, Step
from nvr.recording.planned_reader import PlannedReader
from tests.recording.packets import VIDEO, at, made_up

Wish = Callable[[RecordingPlan], object]

FPS = 5
GOP = 10
GOP_S = GOP / FPS
TICK_S = 0.2
ROLLS = PlanSettings(segment_s=10, pre_roll_s=5, post_roll_s=5)


@dataclass
class Kept:
    """A segment as the plan had it."""

    packets: list[MediaPacket]
    ended: Ended | None = None
    ends: EndReason | None = None

    @property
    def span_s(self) -> tuple[float, float]:
        """Seconds of the first picture and of the end of the last."""
        first, last = self.packets[0], self.packets[-1]
        return ((first.captured_at - at(0)).total_seconds(), (last.captured_at - at(0)).total_seconds() + 1 / FPS)


@dataclass
class Recording:
    """A camera, its ring and its plan, moved on by `run`."""

    modes: Modes
    settings: PlanSettings = ROLLS
    ring_s: float = 15.0
    segments: list[Kept] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ring = PacketRing(max_seconds=self.ring_s)
        self.plan = RecordingPlan(self.modes, self.settings)
        self.reader = PlannedReader(self.ring, self.plan)
        self.open: Kept | None = None
        self.now_s = 0.0

    def run(
        self,
        until_s: float,
        wishes: Iterable[tuple[float, Wish]] = (),
        change: Callable[[MediaPacket], MediaPacket | None] = lambda packet: packet,
        read_until_s: float | None = None,
    ) -> None:
        """Let the camera send and the plan decide, in steps of one picture; wishes come at their second."""
        waiting = sorted(wishes, key=lambda wish: wish[0])
        while self.now_s < until_s:
            packet = change(made_up(round(self.now_s * FPS), FPS, GOP))
            if packet is not None:
                self.ring.append(packet)
            while waiting and waiting[0][0] <= self.now_s:
                waiting.pop(0)[1](self.plan)
            if read_until_s is None or self.now_s < read_until_s:
                self.read()
            self.now_s = round(self.now_s + TICK_S, 3)

    def read(self) -> None:
        """Decide over all that is there."""
        while self.reader.read(self.now_s, self.handle):
            pass
        if (ended := self.plan.tick(self.now_s)) is not None:
            self.finish(ended)

    def handle(self, packet: MediaPacket, step: Step) -> None:
        if step.ends is not None:
            self.finish(step.ends)
        if step.begins:
            assert self.open is None
            assert packet.starts_gop
            self.open = Kept([])
        if step.writes:
            assert self.open is not None
            self.open.packets.append(packet)

    def finish(self, ended: Ended | None) -> None:
        assert self.open is not None
        assert ended is not None
        self.open.ended, self.open.ends = ended, ended.reason
        self.segments.append(self.open)
        self.open = None

    @property
    def spans_s(self) -> list[tuple[float, float]]:
        """Of the finished segments."""
        return [segment.span_s for segment in self.segments]

    def reason_of(self, segment: Kept) -> SegmentReason:
        first, last = segment.packets[0].captured_at, segment.packets[-1].captured_at
        assert segment.ended is not None
        return self.plan.kind(segment.ended, first, last)

    @property
    def sequences(self) -> list[int]:
        every = [*self.segments, *([self.open] if self.open else [])]
        return [packet.sequence for segment in every for packet in segment.packets]


def noted(seconds: float) -> Wish:
    return lambda plan: plan.note_event(at(seconds))


def demanded(now_s: float, max_s: float) -> Wish:
    return lambda plan: plan.start_on_demand(now_s, max_s)


def released(now_s: float) -> Wish:
    return lambda plan: plan.stop_on_demand(now_s)


def switched(modes: str) -> Wish:
    return lambda plan: plan.set_modes(parse_modes(modes))


def seen_live(start_s: float, end_s: float, late_s: float = 0.4) -> list[tuple[float, Wish]]:
    """Return the notes of an event that is seen once a second, with the delay of a detector."""
    seconds = [start_s + number for number in range(int(end_s - start_s) + 1)]
    return [(second + late_s, noted(second)) for second in seconds]


def test_off_keeps_nothing() -> None:
    recording = Recording(parse_modes("off"))
    recording.run(30, seen_live(5, 9))
    assert recording.sequences == []


def test_continuous_keeps_everything_in_pieces_aligned_to_the_wall_clock() -> None:
    recording = Recording(parse_modes("continuous"))
    recording.run(35)
    assert recording.spans_s == [(0, 10), (10, 20), (20, 30)]
    assert [segment.ends for segment in recording.segments] == ["cut"] * 3
    assert recording.sequences == list(range(35 * FPS))


def test_the_first_piece_is_as_long_as_the_wall_clock_leaves() -> None:
    recording = Recording(parse_modes("continuous"))
    recording.now_s = 4.0
    recording.run(25)
    assert recording.spans_s == [(4, 10), (10, 20)]


def test_a_piece_ends_with_the_gop_that_reaches_over_its_time() -> None:
    recording = Recording(parse_modes("continuous"), replace(ROLLS, segment_s=5))
    recording.run(21)
    assert recording.spans_s == [(0, 6), (6, 10), (10, 16), (16, 20)]


def test_an_event_is_kept_from_the_gop_of_its_pre_roll_to_that_of_its_post_roll() -> None:
    recording = Recording(parse_modes("events"))
    recording.run(60, seen_live(25, 32))
    # from the key frame at or before 25 - 5 to the first one after 32 + 5
    assert recording.spans_s == [(20, 30), (30, 38)]
    assert [segment.ends for segment in recording.segments] == ["cut", "stopped"]
    assert [recording.reason_of(segment) for segment in recording.segments] == ["event", "event"]


def test_pre_roll_begins_before_the_window_where_its_gop_does() -> None:
    recording = Recording(parse_modes("events"))
    recording.run(60, [(26.2, noted(26))])
    assert recording.spans_s == [(20, 30), (30, 32)]


@pytest.mark.parametrize("late_s", [0.2, 3, 6, 9])
def test_a_detection_that_comes_late_still_has_its_pre_roll(late_s: float) -> None:
    recording = Recording(parse_modes("events"))
    recording.run(60, [(26 + late_s, noted(26))])
    assert recording.sequences == list(range(20 * FPS, 32 * FPS))


def test_a_detection_that_comes_too_late_has_as_much_as_the_ring_holds() -> None:
    recording = Recording(parse_modes("events"), ring_s=4)
    recording.run(60, [(26, noted(26 - 0.4))])
    assert recording.spans_s[0][0] == 22, "4 s of whole GOPs before 26"
    recording = Recording(parse_modes("events"), ring_s=4)
    recording.run(60, [(46, noted(26))])
    assert recording.sequences == [], "all of it has left the ring"


def test_events_that_touch_are_one_recording_and_nothing_is_written_twice() -> None:
    recording = Recording(parse_modes("events"))
    recording.run(80, [(25.4, noted(25)), (33.4, noted(33)), (41.4, noted(41)), (60.4, noted(60))])
    assert recording.spans_s == [(20, 30), (30, 32), (32, 40), (40, 48), (54, 60), (60, 66)]


def test_an_event_whose_pre_roll_reaches_into_the_last_recording_goes_on_where_that_ended() -> None:
    recording = Recording(parse_modes("events"))
    recording.run(60, [(20.4, noted(20)), (27.4, noted(27))])
    # the first is over at 25, its last GOP at 26; 27 - 5 lies before that
    assert recording.spans_s == [(14, 20), (20, 26), (26, 30), (30, 34)]
    recording = Recording(parse_modes("events"))
    recording.run(60, [(20.4, noted(20)), (31, noted(31))])
    assert recording.spans_s == [(14, 20), (20, 26), (26, 30), (30, 38)]
    assert recording.sequences == list(range(14 * FPS, 38 * FPS))


def test_a_detection_within_what_was_recorded_already_records_nothing_more() -> None:
    recording = Recording(parse_modes("events"))
    recording.run(60, [(20.4, noted(20)), (27, noted(18))])
    assert recording.spans_s == [(14, 20), (20, 26)]


def test_two_late_detections_far_apart_are_two_recordings() -> None:
    recording = Recording(parse_modes("events"), ring_s=60)
    recording.run(60, [(45, lambda plan: (plan.note_event(at(11)), plan.note_event(at(31))))])
    assert recording.spans_s == [(6, 10), (10, 18), (26, 30), (30, 38)]


def test_with_continuous_recording_an_event_only_raises_the_kind_of_its_pieces() -> None:
    recording = Recording(parse_modes("continuous+events"))
    recording.run(60, seen_live(26, 28))
    assert recording.spans_s == [(start, start + 10) for start in range(0, 50, 10)]
    assert recording.sequences == list(range(60 * FPS))
    kinds = [recording.reason_of(segment) for segment in recording.segments]
    # 26 - 5 to 28 + 5
    assert kinds == ["continuous", "continuous", "event", "event", "continuous"]


def test_where_events_are_no_reason_they_raise_nothing() -> None:
    recording = Recording(parse_modes("continuous"))
    recording.run(40, seen_live(12, 15))
    assert {recording.reason_of(segment) for segment in recording.segments} == {"continuous"}


def test_on_demand_begins_with_the_newest_gop_and_ends_to_the_packet() -> None:
    recording = Recording(parse_modes("on_demand"))
    recording.run(
        60,
        [(21, demanded(21, 100)), (27, released(27))],
    )
    assert recording.spans_s == [(20, 27)]
    assert recording.segments[0].ends == "stopped"
    assert recording.reason_of(recording.segments[0]) == "on-demand"


def test_on_demand_ends_at_its_maximum_length_unless_it_is_asked_for_again() -> None:
    recording = Recording(parse_modes("on_demand"), replace(ROLLS, segment_s=60))
    recording.run(60, [(20, demanded(20, 6))])
    assert recording.spans_s == [(20, 26)]
    recording = Recording(parse_modes("on_demand"), replace(ROLLS, segment_s=60))
    recording.run(60, [(20, demanded(20, 6)), (25, demanded(25, 6))])
    assert recording.spans_s == [(20, 31)]


def test_on_demand_ends_in_time_where_the_camera_sends_nothing_more() -> None:
    recording = Recording(parse_modes("on_demand"))
    recording.run(30, [(20, demanded(20, 6))], lambda p: p if p.sequence < 22 * FPS else None)
    assert recording.spans_s == [(20, 22)]
    assert recording.segments[0].ends == "stopped"


def test_on_demand_is_the_strongest_reason_and_an_event_outlives_it() -> None:
    recording = Recording(parse_modes("continuous+events+on_demand"))
    recording.run(50, [(14, demanded(14, 4)), (18, noted(17.8)), (25.4, noted(25))])
    kinds = [recording.reason_of(segment) for segment in recording.segments]
    assert kinds == ["continuous", "on-demand", "event", "event"]
    recording = Recording(parse_modes("events+on_demand"))
    recording.run(50, [(14, demanded(14, 4)), (17, noted(17))])
    assert recording.spans_s == [(14, 20), (20, 24)]
    assert recording.segments[0].ends == "cut"


def test_after_an_exact_end_the_next_recording_begins_at_a_key_frame_without_repeating() -> None:
    recording = Recording(parse_modes("events+on_demand"))
    recording.run(60, [(20, demanded(20, 3)), (23.6, noted(23.4))])
    assert recording.spans_s == [(20, 23), (24, 30)]


@pytest.mark.parametrize(
    ("after", "end_s"), [("off", 15.0), ("on_demand", 15.0), ("continuous", 20.0), ("continuous+events", 20.0)]
)
def test_a_change_of_mode_ends_what_no_reason_holds_any_more(after: str, end_s: float) -> None:
    recording = Recording(parse_modes("continuous"))
    recording.run(25, [(15, switched(after))])
    assert recording.spans_s[:2] == [(0, 10), (10, end_s)]


def test_continuous_recording_that_is_switched_on_begins_with_the_newest_gop() -> None:
    recording = Recording(parse_modes("off"))
    recording.run(25, [(15, switched("continuous"))])
    assert recording.spans_s == [(14, 20)]


def test_switched_off_and_on_within_a_gop_nothing_is_written_twice() -> None:
    recording = Recording(parse_modes("continuous"))
    recording.run(
        25,
        [(14.6, switched("off")), (15, switched("continuous"))],
    )
    assert recording.spans_s == [(0, 10), (10, 14.6), (16, 20)]


def new_session_at(sequence: int) -> Callable[[MediaPacket], MediaPacket]:
    return lambda packet: replace(packet, session=2) if packet.sequence >= sequence else packet


def test_a_new_session_begins_a_new_piece() -> None:
    recording = Recording(parse_modes("continuous"))
    recording.run(21, change=new_session_at(14 * FPS))
    assert recording.spans_s == [(0, 10), (10, 14), (14, 20)]
    assert recording.segments[1].ends == "gap"


def test_a_new_session_without_a_key_frame_begins_at_its_first_one() -> None:
    for modes, wishes in (("continuous", []), ("events", seen_live(10, 20))):
        recording = Recording(parse_modes(modes))
        recording.run(21, wishes, change=new_session_at(13 * FPS))
        assert (14, 20) in recording.spans_s
        assert recording.spans_s[-2][1] == 13


def test_a_gap_in_what_could_be_read_ends_the_piece() -> None:
    recording = Recording(parse_modes("continuous"), ring_s=4)
    recording.run(30, read_until_s=11.2)
    recording.read()
    recording.run(41)
    # the ring held 4 s in whole GOPs when reading went on
    assert recording.spans_s == [(0, 10), (10, 11.2), (24, 30), (30, 40)]
    assert recording.segments[1].ends == "gap"
    assert recording.reader.lost == 24 * FPS - 56


def test_other_parameters_begin_a_new_piece() -> None:
    larger = replace(VIDEO, width_px=128)
    recording = Recording(parse_modes("continuous"))
    recording.run(21, change=lambda p: replace(p, parameters=larger if p.sequence >= 14 * FPS else VIDEO))
    assert recording.spans_s == [(0, 10), (10, 14), (14, 20)]
    assert recording.segments[1].ends == "parameters"


def test_parameters_that_are_another_object_but_equal_do_not() -> None:
    recording = Recording(parse_modes("continuous"))
    recording.run(21, change=lambda p: replace(p, parameters=replace(VIDEO)))
    assert recording.spans_s == [(0, 10), (10, 20)]


def test_a_cut_can_be_asked_for() -> None:
    recording = Recording(parse_modes("continuous"))
    recording.run(21, [(12.4, lambda plan: plan.cut_at_key_frame())])
    assert recording.spans_s == [(0, 10), (10, 14), (14, 20)]
    assert recording.segments[1].ends == "parameters"


def test_a_clock_that_is_set_back_makes_no_segment_of_hours() -> None:
    def set_back(packet: MediaPacket) -> MediaPacket:
        return replace(packet, captured_at=at(packet.sequence / FPS - 3600)) if packet.sequence >= 70 else packet

    recording = Recording(parse_modes("continuous"))
    recording.run(41, change=set_back)
    assert [len(segment.packets) / FPS for segment in recording.segments] == [10, 4, 6, 10, 10]


def test_an_event_after_the_clock_was_set_back_is_kept() -> None:
    def set_back(packet: MediaPacket) -> MediaPacket:
        return replace(packet, captured_at=at(packet.sequence / FPS - 3600)) if packet.sequence >= 150 else packet

    recording = Recording(parse_modes("events"))
    recording.run(80, [(20.4, noted(20)), (50.4, noted(50 - 3600))], change=set_back)
    sequences = recording.sequences
    assert sequences[-1] == 56 * FPS - 1
    assert 44 * FPS in sequences
    assert len(set(sequences)) == len(sequences)


def test_the_last_seconds_before_a_silence_are_finished_and_recording_goes_on_after_it() -> None:
    recording = Recording(parse_modes("continuous"), replace(ROLLS, silence_s=6))
    recording.run(13)
    recording.run(22, change=lambda _: None)
    recording.run(31, change=lambda packet: replace(packet, sequence=packet.sequence - 9 * FPS))
    assert recording.spans_s[:3] == [(0, 10), (10, 13), (22, 30)]
    assert recording.segments[1].ends == "silence"


def test_after_a_failure_of_the_disk_recording_goes_on_at_the_next_key_frame() -> None:
    recording = Recording(parse_modes("continuous"), ring_s=60)

    def fail(packet: MediaPacket, step: Step) -> None:
        if packet.sequence == 62:
            raise OSError(28, "full")
        recording.handle(packet, step)

    recording.read()
    for sequence in range(100):
        recording.ring.append(made_up(sequence, FPS, GOP))
    with pytest.raises(OSError, match="full"):
        recording.reader.read(20, fail)
    recording.finish(recording.plan.abandon("disk"))
    recording.now_s = 20
    recording.read()
    assert recording.sequences == [*range(62), *range(70, 100)]


event_notes = st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 8)), max_size=6)


@settings(max_examples=40, deadline=None)
@given(
    modes=st.sampled_from(["events", "continuous+events", "events+on_demand"]),
    notes=event_notes,
    demands=st.lists(st.tuples(st.floats(0, 50), st.floats(1, 9)), max_size=2),
)
def test_nothing_is_written_twice_and_no_picture_of_an_event_is_missing(
    modes: str, notes: list[tuple[float, float]], demands: list[tuple[float, float]]
) -> None:
    # detections of one camera come in the order of their frames, if late
    notes = sorted(notes)
    arrivals = accumulate((second + late_s for second, late_s in notes), max)
    wishes = [(arrival_s, noted(second)) for arrival_s, (second, _) in zip(arrivals, notes, strict=True)]
    if "on_demand" in modes:
        wishes += [(start_s, demanded(start_s, length_s)) for start_s, length_s in demands]
    recording = Recording(parse_modes(modes), ring_s=20)
    recording.run(70, wishes)
    kept = recording.sequences
    assert kept == sorted(set(kept))
    for segment in recording.segments:
        sequences = [packet.sequence for packet in segment.packets]
        assert sequences == list(range(sequences[0], sequences[-1] + 1))
    if "on_demand" not in modes:  # its end to the packet may leave the rest of a GOP out
        for second, _ in notes:
            for sequence in range(70 * FPS):
                if second - 5 <= sequence / FPS <= second + 5 and sequence / FPS < 69:
                    assert sequence in kept, f"{sequence / FPS} s belongs to the event at {second} s"


def test_times_of_any_zone_are_compared_as_instants() -> None:
    plan = RecordingPlan(parse_modes("events"), ROLLS)
    window = plan.note_event(datetime.fromisoformat("2026-11-24T13:00:00+01:00"))
    assert window is not None
    assert window.start == at(-5)
