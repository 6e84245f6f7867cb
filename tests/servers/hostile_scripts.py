"""What hostile servers do, by name; as a program, all of them at once in a process of their own.

Usage: python -m tests.servers.hostile_scripts CLIP, from the root of the repository. CLIP is a small H.264 file. Prints
a JSON object of ports by name once they listen, and serves until its standard input ends. A process of its own, since
FFmpeg's reads ask Python now and then, and floods made by another thread of theirs would slow them down.
"""

import itertools
import json
import struct
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from tests.servers.hostile import (
    SDP,
    HostileServer,
    Peer,
    Script,
    accept_and_say_nothing,
    bytes_for_ever,
    cseq_of,
    http_body,
    interleaved,
    one_by_one,
    response,
    rtp_packets,
    rtsp_camera,
)

PLAYLIST = {"Content-Type": "application/vnd.apple.mpegurl"}
DIGEST = {"WWW-Authenticate": 'Digest realm="x", nonce="abc", qop="auth"', "Content-Length": "0"}
BASIC = {"WWW-Authenticate": 'Basic realm="x"', "Content-Length": "0"}
EMPTY = {"Content-Length": "0"}
HTTP_OK = b"HTTP/1.1 200 OK\r\n"
RTSP_OK = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"


def answer(*data: bytes) -> Script:
    """Read a request and answer so."""

    def script(peer: Peer) -> None:
        peer.read_request()
        for piece in data:
            peer.send(piece)

    return script


def flood(head: bytes, data: Iterable[bytes]) -> Script:
    """Answer with a beginning, and go on as fast as one may for ever."""

    def script(peer: Peer) -> None:
        peer.read_request()
        for piece in itertools.chain([head], data):
            peer.send(piece)

    return script


