"""Snapshots of hours without recordings, on a real tree."""

from datetime import timedelta
from pathlib import Path

from nvr.config.recording import RecordingConfig
from nvr.recording.lone_snapshots import tidy_lone_snapshots
from nvr.recording.policy import RetentionPolicy
from tests.recording.packets import NOON

SNAPSHOT = "default/7/2026/11/24/12/20261124T120002.200000Z_snapshot.jpg"
SEGMENT = "default/8/2026/11/24/12/20261124T120000.000000Z_2000_continuous.mp4"


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_they_go_once_they_are_older_than_recordings_on_demand(tmp_path: Path) -> None:
    beside = SNAPSHOT.replace("/7/", "/8/")
    make(tmp_path, SNAPSHOT, beside, SEGMENT, "default/7/2026/11/24/13/mine.txt")
    policy = RetentionPolicy.from_config(RecordingConfig(retain_on_demand_days=2), "default")
    tidy_lone_snapshots(tmp_path, policy, NOON + timedelta(days=1))
    assert SNAPSHOT in files(tmp_path)
    tidy_lone_snapshots(tmp_path, policy, NOON + timedelta(days=3), lambda: True)
    assert SNAPSHOT in files(tmp_path)
    tidy_lone_snapshots(tmp_path, policy, NOON + timedelta(days=3))
    assert files(tmp_path) == {beside, SEGMENT, "default/7/2026/11/24/13/mine.txt"}, "beside a recording, and of others"


def test_without_a_limit_they_stay(tmp_path: Path) -> None:
    make(tmp_path, SNAPSHOT)
    policy = RetentionPolicy.from_config(RecordingConfig(retain_on_demand_days=None), "default")
    tidy_lone_snapshots(tmp_path, policy, NOON + timedelta(days=3000))
    assert files(tmp_path) == {SNAPSHOT}
