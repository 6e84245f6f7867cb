"""The locks answer what pyproject.toml asks for; `make lock` mends it."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(name: str) -> dict[str, set[str]]:
    """Return the versions that a lock file names, by package; some differ by Python version."""
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"^([a-z0-9._-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE
    ):
        versions.setdefault(package, set()).add(version)
    return versions


def asked() -> list[str]:
    extras = PROJECT["project"]["optional-dependencies"]
    return [*PROJECT["project"]["dependencies"], *extras["cpu"], *extras["wall"], "amqtt"]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_dependency_is_locked_to_a_version_that_fits(lock: str) -> None:
    versions = locked(lock)
    wanted = asked() + (PROJECT["dependency-groups"]["dev"] if lock == "requirements-dev.lock" else [])
    for text in wanted:
        requirement = Requirement(text)
        assert requirement.name in versions, f"{requirement.name} is not in {lock}"
        assert all(version in requirement.specifier for version in versions[requirement.name]), text


def test_both_locks_name_the_same_versions() -> None:
    development = locked("requirements-dev.lock")
    for package, versions in locked("requirements.lock").items():
        assert development[package] == versions


def test_no_lock_names_an_index() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        assert "://" not in (ROOT / lock).read_text(encoding="utf-8")
