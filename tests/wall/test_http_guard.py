import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from nvr.wall.http_guard import ConnectionLimits
from nvr.wall.http_server import WallServer
from tests.waiting import wait_until
from tests.wall.conftest import MakeWall

TIMEOUT_S = 40.0


@contextmanager
def serving(make_wall: MakeWall, limits: ConnectionLimits) -> Iterator[WallServer]:
    wall, sources = make_wall(1, stale_after_seconds=600)
    sources[0].show()
    wall.start()
    server = WallServer(wall, limits=limits)
    server.start()
    yield server
    server.stop()


def connect(server: WallServer, own_address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S, source_address=(own_address, 0))


def is_cut_off(connection: socket.socket) -> bool:
    """Wait until the other side ends a connection."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return True


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def get(server: WallServer) -> int:
    return httpx.get(server.url, trust_env=False, timeout=TIMEOUT_S).status_code


def test_connections_that_ask_for_nothing_lock_nobody_out(make_wall: MakeWall) -> None:
    with serving(make_wall, ConnectionLimits()) as server, ExitStack() as stack:
        silent = [stack.enter_context(connect(server)) for _ in range(300)]
        assert get(server) == 200
        # those that came last still have their place
        assert is_open(silent[-1])
        assert is_cut_off(silent[0])


def test_the_silent_of_many_addresses_lock_nobody_out_either(make_wall: MakeWall) -> None:
    limits = ConnectionLimits(max_connections=20, max_per_peer=5)
    with serving(make_wall, limits) as server, ExitStack() as stack:
        for i in range(60):
            stack.enter_context(connect(server, f"127.0.0.{2 + i // 4}"))
        assert get(server) == 200


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_connection_without_a_complete_request_is_ended(make_wall: MakeWall, beginning: bytes) -> None:
    with serving(make_wall, ConnectionLimits(request_timeout_s=0.3)) as server, connect(server) as connection:
        connection.sendall(beginning)
        assert is_cut_off(connection)


def test_a_request_that_drips_is_ended_too_also_after_a_complete_one(make_wall: MakeWall) -> None:
    with serving(make_wall, ConnectionLimits(request_timeout_s=0.5)) as server, connect(server) as connection:
        connection.sendall(b"GET /static/wall.css HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nX: ")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")

        def is_refused() -> bool:
            try:
                connection.sendall(b"x")
            except OSError:
                return True
            return False

        wait_until(is_refused, "the dripping connection is cut off")


def test_a_stream_outlives_the_deadline_and_makes_no_room_for_others(make_wall: MakeWall) -> None:
    limits = ConnectionLimits(request_timeout_s=0.3, max_per_peer=3)
    with serving(make_wall, limits) as server, connect(server) as watching, ExitStack() as stack:
        watching.sendall(b"GET /wall.mjpeg?id=mine HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert watching.recv(12) == b"HTTP/1.1 200"
        for _ in range(20):
            assert is_cut_off(stack.enter_context(connect(server)))
        state = httpx.get(f"{server.url}api/state.json", trust_env=False, timeout=TIMEOUT_S).json()
        assert state["streams"] == ["mine"]


def test_where_all_places_are_taken_by_streams_one_more_connection_is_refused(make_wall: MakeWall) -> None:
    with serving(make_wall, ConnectionLimits(max_per_peer=2)) as server, ExitStack() as stack:
        watching = [stack.enter_context(connect(server)) for _ in range(2)]
        for connection in watching:
            connection.sendall(b"GET /wall.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert is_cut_off(stack.enter_context(connect(server)))
        with connect(server, "127.0.0.2") as other:
            other.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert other.recv(12) == b"HTTP/1.1 200"
