"""Stages of a frame, on clocks that are told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from nvr.core.clock import ManualClock
from nvr.processor.tally import FrameClock, FrameTimes, Tallies
from tests.media.frames import make_frame

TIMES = FrameTimes(captured_s=10.0, decoded_s=10.2, looked_s=10.25)


def test_each_stage_is_the_time_between_two_moments() -> None:
    clock = ManualClock()
    clock.advance(10.4)
    tallies = Tallies(clock)
    tallies.of(3).looked(TIMES, is_moving=True)
    tallies.published(3, TIMES)
    report = tallies.report(3)
    assert {stage: seconds.total for stage, seconds in report.latency.items()} == {
        "capture_to_decode": pytest.approx(0.2),
        "decode_to_detect": pytest.approx(0.05),
        "detect_to_publish": pytest.approx(0.15),
        "capture_to_publish": pytest.approx(0.4),
    }


def test_a_capture_time_that_lies_ahead_of_this_machines_clock_counts_as_zero_and_apart() -> None:
    tallies = Tallies(ManualClock())
    tallies.of(0).looked(FrameTimes(captured_s=11.0, decoded_s=10.0, looked_s=10.0), is_moving=None)
    ahead = tallies.report(0).latency["capture_to_decode"]
    assert (ahead.count, ahead.total, ahead.clamped) == (1, 0.0, 1)


def test_motion_is_counted_only_where_it_is_known() -> None:
    tallies = Tallies(ManualClock())
    for is_moving in (True, False, None, False):
        tallies.of(0).looked(TIMES, is_moving=is_moving)
    tallies.of(0).failed()
    report = tallies.report(0)
    assert (report.analysed, report.watched, report.moving, report.failed) == (4, 3, 1, 1)


def test_a_camera_that_is_gone_has_no_counts_and_gets_none_by_a_late_event() -> None:
    tallies = Tallies(ManualClock())
    tallies.of(0).looked(TIMES, is_moving=True)
    tallies.forget(0)
    tallies.published(0, TIMES)
    report = tallies.report(0)
    assert report.analysed == 0
    assert {seconds.count for seconds in report.latency.values()} == {0}


def test_capture_time_is_put_on_the_monotonic_clock() -> None:
    clock = ManualClock()
    clock.advance(100.0)
    frame = replace(make_frame(received_s=99.6), captured_at=clock.now() - timedelta(seconds=0.5))
    times = FrameClock(clock).times_of(frame)
    assert times.captured_s == pytest.approx(99.5, abs=1e-5)
    assert (times.decoded_s, times.looked_s) == (99.6, 100.0), "without a note of it, decoding took no time"
    assert FrameClock(clock).times_of(replace(frame, decoded_s=99.7)).decoded_s == 99.7
