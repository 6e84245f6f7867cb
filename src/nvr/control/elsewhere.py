"""Which numbers and names of cameras belong to other instances of a tenant, as these tell: pure."""

from collections.abc import Iterable

from nvr.config.camera import CameraConfig
from nvr.control.refusal import RefusedError
from nvr.control.registry import KnownInstance, Presence


def numbers_elsewhere(instances: Iterable[KnownInstance]) -> frozenset[int]:
    """Return the numbers that a new camera must not get.

    Those of an instance that hangs are among them, and what a supervisor gives to a process that starts just now.
    """
    told = [known.status for known in instances if known.presence is not Presence.OFFLINE]
    shown = {camera.source_id for status in told for camera in status.cameras}
    return frozenset(shown.union(*(child.source_ids for status in told for child in status.children)))


def check_elsewhere(instances: Iterable[KnownInstance], own_id: str, camera: CameraConfig) -> None:
    """Refuse a camera of a number or a name that another instance has, which lives or is kept running.

    Args:
        instances: All of the tenant.
        own_id: The instance that is to have the camera.
        camera: As it is wanted.

    Raises:
        RefusedError: Names the other instance.
    """
    for known in instances:
        if known.presence is not Presence.ALIVE:
            continue
        for child in known.status.children:
            if child.name != own_id and "/" not in child.name and camera.source_id in child.source_ids:
                raise _taken(camera.source_id, child.name)
        if known.instance_id == own_id:
            continue
        for other in known.status.cameras:
            if other.source_id == camera.source_id:
                raise _taken(camera.source_id, known.instance_id)
            if camera.name is not None and other.name == camera.name:
                owner = f"camera {other.source_id} of instance {known.instance_id}"
                raise RefusedError("invalid", f"the name {camera.name!r} is taken by {owner}")


def _taken(source_id: int, owner: str) -> RefusedError:
    return RefusedError("invalid", f"source_id {source_id} is taken: instance {owner} has a camera of this number")
