"""Whether a status says something new; pure."""

from nvr.events.instance_status import InstanceStatus


def is_news(status: InstanceStatus, told: InstanceStatus | None) -> bool:
    """Tell whether a status says something that an earlier one did not; times and rates alone are no news."""
    return told is None or _lasting(status) != _lasting(told)


def _lasting(status: InstanceStatus) -> InstanceStatus:
    cameras = tuple(camera.model_copy(update={"fps": 0.0, "analysed_fps": 0.0}) for camera in status.cameras)
    return status.model_copy(update={"timestamp": None, "cameras": cameras})
