"""The profiles of a camera, as ONVIF calls its streams, and which of them to record and to look at. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from nvr.core.masking import mask_credentials
from nvr.discovery.soap import Credentials

LEAST_DETECT_PX = 480
"""Longer side of the smallest stream that is worth looking at."""

MAX_URI = 1024


@dataclass(frozen=True, slots=True)
class Profile:
    """One stream of a camera."""

    token: str
    source: str
    """Token of the video source it shows: a recorder or encoder has several."""
    name: str
    codec: str
    """FFmpeg's name: h264, hevc, mjpeg, …; empty where the device does not say."""
    width_px: int
    height_px: int
    fps: float | None
    """Its limit, as set."""
    uri: str = field(default="", repr=False)
    """With the credentials; empty where the device gives none."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width_px * self.height_px

    @property
    def shown_uri(self) -> str:
        """The address without credentials."""
        return mask_credentials(self.uri)


@dataclass(frozen=True, slots=True)
class Channel:
    """One camera of a device: most have one, recorders have many."""

    source: str
    main: Profile
    """The largest."""
    detect: Profile | None
    """The smallest that is worth looking at; None where that is the main one."""


def channels_of(profiles: Iterable[Profile]) -> tuple[Channel, ...]:
    """Return the cameras of a device, by their video sources, in the device's order; without a URI none counts."""
    by_source: dict[str, list[Profile]] = {}
    for profile in profiles:
        if profile.uri:
            by_source.setdefault(profile.source, []).append(profile)
    return tuple(Channel(source, *choose(streams)) for source, streams in by_source.items())


def choose(profiles: list[Profile]) -> tuple[Profile, Profile | None]:
    """Return the profile to record and the one to look at, None for the same.

    Motion JPEG is taken only where there is nothing else: it takes ten times the room.

    Args:
        profiles: Of one video source, at least one.
    """
    coded = [profile for profile in profiles if profile.codec != "mjpeg"] or profiles
    main = max(coded, key=lambda profile: (profile.pixels, profile.fps or 0.0))
    smaller = [
        profile
        for profile in coded
        if profile.pixels < main.pixels and max(profile.width_px, profile.height_px) >= LEAST_DETECT_PX
    ]
    return main, min(smaller, key=lambda profile: profile.pixels, default=None)


def stream_uri(reported: str, host: str, credentials: Credentials | None) -> str:
    """Return the address of a stream at the host that answered, with credentials; empty where it is none.

    Devices behind a router or with two addresses report one that leads nowhere, or elsewhere: the credentials are for
    the host that was asked, so that the host is always that one.

    Args:
        reported: As the device says.
        host: Name or address that was asked.
        credentials: Put in place of those that the device reports; None takes these out.
    """
    address = "".join(reported.split())
    if not address.isprintable() or len(address) > MAX_URI:
        return ""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"rtsp", "rtsps"} or not parts.hostname or port == 0:
        return ""
    user = "" if credentials is None else f"{quote(credentials.user, safe='')}:{quote(credentials.password, safe='')}@"
    place = f"[{host}]" if ":" in host else host
    netloc = f"{user}{place}" if port is None else f"{user}{place}:{port}"
    return parts._replace(netloc=netloc).geturl()
