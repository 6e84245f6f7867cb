"""What a simulated camera does wrong, as values, and their short form on the command line; pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from nvr.core.errors import ConfigurationError
from nvr.demo.rtsp.digest import Credentials

_LONGEST_JITTER_MS = 1000.0
_LARGEST_SKEW_S = 365.0 * 86_400
_BEGINNING = re.compile(r"(?:(?:[0-9]{1,4}|\*):)?[a-z-]*")
_FAULT = re.compile(r"(?:(?P<camera>[0-9]{1,4}|\*):)?(?P<name>[a-z-]+)(?:=(?P<value>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Freeze:
    """The camera sends nothing for a while, its connections stay open."""

    at_s: float
    """Seconds after the start of the server."""
    for_s: float | None
    """None = for ever."""

    def is_active(self, elapsed_s: float) -> bool:
        """Tell whether it holds at this time since the start of the server."""
        return elapsed_s >= self.at_s and (self.for_s is None or elapsed_s < self.at_s + self.for_s)


@dataclass(frozen=True, slots=True)
class CameraFaults:
    """What one camera does wrong; the default is nothing."""

    drop_every_s: float | None = None
    """Cuts all connections of the camera this often."""
    freeze: Freeze | None = None
    jitter_s: float = 0.0
    """Each frame leaves up to this much late, evenly spread; its capture time stays true."""
    loss: float = 0.0
    """Share of RTP packets that never leave, 0..1; over TCP too."""
    credentials: Credentials | None = None
    """This camera asks for these, whatever the others ask for."""
    clock_skew_s: float = 0.0
    """Added to the wall time in sender reports."""
    sends_reports: bool = True
    """False = no RTCP sender reports."""
    is_mute: bool = False
    """Accepts connections and never answers a request for this camera."""


@dataclass(frozen=True, slots=True)
class ServerRestart:
    """The whole server goes away and comes back on the same port, again and again."""

    every_s: float
    away_s: float


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What all cameras and their server do wrong."""

    cameras: Mapping[int, CameraFaults]
    """Cameras that are missing here do nothing wrong."""
    restart: ServerRestart | None = None

    def of_camera(self, index: int) -> CameraFaults:
        """Return what one camera does wrong."""
        return self.cameras.get(index, CameraFaults())


def parse_faults(texts: Iterable[str], n_cameras: int) -> FaultPlan:
    """Read faults as written on the command line: `0:freeze=10/5`, `*:loss=0.02`, `restart=30/2`.

    Without a camera, or with `*`, a fault is that of all cameras. Of the same fault twice the later one counts.

    Raises:
        ConfigurationError: a fault, its camera or its value is not understood.
    """
    cameras = dict.fromkeys(range(n_cameras), CameraFaults())
    restart: ServerRestart | None = None
    for text in texts:
        match = _FAULT.fullmatch(text)
        if match is None:
            raise ConfigurationError(f"fault {_without_value(text)!r}: expected CAMERA:NAME=VALUE, as in 0:freeze=10/5")
        name, value, camera = match["name"], match["value"], match["camera"]
        if name == "restart":
            if camera not in (None, "*"):
                raise ConfigurationError(
                    f"fault {_without_value(text)!r}: a restart is that of the whole server, give no camera"
                )
            restart = _parse_restart(text, value)
            continue
        if name not in _FAULT_PARSERS:
            raise ConfigurationError(f"fault {name!r} is unknown, expected one of {', '.join(FAULT_NAMES)}")
        for index in _chosen_cameras(text, camera, n_cameras):
            cameras[index] = _FAULT_PARSERS[name](cameras[index], name, value)
    return FaultPlan(cameras, restart)


def _chosen_cameras(text: str, camera: str | None, n_cameras: int) -> range:
    if camera in (None, "*"):
        return range(n_cameras)
    index = int(camera)
    if index >= n_cameras:
        raise ConfigurationError(
            f"fault {_without_value(text)!r}: expected a camera from 0 to {n_cameras - 1}, got {index}"
        )
    return range(index, index + 1)


def _parse_restart(text: str, value: str | None) -> ServerRestart:
    every_s, away_s = _pair(text, value)
    return ServerRestart(_positive(text, every_s), 2.0 if away_s is None else away_s)


def _parse_drop(faults: CameraFaults, name: str, value: str | None) -> CameraFaults:
    return replace(faults, drop_every_s=_positive(name, _number(name, value)))


def _parse_freeze(faults: CameraFaults, name: str, value: str | None) -> CameraFaults:
    return replace(faults, freeze=Freeze(*_pair(name, value)))


def _parse_jitter(faults: CameraFaults, name: str, value: str | None) -> CameraFaults:
    return replace(faults, jitter_s=_number(name, value, most=_LONGEST_JITTER_MS) / 1000)


def _parse_loss(faults: CameraFaults, name: str, value: str | None) -> CameraFaults:
    return replace(faults, loss=_number(name, value, most=1.0))


def _parse_credentials(faults: CameraFaults, name: str, value: str | None) -> CameraFaults:
    user, colon, password = (value or "").partition(":")
    if not user or not colon:
        raise ConfigurationError(f"fault {name!r}: expected {name}=USER:PASSWORD")
    return replace(faults, credentials=Credentials(user, password))


def _parse_skew(faults: CameraFaults, name: str, value: str | None) -> CameraFaults:
    return replace(faults, clock_skew_s=_number(name, value, -_LARGEST_SKEW_S, _LARGEST_SKEW_S))


def _parse_no_reports(faults: CameraFaults, name: str, value: str | None) -> CameraFaults:
    _no_value(name, value)
    return replace(faults, sends_reports=False)


def _parse_mute(faults: CameraFaults, name: str, value: str | None) -> CameraFaults:
    _no_value(name, value)
    return replace(faults, is_mute=True)


_FAULT_PARSERS: Mapping[str, Callable[[CameraFaults, str, str | None], CameraFaults]] = {
    "drop": _parse_drop,
    "freeze": _parse_freeze,
    "jitter": _parse_jitter,
    "loss": _parse_loss,
    "credentials": _parse_credentials,
    "skew": _parse_skew,
    "no-sr": _parse_no_reports,
    "mute": _parse_mute,
}

FAULT_NAMES = (*_FAULT_PARSERS, "restart")
"""All names that `parse_faults` knows."""


def _number(name: str, value: str | None, least: float = 0.0, most: float = float("inf")) -> float:
    try:
        number = float(value or "")
    except ValueError:
        raise ConfigurationError(f"fault {name!r}: expected a number, got {value or ''!r}") from None
    if not least <= number <= most or number == float("inf"):
        bounds = f"of at least {least:.10g}" if most == float("inf") else f"from {least:.10g} to {most:.10g}"
        raise ConfigurationError(f"fault {name!r}: expected a number {bounds}, got {value!r}")
    return number


def _pair(name: str, value: str | None) -> tuple[float, float | None]:
    first, slash, second = (value or "").partition("/")
    return _number(name, first), _number(name, second) if slash else None


def _positive(name: str, number: float) -> float:
    if number <= 0:
        raise ConfigurationError(f"fault {name!r}: expected more than 0 seconds, got {number:g}")
    return number


def _no_value(name: str, value: str | None) -> None:
    if value is not None:
        raise ConfigurationError(f"fault {name!r} takes no value, got {value!r}")


def _without_value(text: str) -> str:
    match = _BEGINNING.match(text)
    return match[0] if match is not None else ""  # what follows may hold a password, whatever stands before it
