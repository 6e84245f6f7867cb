"""Which stream is recorded, which is looked at, and what a reported address becomes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.discovery.profiles import Profile, channels_of, choose, stream_uri
from nvr.discovery.soap import Credentials

VIEWER = Credentials("viewer", "a:b@c/d")


def profile(width_px: int, height_px: int, codec: str = "h264", fps: float = 25.0) -> Profile:
    return Profile(f"{width_px}x{height_px} {codec} {fps:g}", "s", "", codec, width_px, height_px, fps, "rtsp://h/x")


@pytest.mark.parametrize(
    ("profiles", "main", "detect"),
    [
        ([profile(1920, 1080), profile(640, 360)], "1920x1080 h264 25", "640x360 h264 25"),
        ([profile(320, 180), profile(640, 360), profile(1920, 1080)], "1920x1080 h264 25", "640x360 h264 25"),
        ([profile(1920, 1080), profile(352, 288)], "1920x1080 h264 25", None),
        ([profile(360, 640), profile(1080, 1920)], "1080x1920 h264 25", "360x640 h264 25"),
        ([profile(640, 360)], "640x360 h264 25", None),
        ([profile(640, 360), profile(640, 360, fps=50)], "640x360 h264 50", None),
        ([profile(3840, 2160, "mjpeg"), profile(1280, 720, "hevc")], "1280x720 hevc 25", None),
        ([profile(1280, 720, "mjpeg"), profile(640, 480, "mjpeg")], "1280x720 mjpeg 25", "640x480 mjpeg 25"),
    ],
)
def test_the_largest_is_recorded_and_a_small_one_is_looked_at(
    profiles: list[Profile], main: str, detect: str | None
) -> None:
    chosen, smaller = choose(profiles)
    assert chosen.token == main
    assert (smaller.token if smaller else None) == detect


def test_a_source_without_an_address_is_no_camera() -> None:
    assert channels_of([replace(profile(640, 360), uri="")]) == ()


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ("rtsp://10.0.0.9:8554/a?b=1&c=2", "rtsp://viewer:a%3Ab%40c%2Fd@192.0.2.5:8554/a?b=1&c=2"),
        ("rtsp://root:root@10.0.0.9/a", "rtsp://viewer:a%3Ab%40c%2Fd@192.0.2.5/a"),
        ("rtsps://[fe80::1]/a", "rtsps://viewer:a%3Ab%40c%2Fd@192.0.2.5/a"),
        ("http://10.0.0.9/a", ""),
        ("file:///etc/passwd", ""),
        ("rtsp:///a", ""),
        ("rtsp://10.0.0.9:99999/a", ""),
        ("rtsp://h/\x00", ""),
        ("rtsp://h/" + "a" * 5000, ""),
        ("", ""),
    ],
)
def test_a_stream_is_at_the_host_that_was_asked(reported: str, expected: str) -> None:
    assert stream_uri(reported, "192.0.2.5", VIEWER) == expected


def test_without_a_user_the_address_has_none() -> None:
    assert stream_uri("rtsp://root:root@10.0.0.9/a", "2001:db8::5", None) == "rtsp://[2001:db8::5]/a"


@given(st.text(max_size=60) | st.text(alphabet=":/@[]?#.1aé%\\", max_size=30).map(lambda rest: f"rtsp://{rest}"))
def test_whatever_is_reported_leads_to_that_host_or_nowhere(reported: str) -> None:
    uri = stream_uri(reported, "192.0.2.5", VIEWER)
    if uri:
        assert uri.startswith(("rtsp://viewer:a%3Ab%40c%2Fd@192.0.2.5", "rtsps://viewer:a%3Ab%40c%2Fd@192.0.2.5"))
        rest = uri.partition("192.0.2.5")[2]
        assert rest == "" or rest[0] in ":/?#"
