import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.app.site.plan import SitePlan, plan_site, tenants_of
from nvr.config.numbering import number_cameras
from nvr.config.site import BrokerSection, NvrConfig
from nvr.core.errors import ConfigurationError

BROKER = BrokerSection(host="127.0.0.1", port=2883)


def site(n_cameras: int = 4, **sections: object) -> NvrConfig:
    cameras = [{"name": f"c{i}", "uri": f"rtsp://host/{i}"} for i in range(n_cameras)]
    return number_cameras(NvrConfig.model_validate({"cameras": cameras, **sections}))[0]


def plan(config: NvrConfig, n_cores: int = 2, **options: object) -> SitePlan:
    return plan_site(config, broker=BROKER, n_cores=n_cores, **options)  # type: ignore[arg-type]  # of each test


def test_each_instance_is_told_its_cameras_and_the_broker() -> None:
    [first, second] = plan(site(processors={"count": 2})).instances
    assert (first.name, first.instance_id, first.tenant) == ("processor-1", "processor-1", None)
    assert {*first.source_ids, *second.source_ids} == {0, 1, 2, 3}
    assert [camera.source_id for camera in second.config.cameras] == list(second.source_ids)
    assert first.config.broker == BROKER


def test_tenants_have_instances_and_walls_of_their_own() -> None:
    config = site(
        tenants=[{"name": "acme"}, {"name": "empty"}],
        cameras=[{"uri": "rtsp://host/0"}, {"uri": "rtsp://host/1", "tenant": "acme"}],
    )
    found = plan(config)
    assert [(each.name, each.tenant, each.source_ids) for each in found.instances] == [
        ("processor-1", None, (0,)),
        ("acme/processor-1", "acme", (1,)),
    ]
    assert [(wall.name, wall.http_port) for wall in found.walls] == [("wall", 8080), ("acme/wall", 8081)]
    assert tenants_of(config) == (None, "acme")


def test_a_camera_runs_where_it_is_pinned_even_in_an_instance_of_its_own() -> None:
    cameras = [{"uri": "rtsp://host/0"}, {"uri": "rtsp://host/1", "processor": "gpu"}]
    found = plan(site(cameras=cameras))
    assert [(each.instance_id, each.source_ids) for each in found.instances] == [("processor-1", (0,)), ("gpu", (1,))]


def test_an_instance_without_cameras_is_not_started() -> None:
    cameras = [{"uri": f"rtsp://host/{i}", "processor": "processor-1"} for i in range(3)]
    assert len(plan(site(cameras=cameras, processors={"count": 3})).instances) == 1


def test_without_cameras_one_instance_waits_for_some() -> None:
    [idle] = plan(site(0)).instances
    assert (idle.instance_id, idle.source_ids, idle.config.cameras) == ("processor-1", (), ())


def test_a_pin_that_no_instance_can_be_called_is_told() -> None:
    with pytest.raises(ConfigurationError, match="not/a/name"):
        plan(site(cameras=[{"uri": "rtsp://host/0", "processor": "not/a/name"}]))


def test_cameras_that_are_not_enabled_and_walls_that_nobody_wants_are_left_out() -> None:
    cameras = [{"uri": "rtsp://host/0", "enabled": False}]
    found = plan(site(cameras=cameras))
    assert (found.placed, found.walls) == ({}, ())
    assert plan(site(wall={"enabled": False})).walls == ()
    assert plan(site(wall={"http_port": None})).walls == ()


def test_each_instance_has_a_port_for_its_figures_and_its_part_of_the_cores() -> None:
    found = plan(site(processors={"count": 4}, metrics={"http_port": 9100}), n_cores=8)
    assert [each.config.metrics.http_port for each in found.instances] == [9100, 9101, 9102, 9103]
    assert {each.config.models.inference_threads for each in found.instances} == {2}
    [alone] = plan(site(processors={"count": 1})).instances
    assert alone.config.models.inference_threads is None
    [first] = plan(site(1, processors={"count": 2})).instances
    assert first.config.models.inference_threads == 1, "another one may follow"


@pytest.mark.parametrize(("count", "n_cores"), [(2, 2), (4, 8), ("auto", 2), ("auto", 16)])
def test_cameras_that_come_and_go_change_no_part_of_the_cores(count: object, n_cores: int) -> None:
    found = None
    parts: dict[str, set[int | None]] = {}
    for n_cameras in (0, 1, 2, 8, 3, 1, 0):
        found = plan(site(n_cameras, processors={"count": count}), n_cores, before=found)
        for each in found.instances:
            parts.setdefault(each.name, set()).add(each.config.models.inference_threads)
    assert [len(threads) for threads in parts.values()] == [1] * len(parts)


def test_a_running_instance_keeps_its_part_of_the_cores_and_a_new_one_has_that_of_now() -> None:
    before = plan(site(1))
    one = [{"uri": "rtsp://host/0"}]
    tenants = {"tenants": [{"name": "acme"}], "cameras": [*one, {"uri": "rtsp://host/1", "tenant": "acme"}]}
    for sections in (
        {"processors": {"count": 2}},
        {"cameras": [*one, {"uri": "rtsp://h/1", "processor": "gpu"}]},
        tenants,
    ):
        after = plan(site(2, **sections), before=before)
        assert [each.config.models.inference_threads for each in after.instances] == [None, 1]


def test_who_says_how_many_threads_is_obeyed_and_who_says_it_no_more_has_the_part_again() -> None:
    asked = plan(site(processors={"count": 2}, models={"inference_threads": 3}))
    assert {each.config.models.inference_threads for each in asked.instances} == {3}
    after = plan(site(processors={"count": 2}), before=asked)
    assert {each.config.models.inference_threads for each in after.instances} == {1}


def test_ports_do_not_run_out() -> None:
    found = plan(site(processors={"count": 2}, metrics={"http_port": 65535}))
    assert [each.config.metrics.http_port for each in found.instances] == [65535, 0]


@given(st.integers(0, 12), st.integers(1, 5), st.integers(0, 12), st.integers(1, 5))
def test_every_camera_runs_once_whatever_was_before(n_before: int, k_before: int, n_after: int, k_after: int) -> None:
    before = plan(site(n_before, processors={"count": k_before}))
    after = plan(site(n_after, processors={"count": k_after}), before=before)
    running = [source_id for each in after.instances for source_id in each.source_ids]
    assert sorted(running) == list(range(n_after))
    assert after.moves == 0
