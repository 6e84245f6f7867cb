"""What Home Assistant switches of cameras, and the recording mode that a camera returns to."""

import logging
from collections.abc import Sequence

from nvr.control.home_assistant.ports import SwitchedCameras
from nvr.core.clock import Clock
from nvr.core.errors import NvrError
from nvr.core.throttle import ThrottledLog
from nvr.events.instance_status import CameraStatus
from nvr.events.protocol import ParsedTopic, TopicKind

logger = logging.getLogger(__name__)

MODE_OFF = "off"
MODE_WITHOUT_MEMORY = "continuous"
"""For a camera that was never recorded since the start: who switches recording on wants to have all."""

_PAYLOADS = {b"ON": True, b"OFF": False}


class Switches:
    """Called from one thread."""

    def __init__(self, cameras: SwitchedCameras, clock: Clock) -> None:
        """Begin without knowing the cameras."""
        self._cameras = cameras
        self._statuses: dict[int, CameraStatus] = {}
        self._modes: dict[int, str] = {}
        self._ignored = ThrottledLog(logger, clock=clock)
        self._failed = ThrottledLog(logger, clock=clock)

    @property
    def ignored(self) -> int:
        """Messages that asked for nothing that can be switched."""
        return self._ignored.total

    @property
    def failed(self) -> int:
        """What could not be switched."""
        return self._failed.total

    def note(self, statuses: Sequence[CameraStatus]) -> None:
        """Take note of how all cameras are."""
        self._statuses = {status.source_id: status for status in statuses}
        self._modes = {key: mode for key, mode in self._modes.items() if key in self._statuses}
        for status in statuses:
            if status.record_mode not in (None, MODE_OFF):
                self._modes[status.source_id] = str(status.record_mode)

    def switch(self, topic: ParsedTopic, payload: bytes) -> bool:
        """Do what a message asks for; False where nothing was done, which is counted.

        Cameras of other instances come by here too, and are theirs.
        """
        status = None if topic.source_id is None else self._statuses.get(topic.source_id)
        if status is None:
            return False
        is_on = _PAYLOADS.get(payload)
        if is_on is None:
            self._ignored.report(
                f"camera {status.source_id}: Home Assistant asked for {payload[:20]!r}, expected ON or OFF"
            )
            return False
        try:
            return self._apply(topic.kind, status, is_on)
        except NvrError as error:
            self._failed.report(f"camera {status.source_id}: what Home Assistant asked for failed: {error}")
            return False

    def _apply(self, kind: TopicKind, status: CameraStatus, is_on: bool) -> bool:
        source_id = status.source_id
        if kind is TopicKind.HOME_ASSISTANT_SET_DETECT:
            (self._cameras.resume if is_on else self._cameras.pause)((source_id,))
            return True
        if status.record_mode is None:
            self._ignored.report(f"camera {source_id}: Home Assistant asked for a recording, and nothing records it")
            return False
        if is_on and status.record_mode != MODE_OFF:
            return True  # it is recorded, and for what is not Home Assistant's to say
        mode = self._modes.get(source_id, MODE_WITHOUT_MEMORY) if is_on else MODE_OFF
        self._cameras.set_record_mode(source_id, mode)
        return True
