import json
import logging
import math
import sys

import pytest

from nvr.core.log_context import log_fields
from nvr.core.log_format import MAX_CHARS, JsonFormatter, TextFormatter

CREATED_S = 1_795_521_600.25


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("nvr.media").makeRecord(
        "nvr.media", logging.WARNING, "stream.py", 1, message, args, None, extra=extra
    )
    made.created = CREATED_S
    return made


def as_json(made: logging.LogRecord, **fields: object) -> dict[str, object]:
    line = JsonFormatter(fields).format(made)
    assert "\n" not in line
    parsed: dict[str, object] = json.loads(line)
    return parsed


def failed() -> logging.LogRecord:
    made = record("it failed")
    try:
        int("rtsp://user:secret@192.0.2.1/live says\nno")
    except ValueError:
        made.exc_info = sys.exc_info()
    return made


def test_a_json_line_says_when_who_what_and_where() -> None:
    with log_fields(command_id="c1"):
        line = as_json(record("camera %d is %s", 3, "offline", source_id=3), instance_id="processor-1")
    assert line == {
        "timestamp": "2026-11-24T12:00:00.250Z",
        "level": "warning",
        "logger": "nvr.media",
        "message": "camera 3 is offline",
        "thread": "MainThread",
        "instance_id": "processor-1",
        "command_id": "c1",
        "source_id": 3,
    }


def test_a_json_line_is_ascii_so_that_no_terminal_or_collector_spoils_it() -> None:
    made = record("Türe ☃")
    assert JsonFormatter().format(made).isascii()
    assert as_json(made)["message"] == "Türe ☃"


def test_a_trace_is_one_field_of_the_same_line() -> None:
    line = as_json(failed())
    assert str(line["exception"]).startswith("Traceback")
    assert "ValueError" in str(line["exception"])


@pytest.mark.parametrize(
    "made",
    [
        failed(),
        record("%s", "rtsp://user:secret@192.0.2.1/live"),
        record("uri", uri="rtsp://user:secret@192.0.2.1/live"),
        record("deep", facts={"uri": ["rtsp://user:secret@192.0.2.1/live"]}),
    ],
    ids=["trace", "message", "extra", "nested"],
)
def test_credentials_are_hidden_wherever_they_stand(made: logging.LogRecord) -> None:
    for formatter in (JsonFormatter(), TextFormatter()):
        assert "secret" not in formatter.format(made)


def test_what_json_has_no_form_for_is_a_text() -> None:
    line = as_json(record("odd", latency=math.nan, path=object, ok=True, none=None, file="\udcff"))
    assert (line["latency"], line["ok"], line["none"], line["file"]) == ("nan", True, None, "\\udcff")
    assert line["path"] == "<class 'object'>"


def test_a_field_that_is_called_like_our_own_replaces_none() -> None:
    line = as_json(record("what it says", timestamp=1, level="mine", exception="none"))
    assert (line["level"], line["extra_timestamp"], line["extra_level"]) == ("warning", 1, "mine")
    assert line["extra_exception"] == "none"


def test_a_stranger_cannot_begin_a_line_or_steer_the_terminal() -> None:
    line = TextFormatter().format(record("%s", "no\n12:00:00 ERROR nvr: all is lost\x1b[2J\x9b"))
    assert line.endswith("no\\n12:00:00 ERROR nvr: all is lost\\x1b[2J\\x9b")
    assert len(line.splitlines()) == 1


def test_a_text_line_tells_of_the_work_that_it_belongs_to() -> None:
    with log_fields(command_id="c1", source_id=3):
        line = TextFormatter().format(record("camera 3: paused"))
    assert line.endswith("WARNING nvr.media: camera 3: paused command_id=c1")


def test_the_trace_of_an_exception_follows_a_text_line() -> None:
    first, *trace = TextFormatter().format(failed()).splitlines()
    assert first.endswith("it failed")
    assert trace[0].startswith("Traceback")


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_megabytes_are_cut(formatter: logging.Formatter) -> None:
    assert len(formatter.format(record("%s", "a" * 5_000_000))) < 2 * MAX_CHARS
