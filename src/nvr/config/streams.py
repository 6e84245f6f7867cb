"""Which cameras, and how patient to be with them."""

import unicodedata
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PositiveSeconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
RtspTransport = Literal["tcp", "udp"]


def _check_uri(uri: str) -> str:
    stripped = uri.strip()
    if not stripped or any(ord(sign) < 32 for sign in stripped):
        raise ValueError("a stream URI must not be empty or hold control characters")
    if "://" in stripped and not stripped.startswith("file://"):
        if any(sign.isspace() for sign in stripped):
            raise ValueError("a stream URI must not hold spaces: write %20")
        _check_address(stripped)
    return stripped


def _check_address(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # its text may quote a piece of the password
        raise ValueError(
            "a stream URI has the form scheme://user:password@host:port/path; "
            "write / and # of a password as %2F and %23"
        ) from None
    if not has_host:
        raise ValueError("a stream URI must name a host")


StreamUri = Annotated[str, AfterValidator(_check_uri), Field(max_length=2048)]


def _check_camera_name(name: str) -> str:
    if any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in name):  # what would begin a new line
        raise ValueError("a name must not hold control characters")
    return name


CameraName = Annotated[str, AfterValidator(_check_camera_name), Field(min_length=1, max_length=100)]


class StreamSettings(BaseModel):
    """The cameras of a process and the timeouts of their connections."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    stream_uris: tuple[StreamUri, ...] = Field(
        default=(), description="One URI per camera: rtsp://, http:// or a file; the order gives the source ids."
    )
    first_source_id: int = Field(
        default=0,
        ge=0,
        le=1_000_000_000,
        description="Source id of the first camera; lets several processors share the numbering.",
    )
    rtsp_transport: RtspTransport = Field(
        default="tcp", description="tcp loses nothing and passes firewalls; udp for cameras that speak nothing else."
    )
    open_timeout_s: PositiveSeconds = Field(default=5.0, description="How long a camera may take to answer.")
    read_timeout_s: PositiveSeconds = Field(
        default=5.0, description="How long a camera may stay silent before its connection is given up."
    )
    reconnect_max_s: PositiveSeconds = Field(
        default=30.0, description="Longest wait between two tries to reach a camera; the first tries come sooner."
    )

    @property
    def source_ids(self) -> tuple[int, ...]:
        """One id per URI, in order."""
        return tuple(range(self.first_source_id, self.first_source_id + len(self.stream_uris)))


def stream_server_uris(server: str, n: int) -> tuple[str, ...]:
    """Return the URIs of `n` streams as test servers name them: `{server}/live/{i}.stream`."""
    return tuple(f"{server.rstrip('/')}/live/{i}.stream" for i in range(n))
