"""Capture times from what networks and cameras do to them, against the truth of the simulation."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.media.capture_clock import MAX_BEHIND_S, CaptureClock, CaptureTime

START = datetime(2026, 6, 1, tzinfo=UTC)
PATH_S = 0.03
"""What coding and network take at the least."""


@dataclass(frozen=True, slots=True)
class Packet:
    captured_s: float
    pts_s: float
    arrival_s: float
    report_at: datetime | None = None
    wall_error_s: float = 0.0
    is_keyframe: bool = True


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def seconds(moment: datetime) -> float:
    return (moment - START).total_seconds()


def film(
    duration_s: float,
    *,
    fps: float = 25,
    start_s: float = 0.0,
    drift: float = 0.0,
    jitter_s: float = 0.0,
    camera_error_s: float | None = None,
    wall_error_s: float = 0.0,
    gop: int = 1,
) -> Iterator[Packet]:
    rng = random.Random(1)
    for i in range(round(duration_s * fps)):
        captured_s = start_s + i / fps
        report = None if camera_error_s is None else at(captured_s + camera_error_s)
        arrival_s = captured_s + PATH_S + rng.uniform(0, jitter_s)
        yield Packet(captured_s, captured_s * (1 + drift), arrival_s, report, wall_error_s, i % gop == 0)


def play(packets: Iterable[Packet], clock: CaptureClock | None = None) -> list[CaptureTime]:
    clock = clock or CaptureClock()
    return [
        clock.update(
            packet.pts_s,
            packet.arrival_s,
            at(packet.arrival_s + packet.wall_error_s),
            packet.report_at,
            may_step=packet.is_keyframe,
        )
        for packet in packets
    ]


def errors_s(packets: Sequence[Packet], times: Sequence[CaptureTime], path_s: float = PATH_S) -> list[float]:
    return [seconds(time.captured_at) - packet.captured_s - path_s for packet, time in zip(packets, times, strict=True)]


def assert_rises(times: Sequence[CaptureTime]) -> None:
    assert all(before.captured_at < after.captured_at for before, after in pairwise(times) if not after.is_step)


@pytest.mark.parametrize("drift", [0.0, 100e-6, -200e-6])
def test_jitter_and_drift_leave_milliseconds(drift: float) -> None:
    packets = list(film(900, drift=drift, jitter_s=0.05))
    times = play(packets)
    assert max(map(abs, errors_s(packets, times)[5 * 25 :])) < 0.005
    assert max(map(abs, errors_s(packets, times)[300 * 25 :])) < 0.001
    assert_rises(times)
    assert {time.source for time in times} == {"arrival"}
    assert not any(time.is_step for time in times)


def test_a_stall_and_the_burst_after_it_move_no_picture() -> None:
    packets = [
        Packet(
            packet.captured_s, packet.pts_s, max(packet.arrival_s, 33.0) if packet.captured_s > 30 else packet.arrival_s
        )
        for packet in film(60)
    ]
    assert max(map(abs, errors_s(packets, play(packets)))) < 0.001


def test_a_buffer_that_comes_at_once_is_taken_apart_where_its_end_is_seen_first() -> None:
    packets = [
        Packet(packet.captured_s, packet.pts_s, max(packet.arrival_s, 2.0 + 1e-4 * i))
        for i, packet in enumerate(film(4))
    ]
    without = play(packets)
    assert errors_s(packets, without)[0] == pytest.approx(2.0 - PATH_S)
    assert max(map(abs, errors_s(packets, without)[50:])) < 0.002
    assert_rises(without)
    clock = CaptureClock()
    for packet in packets[:55]:
        clock.observe(packet.pts_s, packet.arrival_s)
    assert max(map(abs, errors_s(packets, play(packets, clock)))) < 0.001


def test_presentation_stamps_that_jump_ahead_do_not_lead_into_the_future() -> None:
    packets = list(film(10))
    packets += [Packet(p.captured_s, p.pts_s + 5.0, p.arrival_s) for p in film(10, start_s=10)]
    times = play(packets)
    assert all(
        seconds(time.captured_at) <= packet.arrival_s + 1e-6 for packet, time in zip(packets, times, strict=True)
    )
    assert_rises(times)


def test_presentation_stamps_that_lose_time_step_ahead_at_a_key_frame() -> None:
    packets = list(film(10))
    packets += [
        Packet(p.captured_s, p.pts_s - 5.0, p.arrival_s, is_keyframe=p.is_keyframe)
        for p in film(30, start_s=15, gop=25)
    ]
    times = play(packets)
    steps = [i for i, time in enumerate(times) if time.is_step]
    assert len(steps) == 1
    assert packets[steps[0]].is_keyframe
    assert max(map(abs, errors_s(packets, times)[steps[0] :])) < 0.01
    assert_rises(times)


def test_a_right_clock_in_the_camera_tells_the_moment_of_capture() -> None:
    packets = list(film(30, camera_error_s=0.0, jitter_s=0.2))
    times = play(packets)
    assert max(map(abs, errors_s(packets, times, path_s=0.0))) < 0.001
    assert {time.source for time in times} == {"rtcp"}
    assert times[-1].clock_error_s == pytest.approx(-PATH_S, abs=0.02)


def test_the_first_report_moves_the_times_smoothly() -> None:
    packets = [*film(5), *film(20, start_s=5, camera_error_s=-0.3)]
    times = play(packets)
    assert_rises(times)
    assert all(
        0.5 < (after - before) / timedelta(seconds=0.04) < 1.5
        for before, after in pairwise(t.captured_at for t in times)
    )
    assert errors_s(packets, times, path_s=0.0)[-1] == pytest.approx(-0.3, abs=0.001)


@pytest.mark.parametrize("error_s", [-3600.0, 3600.0, 0.5, -(MAX_BEHIND_S + 1), -20_000 * 86_400.0])
def test_a_wrong_clock_in_the_camera_is_told_and_not_believed(error_s: float) -> None:
    packets = list(film(10, camera_error_s=error_s))
    times = play(packets)
    assert max(map(abs, errors_s(packets, times))) < 0.001
    assert {time.source for time in times} == {"arrival"}
    assert times[-1].clock_error_s == pytest.approx(error_s - PATH_S, abs=0.001)


def test_a_camera_that_reboots_is_believed_once_it_has_found_the_time() -> None:
    lost = -20_000 * 86_400.0
    packets = [
        *film(10, camera_error_s=0.0),
        *film(10, start_s=10, camera_error_s=lost),
        *film(20, start_s=20, camera_error_s=0.0),
    ]
    times = play(packets)
    assert max(abs(error_s) for error_s in errors_s(packets, times)) < 2 * PATH_S
    assert [times[i].source for i in (0, 300, 600)] == ["rtcp", "arrival", "rtcp"]
    assert_rises(times)


def test_a_report_at_the_bound_does_not_swing_the_times() -> None:
    rng = random.Random(1)
    packets = [
        Packet(p.captured_s, p.pts_s, p.arrival_s, at(p.captured_s - MAX_BEHIND_S + PATH_S + rng.uniform(-0.2, 0.2)))
        for p in film(30)
    ]
    sources = [time.source for time in play(packets)]
    assert sum(before != after for before, after in pairwise(sources)) <= 1


def test_this_machines_clock_set_by_a_little_is_followed_smoothly() -> None:
    packets = [*film(10), *film(30, start_s=10, wall_error_s=0.4)]
    times = play(packets)
    assert not any(time.is_step for time in times)
    assert_rises(times)
    assert errors_s(packets, times)[-1] == pytest.approx(0.4, abs=0.001)


@pytest.mark.parametrize("set_s", [3600.0, -3600.0])
def test_this_machines_clock_set_by_hours_is_followed_at_the_next_key_frame(set_s: float) -> None:
    packets = [*film(10.4, gop=25), *film(30, start_s=10.4, wall_error_s=set_s)]
    packets = [
        Packet(p.captured_s, p.pts_s, p.arrival_s, None, p.wall_error_s, i % 25 == 0) for i, p in enumerate(packets)
    ]
    times = play(packets)
    assert [i for i, time in enumerate(times) if time.is_step] == [275], "the first key frame after it"
    assert errors_s(packets, times)[-1] == pytest.approx(set_s, abs=0.001)
    assert_rises(times)


def test_without_key_frames_a_step_waits_ten_seconds() -> None:
    packets = [*film(5), *film(20, start_s=5, wall_error_s=-3600, gop=10**9)]
    packets = [Packet(p.captured_s, p.pts_s, p.arrival_s, None, p.wall_error_s, i == 0) for i, p in enumerate(packets)]
    steps = [packet.captured_s for packet, time in zip(packets, play(packets), strict=True) if time.is_step]
    assert steps == [pytest.approx(15.0, abs=0.1)]


def test_a_right_report_stays_right_when_this_machines_clock_is_mended() -> None:
    packets = [*film(10, camera_error_s=0.0, wall_error_s=-3600), *film(20, start_s=10, camera_error_s=0.0)]
    times = play(packets)
    assert times[200].source == "arrival"
    assert errors_s(packets, times, path_s=0.0)[-1] == pytest.approx(0.0, abs=0.001)


def test_b_frames_lie_where_their_presentation_says() -> None:
    order = [0] + [4 * g + n for g in range(500) for n in (4, 2, 1, 3)]
    rng = random.Random(2)
    packets = [Packet(n / 25, n / 25, i / 25 + 0.2 + rng.uniform(0, 0.2)) for i, n in enumerate(order)]
    times = play(packets)
    by_pts = [time for _, time in sorted(zip((p.pts_s for p in packets), times, strict=True), key=lambda pair: pair[0])]
    assert_rises(by_pts)


def test_another_timeline_is_begun_anew() -> None:
    times = play([*film(10, start_s=1000), Packet(1010.0, 0.0, 1010.0 + PATH_S)])
    assert times[-1].is_step
    assert seconds(times[-1].captured_at) == pytest.approx(1010.0 + PATH_S)


@given(
    st.lists(
        st.tuples(
            st.floats(0.001, 20), st.floats(0, 5), st.none() | st.floats(-1e9, 1e9) | st.floats(-6, 1), st.booleans()
        ),
        min_size=1,
        max_size=60,
    )
)
def test_whatever_the_network_and_the_camera_do_times_rise_and_are_not_in_the_future(
    steps: list[tuple[float, float, float | None, bool]],
) -> None:
    packets = []
    captured_s = arrival_s = 0.0
    for step_s, delay_s, camera_error_s, is_keyframe in steps:
        captured_s += step_s
        arrival_s = max(arrival_s, captured_s + delay_s)
        report = None if camera_error_s is None else at(captured_s + camera_error_s)
        packets.append(Packet(captured_s, captured_s, arrival_s, report, 0.0, is_keyframe))
    times = play(packets)
    assert_rises(times)
    assert all(
        seconds(time.captured_at) <= packet.arrival_s + 1e-3 for packet, time in zip(packets, times, strict=True)
    )


def test_a_reader_that_hands_on_a_packet_with_the_next_one_makes_nothing_late() -> None:
    # four pictures a second, one now and then, as cameras send that save while nothing moves
    rng = random.Random(3)
    captured = [0.0]
    while len(captured) < 500:
        captured.append(captured[-1] + rng.choice([0.25, 0.25, 1.0]))
    packets = [Packet(at_s, at_s, after_s + PATH_S + rng.uniform(0, 0.05)) for at_s, after_s in pairwise(captured)]
    times = play(packets, CaptureClock(is_one_late=True))
    assert max(map(abs, errors_s(packets, times)[100:])) < 0.005
    assert min(errors_s(packets, play(packets))[100:]) > 0.2, "taken at its word, the reader is a picture late"
    assert_rises(times)
