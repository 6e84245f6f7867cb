from collections.abc import Iterator
from pathlib import Path

import pytest

from nvr.app.ports import PortClaims
from nvr.app.site.plan import SitePlan, plan_site
from nvr.app.site.processes import SiteProcesses
from nvr.config.numbering import number_cameras
from nvr.config.site import BrokerSection, NvrConfig
from nvr.core.errors import ConfigurationError


@pytest.fixture
def claims() -> Iterator[PortClaims]:
    with PortClaims() as held:
        yield held


def plan(*names: str) -> SitePlan:
    cameras = [{"name": name, "uri": f"rtsp://127.0.0.1/{name}"} for name in names]
    site = {"cameras": cameras, "processors": {"count": 2}, "wall": {"http_port": 0}}
    numbered, _ = number_cameras(NvrConfig.model_validate(site))
    return plan_site(numbered, broker=BrokerSection(host="127.0.0.1"), n_cores=2)


def test_each_process_has_a_file_and_those_that_are_gone_have_none(tmp_path: Path, claims: PortClaims) -> None:
    processes = SiteProcesses(tmp_path, claims)
    specs = processes.write(plan("a", "b"))
    assert [spec.name for spec in specs] == ["processor-1", "processor-2", "wall"]
    assert processes.take_changed() == {"processor-1", "processor-2", "wall"}
    processes.write(plan("a"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["processor-1.yaml", "wall.yaml"]


def test_only_what_is_different_is_written(tmp_path: Path, claims: PortClaims) -> None:
    processes = SiteProcesses(tmp_path, claims)
    processes.write(plan("a", "b"))
    processes.take_changed()
    before = (tmp_path / "processor-1.yaml").stat().st_ino
    processes.write(plan("a", "c"))
    assert processes.take_changed() == {"processor-2", "wall"}
    assert (tmp_path / "processor-1.yaml").stat().st_ino == before


def test_where_one_file_cannot_be_written_none_has_changed_and_the_next_try_writes_all(
    tmp_path: Path, claims: PortClaims
) -> None:
    processes = SiteProcesses(tmp_path, claims)
    processes.write(plan("a", "b"))
    processes.take_changed()
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    in_the_way = tmp_path / ".wall.yaml.part"
    in_the_way.mkdir()
    with pytest.raises(ConfigurationError, match=r"cannot write .*wall\.yaml"):
        processes.write(plan("c", "d"))
    in_the_way.rmdir()
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before
    assert processes.take_changed() == set()
    processes.write(plan("c", "d"))
    assert processes.take_changed() == {"processor-1", "processor-2", "wall"}
