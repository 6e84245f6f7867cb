"""Fixtures and rules of all tests: real services on free ports, skips with a reason that CI turns into failures."""

import os
import shutil
from pathlib import Path

import pytest

REQUIRE_ALL = os.environ.get("NVR_REQUIRE_ALL") == "1"


def skip_or_fail(reason: str) -> None:
    """Skip the test with a reason; fail it where everything is required to be installed."""
    if REQUIRE_ALL:
        pytest.fail(f"NVR_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


def require_program(name: str) -> str:
    """Return the path of a program or skip the test."""
    path = shutil.which(name)
    if path is None:
        skip_or_fail(f"{name} is not installed")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def assets_dir() -> Path:
    """The folder of real models, videos and pictures; the test is skipped where there is none."""
    folder = Path(os.environ.get("NVR_ASSETS_DIR", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "models").is_dir():
        pytest.skip(f"NVR_ASSETS_DIR: no models in {folder}")
    return folder
