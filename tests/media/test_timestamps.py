"""Stamps as cameras and containers really give them, and as nobody should."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.media.timestamps import MAX_BEHIND, FixedTimes, TimestampRepair

TICKS = Fraction(1, 90_000)
FRAME = 3600
HOUR = 90_000 * 3600
Stamps = tuple[int | None, int | None]


def run(
    stamps: Sequence[Stamps],
    *,
    keyframes: AbstractSet[int] = frozenset({0}),
    repair: TimestampRepair | None = None,
    duration: int = FRAME,
    time_base: Fraction = TICKS,
    arrivals_s: Sequence[float] | None = None,
) -> list[FixedTimes]:
    repair = repair or TimestampRepair()
    return [
        repair.fix(
            pts,
            dts,
            duration,
            time_base,
            0.04 * i if arrivals_s is None else arrivals_s[i],
            is_keyframe=i in keyframes,
        )
        for i, (pts, dts) in enumerate(stamps)
    ]


def pairs(fixed: Sequence[FixedTimes]) -> list[Stamps]:
    return [(times.pts, times.dts) for times in fixed]


def frames(*numbers: int) -> list[Stamps]:
    return [(FRAME * n, FRAME * n) for n in numbers]


def assert_in_order(fixed: Sequence[FixedTimes]) -> None:
    assert all(times.pts >= times.dts for times in fixed)
    assert all(before.dts < after.dts for before, after in pairwise(fixed) if not after.is_break)
    assert all(-(2**63) < value < 2**63 for times in fixed for value in (times.pts, times.dts, times.duration))


def test_the_first_packet_of_an_rtsp_session_has_no_stamps_and_lies_at_zero() -> None:
    # as FFmpeg delivers the simulator and GStreamer's server, without and with B-frames
    assert pairs(run([(None, None), *frames(1, 2, 3)])) == frames(0, 1, 2, 3)
    with_b: list[Stamps] = [(None, None), (14400, None), (7200, None), (3600, 3600), (10800, 7200), (28800, 10800)]
    fixed = run(with_b, repair=TimestampRepair(start_pts=14400))
    assert [times.pts for times in fixed] == [0, 14400, 7200, 3600, 10800, 28800], "the order on the screen is kept"
    assert pairs(fixed)[3:] == with_b[3:]
    assert_in_order(fixed)


def test_a_session_that_does_not_begin_near_zero_has_its_first_packet_one_frame_before_the_second() -> None:
    assert pairs(run([(None, None), *frames(5001, 5002)], repair=TimestampRepair(start_pts=5001 * FRAME))) == frames(
        5000, 5001, 5002
    )
    unknown = run([(None, None), *frames(5001, 5002)])
    assert pairs(unknown) == frames(0, 1, 2), "a wrong guess moves what follows and tears nothing apart"
    assert not any(times.is_break for times in unknown)


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        ([(0, 0), (None, FRAME), (None, 2 * FRAME)], frames(0, 1, 2)),  # MJPEG, AVI
        ([(0, None), (FRAME, None)], [(0, 0), (FRAME, 1)]),  # pts alone: dts keep below whatever B-frame may come
        ([(0, 0), (None, None), *frames(2)], frames(0, 1, 2)),
        ([(None, None)] * 3, frames(0, 1, 2)),  # bare H.264
        ([(3, None), (243, None), (83, 3), (163, 83)], [(3, 3), (243, 4), (83, 5), (163, 83)]),  # Matroska
        ([(0, 0), (FRAME, 2 * FRAME), *frames(3)], frames(0, 1, 3)),  # dts after pts
        (frames(0, 1, 1, 2), [*frames(0, 1), (FRAME + 1, FRAME + 1), *frames(2)]),
        ([*frames(3), (3 * FRAME - 7,) * 2, *frames(4)], [*frames(3), (3 * FRAME + 1,) * 2, *frames(4)]),
        ([(0, 0), (-(2**63), 2**63 - 1), *frames(2)], frames(0, 1, 2)),
    ],
)
def test_what_is_missing_or_late_is_mended_by_the_least(came: list[Stamps], expected: list[Stamps]) -> None:
    assert pairs(run(came)) == expected


def test_without_b_frames_a_pts_alone_is_the_dts_too() -> None:
    fixed = run([(FRAME * n, None) for n in range(40)], repair=TimestampRepair(reorders=False))
    assert pairs(fixed) == frames(*range(40))


def test_with_pts_alone_dts_follow_as_far_behind_as_codecs_reorder() -> None:
    group = [0, 4, 2, 1, 3]
    came: list[Stamps] = [(0, None)]
    came += [(FRAME * (4 * g + n), None) for g in range(30) for n in group[1:]]
    fixed = run(came)
    assert [times.pts for times in fixed] == [pts for pts, _ in came]
    assert_in_order(fixed)
    assert fixed[-1].pts - fixed[-1].dts <= (MAX_BEHIND + 4) * FRAME


def test_dts_that_ignore_the_b_frames_spoil_the_first_group_only() -> None:
    numbers = [0] + [4 * g + n for g in range(20) for n in (4, 2, 1, 3)]
    fixed = run(frames(*numbers))
    assert [times.pts for times in fixed][5:] == [FRAME * n for n in numbers[5:]]
    assert_in_order(fixed)
    assert not any(times.is_break for times in fixed)


def test_a_jump_is_a_break_at_the_next_key_frame_and_bridged_until_then() -> None:
    came = [*frames(*range(5)), *((pts + HOUR, dts + HOUR) for pts, dts in [(FRAME * n, FRAME * n) for n in range(5)])]
    at_once = run(came, keyframes={0, 5})
    assert pairs(at_once) == came
    assert [times.is_break for times in at_once] == [False] * 5 + [True] + [False] * 4
    later = run(came, keyframes={0, 8})
    assert pairs(later) == [*frames(*range(8)), *came[8:]]
    assert [i for i, times in enumerate(later) if times.is_break] == [8]


def test_going_back_further_than_a_codec_reorders_is_a_break_too() -> None:
    fixed = run(frames(100, 101, 102, 60, 61), keyframes={0, 3})
    assert pairs(fixed) == frames(100, 101, 102, 60, 61)
    assert [i for i, times in enumerate(fixed) if times.is_break] == [3]


def test_one_stamp_of_nonsense_is_no_break() -> None:
    came = [*frames(0, 1, 2), (10**12, 10**12), *frames(4, 5)]
    fixed = run(came)
    assert pairs(fixed) == frames(0, 1, 2, 3, 4, 5)
    assert not any(times.is_break for times in fixed)


def test_audio_is_bridged_until_the_video_breaks() -> None:
    repair = TimestampRepair(reorders=False)
    fixed = run([*frames(0, 1), *frames(9000, 9001)], keyframes=set(), repair=repair)
    assert pairs(fixed) == frames(0, 1, 2, 3)
    repair.restart()
    assert repair.fix(9002 * FRAME, None, FRAME, TICKS, 1.0, is_keyframe=False) == FixedTimes(
        9002 * FRAME, 9002 * FRAME, FRAME, is_break=False
    )


@pytest.mark.parametrize("bits", [32, 33])
def test_a_wrap_is_no_break(bits: int) -> None:
    straight = [(FRAME * n, FRAME * (n - 2)) for n in (0, 4, 2, 1, 3, 8, 6, 5, 7)]
    base = 2**bits - 4 * FRAME
    wrapped: list[Stamps] = [
        ((base + pts) % 2**bits, (base + FRAME * (i - 2)) % 2**bits) for i, (pts, _) in enumerate(straight)
    ]
    fixed = run(wrapped)
    assert pairs(fixed) == [(base + pts, base + FRAME * (i - 2)) for i, (pts, _) in enumerate(straight)]
    assert not any(times.is_break for times in fixed)


def test_stamps_that_stand_still_go_on_with_arrival() -> None:
    arrivals_s = [0.1 * n for n in range(200)]
    fixed = run([(0, 0)] * 200, duration=0, arrivals_s=arrivals_s)
    assert_in_order(fixed)
    assert float(fixed[-1].pts * TICKS) == pytest.approx(arrivals_s[-1], abs=0.2)
    assert not any(times.is_break for times in fixed)


def test_stamps_of_a_file_that_stand_still_go_on_with_the_usual_distance() -> None:
    fixed = run([(0, 0)] * 100, repair=TimestampRepair(is_live=False), arrivals_s=[0.0] * 100)
    assert_in_order(fixed)
    assert fixed[-1].pts - fixed[-2].pts == FRAME


def test_a_camera_that_was_silent_has_not_jumped() -> None:
    fixed = run([(0, 0), (90_000 * 60, 90_000 * 60)], keyframes={0, 1}, arrivals_s=[0.0, 60.0])
    assert not fixed[1].is_break


def test_a_time_lapse_file_has_a_picture_a_minute_and_no_break() -> None:
    minute = 90_000 * 60
    fixed = run(
        [(minute * n, minute * n) for n in range(5)],
        keyframes=set(range(5)),
        repair=TimestampRepair(is_live=False),
        duration=minute,
        arrivals_s=[0.0] * 5,
    )
    assert not any(times.is_break for times in fixed)


def test_a_missing_duration_is_the_usual_distance() -> None:
    fixed = run(frames(0, 1, 2), duration=0)
    assert [times.duration for times in fixed] == [0, FRAME, FRAME]
    assert run(frames(0), duration=2**62)[0].duration == 0
    assert run(frames(0), duration=-1)[0].duration == 0


def test_another_time_base_is_a_break() -> None:
    repair = TimestampRepair()
    run(frames(0, 1), repair=repair)
    assert repair.fix(40, 40, 40, Fraction(1, 1000), 0.1, is_keyframe=False).is_break
    with pytest.raises(ValueError, match="expected a positive time base, got 0"):
        repair.fix(0, 0, 0, Fraction(0), 0.2)


INT64 = st.integers(-(2**63), 2**63 - 1)
STAMP = st.none() | st.integers(-200_000, 5_000_000) | INT64 | st.integers(2**33 - 50_000, 2**33 + 50_000)


@given(
    st.lists(st.tuples(STAMP, STAMP, st.sampled_from([0, FRAME, -1, 2**62]), st.booleans()), max_size=60),
    st.booleans(),
    st.sampled_from([TICKS, Fraction(1, 1000), Fraction(1), Fraction(1, 10**9), Fraction(2, 25)]),
)
def test_whatever_comes_dts_rise_and_pts_are_not_before_them(
    packets: list[tuple[int | None, int | None, int, bool]], is_live: bool, time_base: Fraction
) -> None:
    repair = TimestampRepair(is_live=is_live)
    fixed = [
        repair.fix(pts, dts, duration, time_base, 0.04 * i, is_keyframe=is_keyframe)
        for i, (pts, dts, duration, is_keyframe) in enumerate(packets)
    ]
    assert_in_order(fixed)


@st.composite
def orderly_streams(draw: st.DrawFn) -> list[tuple[int, int]]:
    """A stream in order: any rate, steady or not, with B-frames or without, its dts as a camera gives them."""
    depth = draw(st.sampled_from([0, 1, 3, 7]))
    steps = draw(st.lists(st.integers(100, 4 * 90_000 // (depth + 1)), min_size=2, max_size=40))
    times = [draw(st.integers(-(2**40), 2**40))]
    for step in steps:
        times.append(times[-1] + step)
    order = [0]
    while max(order) + depth + 1 < len(times):
        top = max(order)
        order += [top + depth + 1, *range(top + 1, top + depth + 1)]
    first = times[0] - depth * 10_000
    dts = sorted(times[i] for i in order)
    return [(times[i], (dts[n - depth] if n >= depth else first + n * 100)) for n, i in enumerate(order)]


@given(orderly_streams(), st.booleans())
def test_what_is_in_order_passes_unchanged(stream: list[tuple[int, int]], is_live: bool) -> None:
    fixed = run(stream, repair=TimestampRepair(is_live=is_live), keyframes=set(range(len(stream))))
    assert pairs(fixed) == stream
    assert not any(times.is_break for times in fixed)
