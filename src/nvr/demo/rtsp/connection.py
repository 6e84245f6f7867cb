"""One RTSP connection: requests in, responses out, at most one session that lives and dies with it."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from nvr.core.clock import Clock
from nvr.demo.rtsp.camera import Camera
from nvr.demo.rtsp.digest import Credentials, DigestAlgorithm, challenge, is_authorized
from nvr.demo.rtsp.message import MalformedRequestError, Request, RequestParser, Response
from nvr.demo.rtsp.player import MAX_BACKLOG_BYTES, MediaSink, Player
from nvr.demo.rtsp.sdp import TRACK, describe_session
from nvr.demo.rtsp.sink import AddressPair, InterleavedSink, UdpPorts, UdpSink
from nvr.demo.rtsp.transport import InterleavedTransport, UdpTransport, choose_transport

logger = logging.getLogger(__name__)

PUBLIC_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
SERVER_NAME = "nvr-simulator"

_NEVER_ALLOWED = ("ANNOUNCE", "RECORD", "REDIRECT")
_OF_SESSION = ("PLAY", "PAUSE", "TEARDOWN")
_READ_BYTES = 1 << 16
_SEND_BUFFER_BYTES = 1 << 19
_MAX_REFUSALS = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how many a server bears with."""

    max_connections: int = 128
    """One more is answered 503 and closed."""
    session_timeout_s: float = 60.0
    """A session over UDP ends when neither a request nor a receiver report came for so long."""
    idle_timeout_s: float = 60.0
    """A connection that plays nothing is closed after so long without a request."""
    request_timeout_s: float = 10.0
    """A request must be complete within this from its first byte."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all connections of a server share."""

    cameras: Mapping[str, Camera]
    """By path."""
    credentials: Credentials | None
    algorithm: DigestAlgorithm
    udp: UdpPorts
    limits: Limits
    clock: Clock


