"""Cameras are found over real multicast, asked over real HTTP, and looked at over real RTSP, all on this machine."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nvr.app.camera_search import CameraSearch, FoundCamera, SearchOptions, duration, own_name, with_credentials
from nvr.core.clock import SystemClock
from nvr.core.errors import ConfigurationError
from nvr.discovery.soap import Credentials
from nvr.media.probe import ProbeOptions
from nvr.media.source import SourceOptions
from tests.app.camera_site import ENCODED, PASSWORD, USER, CameraSite, camera_site
from tests.servers.onvif_camera import Camera

VIEWER = Credentials(USER, PASSWORD)
PROBE = ProbeOptions(SourceOptions("tcp", 5, 5), look_s=10)


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loops")


@pytest.fixture
def site(loops: Path) -> Iterator[CameraSite]:
    with camera_site(loops) as site:
        yield site


def search(site: CameraSite, n_expected: int | None = None, credentials: Credentials | None = VIEWER) -> CameraSearch:
    options = SearchOptions(credentials=credentials, discovery=site.discovery(n_expected), probe=PROBE)
    return CameraSearch(options, SystemClock())


def by_name(cameras: list[FoundCamera]) -> dict[str, FoundCamera]:
    return {camera.name: camera for camera in cameras}


@pytest.mark.camera
def test_a_camera_on_the_network_is_found_with_both_of_its_streams(site: CameraSite) -> None:
    site.add(site.camera(0, "Front Door"))
    site.add(replace(site.camera(1, "Yard"), proof="digest", clock_error_s=7200))
    searching = search(site, n_expected=2)
    found = by_name(searching.look(searching.ask(searching.discover(), VIEWER)))
    assert set(found) == {"Front Door", "Yard"}
    front = found["Front Door"]
    assert front.main is not None
    assert front.detect is not None
    assert (front.main.codec, front.main.width_px, front.detect.width_px) == ("h264", 960, 640)
    assert front.main.fps == pytest.approx(12, rel=0.1)
    assert (front.make, front.problem, front.hints) == ("Acme & Sons Dome 4K", "", ())
    assert front.uri == site.address(0)
    assert front.shown_uri == site.address(0, "***@")
    assert found["Yard"].hints == ("its clock is 2 h ahead",)
    assert PASSWORD not in repr(found)
    assert ENCODED not in repr(found)


@pytest.mark.camera
def test_who_refuses_is_shown_and_asked_again_with_other_credentials(site: CameraSite) -> None:
    door = site.add(site.camera(0, "Front Door"))
    wrong = Credentials(USER, "wrong")
    searching = search(site, n_expected=1, credentials=None)
    cameras = searching.look([*searching.ask(searching.discover(), wrong), *searching.given([site.address(1, "")])])
    refused = by_name(cameras)["Front Door"]
    assert (refused.uri, refused.problem, refused.wants_credentials) == ("", "refused the user name and password", True)
    assert all(camera.wants_credentials and not camera.answers for camera in cameras)
    assert door.refusals == 1
    again = searching.look(searching.again(cameras, VIEWER))
    assert [camera.answers for camera in again] == [True, True]
    assert {camera.uri for camera in again} == {site.address(0), site.address(1)}


@pytest.mark.camera
def test_given_addresses_keep_their_order_and_get_the_credentials_they_lack(site: CameraSite) -> None:
    device = site.add(site.camera(0, "Front Door"))
    searching = search(site)
    uris = [site.address(1, ""), f"onvif://127.0.0.1:{device.port}", "rtsp://127.0.0.1:1/nothing", "/no/such/file.mp4"]
    second, first, nothing, file = searching.look(searching.given([*uris, uris[0]]))
    assert (second.uri, second.answers) == (site.address(1), True)
    assert (first.name, first.uri, first.detect_uri is not None) == ("Acme & Sons Dome 4K", site.address(0), True)
    assert nothing.problem == "refuses the connection: is the camera on and the port right?"
    assert (file.uri, file.problem) == ("/no/such/file.mp4", "does not exist")


@pytest.mark.camera
def test_a_camera_that_is_given_and_answers_on_the_network_is_one(site: CameraSite) -> None:
    site.add(site.camera(0, "Front Door"))
    searching = search(site, n_expected=1)
    found = searching.look([*searching.given([site.address(0, "")]), *searching.ask(searching.discover(), VIEWER)])
    assert len(found) == 1


@pytest.mark.camera
def test_a_small_stream_that_fails_leaves_the_large_one(site: CameraSite) -> None:
    main, small = site.streams(0)
    broken = replace(small, uri=small.uri.replace("/live/", "/gone/"))
    site.add(replace(site.camera(0, "Front Door"), streams=(main, broken)))
    searching = search(site, n_expected=1)
    (camera,) = searching.look(searching.ask(searching.discover(), VIEWER))
    assert (camera.answers, camera.detect_uri, camera.detect) == (True, None, None)
    assert camera.hints == ("its small stream is not known to its server (404)",)


def test_a_device_that_points_elsewhere_is_shown_and_not_asked(site: CameraSite) -> None:
    device = site.add(Camera(probed_host="127.0.0.2", name="Stranger"))
    searching = search(site, n_expected=1)
    (camera,) = searching.look(searching.ask(searching.discover(), VIEWER))
    assert camera.problem.startswith("points to 127.0.0.2")
    assert not camera.uri
    assert device.operations == []


def test_two_cameras_of_one_name_get_numbers(site: CameraSite) -> None:
    found = search(site).look([FoundCamera("gate", f"192.0.2.{i}", problem="x") for i in range(3)])
    assert [camera.name for camera in found] == ["gate", "gate 2", "gate 3"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("rtsp://h/a", "rtsp://a%40b:c%3Ad@h/a"),
        ("http://h:80", "http://a%40b:c%3Ad@h:80"),
        ("rtsp://own:pw@h/a", "rtsp://own:pw@h/a"),
        ("rtsp://h/a@b", "rtsp://a%40b:c%3Ad@h/a@b"),
        ("/dev/video0", "/dev/video0"),
        ("a.mp4", "a.mp4"),
        ("udp://239.0.0.1:1234", "udp://239.0.0.1:1234"),
    ],
)
def test_addresses_get_the_credentials_they_lack(uri: str, expected: str) -> None:
    assert with_credentials(uri, Credentials("a@b", "c:d")) == expected
    assert with_credentials(uri, None) == uri


@pytest.mark.parametrize("uri", ["onvif://", "onvif://h:0", "onvif://h:99999", "onvif://u:hunter2@[h"])
def test_a_broken_onvif_address_is_a_setting_to_change(site: CameraSite, uri: str) -> None:
    with pytest.raises(ConfigurationError, match="expected onvif://host") as caught:
        search(site).given([uri])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("seconds", "said"), [(61, "1 min"), (7200, "2 h"), (5, "5 s"), (3 * 86_400, "3 d")])
def test_a_time_span_is_said_in_its_largest_unit(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_taken_name_gets_the_first_free_number() -> None:
    assert own_name("a", {"a", "a 2"}) == "a 3"
