import pytest

from nvr.config.camera import CameraConfig
from nvr.control.elsewhere import check_elsewhere, numbers_elsewhere
from nvr.control.refusal import RefusedError
from nvr.control.registry import KnownInstance, Presence
from nvr.events.instance_status import CameraStatus, ChildState, InstanceStatus


def instance(name: str, *source_ids: int, presence: Presence = Presence.ALIVE) -> KnownInstance:
    cameras = tuple(CameraStatus(source_id=key, name=f"camera {key}", state="running") for key in source_ids)
    return KnownInstance(InstanceStatus(instance_id=name, state="running", cameras=cameras), presence, 0.0)


def supervisor(**children: tuple[int, ...]) -> KnownInstance:
    states = tuple(ChildState(name=name, state="starting", source_ids=ids) for name, ids in children.items())
    status = InstanceStatus(instance_id="supervisor", kind="supervisor", state="running", children=states)
    return KnownInstance(status, Presence.ALIVE, 0.0)


def camera(source_id: int | None = None, name: str | None = None) -> CameraConfig:
    return CameraConfig(uri="rtsp://a/", source_id=source_id, name=name)


def refusal(instances: list[KnownInstance], wanted: CameraConfig) -> str:
    with pytest.raises(RefusedError) as caught:
        check_elsewhere(instances, "gate", wanted)
    return str(caught.value)


def test_numbers_of_all_that_live_or_hang_or_are_being_started_are_taken() -> None:
    hanging, gone = instance("yard", 2, presence=Presence.STALE), instance("cellar", 3, presence=Presence.OFFLINE)
    assert numbers_elsewhere([instance("porch", 1), hanging, gone, supervisor(attic=(4, 5))]) == {1, 2, 4, 5}


def test_a_number_that_is_asked_for_is_refused_while_its_owner_lives() -> None:
    porch = instance("porch", 1)
    assert refusal([porch], camera(1)) == "source_id 1 is taken: instance porch has a camera of this number"
    assert refusal([supervisor(attic=(4,))], camera(4)).startswith("source_id 4 is taken: instance attic ")
    assert refusal([porch], camera(name="camera 1")) == "the name 'camera 1' is taken by camera 1 of instance porch"
    for presence in (Presence.STALE, Presence.OFFLINE):
        check_elsewhere([instance("porch", 1, presence=presence)], "gate", camera(1, "camera 1"))


def test_what_the_instance_has_itself_is_its_own_concern() -> None:
    check_elsewhere([instance("gate", 1), supervisor(gate=(1, 2))], "gate", camera(2, "camera 1"))
