import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.app.site.assignment import (
    MAX_IMBALANCE,
    MAX_MOVES,
    WORTH_A_MOVE,
    Assignment,
    CameraLoad,
    assign,
    imbalance,
    instance_count,
    instance_names,
)

INSTANCES = ("p-1", "p-2", "p-3")

cameras = st.lists(
    st.builds(
        CameraLoad,
        source_id=st.integers(0, 200),
        pin=st.sampled_from([None, None, None, *INSTANCES]),
        cost=st.none() | st.floats(0, 5),
    ),
    max_size=30,
    unique_by=lambda camera: camera.source_id,
)
places = st.dictionaries(st.integers(0, 200), st.sampled_from([*INSTANCES, "gone"]), max_size=60)


def loads_of(result: Assignment, given: list[CameraLoad]) -> dict[str, float]:
    cost = {camera.source_id: camera.cost or 1.0 for camera in given}
    return {name: sum(cost[source_id] for source_id in result.of(name)) for name in INSTANCES}


@given(cameras, places, st.booleans())
def test_every_camera_runs_exactly_once_and_where_it_is_pinned(
    given: list[CameraLoad], current: dict[int, str], may_move: bool
) -> None:
    result = assign(given, INSTANCES, current, may_move=may_move)
    assert set(result.cameras) == {camera.source_id for camera in given}
    assert set(result.cameras.values()) <= set(INSTANCES)
    assert all(result.cameras[camera.source_id] == camera.pin for camera in given if camera.pin is not None)


@given(cameras, places)
def test_nothing_moves_that_must_not(given: list[CameraLoad], current: dict[int, str]) -> None:
    result = assign(given, INSTANCES, current, may_move=False)
    for camera in given:
        if camera.pin is None and current.get(camera.source_id) in INSTANCES:
            assert result.cameras[camera.source_id] == current[camera.source_id]
    assert result.moves == 0


@given(cameras, places)
def test_few_cameras_move_and_a_second_look_moves_none_that_the_first_could_not(
    given: list[CameraLoad], current: dict[int, str]
) -> None:
    before = assign(given, INSTANCES, current, may_move=False)
    after = assign(given, INSTANCES, current, may_move=True)
    moved = [source_id for source_id in after.cameras if after.cameras[source_id] != before.cameras[source_id]]
    assert len(moved) <= after.moves <= MAX_MOVES


@given(st.integers(1, 12), st.integers(0, 200))
def test_a_good_share_is_left_as_it_is(per_instance: int, first: int) -> None:
    given = [CameraLoad(first + number, cost=0.5) for number in range(3 * per_instance)]
    current = {camera.source_id: INSTANCES[number % 3] for number, camera in enumerate(given)}
    result = assign(given, INSTANCES, current, may_move=True)
    assert dict(result.cameras) == current
    assert result.moves == 0


@given(st.lists(st.floats(0.01, 2), min_size=12, max_size=40))
def test_many_moves_reach_a_fair_share_where_no_camera_is_too_large(costs: list[float]) -> None:
    given = [CameraLoad(number, cost=cost) for number, cost in enumerate(costs)]
    current = {camera.source_id: "p-1" for camera in given}
    for _ in range(len(costs)):
        result = assign(given, INSTANCES, current, may_move=True)
        current = dict(result.cameras)
        if not result.moves:
            break
    loads = loads_of(result, given)
    gap = max(loads.values()) - min(loads.values())
    assert imbalance(loads) <= MAX_IMBALANCE or gap * WORTH_A_MOVE <= max(costs) + 1e-9


def test_a_new_camera_goes_to_where_there_is_room() -> None:
    given = [CameraLoad(0, cost=3.0), CameraLoad(1, cost=1.0), CameraLoad(2)]
    result = assign(given, ("p-1", "p-2"), {0: "p-1", 1: "p-2"}, may_move=False)
    assert result.of("p-2") == (1, 2)


def test_cameras_that_were_not_measured_count_as_the_median_of_those_that_were() -> None:
    given = [CameraLoad(0, cost=4.0), *(CameraLoad(number) for number in range(1, 5))]
    result = assign(given, ("p-1", "p-2"), {}, may_move=False)
    assert len(result.of("p-1")) in {2, 3}


def test_cameras_of_an_instance_that_is_gone_are_spread() -> None:
    given = [CameraLoad(number) for number in range(6)]
    current = {0: "p-1", 1: "p-2", 2: "gone", 3: "gone", 4: "gone", 5: "gone"}
    result = assign(given, ("p-1", "p-2"), current, may_move=False)
    assert (len(result.of("p-1")), len(result.of("p-2"))) == (3, 3)
    assert (result.cameras[0], result.cameras[1]) == ("p-1", "p-2")


def test_a_pin_to_nowhere_is_told() -> None:
    with pytest.raises(ValueError, match="'p-9'"):
        assign([CameraLoad(0, pin="p-9")], INSTANCES, {}, may_move=False)


@pytest.mark.parametrize(
    ("wanted", "n_cores", "n_cameras", "count"),
    [
        (None, 1, 10, 1),
        (None, 4, 10, 1),
        (None, 16, 10, 4),
        (None, 16, 2, 2),
        (3, 1, 10, 3),
        (3, 16, 2, 2),
        (None, 16, 0, 0),
    ],
)
def test_one_instance_for_each_four_cores_and_never_more_than_cameras(
    wanted: int | None, n_cores: int, n_cameras: int, count: int
) -> None:
    assert instance_count(wanted, n_cores, n_cameras) == count


def test_instances_are_numbered_and_those_that_cameras_ask_for_are_there() -> None:
    assert instance_names("p", 2, ["gpu", "p-2", "p-4"]) == ("p-1", "p-2", "gpu", "p-4")
