"""A process in waiting becomes what it is told to be."""

import os
import sys
from pathlib import Path

import pytest

from nvr.app.supervision.spare import COMMAND, Spare
from nvr.app.supervision.supervised_child import ChildSpec, SupervisedChild
from nvr.core.clock import ManualClock
from tests.waiting import wait_until

HELP = ChildSpec("processor-1", (*COMMAND, "schema", "export", "--help"), may_be_spare=True)


def spare(folder: Path, clock: ManualClock) -> Spare:
    return Spare(folder, dict(os.environ) | {"COLUMNS": "200"}, stop_timeout_s=1.0, calm_s=5.0, clock=clock)


def output_of(process: SupervisedChild) -> str:
    parts: list[bytes] = []

    def has_ended() -> bool:
        if data := process.read():
            parts.append(data)
        return process.has_ended()

    wait_until(has_ended, "its end")
    while data := process.read():
        parts.append(data)
    return b"".join(parts).decode()


def test_waits_for_calm_and_becomes_what_is_wanted(tmp_path: Path) -> None:
    clock = ManualClock()
    kept = spare(tmp_path, clock)
    kept.look(last_start_s=0.0)
    assert kept.pid is None
    assert kept.take(HELP) is None
    clock.advance(5.0)
    kept.look(last_start_s=0.0)
    waiting = kept.pid
    assert waiting is not None
    taken: list[SupervisedChild] = []

    def is_taken() -> bool:
        process = kept.take(HELP)
        taken.extend([] if process is None else [process])
        return bool(taken)

    wait_until(is_taken, "a spare that has loaded everything")
    assert kept.pid is None
    assert "Write asyncapi.yaml" in output_of(taken[0])
    assert taken[0].reap() == 0
    clock.advance(5.0)
    kept.look(last_start_s=0.0)
    assert kept.pid not in {None, waiting}
    kept.stop()


def test_stands_in_only_for_what_it_can_become(tmp_path: Path) -> None:
    clock = ManualClock()
    kept = spare(tmp_path, clock)
    clock.advance(5.0)
    kept.look(last_start_s=0.0)
    assert kept.take(ChildSpec("broker", ("mosquitto", "-c", "x"), may_be_spare=True)) is None
    assert kept.take(ChildSpec("wall", HELP.command)) is None
    assert kept.pid is not None
    kept.stop()
    assert kept.pid is None
    assert list(tmp_path.iterdir()) == []


def test_one_that_ended_by_itself_is_told_and_tried_again_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    kept = Spare(tmp_path, dict(os.environ), stop_timeout_s=1.0, calm_s=0.0, clock=clock)
    monkeypatch.undo()
    kept.look(last_start_s=0.0)

    def is_told() -> bool:
        kept.look(last_start_s=0.0)
        return "the spare processor ended with status 1" in caplog.text

    wait_until(is_told, "the complaint")
    kept.look(last_start_s=0.0)
    assert kept.pid is None
    clock.advance(60.0)
    kept.look(last_start_s=0.0)
    assert kept.pid is not None
    kept.stop()


def test_a_folder_that_cannot_hold_a_pipe_costs_only_the_spare(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    kept = spare(tmp_path / "absent", clock)
    clock.advance(5.0)
    kept.look(last_start_s=0.0)
    assert kept.pid is None
    assert "there is no spare processor" in caplog.text
    kept.stop()
