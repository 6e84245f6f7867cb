"""A plain RTSP client on a socket, for what well-behaved programs never do."""

import socket
from dataclasses import dataclass
from typing import Self

from nvr.demo.rtsp.digest import digest_response, parse_authorization

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """Sends any bytes; reads answers and, apart from them, interleaved frames."""

    def __init__(self, port: int, receive_buffer_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(("127.0.0.1", port))
        self.frames: list[tuple[int, bytes]] = []
        self._buffer = b""
        self._cseq = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, method: str, uri: str, **headers: str) -> Answer:
        self._cseq += 1
        lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {self._cseq}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode())
        answer = self.read_answer()
        assert answer.headers.get("cseq") == str(self._cseq)
        return answer

    def read_answer(self) -> Answer:
        while self._fill(1)[:1] == b"$":
            self._take_frame()
        while b"\r\n\r\n" not in self._buffer:
            self._fill(len(self._buffer) + 1)
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", "0"))
        self._fill(size)
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return Answer(int(first.split()[1]), headers, body)

    def read_frame(self) -> tuple[int, bytes]:
        if not self.frames:
            assert self._fill(1)[:1] == b"$"
            self._take_frame()
        return self.frames.pop(0)

    def is_closed_by_server(self) -> bool:
        """Read and forget until the server closes; False when nothing came for the timeout."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def _take_frame(self) -> None:
        header = self._fill(4)
        end = 4 + int.from_bytes(header[2:4], "big")
        self._fill(end)
        self.frames.append((self._buffer[1], self._buffer[4:end]))
        self._buffer = self._buffer[end:]

    def _fill(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError(f"closed with {self._buffer[:100]!r} read")
            self._buffer += data
        return self._buffer


def play_interleaved(client: RawClient, uri: str) -> str:
    """Go through SETUP and PLAY; return the session."""
    assert client.ask("DESCRIBE", uri).status == 200
    setup = client.ask("SETUP", f"{uri}/trackID=0", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
    assert setup.status == 200
    session = setup.headers["session"].partition(";")[0]
    assert client.ask("PLAY", uri, Session=session).status == 200
    return session


def digest_header(challenge: str, user: str, password: str, method: str, uri: str) -> str:
    """Answer a challenge the old way, without qop."""
    asked = parse_authorization(challenge)
    assert asked is not None
    parameters = {"username": user, "realm": asked["realm"], "nonce": asked["nonce"], "uri": uri}
    response = digest_response(parameters, method, password, "SHA-256" if "SHA-256" in challenge else "MD5")
    fields = ", ".join(f'{name}="{value}"' for name, value in {**parameters, "response": response}.items())
    return f"Digest {fields}"
