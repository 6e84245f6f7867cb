"""Times as people type them."""

import re
from datetime import UTC, datetime, timedelta

from nvr.core.errors import ConfigurationError

_AGO = re.compile(r"-(?=\d)(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s)?", re.ASCII)


def parse_time(text: str, now: datetime) -> datetime:
    """Return a time in UTC.

    Args:
        text: ISO 8601 with or without a zone, where none is local time; `now`; or so long ago, as in `-2h`, `-1d12h`,
            `-90s`.
        now: Aware UTC.

    Raises:
        ConfigurationError: It is none of these.
    """
    try:
        if text == "now":
            return now
        if (ago := _AGO.fullmatch(text)) is not None:
            days, hours, minutes, seconds = (int(number or 0) for number in ago.groups())
            return now - timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:  # OSError: a year that the system's zones do not reach
        raise ConfigurationError(
            f"{text[:60]!r} is no time: expected ISO 8601 such as 2026-11-20T09:30:00 (local time) or with +01:00, "
            "`now`, or so long ago as in -2h or -1d12h"
        ) from error


def local_text(moment: datetime) -> str:
    """Return a time to the second as people here read it, with its zone."""
    return moment.astimezone().isoformat(timespec="seconds")
