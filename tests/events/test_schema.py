import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nvr.core.errors import MessageError
from nvr.events.examples import example_detection_event
from nvr.events.message import MAX_MESSAGE_BYTES, to_aware_utc
from nvr.events.schema import BoundingBox, Detection, DetectionEvent
from tests.events.strategies import boxes, detection_events

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> bytes:
    return (GOLDEN / f"detection_event_{name}.json").read_bytes()


def minimal(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "source_id": 1,
        "frame_id": 2,
        "timestamp": "2026-01-01T00:00:00Z",
        "model_id": "m",
        "inference_time_ms": 1,
    }
    return json.dumps(fields | changes).encode()


@pytest.fixture
def vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time with a summer time, whatever the machine's is."""
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    if before is None:
        monkeypatch.delenv("TZ")
    else:
        monkeypatch.setenv("TZ", before)
    time.tzset()


@given(detection_events)
def test_any_valid_event_survives_the_wire(event: DetectionEvent) -> None:
    again = DetectionEvent.from_json(event.to_json())
    assert again == event
    assert again.timestamp.utcoffset() == timedelta(0)


@given(boxes)
def test_edges_and_centre_say_the_same(box: BoundingBox) -> None:
    left, top, right, bottom = box.xyxy_px
    assert left <= box.x <= right
    assert top <= box.y <= bottom


@given(
    left=st.integers(-9999, 9999), top=st.integers(-9999, 9999), width=st.integers(0, 999), height=st.integers(0, 99)
)
def test_a_box_of_whole_pixels_returns_to_its_edges(left: int, top: int, width: int, height: int) -> None:
    box = BoundingBox.from_xyxy_px(left, top, left + width, top + height)
    assert box.xyxy_px == (left, top, left + width, top + height)
    assert (box.width, box.height) == (width, height)


def test_a_box_whose_edges_are_swapped_is_refused() -> None:
    with pytest.raises(ValidationError, match="width"):
        BoundingBox.from_xyxy_px(10, 0, 5, 5)


def test_the_full_golden_event_is_the_example_to_the_byte() -> None:
    event = DetectionEvent.from_json(golden("full"))
    assert event == example_detection_event()
    assert json.loads(event.to_json()) == json.loads(golden("full"))
    assert event.to_json() == json.dumps(json.loads(golden("full")), separators=(",", ":")).encode()


def test_the_example_sets_every_field() -> None:
    event = example_detection_event()
    assert event.model_fields_set == set(DetectionEvent.model_fields)
    assert event.detections[0].model_fields_set == set(Detection.model_fields)


