import os
from pathlib import Path

import pytest

from nvr.app.site.machine import read_quota, usable_cores


@pytest.mark.parametrize(("text", "cores"), [("max 100000\n", None), ("150000 100000\n", 1.5), ("400000", 4.0)])
def test_a_quota_is_read(text: str, cores: float | None) -> None:
    assert read_quota(text) == cores


@pytest.mark.parametrize("text", ["", "many 100000", "100000 0"])
def test_nonsense_is_no_quota(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_quota(text)


@pytest.mark.parametrize(("content", "at_most"), [("1 100000", 1), ("max 100000", 10_000), ("nonsense", 10_000)])
def test_cores_are_those_that_may_be_used(tmp_path: Path, content: str, at_most: int) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert usable_cores(tmp_path / "cpu.max") == min(at_most, len(os.sched_getaffinity(0)))
    assert usable_cores(tmp_path / "absent") == len(os.sched_getaffinity(0))
