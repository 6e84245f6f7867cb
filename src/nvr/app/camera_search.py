"""Find cameras: those that are given, and those that answer on the network; look at the streams of each."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit

from nvr.core.clock import Clock
from nvr.core.errors import ConfigurationError, CredentialsError, NvrError
from nvr.core.source_uri import is_device, is_file
from nvr.discovery.onvif import Contact, OnvifDevice, OnvifOptions, ask_devices
from nvr.discovery.probe_match import DiscoveredDevice, printable
from nvr.discovery.soap import Credentials
from nvr.discovery.ws_discovery import DiscoveryOptions, discover
from nvr.media.probe import Probed, ProbeOptions, ProbeResult, probe_all
from nvr.media.source import display_name

ONVIF_SCHEME = "onvif://"

LONG_GOP_S = 4.0
"""Between two key frames: longer makes adaptive decoding, recordings and reconnects coarse."""
CLOCK_ERROR_S = 60.0
"""A camera's clock that is off by more is worth a word."""

_WITH_CREDENTIALS = ("rtsp", "rtsps", "http", "https")


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera as it was found; `uri` is empty where its address is not known."""

    name: str
    host: str
    """Where it is, as people may see it."""
    uri: str = field(default="", repr=False)
    detect_uri: str | None = field(default=None, repr=False)
    main: ProbeResult | None = None
    """What its main stream carries; None where it did not answer."""
    detect: ProbeResult | None = None
    make: str = ""
    """Manufacturer and model."""
    problem: str = ""
    """Why it did not answer; empty where it did."""
    wants_credentials: bool = False
    """Whether the problem is the user name or the password."""
    contact: str = ""
    """Address at which ONVIF tells its streams; empty where it was given by its stream."""
    hints: tuple[str, ...] = ()
    """What its owner may want to change."""

    @property
    def answers(self) -> bool:
        """Whether its stream was seen."""
        return self.main is not None

    @property
    def shown_uri(self) -> str:
        """Its address without credentials; its host where no address is known."""
        return display_name(self.uri) if self.uri else self.host


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to look."""

    credentials: Credentials | None = None
    """For devices that are found, and for given addresses that hold none."""
    discovery: DiscoveryOptions = field(default_factory=DiscoveryOptions)
    onvif: OnvifOptions = field(default_factory=OnvifOptions)
    probe: ProbeOptions = field(default_factory=ProbeOptions)


@dataclass(frozen=True, slots=True)
class _Lead:
    """A device that may tell its streams, or says why not."""

    name: str
    host: str
    contact: Contact | None
    problem: str = ""


OnDone: TypeAlias = Callable[[], None]


