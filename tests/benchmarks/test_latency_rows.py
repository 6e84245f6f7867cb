from datetime import UTC, datetime, timedelta
from typing import Any

from bench._latency_rows import Captures, Span, join, judge
from bench._rows import Row

START = datetime(2026, 1, 1, tzinfo=UTC)
START_S = START.timestamp()
FRAMES_PER_LOOP = 200
FPS = 25
SPAN = Span(START_S + 10, START_S + 30)


def truth(n_cameras: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "camera": camera,
            "frame_number": index % FRAMES_PER_LOOP,
            "captured_at": (START + timedelta(seconds=index / FPS)).isoformat(timespec="microseconds"),
        }
        for camera in range(n_cameras)
        for index in range(32 * FPS)
    ]


def analysed(index: int, *, after_s: float = 0.1, **changes: object) -> dict[str, Any]:
    captured_s = START_S + index / FPS
    line = {
        "source_id": 0,
        "frame_id": index,
        "number": index % FRAMES_PER_LOOP,
        "timestamp_s": captured_s,
        "made_at_s": captured_s + after_s,
        "inference_ms": 20.0,
        "n_boxes": 1,
    }
    return line | changes


def shown(index: int, *, after_s: float, picture: int | None = None) -> dict[str, Any]:
    return {
        "source_id": 0,
        "frame_id": index,
        "shown_at_s": START_S + index / FPS + after_s,
        "picture_number": None if picture is None else picture % FRAMES_PER_LOOP,
    }


def row(rows: list[Row], name: str) -> Row:
    return next(row for row in rows if row.name == name)


def test_a_number_of_a_loop_means_its_last_round_before_the_sighting() -> None:
    captures = Captures(truth())
    assert captures.last_before(0, 7, START_S + 8.5) == START_S + 8 + 7 / FPS
    assert captures.last_before(0, 7, START_S + 8.2) == START_S + 7 / FPS
    assert captures.last_before(0, 7, START_S) is None
    assert captures.last_before(1, 7, START_S + 8.5) is None
    assert captures.last_before(0, None, START_S + 8.5) is None


def test_latency_is_measured_from_the_true_capture_whatever_the_event_says() -> None:
    every_fifth = range(0, 32 * FPS, 5)
    lines = [analysed(index, timestamp_s=START_S + index / FPS - 7.0) for index in every_fifth]
    on_wall = [shown(index, after_s=0.15, picture=index + 2) for index in every_fifth]
    sightings, n_unread = join(Captures(truth()), lines, on_wall, SPAN)
    rows = judge(sightings, n_unread, SPAN, n_cameras=1, rate=5.0)
    assert row(rows, "latency.capture_to_box.p50").value == 150.0
    assert row(rows, "latency.capture_to_box.p95").ok is True
    assert row(rows, "latency.capture_to_event.p50").value == 100.0
    assert row(rows, "latency.event_to_box.p50").value == 50.0
    assert row(rows, "latency.capture_to_picture.p50").value == 70.0
    assert row(rows, "latency.timestamp_error.p50").value == 7000.0
    assert row(rows, "latency.frames_with_boxes").value == 100
    assert row(rows, "latency.least_rate").ok is True


def test_one_late_box_of_ten_misses_the_target() -> None:
    indexes = range(300, 700, 5)
    on_wall = [shown(index, after_s=0.25 if index % 50 == 0 else 0.15) for index in indexes]
    sightings, n_unread = join(Captures(truth()), [analysed(index) for index in indexes], on_wall, SPAN)
    p95 = row(judge(sightings, n_unread, SPAN, n_cameras=1, rate=5.0), "latency.capture_to_box.p95")
    assert (p95.value, p95.ok) == (250.0, False)


def test_frames_whose_number_is_unreadable_or_unknown_are_counted_not_guessed() -> None:
    lines = [analysed(300, number=None), analysed(305, number=9999), analysed(310)]
    sightings, n_unread = join(Captures(truth()), lines, [shown(310, after_s=0.2)], SPAN)
    rows = judge(sightings, n_unread, SPAN, n_cameras=1, rate=5.0)
    assert (len(sightings), n_unread) == (1, 2)
    assert row(rows, "latency.unread").value == 66.67
    assert row(rows, "latency.unread").ok is False


def test_boxes_that_never_came_to_the_wall_are_not_left_out_in_silence() -> None:
    lines = [analysed(300), analysed(305), analysed(310, n_boxes=0)]
    sightings, n_unread = join(Captures(truth()), lines, [shown(300, after_s=0.2)], SPAN)
    rows = judge(sightings, n_unread, SPAN, n_cameras=1, rate=5.0)
    assert row(rows, "latency.not_shown").value == 50.0
    assert row(rows, "latency.not_shown").ok is False


def test_frames_outside_the_span_do_not_count() -> None:
    sightings, n_unread = join(Captures(truth()), [analysed(5), analysed(300), analysed(780)], [], SPAN)
    assert [sighting.captured_at_s for sighting in sightings] == [START_S + 12]
    assert n_unread == 0


def test_a_run_without_any_box_fails_instead_of_looking_fast() -> None:
    rows = judge([], 0, SPAN, n_cameras=2, rate=5.0)
    failed = {row.name for row in rows if row.ok is False}
    assert {"latency.frames_with_boxes", "latency.not_shown", "latency.least_rate"} <= failed
    assert not any("capture_to_box" in row.name for row in rows)
