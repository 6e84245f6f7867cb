"""The demo as its user starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import httpx
import numpy as np
import psutil
import pytest

from nvr.app.ports import free_port
from tests.processes import has_ended
from tests.waiting import DEADLINE_S, wait_until

pytestmark = pytest.mark.camera

WALL = re.compile(r"Wall +(http://\S+)")


class RunningDemo:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []

    def wait_for(self, pattern: re.Pattern[str]) -> "re.Match[str]":
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if match := pattern.search(line):
                return match
        raise AssertionError(f"the demo ended without a line like {pattern.pattern}: {''.join(self.lines)}")

    def rest(self) -> str:
        output, _ = self.process.communicate(timeout=DEADLINE_S)
        return output

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def demo(*arguments: str) -> Iterator[RunningDemo]:
    command = [sys.executable, "-m", "nvr", "demo", "--model", "motion", "--n", "2", *arguments]
    # in a session of its own: the test's Ctrl-C goes to the demo alone
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        running = RunningDemo(process)
        try:
            yield running
        finally:
            process.kill()


def all_ended(family: list[psutil.Process]) -> bool:
    return all(has_ended(member) for member in family)


def test_shows_boxes_on_a_page_and_ends_cleanly_with_ctrl_c() -> None:
    with demo() as running:
        url = running.wait_for(WALL)[1]
        running.wait_for(re.compile(r"First boxes [0-9.]+ s after the start"))
        assert "Camera 1" in httpx.get(url).text
        state = httpx.get(f"{url}api/state.json").json()
        assert [camera["state"] for camera in state["cameras"]] == ["live", "live"]
        picture = cv2.imdecode(np.frombuffer(httpx.get(f"{url}wall.jpg").content, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.std() > 10
        family = running.family()
        assert len(family) >= 4
        running.process.send_signal(signal.SIGINT)
        assert "The demo has ended." in running.rest()
        assert running.process.returncode == 0
        wait_until(lambda: all_ended(family), "every process has ended")


def test_nothing_outlives_a_demo_that_was_killed() -> None:
    with demo() as running:
        running.wait_for(WALL)
        family = running.family()
        os.kill(running.process.pid, signal.SIGKILL)
        wait_until(lambda: all_ended(family), "every process has ended")


def test_takes_other_ports_where_its_own_are_taken_and_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demo("--http", str(port)) as running:
            running.wait_for(re.compile(rf"Port {port} is taken: the wall page will be on \d+"))
            assert f":{port}/" not in running.wait_for(WALL)[1]


def test_a_part_that_dies_ends_the_demo_with_a_sentence() -> None:
    with demo() as running:
        running.wait_for(WALL)
        [processor] = [member for member in running.family() if "processor" in member.cmdline()[3:4]]
        processor.kill()
        rest = running.rest()
        assert "nvr: processor killed by SIGKILL" in rest
        assert "Traceback" not in rest
        assert running.process.returncode == 1


def test_a_broker_that_is_not_there_is_one_sentence() -> None:
    port = free_port("127.0.0.1", 20000)
    with demo("--mqtt-host", "127.0.0.1", "--mqtt-port", str(port)) as running:
        rest = running.rest()
    assert rest.strip().splitlines()[-1] == f"nvr: broker 127.0.0.1:{port} cannot be reached without a password"