def test_an_event_of_the_first_publishers_is_read() -> None:
    event = DetectionEvent.from_json(golden("first_publishers"))
    assert event.schema_version == "1.0"
    assert event.timestamp == datetime(2025, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    assert event.detections == (
        Detection(
            class_name="person", confidence=0.8125, bbox=BoundingBox(x=320.5, y=240.0, width=64.0, height=128.25)
        ),
    )
    assert (event.fps, event.latency_ms, event.frame_width, event.instance_id) == (None, None, None, None)


def test_what_is_unset_does_not_travel() -> None:
    event = DetectionEvent.from_json(golden("nothing_seen"))
    assert event.detections == ()
    assert event.to_json() == json.dumps(json.loads(golden("nothing_seen")), separators=(",", ":")).encode()


def test_a_newer_minor_version_is_read_without_what_is_unknown() -> None:
    event = DetectionEvent.from_json(golden("newer_minor"))
    assert event.schema_version == "1.7"
    assert event.detections == example_detection_event().detections[:1]
    assert b"mood" not in event.to_json()


@pytest.mark.usefixtures("vienna")
def test_a_naive_timestamp_is_local_time() -> None:
    event = DetectionEvent.from_json(golden("naive_local_time"))
    assert event.timestamp == datetime(2025, 6, 1, 10, 0, 0, 250_000, tzinfo=UTC)
    assert b'"2025-06-01T10:00:00.250000Z"' in event.to_json()
    winter = to_aware_utc(datetime(2025, 1, 1, 12))  # noqa: DTZ001 - naive as Roboflow's frames are
    assert winter == datetime(2025, 1, 1, 11, tzinfo=UTC)
    assert winter.tzinfo is UTC


@pytest.mark.usefixtures("vienna")
def test_a_naive_timestamp_of_the_repeated_hour_is_its_first_pass() -> None:
    repeated = datetime(2025, 10, 26, 2, 30)  # noqa: DTZ001 - naive as Roboflow's frames are
    assert to_aware_utc(repeated) == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    assert to_aware_utc(repeated.replace(fold=1)) == datetime(2025, 10, 26, 1, 30, tzinfo=UTC)


@pytest.mark.usefixtures("vienna")
def test_a_naive_timestamp_at_the_start_of_time_is_refused() -> None:
    with pytest.raises(ValueError, match="0001-01-01T00:00:00 is outside the years 1 to 9999 of UTC"):
        to_aware_utc(datetime(1, 1, 1))  # noqa: DTZ001 - naive as Roboflow's frames are


@pytest.mark.parametrize("path", sorted((GOLDEN / "refused").glob("*.json")), ids=lambda path: path.stem)
def test_a_golden_bad_event_is_refused_with_its_field_and_value(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    with pytest.raises(MessageError) as refused:
        DetectionEvent.from_json(json.dumps(case["message"]))
    assert str(refused.value).startswith(f"not a DetectionEvent: {case['because']}")


@pytest.mark.parametrize("field", ["source_id", "frame_id", "timestamp", "model_id", "inference_time_ms"])
def test_a_missing_field_is_named(field: str) -> None:
    fields = json.loads(minimal())
    del fields[field]
    with pytest.raises(MessageError, match=rf"^not a DetectionEvent: {field}: Field required$"):
        DetectionEvent.from_json(json.dumps(fields))


def test_a_whole_number_may_stand_for_a_float_but_not_the_reverse() -> None:
    assert DetectionEvent.from_json(minimal(inference_time_ms=21)).inference_time_ms == 21.0
    with pytest.raises(MessageError, match="frame_id"):
        DetectionEvent.from_json(minimal(frame_id=2.0))


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    twice = minimal().replace(b'"frame_id": 2', b'"frame_id": 2, "frame_id": 3')
    assert DetectionEvent.from_json(twice).frame_id == 3


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\x00",
        b"\xff\xfe",
        b"\x1f\x8b\x08\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        minimal().replace(b"}", b', "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
        minimal().replace(b'"frame_id": 2', b'"frame_id": ' + b"9" * 10_000),
        minimal().replace(b'"frame_id": 2', b'"frame_id": 1e999'),
        minimal().replace(b'"m"', b'"\\ud800"'),
        minimal().replace(b'"m"', b'"\xed\xa0\x80"'),
        b"a" * (MAX_MESSAGE_BYTES + 1),
        minimal(detections=[{}] * 10_000),
        "\ud800",
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_garbage_is_a_message_error_of_one_short_line(payload: bytes | str) -> None:
    with pytest.raises(MessageError) as refused:
        DetectionEvent.from_json(payload)
    assert str(refused.value).startswith("not a DetectionEvent: ")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(field=st.sampled_from(sorted(DetectionEvent.model_fields)), value=json_values)
def test_any_json_value_in_any_field_is_read_or_a_message_error(field: str, value: object) -> None:
    payload = minimal(**{field: value})
    is_refused = False
    try:
        event = DetectionEvent.from_json(payload)
    except MessageError as error:
        is_refused = field in str(error) or "payload" in str(error)
    assert is_refused or DetectionEvent.from_json(event.to_json()) == event


@given(st.binary())
def test_any_bytes_are_a_message_error(payload: bytes) -> None:
    with pytest.raises(MessageError):
        DetectionEvent.from_json(payload)


def test_the_largest_message_is_read() -> None:
    filler = MAX_MESSAGE_BYTES - len(minimal(note=""))
    assert DetectionEvent.from_json(minimal(note="n" * filler)).frame_id == 2


def test_a_caller_may_hand_over_numpy_scalars() -> None:
    box = BoundingBox(x=np.float32(1.5), y=np.float64(2), width=np.int64(3), height=4)
    detection = Detection(class_name="car", confidence=np.float32(0.5), bbox=box)
    assert type(detection.confidence) is float
    assert type(detection.bbox.width) is float


def test_half_a_surrogate_pair_cannot_be_sent() -> None:
    event = example_detection_event().model_copy(update={"model_id": "\ud800"})
    with pytest.raises(MessageError, match="DetectionEvent of source 3 has no JSON"):
        event.to_json()


def test_events_are_frozen_and_can_be_keys() -> None:
    event = example_detection_event()
    with pytest.raises(ValidationError, match="frozen"):
        event.source_id = 4  # type: ignore[misc] # that is what must fail
    assert len({event, example_detection_event()}) == 1
