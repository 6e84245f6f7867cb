import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import MessageError
from nvr.events.examples import example_segment_event, example_snapshot_event
from nvr.events.recording_event import SegmentEvent

OF_SNAPSHOTS = {"class_name", "confidence"}
OF_SEGMENTS = {"has_audio", "end_reason", "replaces"}


def changed(**changes: object) -> bytes:
    return json.dumps(json.loads(example_segment_event().to_json()) | changes).encode()


@pytest.mark.parametrize("event", [example_segment_event(), example_snapshot_event()], ids=lambda event: event.type)
def test_an_announcement_survives_the_wire(event: SegmentEvent) -> None:
    assert SegmentEvent.from_json(event.to_json()) == event


def test_the_examples_set_every_field_between_them() -> None:
    fields = set(SegmentEvent.model_fields)
    assert example_segment_event().model_fields_set == fields - OF_SNAPSHOTS
    assert example_snapshot_event().model_fields_set == fields - OF_SEGMENTS


def test_times_travel_as_utc_and_what_is_unset_does_not_travel() -> None:
    payload = json.loads(example_snapshot_event().to_json())
    assert payload["start"] == "2026-11-20T09:30:05.123456Z"
    assert not OF_SEGMENTS & payload.keys()


def test_a_field_of_the_future_is_skipped_and_a_higher_major_version_refused() -> None:
    assert SegmentEvent.from_json(changed(schema_version="1.9", mood="good")).source_id == 3
    with pytest.raises(MessageError, match=r"^not a SegmentEvent: schema_version: version 2\.0 is newer"):
        SegmentEvent.from_json(changed(schema_version="2.0"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", "/etc/passwd"),
        ("path", "default/../../secret"),
        ("path", "default/3/..%2f"),
        ("path", "a//b"),
        ("path", "a\\b"),
        ("path", "a\n"),
        ("path", ""),
        ("path", "a" * 2000),
        ("replaces", "../x"),
        ("type", "clip"),
        ("kind", "on_demand"),
        ("end_reason", "because"),
        ("size_bytes", -1),
        ("size_bytes", "12"),
        ("size_bytes", 2**63),
        ("duration_ms", 1.5),
        ("duration_ms", True),
        ("width", 0),
        ("confidence", 1.01),
        ("start", 1700000000),
        ("has_audio", 1),
    ],
)
def test_what_breaks_the_schema_is_refused_with_its_field(field: str, value: object) -> None:
    with pytest.raises(MessageError, match=f"^not a SegmentEvent: {field}: "):
        SegmentEvent.from_json(changed(**{field: value}))


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(MessageError, match="is before start"):
        SegmentEvent.from_json(changed(end="2026-11-20T09:29:59Z"))


@pytest.mark.parametrize("field", ["source_id", "type", "kind", "start", "end", "duration_ms", "size_bytes", "path"])
def test_a_missing_field_is_named(field: str) -> None:
    fields = json.loads(example_segment_event().to_json())
    del fields[field]
    with pytest.raises(MessageError, match=rf"^not a SegmentEvent: {field}: Field required$"):
        SegmentEvent.from_json(json.dumps(fields))


@given(
    start=st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.timezones() | st.just(UTC)),  # noqa: DTZ001 - hypothesis wants naive bounds
    duration=st.timedeltas(timedelta(0), timedelta(hours=1)),
)
def test_any_instant_survives_the_wire(start: datetime, duration: timedelta) -> None:
    start = start.astimezone(UTC)
    event = SegmentEvent(
        source_id=0,
        type="segment",
        kind="continuous",
        start=start,
        end=start + duration,
        duration_ms=0,
        size_bytes=0,
        path="a",
    )
    assert SegmentEvent.from_json(event.to_json()) == event


@given(st.binary())
def test_any_bytes_are_a_message_error(payload: bytes) -> None:
    with pytest.raises(MessageError):
        SegmentEvent.from_json(payload)