class CameraSearch:
    """Finds cameras step by step, so that a person can be asked in between. Used by one thread."""

    def __init__(self, options: SearchOptions, clock: Clock, ended: threading.Event | None = None) -> None:
        """Prepare; `ended` may be set by others to end a look early."""
        self._options = options
        self._clock = clock
        self._ended = ended or threading.Event()

    def discover(self) -> tuple[DiscoveredDevice, ...]:
        """Ask the network which ONVIF devices there are; sends no credentials.

        Raises:
            ConfigurationError: The interface to ask from is none of this machine's.
            StreamError: No interface can ask.
        """
        return discover(self._options.discovery, self._clock).devices

    def ask(self, devices: Sequence[DiscoveredDevice], credentials: Credentials | None) -> list[FoundCamera]:
        """Ask devices that were found for their streams; those have not been looked at yet.

        Args:
            devices: Of `discover`.
            credentials: For all of them.
        """
        return _joined(self._ask([_lead(device, credentials) for device in devices]))

    def given(self, uris: Sequence[str]) -> list[FoundCamera]:
        """Return the cameras of given addresses, in their order; those of `onvif://host` are asked for their streams.

        Raises:
            ConfigurationError: An address of `onvif://` is none.
        """
        credentials = self._options.credentials
        onvif = [uri for uri in dict.fromkeys(uris) if uri.lower().startswith(ONVIF_SCHEME)]
        asked = dict(zip(onvif, self._ask([_lead_of(uri, credentials) for uri in onvif]), strict=True))
        return _joined(asked.get(uri) or [_given(with_credentials(uri, credentials))] for uri in dict.fromkeys(uris))

    def again(self, cameras: Sequence[FoundCamera], credentials: Credentials) -> list[FoundCamera]:
        """Return cameras that refused user and password with others; those have not been looked at yet."""
        leads = [_Lead(each.name, each.host, Contact(each.contact, credentials)) for each in cameras if each.contact]
        asked = iter(self._ask(leads))
        return _joined(next(asked) if camera.contact else [_with_other(camera, credentials)] for camera in cameras)

    def look(self, cameras: Sequence[FoundCamera], on_done: OnDone = lambda: None) -> list[FoundCamera]:
        """Look at the streams of all cameras, and return them with what was seen; each name and each address once.

        Args:
            cameras: Those without an address are passed through.
            on_done: Called after each stream, from other threads.
        """
        cameras = _distinct(cameras)
        uris = list(streams_of(cameras))
        outcomes = probe_all(uris, self._options.probe, clock=self._clock, ended=self._ended, on_done=on_done)
        seen = dict(zip(uris, outcomes, strict=True))
        return _with_own_names([_seen(camera, seen) for camera in cameras])

    def _ask(self, leads: Sequence[_Lead]) -> list[list[FoundCamera]]:
        contacts = [lead.contact for lead in leads if lead.contact is not None]
        outcomes = iter(ask_devices(contacts, self._options.onvif, self._clock))
        return [
            [FoundCamera(lead.name, lead.host, problem=lead.problem)]
            if lead.contact is None
            else _cameras_of(lead, lead.contact.address, next(outcomes))
            for lead in leads
        ]


def streams_of(cameras: Sequence[FoundCamera]) -> Iterator[str]:
    """Yield the addresses of all streams of cameras, each once."""
    uris = (uri for camera in cameras for uri in (camera.uri, camera.detect_uri) if uri)
    yield from dict.fromkeys(uris)


def with_credentials(uri: str, credentials: Credentials | None) -> str:
    """Return an address with user and password, where it is on the network and holds none."""
    return uri if credentials is None or "@" in _place(uri) else _with(uri, credentials)


def _with_other(camera: FoundCamera, credentials: Credentials) -> FoundCamera:
    uri = _with(camera.uri, credentials)
    return FoundCamera(camera.name, camera.host, uri=uri)


def _with(uri: str, credentials: Credentials) -> str:
    scheme, separator, rest = uri.partition("://")
    if is_file(uri) or is_device(uri) or scheme.lower() not in _WITH_CREDENTIALS:
        return uri
    place = _place(uri)
    user, password = quote(credentials.user, safe=""), quote(credentials.password, safe="")
    return f"{scheme}{separator}{user}:{password}@{place.rpartition('@')[2]}{rest[len(place) :]}"


def _place(uri: str) -> str:
    """Return what stands between scheme and path: host and port, and user and password where there are some."""
    return uri.partition("://")[2].partition("/")[0]


def _joined(found: Iterable[list[FoundCamera]]) -> list[FoundCamera]:
    return [camera for cameras in found for camera in cameras]


def _lead(device: DiscoveredDevice, credentials: Credentials | None) -> _Lead:
    name = device.name or device.hardware or device.host
    if device.xaddrs:
        return _Lead(name, device.host, Contact(device.xaddrs[0], credentials))
    elsewhere = ", ".join(device.foreign_hosts[:3]) or "nowhere"
    return _Lead(name, device.host, None, f"points to {elsewhere} and not to itself: it is not asked")


def _lead_of(uri: str, credentials: Credentials | None) -> _Lead:
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise ConfigurationError(f"{display_name(uri)}: expected onvif://host or onvif://host:port")
    if parts.username is not None:
        credentials = Credentials(unquote(parts.username), unquote(parts.password or ""))
    place = f"[{host}]" if ":" in host else host
    path = parts.path if parts.path.strip("/") else "/onvif/device_service"
    return _Lead(host, host, Contact(f"http://{place}:{port or 80}{path}", credentials))