class Connection:
    """Serves one client until it leaves, breaks the protocol or keeps silent for too long."""

    def __init__(self, site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._site = site
        self._reader = reader
        self._writer = writer
        self._parser = RequestParser()
        self._nonce = secrets.token_hex(16)
        self._session_id = secrets.token_hex(8)
        self._camera: Camera | None = None
        self._player: Player | None = None
        self._transport_header = ""
        self._state: Literal["init", "ready", "playing"] = "init"
        self._refusals = 0
        self._udp_pair: AddressPair | None = None
        self._heard_s = site.clock.monotonic()
        self._partial_since_s: float | None = None
        peer = writer.get_extra_info("peername")
        self._peer_host = str(peer[0]) if peer else ""

    async def run(self) -> None:
        """Serve; returns when the connection is over."""
        sock: socket.socket | None = self._writer.get_extra_info("socket")
        if sock is not None:  # a large buffer in the kernel would hide that a client reads slowly
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        try:
            while await self._serve_next():
                pass
        except (ConnectionError, TimeoutError) as error:
            logger.debug("client %s left: %r", self._peer_host, error)
        finally:
            self._end_session()
            self._writer.close()

    def abort(self) -> None:
        """Cut the connection."""
        self._writer.transport.abort()

    async def _serve_next(self) -> bool:
        data = await self._read()
        if not data:
            return False
        self._heard_s = self._site.clock.monotonic()
        self._parser.feed(data)
        is_fresh = self._partial_since_s is None
        try:
            while (message := self._parser.next_message()) is not None:
                is_fresh = True
                if isinstance(message, Request) and not self._answer(message):
                    return False
        except MalformedRequestError as error:
            logger.debug("client %s: %s", self._peer_host, error)
            self._write(Response(error.status), None)
            return False
        if not self._parser.has_partial_message:
            self._partial_since_s = None
        elif is_fresh:
            self._partial_since_s = self._heard_s
        return True

    async def _read(self) -> bytes:
        while True:
            remaining_s = self._deadline_s() - self._site.clock.monotonic()
            try:
                async with asyncio.timeout(remaining_s if remaining_s != float("inf") else None):
                    return await self._reader.read(_READ_BYTES)
            except TimeoutError:
                if self._deadline_s() <= self._site.clock.monotonic():
                    raise

    def _deadline_s(self) -> float:
        limits = self._site.limits
        if self._partial_since_s is not None:
            return self._partial_since_s + limits.request_timeout_s
        if self._state == "playing" and self._udp_pair is None:
            return float("inf")  # the backlog tells whether the client still reads
        return self._heard_s + (limits.session_timeout_s if self._state == "playing" else limits.idle_timeout_s)

    def _answer(self, request: Request) -> bool:
        camera = self._find_camera(request)
        if camera is not None and camera.faults.is_mute:
            return True
        response = self._respond(request, camera)
        self._write(response, request.cseq)
        if response.status == 401:
            self._refusals += 1
        is_backed_up = self._writer.transport.get_write_buffer_size() > 2 * MAX_BACKLOG_BYTES
        if is_backed_up:  # asks and asks and reads no answer
            self.abort()
        is_torn_down = request.method == "TEARDOWN" and response.status == 200
        return not is_backed_up and not is_torn_down and self._refusals < _MAX_REFUSALS

    def _respond(self, request: Request, camera: Camera | None) -> Response:
        if request.cseq is None:
            return Response(400)
        if required := request.headers.get("require"):  # RFC 2326 12.32: no extension is known here
            return Response(551, {"Unsupported": required})
        if request.method == "OPTIONS":
            return Response(200, {"Public": PUBLIC_METHODS})
        handlers: Mapping[str, Callable[[Request, Camera], Response]] = {
            "DESCRIBE": self._describe,
            "SETUP": self._set_up,
            "PLAY": self._play,
            "PAUSE": self._pause,
            "TEARDOWN": self._tear_down,
            "GET_PARAMETER": self._keep_alive,
            "SET_PARAMETER": self._keep_alive,
        }
        handler = handlers.get(request.method)
        if handler is None:
            status = 405 if request.method in _NEVER_ALLOWED else 501
            return Response(status, {"Allow": PUBLIC_METHODS})
        if camera is None:
            return Response(404)
        return self._refuse(request, camera) or handler(request, camera)

    def _refuse(self, request: Request, camera: Camera) -> Response | None:
        credentials = camera.faults.credentials or self._site.credentials
        if credentials is not None and not is_authorized(
            request.headers.get("authorization", ""),
            method=request.method,
            uri=request.uri,
            nonce=self._nonce,
            credentials=credentials,
            algorithm=self._site.algorithm,
        ):
            return Response(401, {"WWW-Authenticate": challenge(self._nonce, self._site.algorithm)})
        session = request.headers.get("session", "").partition(";")[0].strip()
        if session and (session != self._session_id or camera is not self._camera):
            return Response(454)
        if request.method in _OF_SESSION and self._camera is not None and camera is not self._camera:
            return Response(454)
        return None

    def _find_camera(self, request: Request) -> Camera | None:
        return self._site.cameras.get(request.path.removesuffix(f"/{TRACK}"))

    def _describe(self, request: Request, camera: Camera) -> Response:
        body = describe_session(camera.loop, f"simulated camera {camera.index}", camera.ssrc)
        base = request.uri.rstrip("/") + "/"
        return Response(200, {"Content-Base": base, "Content-Type": "application/sdp"}, body)

    def _set_up(self, request: Request, camera: Camera) -> Response:
        if self._state == "playing":
            return Response(455)
        transport = choose_transport(request.headers.get("transport", ""))
        if transport is None or not self._may_take(transport):
            return Response(461)
        self._end_session()
        sink, self._transport_header = self._open_sink(transport, camera)
        self._camera = camera
        self._player = Player(sink, self._site.clock)
        self._state = "ready"
        return Response(200, {"Transport": self._transport_header, "Session": self._session_header()})

    def _may_take(self, transport: InterleavedTransport | UdpTransport) -> bool:
        if isinstance(transport, InterleavedTransport):
            return True
        return self._site.udp.is_free(self._udp_pair_of(transport), self._udp_pair)

    def _udp_pair_of(self, transport: UdpTransport) -> AddressPair:
        return AddressPair((self._peer_host, transport.rtp_port), (self._peer_host, transport.rtcp_port))

    def _open_sink(self, transport: InterleavedTransport | UdpTransport, camera: Camera) -> tuple[MediaSink, str]:
        connection = self._writer.transport
        if isinstance(transport, InterleavedTransport):
            sink = InterleavedSink(connection, transport.rtp_channel, transport.rtcp_channel)
            return sink, transport.to_header(camera.ssrc)
        udp = self._site.udp
        self._udp_pair = self._udp_pair_of(transport)
        udp.take(self._udp_pair, self._note_report)
        return UdpSink(udp, connection, self._udp_pair), transport.to_header(camera.ssrc, udp.numbers)

    def _play(self, request: Request, camera: Camera) -> Response:
        if self._state == "init" or self._player is None:
            return Response(455)
        headers = {"Range": "npt=now-", "Session": self._session_header()}
        if self._state == "playing":  # it goes on: which packet comes next to this client cannot be told
            return Response(200, headers)
        self._state = "playing"
        self._player.require_keyframe()
        camera.add(self._player)  # the camera's task comes after this one: no packet overtakes the response
        first = camera.first_frame_of_next_client()
        base = request.uri.rstrip("/").removesuffix(f"/{TRACK}")
        info = f"url={base}/{TRACK};seq={first.sequence & 0xFFFF};rtptime={first.rtp_timestamp & 0xFFFFFFFF}"
        return Response(200, headers | {"RTP-Info": info})

    def _pause(self, _request: Request, camera: Camera) -> Response:
        if self._state == "init" or self._player is None:
            return Response(455)
        camera.remove(self._player)
        self._state = "ready"
        return Response(200, {"Session": self._session_header()})

    def _tear_down(self, _request: Request, _camera: Camera) -> Response:
        if self._state == "init":
            return Response(454)
        self._end_session()
        return Response(200)

    def _keep_alive(self, _request: Request, _camera: Camera) -> Response:
        return Response(200, {} if self._state == "init" else {"Session": self._session_header()})

    def _session_header(self) -> str:
        return f"{self._session_id};timeout={round(self._site.limits.session_timeout_s)}"

    def _end_session(self) -> None:
        if self._camera is not None and self._player is not None:
            self._camera.remove(self._player)
        if self._udp_pair is not None:
            self._site.udp.give_back(self._udp_pair)
        self._camera = self._player = self._udp_pair = None
        self._state = "init"

    def _note_report(self) -> None:
        self._heard_s = self._site.clock.monotonic()

    def _write(self, response: Response, cseq: str | None) -> None:
        if not self._writer.transport.is_closing():
            named = Response(response.status, {"Server": SERVER_NAME, **response.headers}, response.body)
            self._writer.write(named.to_bytes(cseq))
