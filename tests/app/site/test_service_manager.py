"""What a service manager hears, over a real socket."""

import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvr.app.site.service_manager import ServiceManager, without_notification
from nvr.core.clock import ManualClock


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@nvr-test-{secrets.token_hex(8)}"


@pytest.fixture
def manager_socket(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        bound.settimeout(10)
        yield bound


def test_a_manager_hears_each_state(address: str, manager_socket: socket.socket) -> None:
    clock = ManualClock()
    clock.advance(1.5)
    manager = ServiceManager(address, clock=clock)
    manager.ready("4 cameras\nat rtsp://me:secret@host")
    manager.status("3 of 4 cameras")
    manager.keep_alive()
    manager.reloading()
    manager.stopping()
    assert [manager_socket.recv(1000).decode() for _ in range(5)] == [
        "READY=1\nSTATUS=4 cameras at rtsp://***@host",
        "STATUS=3 of 4 cameras",
        "WATCHDOG=1",
        "RELOADING=1\nMONOTONIC_USEC=1500000",
        "STOPPING=1",
    ]


def test_the_environment_says_where_and_how_often() -> None:
    environment = {"NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": "20000000"}
    assert ServiceManager.from_environment(environment, 7).watchdog_interval_s == 10.0
    assert ServiceManager.from_environment(environment | {"WATCHDOG_PID": "7"}, 7).watchdog_interval_s == 10.0
    assert ServiceManager.from_environment(environment | {"WATCHDOG_PID": "8"}, 7).watchdog_interval_s is None
    assert ServiceManager.from_environment(environment | {"WATCHDOG_USEC": "soon"}, 7).watchdog_interval_s is None
    assert ServiceManager.from_environment({}, 7).watchdog_interval_s is None


@pytest.mark.parametrize("address", [None, "/no/such/socket", "@nobody-listens"])
def test_nobody_to_tell_is_no_failure(address: str | None) -> None:
    manager = ServiceManager(address)
    manager.ready("ready")
    manager.stopping()


def test_children_do_not_speak_for_the_service() -> None:
    environment = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid()), "HOME": "/root"}
    assert without_notification(environment) == {"HOME": "/root"}
