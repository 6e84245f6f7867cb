"""Devices that answer over real multicast on the loopback interface, and strangers that answer what they should not."""

import socket
from collections.abc import Callable

import pytest

from nvr.core.errors import ConfigurationError
from nvr.discovery.ws_discovery import GROUP, DiscoveryOptions, discover, local_addresses
from tests.discovery.conftest import StartCamera
from tests.servers.onvif_camera import Camera

OnLoopback = Callable[..., DiscoveryOptions]


def test_finds_each_device_once_with_its_name_and_address(start_camera: StartCamera, on_loopback: OnLoopback) -> None:
    cameras = [start_camera(Camera(name="Front Door")), start_camera(Camera(name="Yard"))]
    found = discover(on_loopback(n_expected=2))
    assert {device.name: device.xaddrs for device in found.devices} == {
        "Front Door": (cameras[0].address,),
        "Yard": (cameras[1].address,),
    }
    assert {device.endpoint for device in found.devices} == {camera.endpoint for camera in cameras}
    assert {(device.host, device.hardware) for device in found.devices} == {("127.0.0.1", "Dome4K")}
    assert found.n_refused == 0


def test_a_device_that_answers_twice_is_one(start_camera: StartCamera, on_loopback: OnLoopback) -> None:
    camera = start_camera(Camera())
    found = discover(on_loopback(wait_s=1.0))  # long enough for the second question
    assert [device.endpoint for device in found.devices] == [camera.endpoint]


def test_an_answer_that_points_elsewhere_gives_no_address_to_ask(
    start_camera: StartCamera, on_loopback: OnLoopback
) -> None:
    start_camera(Camera(probed_host="127.0.0.2"))
    (device,) = discover(on_loopback(n_expected=1)).devices
    assert device.xaddrs == ()
    assert "127.0.0.2" in device.foreign_hosts


def test_garbage_bombs_and_floods_are_refused_and_hide_nobody(
    start_camera: StartCamera, on_loopback: OnLoopback
) -> None:
    for answer in (
        b"\x00\xff garbage",
        b"<html/>",
        b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>',
        b"<a>" + b"x" * 60_000 + b"</a>",
        b"",
    ):
        start_camera(Camera(overrides={"Probe": answer}))
    honest = start_camera(Camera(name="Yard"))
    found = discover(on_loopback(wait_s=1.5))
    assert [device.endpoint for device in found.devices] == [honest.endpoint]
    assert found.n_refused >= 5


def test_a_stranger_that_takes_the_name_of_another_device_hides_nobody(
    start_camera: StartCamera, on_loopback: OnLoopback
) -> None:
    honest = start_camera(Camera())
    start_camera(Camera(endpoint=honest.endpoint, answers_from="127.0.0.2"))
    found = discover(on_loopback(n_expected=2))
    assert [(each.host, each.endpoint) for each in found.devices] == [
        ("127.0.0.1", honest.endpoint),
        ("127.0.0.2", honest.endpoint),
    ]


def test_nobody_there_is_nobody_found(on_loopback: OnLoopback) -> None:
    assert discover(on_loopback(wait_s=0.1)).devices == ()


def test_a_device_that_multicast_does_not_reach_is_asked_at_its_own_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        device.bind(("127.0.0.1", 0))
        discover(DiscoveryOptions(("127.0.0.1",), device.getsockname(), wait_s=0.1))
        question = device.recv(4096)
    assert b"NetworkVideoTransmitter" in question


def test_an_interface_of_another_machine_is_a_setting_to_change() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot ask from 203\.0\.113\.9.*127\.0\.0\.1"):
        discover(DiscoveryOptions(("203.0.113.9",), (GROUP, 9)))


def test_this_machine_has_its_loopback_address_and_each_once() -> None:
    addresses = local_addresses()
    assert "127.0.0.1" in addresses
    assert len(addresses) == len(set(addresses))
