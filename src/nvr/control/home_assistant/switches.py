"""What Home Assistant switches of cameras, and the recording mode that a camera returns to.

What comes while no processor runs is done with the next one: who switched something meant it, and nobody asks again.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nvr.config.operations import ControlConfig, HomeAssistantConfig
from nvr.control.home_assistant.ports import BeginsAnewError, SwitchedCameras
from nvr.control.refusal import RefusedError
from nvr.core.clock import Clock
from nvr.core.errors import InvalidInputError, NvrError
from nvr.core.throttle import ThrottledLog
from nvr.events.instance_status import CameraStatus
from nvr.events.protocol import SWITCH_KINDS, ParsedTopic, SwitchName, TopicKind

logger = logging.getLogger(__name__)

MODE_OFF = "off"
MODE_WITHOUT_MEMORY = "continuous"
"""For a camera that was never recorded since the start: who switches recording on wants to have all."""

MAX_HELD = 256
"""Messages that may wait for a processor; of more, the oldest are given up."""

_PAYLOADS = {b"ON": True, b"OFF": False}
_NAMES: dict[TopicKind, SwitchName] = {kind: name for name, kind in SWITCH_KINDS.items()}
_SHOWN_BYTES = 20


@dataclass(frozen=True, slots=True)
class SwitchOutcome:
    """What became of a message for a camera of ours."""

    source_id: int
    switch: SwitchName
    payload: str
    """Its beginning."""
    error: NvrError | None
    """Why it was not done."""


def with_decided_switches(config: HomeAssistantConfig, control: ControlConfig) -> HomeAssistantConfig:
    """Return settings that say themselves whether Home Assistant may switch: not around what `control` demands."""
    is_wanted = control.key is None if config.switches is None else config.switches
    return config.model_copy(update={"switches": control.enabled and is_wanted})


class Switches:
    """Called from one thread."""

    def __init__(
        self,
        cameras: SwitchedCameras,
        on_outcome: Callable[[SwitchOutcome], None] = lambda _: None,
        *,
        are_taken: bool = True,
        clock: Clock,
    ) -> None:
        """Begin without knowing the cameras.

        Args:
            cameras: What is switched.
            on_outcome: Told of each message for a camera of ours when it has ended; raises nothing.
            are_taken: Whether anything is switched at all.
            clock: For reports.
        """
        self._cameras = cameras
        self._on_outcome = on_outcome
        self._are_taken = are_taken
        self._statuses: dict[int, CameraStatus] | None = None
        self._ours: frozenset[int] = frozenset()
        """The cameras when they were last known."""
        self._modes: dict[int, str] = {}
        self._held: deque[tuple[ParsedTopic, bytes]] = deque()
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

    @property
    def has_held(self) -> bool:
        """Whether messages wait for a processor."""
        return bool(self._held)

    def set_taken(self, are_taken: bool) -> None:
        """Take messages from now on, or refuse them, those that wait included."""
        self._are_taken = are_taken
        if not are_taken:
            self._give_up_held(_refusal())

    def note(self, statuses: Sequence[CameraStatus] | None) -> None:
        """Take note of how all cameras are; None where nobody knows."""
        if statuses is None:
            self._statuses = None
            return
        self._statuses = {status.source_id: status for status in statuses}
        self._ours = frozenset(self._statuses)
        self._modes = {key: mode for key, mode in self._modes.items() if key in self._statuses}
        for status in statuses:
            if status.record_mode not in (None, MODE_OFF):
                self._modes[status.source_id] = str(status.record_mode)

    def switch(self, topic: ParsedTopic, payload: bytes) -> bool:
        """Do what a message asks for; False where nothing was done, which is counted, or not yet.

        Cameras of other instances come by here too, and are theirs.
        """
        if self._are_taken and (self._statuses is None or self._held):  # one after the other, as they came
            self._hold(topic, payload)
            return False
        status = None if topic.source_id is None else (self._statuses or {}).get(topic.source_id)
        if status is None:
            return False
        try:
            self._apply(topic.kind, status, self._read(status.source_id, payload))
        except BeginsAnewError:
            self._hold(topic, payload)
            return False
        except InvalidInputError as error:
            self._ignored.report(str(error))
            self._end(topic, payload, error)
            return False
        except NvrError as error:
            self._fail(topic, payload, error)
            return False
        self._end(topic, payload, None)
        return True

    def catch_up(self) -> bool:
        """Do what waits, where the cameras are known again; True where something was switched."""
        if self._statuses is None:
            return False
        waiting = tuple(self._held)
        self._held.clear()
        has_switched = [self.switch(topic, payload) for topic, payload in waiting]
        return any(has_switched)

    def give_up(self) -> None:
        """Give up what waits: the instance stops."""
        self._give_up_held(RefusedError("timeout", "the instance stopped before a processor ran"))

    def _read(self, source_id: int, payload: bytes) -> bool:
        if not self._are_taken:
            raise _refusal()
        is_on = _PAYLOADS.get(payload)
        if is_on is None:
            shown = payload[:_SHOWN_BYTES]
            raise RefusedError("invalid", f"camera {source_id}: Home Assistant asked for {shown!r}, expected ON or OFF")
        return is_on

    def _apply(self, kind: TopicKind, status: CameraStatus, is_on: bool) -> None:
        source_id = status.source_id
        if kind is TopicKind.HOME_ASSISTANT_SET_DETECT:
            (self._cameras.resume if is_on else self._cameras.pause)((source_id,))
            return
        if status.record_mode is None:
            raise RefusedError(
                "unsupported", f"camera {source_id}: Home Assistant asked for a recording, and nothing records it"
            )
        if is_on and status.record_mode != MODE_OFF:
            return  # it is recorded, and for what is not Home Assistant's to say
        mode = self._modes.get(source_id, MODE_WITHOUT_MEMORY) if is_on else MODE_OFF
        self._cameras.set_record_mode(source_id, mode)
        if self._statuses is not None:  # the next message may come before the next look
            self._statuses[source_id] = status.model_copy(update={"record_mode": mode})

    def _hold(self, topic: ParsedTopic, payload: bytes) -> None:
        if len(self._held) >= MAX_HELD:
            self._fail(*self._held.popleft(), RefusedError("busy", "too much waits for a processor"))
        self._held.append((topic, payload))

    def _give_up_held(self, reason: NvrError) -> None:
        while self._held:
            self._fail(*self._held.popleft(), reason)

    def _fail(self, topic: ParsedTopic, payload: bytes, error: NvrError) -> None:
        if topic.source_id in self._ours:  # else it waited for nothing
            self._failed.report(f"camera {topic.source_id}: what Home Assistant asked for failed: {error}")
            self._end(topic, payload, error)

    def _end(self, topic: ParsedTopic, payload: bytes, error: NvrError | None) -> None:
        if topic.source_id is not None:
            shown = payload[:_SHOWN_BYTES].decode(errors="replace")
            self._on_outcome(SwitchOutcome(topic.source_id, _NAMES[topic.kind], shown, error))


def _refusal() -> RefusedError:
    return RefusedError("disabled", "Home Assistant may switch nothing (home_assistant.switches, control)")
