import json
import resource
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from nvr.control.audit import MAX_LINE_PARAMS, AuditEntry, AuditLog, audit_line, masked
from tests.control.fakes import START
from tests.waiting import DEADLINE_S, wait_until

ENTRY = AuditEntry(
    time=START,
    instance_id="gate",
    outcome="completed",
    command="pause",
    command_id="1",
    issuer="ctl:anna@desk",
    targets=("*",),
    source_ids=(3,),
    params={"hang_up": True},
    duration_ms=1.23456,
)


def lines(path: Path) -> list[dict[str, JsonValue]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_says_who_asked_for_what_and_how_it_ended() -> None:
    assert json.loads(audit_line(ENTRY)) == {
        "time": "2026-11-20T09:30:00Z",
        "instance_id": "gate",
        "command": "pause",
        "command_id": "1",
        "issuer": "ctl:anna@desk",
        "signed": False,
        "target_instances": ["*"],
        "source_ids": [3],
        "params": {"hang_up": True},
        "outcome": "completed",
        "duration_ms": 1.235,
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"camera": {"uri": "rtsp://me:hunter2@cam/1"}}, {"camera": {"uri": "rtsp://***@cam/1"}}),
        ({"changes": ["http://cam/?password=hunter2&a=1"]}, {"changes": ["http://cam/?password=***&a=1"]}),
        ({"mqtt_password": "hunter2", "key": None}, {"mqtt_password": "***", "key": None}),
        ({"api_token": ["hunter2"], "fps": 5.5, "on": True}, {"api_token": "***", "fps": 5.5, "on": True}),
    ],
)
def test_credentials_are_hidden(value: JsonValue, expected: JsonValue) -> None:
    assert masked(value) == expected


def test_a_line_is_json_whatever_was_sent() -> None:
    params: JsonValue = {"max_fps": float("inf"), "other": [float("nan")]}
    line = audit_line(AuditEntry(START, "gate", "invalid", params=params))
    assert b"Infinity" not in line
    assert json.loads(line)["params"] == {"max_fps": "inf", "other": ["nan"]}


def test_the_reason_hides_credentials_and_large_parameters_are_told_by_size() -> None:
    entry = replace(ENTRY, params={"a": "x" * MAX_LINE_PARAMS}, reason="rtsp://me:hunter2@cam/1 refuses")
    line = audit_line(entry)
    assert b"hunter2" not in line
    assert len(line) < 1000
    assert json.loads(line)["params"] == {"omitted_characters": MAX_LINE_PARAMS + 9}


def test_entries_are_appended_readable_by_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "audit.jsonl"
    for _ in range(2):
        log = AuditLog(path)
        log.start()
        log.note(ENTRY)
        assert log.stop(DEADLINE_S)
    assert [line["command"] for line in lines(path)] == ["pause", "pause"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    size_bytes = len(audit_line(ENTRY))
    log = AuditLog(path, max_bytes=2 * size_bytes, max_files=3)
    log.start()
    for number in range(11):
        log.note(replace(ENTRY, command_id=str(number % 10)))
    assert log.stop(DEADLINE_S)
    assert {file.name: [line["command_id"] for line in lines(file)] for file in tmp_path.iterdir()} == {
        "audit.jsonl": ["0"],
        "audit.jsonl.1": ["8", "9"],
        "audit.jsonl.2": ["6", "7"],
    }
    assert log.lost == 0


def test_a_folder_that_cannot_be_written_costs_entries_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = AuditLog(tmp_path / "file" / "audit.jsonl")
    log.start()
    log.note(ENTRY)
    wait_until(lambda: log.lost == 1, "it is counted")
    assert log.stop(DEADLINE_S)


def test_a_disk_that_takes_half_a_line_keeps_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    size_bytes = len(audit_line(ENTRY))
    log = AuditLog(path)
    log.start()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # files of this process may grow to one line and a half: a write is short, as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes + size_bytes // 2, before[1]))
    try:
        log.note(ENTRY)
        log.note(ENTRY)
        wait_until(lambda: log.lost == 1, "the second is counted")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    log.note(ENTRY)
    assert log.stop(DEADLINE_S)
    assert len(lines(path)) == 2


def test_an_unstarted_log_stops(tmp_path: Path) -> None:
    assert AuditLog(tmp_path / "audit.jsonl").stop()
