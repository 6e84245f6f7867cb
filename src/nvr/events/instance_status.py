"""How an instance and its cameras do: the retained message that tells who lives."""

from typing import Annotated, Literal, Self

from pydantic import Field

from nvr.events.message import AwareUtc, Count, Message, MessagePart, NonNegative, SourceId

InstanceKind = Literal["processor", "wall", "supervisor", "server"]
InstanceState = Literal["starting", "running", "degraded", "paused", "stopping", "offline"]
STOPPED_BY_COMMAND = "stopped by a command"
"""Reason of an instance that was told to stop, and so comes back only when it is told to."""

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class CameraStatus(MessagePart):
    """One camera of an instance."""

    source_id: SourceId = Field(description="Number of the camera.")
    name: str = Field(description="Its name, or its URI without credentials.")
    state: str = Field(description="How it is: `running`, `connecting`, `stalled`, `offline`, `paused`, …")
    reason: str | None = Field(default=None, description="Why it is not well.")
    is_detecting: bool = Field(default=True, description="Whether what it shows is looked at.")
    fps: NonNegative = Field(default=0.0, description="Frames per second that it sends.")
    analysed_fps: NonNegative = Field(default=0.0, description="Frames per second that are looked at.")
    model_id: str | None = Field(default=None, description="The model that looks at it.")
    recording: str | None = Field(default=None, description="What its recorder does; unset where there is none.")
    record_mode: str | None = Field(default=None, description="Why it is recorded, such as `continuous+events`.")


class ModelState(MessagePart):
    """One model of an instance."""

    model_id: str = Field(description="Its name.")
    state: Literal["ok", "degraded"] = Field(description="Whether its inferences succeed.")
    reason: str | None = Field(default=None, description="The first failure since it is degraded.")


class ChildState(MessagePart):
    """One process that a supervisor looks after."""

    name: str = Field(description="Its name, such as `processor-1`.")
    state: Literal["starting", "running", "waiting", "failed", "stopped"] = Field(
        description="`waiting` for its next start after it ended; `failed`: it ends again and again."
    )
    pid: Count | None = Field(default=None, description="Of the process, while it runs.")
    restarts: Count = Field(default=0, description="How often it was started again.")
    reason: str | None = Field(default=None, description="How it ended the last time, with its last words.")
    source_ids: tuple[SourceId, ...] = Field(default=(), description="The cameras that it has.")


class InstanceStatus(Message):
    """State of an instance: published when something changes and each `heartbeat_s`, and `offline` by the broker."""

    instance_id: str = Field(description="Name of the instance.")
    kind: InstanceKind = Field(default="processor", description="What it is.")
    state: InstanceState = Field(
        description="`degraded`: some of its cameras or models are not well; `paused`: nothing is looked at; "
        "`offline`: it has stopped, or the broker does not hear from it."
    )
    reason: str | None = Field(default=None, description="Why, where that is not plain.")
    timestamp: AwareUtc | None = Field(
        default=None, description="When this was said, aware UTC; unset in what the broker says for it."
    )
    started_at: AwareUtc | None = Field(default=None, description="When the instance began, aware UTC.")
    heartbeat_s: Seconds | None = Field(
        default=None, description="The next status comes within so many seconds; without it the instance is stale."
    )
    version: str | None = Field(default=None, description="Of the program.")
    host: str | None = Field(default=None, description="Name of its machine.")
    pid: Count | None = Field(default=None, description="Of its process.")
    accepts_commands: bool = Field(default=False, description="Whether it takes commands.")
    cameras: tuple[CameraStatus, ...] = Field(default=(), description="Its cameras.")
    models: tuple[ModelState, ...] = Field(default=(), description="Its models.")
    children: tuple[ChildState, ...] = Field(default=(), description="The processes of a supervisor.")

    @property
    def subject(self) -> str:
        """The instance, for errors."""
        return f"instance {self.instance_id}"

    @classmethod
    def offline(cls, instance_id: str, kind: InstanceKind, reason: str) -> Self:
        """Return what is said of an instance that is gone."""
        return cls(instance_id=instance_id, kind=kind, state="offline", reason=reason)