def drip(head: bytes, filler: bytes) -> Script:
    """Answer byte by byte, as slowly as one may, for ever."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.drip(one_by_one(head, filler))

    return script


def refuse_each_time(peer: Peer) -> None:
    """Ask for a password for as long as the client tries."""
    while True:
        peer.read_request()
        peer.send(response("401 Unauthorized", DIGEST))


def redirect(location: str, protocol: str = "HTTP") -> Script:
    """Send each client on to an address, in which `{port}` and `{n}` are those of the connection."""

    def script(peer: Peer) -> None:
        request = peer.read_request()
        target = location.format(port=peer.port, n=peer.number)
        cseq = cseq_of(request) if protocol == "RTSP" else ""
        peer.send(response("302 Found", {"Location": target, "Connection": "close"} | EMPTY, cseq=cseq))

    return script


def describe(head: str, data: Iterable[bytes] = ()) -> Script:
    """Answer DESCRIBE in this way, and whatever comes before as one should."""

    def script(peer: Peer) -> None:
        while True:
            request = peer.read_request()
            if request.startswith("DESCRIBE"):
                peer.send(head.format(cseq=cseq_of(request)).replace("\n", "\r\n").encode())
                for piece in data:
                    peer.send(piece)
            else:
                peer.send(response("200 OK", {"Public": "DESCRIBE"}, cseq=cseq_of(request)))

    return script


def hang_up(peer: Peer) -> None:
    """Cut the connection after the request."""
    peer.read_request()
    peer.reset()


def silent(peer: Peer) -> None:
    """Send nothing more."""
    peer.wait()


def noise(peer: Peer) -> None:
    """Send random bytes where RTP should be."""
    for data in bytes_for_ever():
        peer.send(data)


def broken_rtp(peer: Peer) -> None:
    """Send packets whose headers are right and whose H.264 is not."""
    for i, data in enumerate(bytes_for_ever()):
        header = struct.pack(">BBHII", 0x80, 0xE0, i & 0xFFFF, i * 3600, 7)
        peer.send(interleaved(header + b"\x65" + data[: 1 + i * 37 % 1400]))
        peer.wait(0.001)


def lying_lengths(peer: Peer) -> None:
    """Announce packets of nothing, and such as are longer than what follows."""
    for i in itertools.count():
        peer.send(interleaved(b"") + b"$\x00\xff\xff\x80\x60" + b"a" * (i % 100))


def cut_mid_frame(clip: Path) -> Script:
    """Send some frames and half of one more, and cut the connection."""

    def script(peer: Peer) -> None:
        for packet in itertools.islice(rtp_packets(clip), 20):
            peer.send(packet)
        peer.send(b"$\x00\x40\x00" + bytes(100))
        peer.reset()

    return script


def scripts(clip: Path) -> dict[str, Script]:
    """Return all that a server may do, by name."""
    half = clip.read_bytes()[: clip.stat().st_size // 2]
    whole = f"HTTP/1.1 200 OK\r\nContent-Length: {clip.stat().st_size}\r\n\r\n".encode()
    return {
        "says nothing": accept_and_say_nothing,
        "hangs up": hang_up,
        "http error": answer(response("503 Busy", EMPTY)),
        "http refuses": answer(response("400 Bad Request", EMPTY)),
        "http not found": answer(response("404 Not Found", EMPTY)),
        "http forbidden": answer(response("403 Forbidden", EMPTY)),
        "http wrong password, digest": refuse_each_time,
        "http wrong password, basic": answer(response("401 Unauthorized", BASIC)),
        "http redirect to itself": redirect("/{n}"),
        "http redirect to a file": redirect("file:///etc/passwd"),
        "http redirect to nothing": answer(response("302 Found", EMPTY)),
        "http dripping header": drip(HTTP_OK + b"X: ", b"a"),
        "http dripping headers": drip(HTTP_OK, b"X: a\r\n"),
        "http dripping body": drip(HTTP_OK + b"\r\n", b"a"),
        "http flood of headers": flood(HTTP_OK, itertools.repeat(b"X: a\r\n" * 1000)),
        "http flood in a header": flood(HTTP_OK + b"X: ", itertools.repeat(b"a" * 65536)),
        "http flood of bytes": flood(HTTP_OK + b"\r\n", bytes_for_ever()),
        "http flood of zeros": flood(HTTP_OK + b"\r\n", itertools.repeat(bytes(65536))),
        "http flood of a playlist": flood(
            response("200 OK", PLAYLIST) + b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n",
            itertools.repeat(b"#EXTINF:1,\nx.ts\n" * 1000),
        ),
        "http web page": http_body(b"<html><body>Log in, please</body></html>" * 50),
        "http letters": http_body(b"\x1b[2J\x1b[1;1Hhello\n" * 500, {"Content-Type": "text/plain"}),
        "http nothing": answer(response("200 OK", EMPTY)),
        "http another language": answer(b"SSH-2.0-OpenSSH_9.2\r\n"),
        "http breaks off": answer(whole, half),
        "rtsp error": answer(b"RTSP/1.0 503 Busy\r\nCSeq: 1\r\n\r\n"),
        "rtsp refuses": answer(b"RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: 1\r\n\r\n"),
        "rtsp speaks http": answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "rtsp redirect to itself": redirect("rtsp://127.0.0.1:{port}/{n}", "RTSP"),
        "rtsp redirect to a file": redirect("file:///etc/passwd", "RTSP"),
        "rtsp redirect to http": redirect("http://127.0.0.1:{port}/", "RTSP"),
        "rtsp dripping header": drip(RTSP_OK + b"X: ", b"a"),
        "rtsp dripping headers": drip(RTSP_OK, b"X: a\r\n"),
        "rtsp flood of headers": flood(RTSP_OK, itertools.repeat(b"X: a\r\n" * 1000)),
        "rtsp flood in a header": flood(RTSP_OK + b"X: ", itertools.repeat(b"a" * 65536)),
        "rtsp flood of bytes": flood(b"$", bytes_for_ever()),
        "rtsp description of 2 GB": describe(
            "RTSP/1.0 200 OK\nCSeq: {cseq}\nContent-Length: 2000000000\n\nv=0\n", itertools.repeat(b"a=x\r\n" * 1000)
        ),
        "rtsp description of -5 bytes": describe("RTSP/1.0 200 OK\nCSeq: {cseq}\nContent-Length: -5\n\nv=0\n"),
        "rtsp ten thousand tracks": describe(
            "RTSP/1.0 200 OK\nCSeq: {cseq}\nContent-Type: application/sdp\nContent-Length: 400000\n\n"
            + "m=video 0 RTP/AVP 96\na=control:x\n" * 11_000
        ),
        "plays nothing": rtsp_camera(silent),
        "plays noise": rtsp_camera(noise),
        "plays broken packets": rtsp_camera(broken_rtp),
        "plays lengths that lie": rtsp_camera(lying_lengths),
        "plays and cuts mid-frame": rtsp_camera(cut_mid_frame(clip)),
        "plays an unknown codec": rtsp_camera(silent, sdp=SDP.replace("H264", "XYZZY")),
        "plays no track": rtsp_camera(silent, sdp="v=0\r\ns=-\r\n"),
        "plays sound only": rtsp_camera(
            silent, sdp=SDP.replace("m=video", "m=audio").replace("H264/90000", "PCMU/8000")
        ),
        "plays under a name in Latin-1": rtsp_camera(silent, sdp=SDP.replace("s=-", "s=Cam\xe9ra")),
    }


def main() -> None:
    """Serve until standard input ends."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(HostileServer(script)) for name, script in scripts(Path(sys.argv[1])).items()
        }
        print(json.dumps({name: server.port for name, server in servers.items()}), flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main()
