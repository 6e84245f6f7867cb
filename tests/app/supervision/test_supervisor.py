"""Real processes under a real supervisor."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from nvr.app.supervision.kept_child import ChildReport
from nvr.app.supervision.supervised_child import ChildSpec
from nvr.app.supervision.supervisor import Supervisor
from tests.processes import has_ended
from tests.waiting import DEADLINE_S, wait_until

RUNS = "print('ready', flush=True); import time; time.sleep(600)"
IGNORES_SIGTERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {RUNS}"


def spec(name: str, code: str, *, stage: int = 0, stop_timeout_s: float = 5.0, revision: str = "") -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", textwrap.dedent(code)), stage, stop_timeout_s, revision)


class Running:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.supervisor = Supervisor(lambda name, line: self.lines.append((name, line)))

    def report(self, name: str) -> ChildReport:
        return next(report for report in self.supervisor.reports() if report.name == name)

    def until(self, is_true: Callable[[], bool], what: str) -> None:
        def look() -> bool:
            self.supervisor.poll(0.05)
            return is_true()

        wait_until(look, what)

    def until_said(self, name: str, line: str, n: int = 1) -> None:
        self.until(lambda: self.lines.count((name, line)) >= n, f"{name} said {line!r}, it said {self.lines}")

    def family(self) -> list[psutil.Process]:
        me = psutil.Process()
        return [child for child in me.children(recursive=True) if not has_ended(child)]


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.supervisor.stop(5.0)
    running.supervisor.close()


def test_a_killed_process_is_back_at_once(running: Running) -> None:
    running.supervisor.want([spec("a", RUNS)])
    running.until_said("a", "ready")
    pid = running.report("a").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    running.until_said("a", "ready", n=2)
    report = running.report("a")
    assert report.pid != pid
    assert report.restarts == 1
    assert report.reason == "killed by SIGKILL: ready"


def test_a_process_whose_guard_is_killed_leaves_nothing_behind_and_is_back(running: Running) -> None:
    running.supervisor.want([spec("a", RUNS)])
    running.until_said("a", "ready")
    pid = running.report("a").pid
    assert pid is not None
    program = psutil.Process(pid)
    guard = program.parent()
    assert guard is not None
    assert guard.ppid() == os.getpid()
    guard.kill()
    running.until_said("a", "ready", n=2)
    wait_until(lambda: not program.is_running(), "the program of the killed guard has ended")


def test_a_crash_loop_is_told_with_the_last_words_and_tried_slowly(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    running.supervisor.want([spec("a", "raise SystemExit('the disk is on fire')")])
    running.until(lambda: running.report("a").phase == "failed", "it has failed")
    report = running.report("a")
    assert report.reason == "ended with status 1: the disk is on fire"
    assert report.pid is None
    assert report.next_start_s is not None
    assert report.restarts == 4
    [failure] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "a has failed: it ended with status 1: the disk is on fire, for the 5th time in a row" in failure


def test_a_wrong_setting_is_no_reason_to_try_again_until_it_changes(running: Running) -> None:
    code = "import sys; print('no such model', flush=True); sys.exit(2)"
    running.supervisor.want([spec("a", code, revision="1")])
    running.until(lambda: running.report("a").phase == "failed", "it has failed")
    assert running.report("a").restarts == 0
    running.supervisor.want([spec("a", code, revision="2")])
    running.until_said("a", "no such model", n=2)


@pytest.mark.parametrize("status", [0, 3])
def test_a_process_with_one_life_has_failed_however_it_ends(running: Running, status: int) -> None:
    code = f"print('that is it', flush=True); raise SystemExit({status})"
    running.supervisor.want([replace(spec("a", code), has_one_life=True)])
    running.until(lambda: running.report("a").phase == "failed", "it has failed")
    running.supervisor.poll(0.05)
    report = running.report("a")
    assert (report.reason, report.next_start_s, report.restarts) == (f"ended with status {status}: that is it", None, 0)


def test_who_wakes_a_supervisor_that_was_closed_writes_nowhere() -> None:
    supervisor = Supervisor(lambda *_: None)
    supervisor.close()
    read, write = os.pipe()  # which gets the numbers that are free now
    supervisor.wake()
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)


def test_a_new_revision_leaves_a_process_that_runs_alone_and_a_new_command_does_not(running: Running) -> None:
    running.supervisor.want([spec("a", RUNS, revision="1")])
    running.until_said("a", "ready")
    pid = running.report("a").pid
    running.supervisor.want([spec("a", RUNS, revision="2")])
    running.supervisor.poll(0.1)
    assert running.report("a").pid == pid
    running.supervisor.want([spec("a", "print('other', flush=True); import time; time.sleep(600)")])
    running.until_said("a", "other")
    assert running.report("a").restarts == 0
    assert running.report("a").reason is None


def test_what_is_no_longer_wanted_ends_and_the_others_stay(running: Running) -> None:
    running.supervisor.want([spec("a", RUNS), spec("b", RUNS)])
    running.until_said("a", "ready")
    running.until_said("b", "ready")
    pid = running.report("b").pid
    running.supervisor.want([spec("b", RUNS)])
    running.until(lambda: len(running.family()) == 2, "a and its guard have ended")
    assert running.report("b").pid == pid
    running.supervisor.want([spec("a", RUNS), spec("b", RUNS)])
    running.until_said("a", "ready", n=2)
    assert running.report("b").pid == pid


def test_stages_end_in_order(running: Running, tmp_path: Path) -> None:
    log = tmp_path / "ends"
    code = """
        import signal, sys, time
        def end(*_):
            time.sleep(0.3)
            with open({log!r}, "a") as file:
                print("{name}", file=file)
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        print("ready", flush=True)
        while True:
            time.sleep(60)
    """
    stages = {"broker": 2, "processor": 1, "wall": 0}
    running.supervisor.want(
        spec(name, code.format(log=str(log), name=name), stage=stage, stop_timeout_s=20)
        for name, stage in stages.items()
    )
    for name in stages:
        running.until_said(name, "ready")
    assert running.supervisor.stop(DEADLINE_S * 3)
    assert log.read_text().split() == ["wall", "processor", "broker"]


def test_one_that_will_not_end_is_killed_and_holds_up_nobody(running: Running) -> None:
    running.supervisor.want([spec("deaf", IGNORES_SIGTERM, stop_timeout_s=60), spec("a", RUNS, stage=1)])
    running.until_said("deaf", "ready")
    running.until_said("a", "ready")
    assert not running.supervisor.stop(1.0)
    assert running.family() == []


def test_one_that_does_not_answer_is_started_anew_with_the_reason(running: Running) -> None:
    running.supervisor.want([spec("a", IGNORES_SIGTERM, stop_timeout_s=0.2)])
    running.until_said("a", "ready")
    running.supervisor.restart("a", "did not answer for 30 s")
    running.until_said("a", "ready", n=2)
    assert running.report("a").reason == "did not answer for 30 s"


def test_one_that_ends_in_order_because_it_was_to_start_anew_has_not_ended_by_itself(running: Running) -> None:
    ends_in_order = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); {RUNS}"
    running.supervisor.want([replace(spec("a", ends_in_order), may_end=True)])
    running.until_said("a", "ready")
    assert running.supervisor.restart("a", "was not heard for 30 s")
    assert not running.supervisor.restart("a", "was not heard for 30 s"), "it ends already"
    running.until_said("a", "ready", n=2)
    assert running.report("a").reason == "was not heard for 30 s"


def test_a_flood_of_output_is_bounded_and_holds_up_nobody(running: Running) -> None:
    flood = "import sys\nwhile True: sys.stdout.write('x' * 100 + '\\n')"
    running.supervisor.want([spec("flood", flood), spec("a", RUNS)])
    running.until_said("a", "ready")
    running.until(lambda: running.report("flood").dropped_lines > 10_000, "lines were dropped")
    assert len(running.lines) < 2000


def test_what_cannot_be_started_is_tried_again(running: Running) -> None:
    running.supervisor.want([ChildSpec("a", ("/no/such/program",))])
    running.until(lambda: running.report("a").phase == "failed", "it has failed")
    assert "No such file or directory: '/no/such/program'" in (running.report("a").reason or "")


def test_nothing_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    code = f"""
        import sys
        from nvr.app.supervision.supervised_child import ChildSpec
        from nvr.app.supervision.supervisor import Supervisor
        supervisor = Supervisor(lambda name, line: print(line, flush=True))
        supervisor.want([ChildSpec(name, (sys.executable, "-c", {RUNS!r})) for name in ("a", "b")])
        while True:
            supervisor.poll(10)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 4
        process.kill()
        wait_until(lambda: not any(member.is_running() for member in family), "every process has ended")
