"""Open a camera or file and turn the library's errors into ours."""

import errno
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import av
from av.container import InputContainer

from nvr.core.errors import ConfigurationError, CredentialsError, NvrError, StreamError, UnsupportedError
from nvr.core.masking import mask_credentials
from nvr.core.source_uri import device_path, file_path, is_device, is_file


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to open a source."""

    rtsp_transport: str
    """`tcp` or `udp`."""
    open_timeout_s: float
    read_timeout_s: float


MAX_SHOWN = 300
"""Characters of an address that a message repeats."""

_NETWORK_PROTOCOLS = (
    *("rtsp", "rtsps", "rtp", "srtp", "rtmp", "rtmps", "srt"),
    *("http", "https", "hls", "httpproxy", "crypto", "udp", "tcp", "tls"),
)
"""What a network address may lead to: playlists and redirects come from outside and must not reach files."""

_LIVE_FORMATS = (
    "rtsp",
    "rtp",
    "sdp",
    "mpegts",
    "flv",
    "live_flv",
    "mpjpeg",
    "mjpeg",
    "jpeg_pipe",
    "h264",
    "hevc",
    "dhav",
)
_FILE_FORMATS = (
    "mov",
    "matroska",
    "avi",
    "mpeg",
    "mpegvideo",
    "m4v",
    "asf",
    "ogg",
    "nut",
    "mxf",
    "wav",
    "av1",
    "obu",
    "ivf",
)
_FORMATS = _LIVE_FORMATS + _FILE_FORMATS
"""What cameras, recorders and archives speak. FFmpeg knows hundreds more, down to text as pictures of letters, and whom
one connects to would choose between them."""

_METADATA_ERRORS = "replace"
"""A camera may call its stream by a name in Latin-1."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def display_name(uri: str) -> str:
    """Return a URI as people, logs and messages may see it: without credentials, on one line, and not endless."""
    return _escape(mask_credentials(uri))[:MAX_SHOWN]


def _escape(text: str) -> str:
    escaped = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)
    return escaped.encode(errors="backslashreplace").decode()


def open_source(uri: str, options: SourceOptions) -> InputContainer:
    """Open a source and find its streams; returns within about twice the timeouts.

    Raises:
        CredentialsError: The camera refused user and password.
        ConfigurationError: There is no such file, or the URI is none.
        UnsupportedError: The protocol is unknown to this build.
        StreamError: It cannot be reached, does not answer, or sends what is no video.
    """
    # FFmpeg would cut it off there, or send what follows as a header of its own
    if _CONTROL.search(str(file_path(uri)) if is_file(uri) else uri):
        raise ConfigurationError(f"{display_name(uri)} holds a control character, which no address may")
    uri = _SCHEME.sub(lambda found: found[0].lower(), uri, count=1)
    try:
        if is_file(uri):
            return _open_file(file_path(uri))
        if is_device(uri):
            return av.open(
                device_path(uri),
                mode="r",
                format="video4linux2",
                timeout=_timeout(options),
                metadata_errors=_METADATA_ERRORS,
            )
        if uri.partition("://")[0] not in _NETWORK_PROTOCOLS:
            raise UnsupportedError(
                f"{display_name(uri)} has a protocol that is none of {', '.join(_NETWORK_PROTOCOLS)}"
            )
        return av.open(
            uri,
            mode="r",
            timeout=_timeout(options),
            options=_ffmpeg_options(uri, options),
            metadata_errors=_METADATA_ERRORS,
        )
    except (av.FFmpegError, ValueError, OSError) as error:
        raise translate_error(error, uri) from error


def _open_file(path: Path) -> InputContainer:
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder, not a video file")
    if path.exists() and not path.is_file():  # to open a pipe waits for ever
        raise ConfigurationError(f"{path} is a pipe, socket or device, not a video file")
    # "file:" keeps FFmpeg from reading a protocol, as concat: or tcp:, out of a file's name
    return av.open(
        f"file:{path}", mode="r", options={"format_whitelist": _formats(path.name)}, metadata_errors=_METADATA_ERRORS
    )


def _formats(name: str) -> str:
    # a playlist has no end that FFmpeg would set, so that only who is asked for one may send it
    return ",".join((*_FORMATS, "hls") if name.lower().endswith((".m3u8", ".m3u")) else _FORMATS)


def _timeout(options: SourceOptions) -> tuple[float, float]:
    # FFmpeg asks the interrupt callback again after its own retry, so a timeout fires after twice its value
    return (options.open_timeout_s, options.read_timeout_s / 2)


def _ffmpeg_options(uri: str, options: SourceOptions) -> dict[str, str]:
    address = urlsplit(uri)
    common = {"protocol_whitelist": ",".join(_NETWORK_PROTOCOLS), "format_whitelist": _formats(address.path)}
    if address.scheme not in {"rtsp", "rtsps"}:
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
    source = display_name(uri)
    for library_types, our_type, sentence in _TRANSLATIONS:
        if isinstance(error, library_types):
            return our_type(f"{source} {sentence}")
    # the text of FFmpeg's errors repeats the URI as it is, with its credentials
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    if isinstance(error, OSError) and error.errno == errno.EIO:  # FFmpeg's answer to a name that does not resolve
        # over HTTP also to a ninth redirect and to a response that breaks off
        what = ", breaks off or redirects without end" if uri.lower().startswith("http") else ""
        return StreamError(f"{source} cannot be reached{what}: is the host name right?")
    return StreamError(f"{source} failed: {reason}")


_TRANSLATIONS: tuple[tuple[tuple[type[Exception], ...], type[NvrError], str], ...] = (
    (
        (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError),
        CredentialsError,
        "refused the user name and password",
    ),
    ((av.error.HTTPNotFoundError,), StreamError, "is not known to its server (404)"),
    ((av.error.HTTPServerError,), StreamError, "is not served for now: its server answers with an error (5xx)"),
    ((av.error.HTTPClientError,), StreamError, "is refused by its server (4xx)"),
    ((av.error.ConnectionResetError, av.error.EOFError), StreamError, "hung up before it sent all"),
    ((av.error.ExitError, av.error.TimeoutError), StreamError, "does not answer in time"),
    (
        (av.error.ConnectionRefusedError,),
        StreamError,
        "refuses the connection: is the camera on and the port right?",
    ),
    ((av.error.FileNotFoundError,), ConfigurationError, "does not exist"),
    ((av.error.PermissionError,), ConfigurationError, "may not be read by this user"),
    ((av.error.ProtocolNotFoundError,), UnsupportedError, "has a protocol that this build of FFmpeg does not know"),
    ((av.error.DecoderNotFoundError,), UnsupportedError, "has a codec that this build of FFmpeg does not know"),
    ((av.error.InvalidDataError,), StreamError, "sends what is no video, or nothing at all"),
    (
        (av.error.ArgumentError, ValueError),
        StreamError,
        "cannot be opened: the address is malformed, or it leads to a protocol or format that is not allowed",
    ),
)
