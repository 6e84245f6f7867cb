"""RTSP requests from bytes and responses to bytes, pure, with limits for hostile input.

Source: RFC 2326 (RTSP 1.0), sections 4, 6, 7 and 10.12 for the interleaved frames.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from nvr.core.errors import InvalidInputError

MAX_HEAD_BYTES = 8 * 1024
MAX_HEADERS = 64
MAX_BODY_BYTES = 64 * 1024

REASONS: Mapping[int, str] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "RTSP Version Not Supported",
    551: "Option not supported",
}

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE = re.compile(r"(?P<method>[A-Za-z_]{1,32}) (?P<uri>\S{1,2048}) (?P<version>[A-Z]{2,8}/\d\.\d)")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_INTERLEAVED_MARK = ord("$")


class MalformedRequestError(InvalidInputError):
    """What arrived cannot be a request: answer with `status` and close, as the next request cannot be found."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    method: str
    uri: str
    headers: Mapping[str, str]
    """Names in lower case; of a header sent twice the values are joined with a comma."""
    body: bytes = b""

    @property
    def cseq(self) -> str | None:
        """Return the sequence number to be sent back, or None where it is missing or no number."""
        value = self.headers.get("cseq", "")
        return value if _NUMBER.fullmatch(value) else None

    @property
    def path(self) -> str:
        """Return the path of the URI without a trailing slash; empty for `*` and for what is no URI."""
        try:
            return urlsplit(self.uri).path.rstrip("/")
        except ValueError:
            return ""


@dataclass(frozen=True, slots=True)
class InterleavedFrame:
    """RTP or RTCP sent within the connection."""

    channel: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """One response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def to_bytes(self, cseq: str | None) -> bytes:
        """Return what goes over the wire."""
        lines = [f"RTSP/1.0 {self.status} {REASONS[self.status]}"]
        if cseq is not None:
            lines.append(f"CSeq: {cseq}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class RequestParser:
    """Finds requests and interleaved frames in a stream of bytes.

    Never holds more than one head and one body of the largest size plus the last piece fed.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def has_partial_message(self) -> bool:
        """Whether bytes wait for the rest of their message."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add bytes as they arrived; call `next_message` until it gives None before the next call."""
        self._buffer += data

    def next_message(self) -> Request | InterleavedFrame | None:
        """Return the next complete message, or None until more bytes arrive.

        Raises:
            MalformedRequestError: the bytes are no request, or too large.
        """
        empty = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        del self._buffer[:empty]  # RFC 2326 4: empty lines before a request are skipped
        if not self._buffer:
            return None
        if self._buffer[0] == _INTERLEAVED_MARK:
            return self._next_interleaved()
        return self._next_request()

    def _next_interleaved(self) -> InterleavedFrame | None:
        if len(self._buffer) < 4:
            return None
        end = 4 + int.from_bytes(self._buffer[2:4], "big")
        if len(self._buffer) < end:
            return None
        frame = InterleavedFrame(self._buffer[1], bytes(self._buffer[4:end]))
        del self._buffer[:end]
        return frame

    def _next_request(self) -> Request | None:
        blank = _BLANK_LINE.search(self._buffer, 0, MAX_HEAD_BYTES)
        if blank is None:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                raise MalformedRequestError(413, f"no end of the head within {MAX_HEAD_BYTES} bytes")
            return None
        request = _parse_head(bytes(self._buffer[: blank.start()]))
        body_bytes = _content_length(request.headers)
        end = blank.end() + body_bytes
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[blank.end() : end])
        del self._buffer[:end]
        return Request(request.method, request.uri, request.headers, body)


def _parse_head(head: bytes) -> Request:
    try:
        first, *lines = head.decode().splitlines()
    except UnicodeDecodeError as error:
        raise MalformedRequestError(400, "the head is not UTF-8") from error
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise MalformedRequestError(400, f"expected a request line, got {first[:60]!r}")
    if match["version"] != "RTSP/1.0":
        raise MalformedRequestError(505, f"expected RTSP/1.0, got {match['version']}")
    if len(lines) > MAX_HEADERS:
        raise MalformedRequestError(413, f"{len(lines)} header lines, at most {MAX_HEADERS} are read")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name.rstrip()):
            raise MalformedRequestError(400, f"expected a header line, got {line[:60]!r}")
        key = name.rstrip().lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return Request(match["method"].upper(), match["uri"], headers)


def _content_length(headers: Mapping[str, str]) -> int:
    value = headers.get("content-length", "0")
    if not _NUMBER.fullmatch(value):
        raise MalformedRequestError(400, f"expected a content length, got {value[:60]!r}")
    if int(value) > MAX_BODY_BYTES:
        raise MalformedRequestError(413, f"a body of {value} bytes, at most {MAX_BODY_BYTES} are read")
    return int(value)
