"""Servers that do to a client what broken cameras and strangers do; each connection runs a script in a thread."""

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import av
from av.bitstream import BitStreamFilterContext

from nvr.media.access_unit import split_annex_b

Script = Callable[["Peer"], None]

PATIENCE_S = 60.0
"""No script outlives this."""

DRIP_S = 0.05
"""From byte to byte of a server that sends as slowly as it can."""

_CHUNK = 1 << 16
_MAX_REQUEST = 1 << 16


class HungUpError(Exception):
    """The client went, or the server is stopped."""


class Peer:
    """The server's side of one connection; blocking, and ended when the server stops."""

    def __init__(self, connection: socket.socket, number: int, is_stopping: threading.Event, port: int) -> None:
        self.number = number
        """Of the connection, from 0."""
        self.port = port
        self._socket = connection
        self._is_stopping = is_stopping
        self._rest = b""

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise HungUpError from error

    def read_request(self) -> str:
        """Return the next request with its headers; interleaved data of the client's are passed over."""
        while b"\r\n\r\n" not in self._rest:
            try:
                received = self._socket.recv(_CHUNK)
            except OSError as error:
                raise HungUpError from error
            if not received or len(self._rest) > _MAX_REQUEST:
                raise HungUpError
            self._rest += received
            while self._rest[:1] == b"$" and len(self._rest) >= 4:
                self._rest = self._rest[4 + struct.unpack_from(">H", self._rest, 2)[0] :]
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def wait(self, seconds: float = PATIENCE_S) -> None:
        """Do nothing for a while, or until the server stops."""
        if self._is_stopping.wait(seconds):
            raise HungUpError

    def drip(self, data: Iterator[bytes]) -> None:
        """Send piece by piece, as slowly as can be."""
        for piece in data:
            self.send(piece)
            self.wait(DRIP_S)

    def reset(self) -> None:
        """Cut the connection so that the client sees a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
        raise HungUpError


class HostileServer:
    """Listens on a free port of this machine; `with` starts and stops it."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._is_stopping = threading.Event()
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, name="hostile-accept", daemon=True)

    @property
    def n_connections(self) -> int:
        """How many clients have connected so far."""
        return len(self._connections)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE_S)
            peer = Peer(connection, len(self._connections), self._is_stopping, self.port)
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(peer, connection), name="hostile-peer", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer, connection: socket.socket) -> None:
        try:
            self._script(peer)
        except HungUpError:
            pass
        finally:
            connection.close()


def response(status: str, headers: Mapping[str, str] | None = None, body: bytes = b"", *, cseq: str = "") -> bytes:
    """Return an HTTP response, or with `cseq` an RTSP one."""
    protocol = "RTSP/1.0" if cseq else "HTTP/1.1"
    lines = [f"{protocol} {status}", *([f"CSeq: {cseq}"] if cseq else [])]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def cseq_of(request: str) -> str:
    """Return the number of an RTSP request."""
    return next((line[5:].strip() for line in request.splitlines() if line.lower().startswith("cseq:")), "0")


def accept_and_say_nothing(peer: Peer) -> None:
    """Accept, read and never answer."""
    peer.read_request()
    peer.wait()


def bytes_for_ever(seed: int = 1) -> Iterator[bytes]:
    """Yield random bytes without end, the same ones each time."""
    rng = random.Random(seed)
    while True:
        yield rng.randbytes(_CHUNK)


def one_by_one(data: bytes, filler: bytes = b"a") -> Iterator[bytes]:
    """Yield the bytes singly, and a filler without end."""
    for i in range(len(data)):
        yield data[i : i + 1]
    while True:
        yield filler


def http_body(body: bytes, headers: Mapping[str, str] | None = None) -> Script:
    """Answer each HTTP request with this body."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(response("200 OK", {"Connection": "close", **(headers or {})}, body))

    return script


SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track0\r\n"
    "a=fmtp:96 packetization-mode=1\r\n"
)
"""A camera of H.264 that tells its parameter sets in the stream."""


def rtsp_camera(after_play: Script, *, sdp: str = SDP) -> Script:
    """Answer as a camera does up to PLAY, and then run a script."""

    def script(peer: Peer) -> None:
        while True:
            request = peer.read_request()
            cseq, method = cseq_of(request), request.partition(" ")[0]
            if method == "DESCRIBE":
                peer.send(response("200 OK", {"Content-Type": "application/sdp"}, sdp.encode("latin-1"), cseq=cseq))
            elif method == "SETUP":
                transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
                peer.send(response("200 OK", {"Transport": transport, "Session": "1;timeout=60"}, cseq=cseq))
            elif method == "PLAY":
                peer.send(response("200 OK", {"Session": "1", "Range": "npt=now-"}, cseq=cseq))
                after_play(peer)
            else:
                peer.send(response("200 OK", {"Public": "DESCRIBE, SETUP, PLAY"}, cseq=cseq))

    return script


def rtp_packets(path: Path) -> Iterator[bytes]:
    """Yield the frames of a small H.264 file as interleaved RTP packets, one for each NAL unit (RFC 6184, 5.6)."""
    sequence = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
        for frame, packet in enumerate(container.demux(stream)):
            nals = (
                [nal for piece in to_annex_b.filter(packet) for nal in split_annex_b(bytes(piece))]
                if packet.size
                else []
            )
            for nal in nals:
                marker = 0x80 if nal is nals[-1] else 0
                header = struct.pack(">BBHII", 0x80, 96 | marker, sequence & 0xFFFF, frame * 3600, 7)
                yield interleaved(header + nal)
                sequence += 1


def interleaved(packet: bytes, channel: int = 0) -> bytes:
    """Return an RTP or RTCP packet as it travels within an RTSP connection (RFC 2326, 10.12)."""
    return b"$" + struct.pack(">BH", channel, len(packet)) + packet