def _cameras_of(lead: _Lead, contact: str, outcome: OnvifDevice | NvrError) -> list[FoundCamera]:
    if isinstance(outcome, NvrError):
        reason = str(outcome).removeprefix(f"{lead.host} ")
        is_refusal = isinstance(outcome, CredentialsError)
        return [FoundCamera(lead.name, lead.host, problem=reason, wants_credentials=is_refusal, contact=contact)]
    make = printable(f"{outcome.manufacturer} {outcome.model}")
    hints: tuple[str, ...] = ()
    if outcome.clock_error_s is not None and abs(outcome.clock_error_s) > CLOCK_ERROR_S:
        word = "ahead" if outcome.clock_error_s > 0 else "behind"
        hints = (f"its clock is {duration(abs(outcome.clock_error_s))} {word}",)
    base = make if lead.name == lead.host and make else lead.name
    names = [base] if len(outcome.channels) == 1 else [f"{base} {i}" for i in range(1, len(outcome.channels) + 1)]
    return [
        FoundCamera(
            name,
            lead.host,
            uri=channel.main.uri,
            detect_uri=None if channel.detect is None else channel.detect.uri,
            make=make,
            contact=contact,
            hints=hints,
        )
        for name, channel in zip(names, outcome.channels, strict=True)
    ]


def duration(seconds: float) -> str:
    """Return a time span as people say it, in its largest unit."""
    for unit_s, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def _given(uri: str) -> FoundCamera:
    if is_file(uri) or is_device(uri):
        return FoundCamera(printable(PurePath(uri).stem) or "camera", "this machine", uri=uri)
    try:
        parts = urlsplit(uri)
        host = printable(parts.hostname or "")
    except ValueError:
        return FoundCamera("camera", "?", uri=uri)
    last = printable(unquote(PurePath(parts.path).stem))
    return FoundCamera(printable(f"{host} {last}") or "camera", host, uri=uri)


def _seen(camera: FoundCamera, seen: dict[str, Probed]) -> FoundCamera:
    if not camera.uri:
        return camera
    main = seen[camera.uri]
    if isinstance(main, NvrError):
        reason = str(main).removeprefix(f"{camera.shown_uri} ")
        return replace(camera, problem=reason, wants_credentials=isinstance(main, CredentialsError))
    hints = list(camera.hints)
    detect = None if camera.detect_uri is None else seen[camera.detect_uri]
    if isinstance(detect, NvrError):  # the main stream is looked at instead
        hints.append(f"its small stream {str(detect).removeprefix(display_name(camera.detect_uri or '')).strip()}")
        camera, detect = replace(camera, detect_uri=None), None
    if main.gop_s is None or main.gop_s > LONG_GOP_S:
        every = "too seldom to be seen" if main.gop_s is None else f"every {main.gop_s:.0f} s"
        if not is_file(camera.uri):
            hints.append(f"key frames {every}: one a second or two is better")
    return replace(camera, main=main, detect=detect, hints=tuple(hints))


def _distinct(cameras: Sequence[FoundCamera]) -> list[FoundCamera]:
    """Leave out what is there already: a camera that was given and also answered on the network."""
    first: dict[str, FoundCamera] = {}
    for camera in cameras:
        scheme, separator, rest = camera.uri.partition("://")
        place = _place(camera.uri)
        bare = f"{scheme}{separator}{place.rpartition('@')[2]}{rest[len(place) :]}"
        first.setdefault(bare or f"{camera.host} {camera.contact or camera.name}", camera)
    return list(first.values())


def _with_own_names(cameras: Sequence[FoundCamera]) -> list[FoundCamera]:
    taken: set[str] = set()
    found = []
    for camera in cameras:
        name = own_name(camera.name, taken)
        taken.add(name)
        found.append(replace(camera, name=name))
    return found


def own_name(name: str, taken: set[str]) -> str:
    """Return a name that no other camera has: with a number behind it where it is taken."""
    if name not in taken:
        return name
    return next(f"{name} {i}" for i in range(2, len(taken) + 3) if f"{name} {i}" not in taken)
