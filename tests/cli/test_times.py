from datetime import UTC, datetime, timedelta

import pytest

from nvr.cli.times import local_text, parse_time
from nvr.core.errors import ConfigurationError

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("-2h", NOW - timedelta(hours=2)),
        ("-90s", NOW - timedelta(seconds=90)),
        ("-1d12h", NOW - timedelta(hours=36)),
        ("-15m", NOW - timedelta(minutes=15)),
        ("-1d2h3m4s", NOW - timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("2026-11-20T09:30:00Z", datetime(2026, 11, 20, 9, 30, tzinfo=UTC)),
        ("2026-11-20 09:30:00.5+01:00", datetime(2026, 11, 20, 8, 30, 0, 500_000, UTC)),
        ("20261120T093000Z", datetime(2026, 11, 20, 9, 30, tzinfo=UTC)),
    ],
)
def test_reads_times_as_people_type_them(text: str, expected: datetime) -> None:
    assert parse_time(text, NOW) == expected
    assert parse_time(text, NOW).tzinfo is UTC


def test_a_time_without_a_zone_is_local() -> None:
    local = datetime(2026, 11, 20, 9, 30).astimezone()
    assert parse_time("2026-11-20T09:30", NOW) == local


@pytest.mark.parametrize(
    "text",
    ["", "-", "-h", "2h", "-2x", "-2h1d", "yesterday", "2026-13-01", "-99999d", "-9999999999s", "-٢h", "x" * 999],
)
def test_refuses_what_is_no_time_and_says_what_is(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no time: expected ISO 8601") as refused:
        parse_time(text, NOW.replace(year=100))
    assert len(str(refused.value)) < 300


def test_shows_times_with_their_zone() -> None:
    assert datetime.fromisoformat(local_text(NOW)) == NOW
