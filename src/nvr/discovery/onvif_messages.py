"""The requests of ONVIF that finding a stream takes, and what their answers say. Pure.

Sources: ONVIF Core Specification, 8; Media Service, 5; Media2 Service, 5.
"""

from datetime import UTC, datetime
from typing import Literal, NamedTuple
from xml.sax.saxutils import escape

from nvr.discovery.probe_match import printable
from nvr.discovery.profiles import Profile
from nvr.discovery.xml_tree import Element

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA_2 = "http://www.onvif.org/ver20/media/wsdl"

MediaVersion = Literal[1, 2]

MAX_PROFILES = 256
MAX_TOKEN = 256
MAX_PX = 65_535
MAX_FPS = 1000.0
FIRST_YEAR, LAST_YEAR = 1970, 2200
"""A camera without a battery begins at the first; what is outside was never set."""

_CODECS = {"H264": "h264", "H265": "hevc", "JPEG": "mjpeg", "MPEG4": "mpeg4", "MPV4-ES": "mpeg4"}

GET_TIME = f'<GetSystemDateAndTime xmlns="{DEVICE}"/>'
GET_SERVICES = f'<GetServices xmlns="{DEVICE}"><IncludeCapability>false</IncludeCapability></GetServices>'
GET_CAPABILITIES = f'<GetCapabilities xmlns="{DEVICE}"><Category>All</Category></GetCapabilities>'
GET_INFORMATION = f'<GetDeviceInformation xmlns="{DEVICE}"/>'
GET_PROFILES: dict[MediaVersion, str] = {
    1: f'<GetProfiles xmlns="{MEDIA}"/>',
    2: f'<GetProfiles xmlns="{MEDIA_2}"><Type>VideoSource</Type><Type>VideoEncoder</Type></GetProfiles>',
}


class Information(NamedTuple):
    """Who made a device."""

    manufacturer: str
    model: str


def get_stream_uri(version: MediaVersion, token: str) -> str:
    """Return the request for the address of a profile."""
    if version == 2:
        return (
            f'<GetStreamUri xmlns="{MEDIA_2}"><Protocol>RTSP</Protocol>'
            f"<ProfileToken>{escape(token)}</ProfileToken></GetStreamUri>"
        )
    return (
        f'<GetStreamUri xmlns="{MEDIA}"><StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast'
        '</Stream><Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport>'
        f"</StreamSetup><ProfileToken>{escape(token)}</ProfileToken></GetStreamUri>"
    )


def parse_time(root: Element) -> datetime | None:
    """Return a device's clock; None where it does not tell, or tells what is no time."""
    utc = root.find("UTCDateTime")
    if utc is None:
        return None
    try:
        year, month, day = (int(utc.text_of("Date", name)) for name in ("Year", "Month", "Day"))
        hour, minute, second = (int(utc.text_of("Time", name)) for name in ("Hour", "Minute", "Second"))
        told = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    return told if FIRST_YEAR <= told.year <= LAST_YEAR else None


def parse_media_services(root: Element) -> dict[MediaVersion, str]:
    """Return the addresses of the media services that `GetServices` or `GetCapabilities` tells."""
    found: dict[MediaVersion, str] = {}
    for service in root.all("Service"):
        namespace, address = service.text_of("Namespace"), service.text_of("XAddr")
        if namespace == MEDIA and address:
            found.setdefault(1, address)
        elif namespace == MEDIA_2 and address:
            found.setdefault(2, address)
    address = root.text_of("Capabilities", "Media", "XAddr")
    if address:
        found.setdefault(1, address)
    return found


def parse_information(root: Element) -> Information:
    """Return who made a device."""
    return Information(printable(root.text_of("Manufacturer")), printable(root.text_of("Model")))


def parse_profiles(root: Element) -> tuple[Profile, ...]:
    """Return the profiles that carry video, without their addresses."""
    found: list[Profile] = []
    for element in root.all("Profiles"):
        encoder = element.find("VideoEncoderConfiguration") or element.find("Configurations", "VideoEncoder")
        token = element.attributes.get("token", "")
        if encoder is None or not token or len(token) > MAX_TOKEN or len(found) >= MAX_PROFILES:
            continue
        source = element.find("VideoSourceConfiguration") or element.find("Configurations", "VideoSource")
        encoding = encoder.text_of("Encoding").upper()
        found.append(
            Profile(
                token=token,
                source="" if source is None else printable(source.text_of("SourceToken")),
                name=printable(element.text_of("Name")),
                codec=_CODECS.get(encoding, printable(encoding.lower())),
                width_px=_pixels(encoder.text_of("Resolution", "Width")),
                height_px=_pixels(encoder.text_of("Resolution", "Height")),
                fps=_fps(encoder.text_of("RateControl", "FrameRateLimit")),
            )
        )
    return tuple(found)


def parse_stream_uri(root: Element) -> str:
    """Return the address of a stream as the device reports it; empty where it reports none."""
    return root.text_of("GetStreamUriResponse", "Uri")


def _pixels(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= 5 and int(text) <= MAX_PX else 0


def _fps(text: str) -> float | None:
    try:
        fps = float(text)
    except ValueError:
        return None
    return fps if 0 < fps <= MAX_FPS else None
