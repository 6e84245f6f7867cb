"""A new content of a file is told once it has come to rest, however it got there."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.config.watch import GONE_LOOKS, FileWatch, Settling, Stamp, WatchedFiles, stamp_of
from tests.waiting import wait_until

A: Stamp = (1, 1, 1, 1)
B: Stamp = (1, 1, 2, 1)
C: Stamp = (1, 2, 3, 1)


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([A, A], ""),
        ([B, B, B], "2"),
        ([B, C, C, C], "3"),
        ([None, None, B, B], "4"),
        ([None, A, A], ""),
        ([B, None, B, B], "4"),
        ([B, B, A, A], "24"),
    ],
)
def test_each_new_content_is_told_once_when_two_looks_agree(looks: list[Stamp | None], told: str) -> None:
    settling = Settling(A)
    assert "".join(str(n) for n, stamp in enumerate(looks, 1) if settling.see(stamp)) == told


def test_a_file_that_was_absent_at_first_is_told() -> None:
    settling = Settling(None)
    assert [settling.see(stamp) for stamp in (None, A, A, A)] == [False, False, True, False]


@given(st.lists(st.sampled_from([None, A, B, C])))
def test_what_stays_is_told_within_two_looks(looks: list[Stamp | None]) -> None:
    settling = Settling(A)
    told: Stamp | None = A
    for stamp in [*looks, C, C]:
        if settling.see(stamp):
            told = stamp
    assert told == C


@given(st.lists(st.sampled_from([None, A, B])))
def test_that_a_file_is_gone_is_told_once_each_time(looks: list[Stamp | None]) -> None:
    settling, told = Settling(A), 0
    for stamp in [*looks, A, *[None] * 20]:
        before = told
        settling.see(stamp)
        told += settling.is_gone
        assert stamp is None or told == before
    assert told >= 1
    runs = "".join("-" if stamp is None else "x" for stamp in [*looks, A, *[None] * 20]).split("x")
    assert told == sum(len(run) >= GONE_LOOKS for run in runs)


def only(*paths: Path) -> WatchedFiles:
    """Files as they are now."""
    stamps = {path: stamp_of(path) for path in paths}
    return lambda: stamps


class Changes:
    """A watch on files, and how often it has told of a change."""

    def __init__(self, files: WatchedFiles) -> None:
        self.n = 0
        self.watch = FileWatch(files, self._count, poll_s=0.01)

    def _count(self) -> None:
        self.n += 1

    def wait_for(self, n: int) -> None:
        wait_until(lambda: self.n >= n, f"change {n} is noticed")


def write_anew(path: Path) -> None:
    path.write_text("one\n", encoding="utf-8")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("one\n", encoding="utf-8")
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.replace(path)


def delete_and_write(path: Path) -> None:
    path.unlink()
    path.write_text("another one\n", encoding="utf-8")


def link_elsewhere(path: Path) -> None:
    other = path.with_name("target")
    other.write_text("two\n", encoding="utf-8")
    path.unlink()
    path.symlink_to(other)


@pytest.mark.parametrize("change", [write_anew, replace, delete_and_write, link_elsewhere])
def test_a_change_is_noticed_however_it_is_made(change: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text("one\n", encoding="utf-8")
    changes = Changes(only(path))
    changes.watch.start()
    try:
        change(path)
        changes.wait_for(1)
    finally:
        assert changes.watch.stop()


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(b""), lambda path: path.unlink()])
def test_an_empty_or_absent_file_is_told_and_is_no_change(
    harm: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text("one\n", encoding="utf-8")
    changes = Changes(only(path))
    changes.watch.start()
    try:
        harm(path)
        wait_until(lambda: "is gone or empty" in caplog.text, "the warning")
        assert changes.n == 0
        path.write_text("two\n", encoding="utf-8")
        changes.wait_for(1)
    finally:
        assert changes.watch.stop()


def test_files_that_come_to_count_are_watched_from_when_they_were_read(tmp_path: Path) -> None:
    first, second = tmp_path / "nvr.yaml", tmp_path / "secret"
    second.write_text("old\n", encoding="utf-8")
    files = dict(only(first, second)())
    second.write_text("changed before the first look\n", encoding="utf-8")
    late = files.pop(second)
    changes = Changes(lambda: dict(files))
    changes.watch.start()
    try:
        first.write_text("one\n", encoding="utf-8")
        changes.wait_for(1)
        files[second] = late
        changes.wait_for(2)
        del files[second]
        second.write_text("counts no more\n", encoding="utf-8")
        first.write_text("two\n", encoding="utf-8")
        changes.wait_for(3)
    finally:
        assert changes.watch.stop()
    assert changes.n == 3


def test_a_callback_that_fails_is_called_again_with_the_next_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, called = tmp_path / "nvr.yaml", list[int]()

    def fail() -> None:
        called.append(1)
        raise RuntimeError("no luck")

    watch = FileWatch(only(path), fail, poll_s=0.01)
    watch.start()
    try:
        for n in (1, 2):
            path.write_text("x" * n, encoding="utf-8")
            wait_until(lambda n=n: len(called) >= n, f"change {n} is noticed")  # type: ignore[misc]  # n is bound
    finally:
        assert watch.stop()
    assert "no luck" in caplog.text


def test_stop_ends_the_thread_and_may_come_at_any_time(tmp_path: Path) -> None:
    watch = FileWatch(only(tmp_path / "none"), lambda: None, poll_s=600)
    assert watch.stop()
    watch = FileWatch(only(tmp_path / "none"), lambda: None, poll_s=600)
    watch.start()
    assert any(thread.name == "file-watch" for thread in threading.enumerate())
    assert watch.stop()
    assert watch.stop()


def test_stop_does_not_wait_for_a_callback_that_hangs(tmp_path: Path) -> None:
    path, is_called, may_end = tmp_path / "nvr.yaml", threading.Event(), threading.Event()

    def hang() -> None:
        is_called.set()
        may_end.wait(60)

    watch = FileWatch(only(path), hang, poll_s=0.01)
    watch.start()
    path.write_text("x", encoding="utf-8")
    assert is_called.wait(60)
    assert not watch.stop(timeout_s=0.01)
    may_end.set()
    assert watch.stop(timeout_s=60)


def test_a_name_that_no_file_can_have_is_an_absent_file() -> None:
    assert stamp_of(Path("a\0b")) is None
    assert stamp_of(Path("x" * 10_000)) is None
