"""What the bridge to Home Assistant needs of the connection to the broker and of the cameras."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from nvr.core.errors import TransientError
from nvr.events.instance_status import CameraStatus
from nvr.events.protocol import Topics

Handler = Callable[[str, bytes], None]


class BeginsAnewError(TransientError):
    """Nothing is there that could be switched, or it ended meanwhile; what follows is to be switched, then."""


class BrokerConnection(Protocol):
    """The instance's own connection, whose last will tells Home Assistant when the instance is gone."""

    @property
    def instance_id(self) -> str:
        """Name of the instance, which may change."""
        ...

    @property
    def topics(self) -> Topics:
        """Those of the tenant."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether the broker hears us."""
        ...

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bool:
        """Hand over a message without a wait; False where it was not taken."""
        ...

    def subscribe(self, topic_filter: str, handler: Handler, qos: int = 0, *, wants_retained: bool = True) -> None:
        """Call `handler` for each message of a topic filter, over all reconnects; it is quick and raises nothing."""
        ...

    def on_connect(self, handler: Callable[[], None]) -> None:
        """Call `handler` after each connect, and at once where the connection stands already."""
        ...


class SwitchedCameras(Protocol):
    """The cameras of the instance. Called from the threads of the bridge; none of it may wait for a network."""

    def statuses(self) -> Sequence[CameraStatus] | None:
        """Return each camera as the instance's status tells it now; None while nobody knows, as over a restart."""
        ...

    def pause(self, source_ids: Collection[int], /) -> object:
        """Look at cameras no more; raises NvrError, BeginsAnewError where it may not last."""
        ...

    def resume(self, source_ids: Collection[int], /) -> object:
        """Look at cameras again; raises as `pause`."""
        ...

    def set_record_mode(self, source_id: int, mode: str, /) -> None:
        """Record a camera for other reasons, as a setting names them; raises as `pause`."""
        ...

    def picture(self, source_id: int, width_px: int, /) -> bytes | None:
        """Return a camera's newest picture as a JPEG of that width; may take 0.1 s.

        None where there is none, and where the camera is not looked at: what is paused is not shown, from then on.
        """
        ...
