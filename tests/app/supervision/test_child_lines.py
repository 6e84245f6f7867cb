import json

import pytest

from nvr.app.supervision.child_lines import log_line


def test_people_see_which_process_said_it() -> None:
    assert log_line("wall", "12:00:00 INFO ready", "text") == "wall         | 12:00:00 INFO ready\n"


def test_what_a_process_writes_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in log_line("wall", "\x1b[2Jgone\rINFO", "text")


def test_programs_get_the_object_of_the_process_with_its_name() -> None:
    line = log_line("processor-1", '{"level": "info", "message": "ready", "process": "liar"}', "json")
    assert json.loads(line) == {"level": "info", "message": "ready", "process": "processor-1"}


@pytest.mark.parametrize("line", ["plain text", "[1, 2]", "{broken", "[" * 100_000, "NaN"])
def test_what_is_no_object_becomes_one(line: str) -> None:
    assert json.loads(log_line("broker", line, "json")) == {"message": line, "process": "broker"}
