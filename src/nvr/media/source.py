"""Open a camera or file and turn the library's errors into ours."""

import errno
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import av
from av.container import InputContainer

from nvr.core.errors import ConfigurationError, CredentialsError, NvrError, StreamError, UnsupportedError
from nvr.core.masking import mask_credentials


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to open a source."""

    rtsp_transport: str
    """`tcp` or `udp`."""
    open_timeout_s: float
    read_timeout_s: float


_NETWORK_PROTOCOLS = "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto,hls,rtmp,rtmps,srt"
"""What a network address may lead to: playlists and redirects come from outside and must not reach files."""

_V4L2 = "v4l2://"
_DEVICES = "/dev/video"


def is_device(uri: str) -> bool:
    """Tell whether a URI names a V4L2 device, such as a USB camera."""
    return uri.lower().startswith(_V4L2) or uri.startswith(_DEVICES)


def is_file(uri: str) -> bool:
    """Tell whether a URI names a file on this machine rather than a device or something on the network."""
    return ("://" not in uri and not is_device(uri)) or uri.lower().startswith("file://")


def file_path(uri: str) -> Path:
    """Return the path that a `file:` URI or a plain path names."""
    return Path(unquote(uri[len("file://") :])) if uri.lower().startswith("file://") else Path(uri)


def open_source(uri: str, options: SourceOptions) -> InputContainer:
    """Open a source and find its streams; returns within about twice the timeouts.

    Raises:
        CredentialsError: The camera refused user and password.
        ConfigurationError: There is no such file or path.
        UnsupportedError: The protocol is unknown to this build.
        StreamError: It cannot be reached, does not answer, or sends what is no video.
    """
    try:
        if is_file(uri):
            return _open_file(file_path(uri))
        if is_device(uri):
            device = uri[len(_V4L2) :] if uri.lower().startswith(_V4L2) else uri
            return av.open(device, mode="r", format="video4linux2", timeout=_timeout(options))
        return av.open(uri, mode="r", timeout=_timeout(options), options=_ffmpeg_options(uri, options))
    except (av.FFmpegError, ValueError, OSError) as error:
        raise translate_error(error, uri) from error


def _open_file(path: Path) -> InputContainer:
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder, not a video file")
    # "file:" keeps FFmpeg from reading a protocol, as concat: or tcp:, out of a file's name
    return av.open(f"file:{path}", mode="r")


def _timeout(options: SourceOptions) -> tuple[float, float]:
    # FFmpeg asks the interrupt callback again after its own retry, so a timeout fires after twice its value
    return (options.open_timeout_s, options.read_timeout_s / 2)


def _ffmpeg_options(uri: str, options: SourceOptions) -> dict[str, str]:
    common = {"protocol_whitelist": _NETWORK_PROTOCOLS}
    if urlsplit(uri).scheme.lower() not in {"rtsp", "rtsps"}:
        return common
    return common | {
        "rtsp_transport": options.rtsp_transport,
        # measured with GStreamer's server: a second of pictures held back on opening becomes a third; nobody here
        # needs the guessed frame rate
        "fpsprobesize": "0",
        "analyzeduration": "500000",
    }


def translate_error(error: Exception, uri: str) -> NvrError:
    """Return our error for one of PyAV's; its message names the source without credentials."""
    source = mask_credentials(uri)
    for library_types, our_type, sentence in _TRANSLATIONS:
        if isinstance(error, library_types):
            return our_type(f"{source} {sentence}")
    # the text of FFmpeg's errors repeats the URI as it is, with its credentials
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    if isinstance(error, OSError) and error.errno == errno.EIO:  # FFmpeg's answer to a name that does not resolve
        return StreamError(f"{source} cannot be reached: is the host name right?")
    return StreamError(f"{source} failed: {reason}")


_TRANSLATIONS: tuple[tuple[tuple[type[Exception], ...], type[NvrError], str], ...] = (
    (
        (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError),
        CredentialsError,
        "refused the user name and password",
    ),
    ((av.error.HTTPNotFoundError,), StreamError, "is not known to its server (404)"),
    ((av.error.ExitError, av.error.TimeoutError), StreamError, "does not answer in time"),
    (
        (av.error.ConnectionRefusedError,),
        StreamError,
        "refuses the connection: is the camera on and the port right?",
    ),
    ((av.error.FileNotFoundError,), ConfigurationError, "does not exist"),
    ((av.error.ProtocolNotFoundError,), UnsupportedError, "has a protocol that this build of FFmpeg does not know"),
    ((av.error.DecoderNotFoundError,), UnsupportedError, "has a codec that this build of FFmpeg does not know"),
    ((av.error.InvalidDataError,), StreamError, "sends what is no video, or nothing at all"),
)
