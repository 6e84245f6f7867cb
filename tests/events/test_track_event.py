import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import MessageError
from nvr.events.examples import example_track_end, example_track_start
from nvr.events.message import MAX_INT64
from nvr.events.protocol import Topics
from nvr.events.schema import MAX_SIDE_PX
from nvr.events.track_event import BestLook, LineCrossing, PathPoint, TrackEvent, ZoneVisit
from tests.events.strategies import boxes, instants, int64, names, not_negative

NOT_OF_A_START = {"zones", "zone_visits", "line_crossings", "end_reason"}

shares = st.floats(0, 1)
best_looks = st.builds(BestLook, frame_id=int64, timestamp=instants, bbox=boxes, confidence=shares)
track_events = st.builds(
    TrackEvent,
    schema_version=st.just("1.0"),
    source_id=st.integers(0, MAX_INT64),
    kind=st.sampled_from(["start", "update", "end"]),
    track_id=int64,
    frame_id=int64,
    timestamp=instants,
    first_seen=st.just(datetime(1, 1, 3, tzinfo=UTC)),
    last_seen=instants,
    class_name=names,
    confidence=shares,
    bbox=boxes,
    state=st.sampled_from(["moving", "stationary"]),
    speed_px_s=st.none() | not_negative,
    speed_heights_s=st.none() | not_negative,
    best=st.none() | best_looks,
    path=st.lists(st.builds(PathPoint, x=shares, y=shares, offset_s=not_negative), max_size=3).map(tuple),
    zones=st.lists(names, max_size=3).map(tuple),
    zone_visits=st.lists(
        st.builds(ZoneVisit, zone=names, entered_at=instants, left_at=st.none() | instants), max_size=3
    ).map(tuple),
    line_crossings=st.lists(
        st.builds(LineCrossing, line=names, direction=st.sampled_from(["in", "out"]), crossed_at=instants), max_size=3
    ).map(tuple),
    frame_width=st.none() | st.integers(1, MAX_SIDE_PX),
    frame_height=st.none() | st.integers(1, MAX_SIDE_PX),
    timestamp_source=st.none() | st.sampled_from(["rtcp", "arrival", "file"]),
    model_id=st.none() | names,
    instance_id=st.none() | names,
    end_reason=st.none() | st.sampled_from(["lost", "cut", "removed", "shutdown"]),
)


def changed(**changes: object) -> bytes:
    return json.dumps(json.loads(example_track_end().to_json()) | changes).encode()


@given(track_events)
def test_any_event_survives_the_wire(event: TrackEvent) -> None:
    assert TrackEvent.from_json(event.to_json()) == event


def test_the_examples_set_every_field_and_no_start_has_what_comes_later() -> None:
    fields = set(TrackEvent.model_fields)
    assert example_track_end().model_fields_set == fields
    assert example_track_start().model_fields_set == fields - NOT_OF_A_START


def test_times_travel_as_utc_and_what_is_unset_does_not_travel() -> None:
    payload = json.loads(example_track_start().to_json())
    assert payload["first_seen"] == "2026-11-20T09:30:04.723456Z"
    assert "end_reason" not in payload


def test_a_reader_needs_no_more_than_the_required_fields() -> None:
    required = {name for name, field in TrackEvent.model_fields.items() if field.is_required()}
    event = TrackEvent.from_json(json.dumps({k: v for k, v in json.loads(changed()).items() if k in required}))
    assert (event.path, event.best, event.zones) == ((), None, ())


def test_a_field_of_the_future_is_skipped_and_a_higher_major_version_refused() -> None:
    best = json.loads(changed())["best"] | {"sharpness": 3}
    assert TrackEvent.from_json(changed(schema_version="1.9", mood="good", best=best)).source_id == 3
    with pytest.raises(MessageError, match=r"^not a TrackEvent: schema_version: version 2\.0 is newer"):
        TrackEvent.from_json(changed(schema_version="2.0"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "begin"),
        ("track_id", "17"),
        ("track_id", 1.5),
        ("track_id", 2**63),
        ("frame_id", True),
        ("timestamp", 1700000000),
        ("confidence", 1.01),
        ("bbox", [1, 2, 3, 4]),
        ("state", "parked"),
        ("speed_px_s", -1),
        ("best", {}),
        ("path", [[0.1, 0.2, 3]]),
        ("path", [{"x": 1.1, "y": 0, "offset_s": 0}]),
        ("path", [{"x": 0, "y": 0, "offset_s": -1}]),
        ("zones", "yard"),
        ("zones", [3]),
        ("zone_visits", [{"zone": "yard"}]),
        ("line_crossings", [{"line": "gate", "direction": "up", "crossed_at": "2026-11-20T09:30:00Z"}]),
        ("frame_width", 0),
        ("end_reason", "because"),
    ],
)
def test_what_breaks_the_schema_is_refused_with_its_field(field: str, value: object) -> None:
    with pytest.raises(MessageError, match=rf"^not a TrackEvent: {field}[.:]"):
        TrackEvent.from_json(changed(**{field: value}))


def test_an_object_is_not_last_seen_before_it_is_first_seen() -> None:
    first = example_track_end().first_seen
    with pytest.raises(MessageError, match="is before first_seen"):
        TrackEvent.from_json(changed(last_seen=(first - timedelta(milliseconds=1)).isoformat()))
    TrackEvent.from_json(changed(last_seen=first.isoformat()))


@given(st.binary())
def test_any_bytes_are_a_message_error(payload: bytes) -> None:
    with pytest.raises(MessageError):
        TrackEvent.from_json(payload)


def test_its_topic_is_that_of_its_source() -> None:
    assert Topics().tracks(example_track_end().source_id) == "nvr/tracks/3"
