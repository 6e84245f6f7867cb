from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import ConfigurationError
from nvr.recording.modes import OFF, RecordingMode, modes_text, next_boundary, parse_modes
from tests.recording.packets import NOON, at

CONTINUOUS, EVENTS, ON_DEMAND = RecordingMode


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        ("off", set()),
        ("continuous", {CONTINUOUS}),
        ("events", {EVENTS}),
        ("on_demand", {ON_DEMAND}),
        ("continuous+events", {CONTINUOUS, EVENTS}),
        ("events+on_demand", {EVENTS, ON_DEMAND}),
    ],
)
def test_modes_are_words_joined_by_plus(text: str, modes: set[RecordingMode]) -> None:
    assert parse_modes(text) == modes
    assert modes_text(parse_modes(text)) == text


@pytest.mark.parametrize("text", ["", "always", "off+events", "continuous+", "continuous, events", "EVENTS"])
def test_an_unknown_mode_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not off or some of continuous, events, on_demand"):
        parse_modes(text)


def test_no_mode_is_off() -> None:
    assert modes_text(OFF) == "off"


@pytest.mark.parametrize(
    ("start_s", "segment_s", "boundary_s"),
    [(0, 10, 10), (0.001, 10, 10), (9.999, 10, 10), (10, 10, 20), (3, 7.5, 7.5), (-1, 10, 0)],
)
def test_a_segment_ends_at_the_next_multiple_of_its_length(start_s: float, segment_s: float, boundary_s: float) -> None:
    assert next_boundary(at(start_s), segment_s) == at(boundary_s)


def test_midnight_is_a_boundary_whatever_the_length() -> None:
    late = datetime(2026, 11, 24, 23, 59, 58, tzinfo=UTC)
    assert next_boundary(late, 7.0) == datetime(2026, 11, 25, tzinfo=UTC)


@given(start=st.datetimes(timezones=st.just(UTC), max_value=datetime(9999, 12, 30)), segment_s=st.floats(0.5, 3600))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_a_boundary_comes_after_the_start_and_within_a_segment(start: datetime, segment_s: float) -> None:
    boundary = next_boundary(start, segment_s)
    assert -1e-6 <= (boundary - start).total_seconds() <= segment_s + 1e-6
    assert NOON.tzinfo is boundary.tzinfo
