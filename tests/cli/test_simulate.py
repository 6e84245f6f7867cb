"""`nvr simulate` as a program."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Nvr

SMALL = ["--size", "320x180", "--scene-length", "1", "--n", "2"]
TIMEOUT_S = 60


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "nvr", "simulate", *options]


@contextmanager
def running(cache: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command(*options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until_ready(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if " ready at " in line:
            return lines
    pytest.fail(f"ended before it was ready: {lines}, {process.communicate()[1]}")


@pytest.mark.camera
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_says_where_it_is_ready_and_ends_cleanly(tmp_path: Path, signal_number: signal.Signals) -> None:
    with running(tmp_path, "--port", "0", *SMALL) as process:
        lines = read_until_ready(process)
        assert re.fullmatch(r"simulate: 2 cameras ready at rtsp://127\.0\.0\.1:\d+/live/\{0\.\.1\}\.stream", lines[-1])
        assert [line.rsplit("/live/", 1)[1] for line in lines[-3:-1]] == ["0.stream", "1.stream"]
        process.send_signal(signal_number)
        started_s = time.monotonic()
        _, errors = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0
        assert errors == ""
        assert time.monotonic() - started_s < TIMEOUT_S


@pytest.mark.camera
def test_an_interruption_while_it_renders_ends_it_and_leaves_no_half_file(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--size", "1920x1080", "--scene-length", "600") as process:
        assert process.stdout is not None
        assert "preparing" in process.stdout.readline()
        folder = tmp_path / "nvr" / "loops"
        deadline_s = time.monotonic() + TIMEOUT_S
        while not (folder.exists() and any(folder.iterdir())):
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 0
        assert list(folder.iterdir()) == []


@pytest.mark.camera
def test_a_taken_port_is_one_sentence(nvr: Nvr, tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--quiet", *SMALL) as process:
        [line] = read_until_ready(process)
        port = line.rsplit(":", 1)[1].split("/")[0]
        done = nvr("simulate", "--port", port, *SMALL, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.strip() == (f"nvr: port {port} on 127.0.0.1 is taken: choose another with --port, 0 picks one")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "big"], "--size: expected WIDTHxHEIGHT as in 1280x720, got 'big'"),
        (["--bitrate", "fast"], "--bitrate: expected bits per second as in 800k or 2M, got 'fast'"),
        (["--activity", "wild"], "--activity: expected one of busy, sparse, quiet, got 'wild'"),
        (["--activity", "sparse"], "expected a sparse scene of at least 30 s, got 10 s"),
        (["--user", "admin"], "--user and --password go together"),
        (["--fault", "0:explode"], "fault 'explode' is unknown"),
        (["--file", "/none.mp4"], "/none.mp4: no such video file"),
        (["--size", "321x180"], "expected an even picture size"),
        (["--host", "a..b", *SMALL], "cannot listen on a..b port 0"),
        (["--fault", "0:credentials:admin:s3cret"], "fault '0:credentials': expected CAMERA:NAME=VALUE"),
    ],
)
def test_a_wrong_option_is_one_sentence(nvr: Nvr, options: list[str], message: str) -> None:
    done = nvr("simulate", "--port", "0", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "s3cret" not in done.stderr


def test_a_cache_that_cannot_be_used_is_one_sentence(nvr: Nvr) -> None:
    done = nvr("simulate", "--port", "0", *SMALL, XDG_CACHE_HOME="/proc/nope")
    assert done.returncode == 2
    assert re.fullmatch(r"nvr: /proc/nope/nvr/loops: coded video cannot be kept there: .+", done.stderr.strip())
