"""How a camera is, as events for people: the values. `nvr.media.health_monitor` decides when to speak."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from nvr.media.picture_health import PictureVerdict


class HealthState(StrEnum):
    """How a camera is; where several apply, the lower one counts."""

    RUNNING = "running"
    DEGRADED = "degraded"
    """It works, but not as it should; the reasons say what."""
    FROZEN = "frozen"
    """Packets come, and all show the same picture."""
    BLACK = "black"
    """Packets come, and show nothing: black or one even colour."""
    CONNECTING = "connecting"
    """The first try since the start or since it was resumed."""
    OFFLINE = "offline"
    """It cannot be reached, or the connection broke; tries go on."""
    PAUSED = "paused"
    ENDED = "ended"
    """A file has come to its end."""
    STOPPED = "stopped"


class Connection(StrEnum):
    """What a camera's connection is doing at this moment."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"
    """The last try failed, or the connection broke; the next try follows."""
    PAUSED = "paused"
    ENDED = "ended"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class HealthCounters:
    """All since the camera was added."""

    packets: int = 0
    """Of video."""
    keyframes: int = 0
    size_bytes: int = 0
    decoded: int = 0
    skipped: int = 0
    """Packets passed over by the decoder to keep up."""
    lost: int = 0
    """Packets that left the memory before the recorder or decoder had read them."""
    broken: int = 0
    """Packets that came incomplete or that the decoder refused."""
    reconnects: int = 0
    """Connections that broke after they had brought video; tries that failed are none."""
    timestamp_breaks: int = 0


@dataclass(frozen=True, slots=True)
class HealthSample:
    """What is known of a camera at one moment."""

    connection: Connection
    counters: HealthCounters = HealthCounters()
    packet_age_s: float = 0.0
    """Since the last packet of the video, or since the connection was made."""
    error: str | None = None
    """Why the last connection failed, without credentials."""
    picture: PictureVerdict | None = None
    """None where no picture was decoded lately."""
    clock_error_s: float | None = None
    """How far the camera's clock is ahead of this machine's; None where it tells none."""
    troubles: tuple[str, ...] = ()
    """What others have to say about this camera, as the recorder of its disk. The same words mean the same trouble."""


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """How a camera is now."""

    source_id: int
    state: HealthState
    reason: str
    """For people; empty where there is nothing to say."""
    since: datetime
    """Aware UTC; when the state began."""
    counters: HealthCounters


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A camera's state changed, or the reasons for it did."""

    source_id: int
    old: HealthState
    new: HealthState
    reason: str
    at: datetime
    """Aware UTC."""
    counters: HealthCounters


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """From when on something is worth a word. Each pair: from there on it is wrong, from there on it is right again."""

    gap_s: float = 3.0
    """Without a packet; at least four times the usual distance."""
    broken_share: tuple[float, float] = (0.02, 0.005)
    """Of the packets."""
    skipped_share: tuple[float, float] = (0.05, 0.01)
    """Of the packets."""
    lost_packets: tuple[float, float] = (1, 0)
    """In ten seconds."""
    rate_share: tuple[float, float] = (0.5, 0.75)
    """Of the usual frame rate."""
    clock_error_s: tuple[float, float] = (5.0, 3.0)
    """Where capture times are no longer taken from the camera; see `nvr.media.capture_clock`."""
    timestamp_breaks: tuple[float, float] = (3, 0)
    """In a minute."""
    reconnects: tuple[float, float] = (3, 0)
    """In a minute."""
    wrong_for_s: float = 2.0
    """What is wrong must last so long, where it is not measured over seconds anyway."""
    right_for_s: float = 10.0
    """And be right again so long."""
    grace_s: float = 3.0
    """A connection may be away so long before the camera counts as offline."""
    settled_s: float = 3.0
    """And must last so long after that to count as running again."""
    usual_after_s: float = 600.0
    """A rate that lasted so long is the camera's way: some send less while nothing moves or in the dark."""
