"""What is said of a camera, second by second, and what is not said."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.clock import ManualClock
from nvr.media.health import Connection, HealthChanged, HealthCounters, HealthLimits, HealthSample, HealthState
from nvr.media.health_monitor import HealthMonitor
from nvr.media.picture_health import GOOD, PictureState, PictureVerdict

LIMITS = HealthLimits()
FROZEN = PictureVerdict(PictureState.FROZEN, "the picture has not changed for 16 s")
BLACK = PictureVerdict(PictureState.BLACK, "the picture is black")


class Camera:
    """A camera that is looked at once a second, and what was said of it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.monitor = HealthMonitor(3, self.clock.now())
        self.said: list[HealthChanged] = []
        self.counters = HealthCounters()

    def run(
        self,
        seconds: int,
        connection: Connection = Connection.CONNECTED,
        *,
        fps: float = 25,
        broken: int = 0,
        skipped: int = 0,
        lost: int = 0,
        **sample: Any,  # noqa: ANN401 - fields of a HealthSample
    ) -> list[HealthState]:
        """Let time pass; the counters are per second. Return the states that were said meanwhile."""
        already = len(self.said)
        for _ in range(seconds):
            self.clock.advance(1)
            if connection is Connection.CONNECTED:
                self.counters = replace(
                    self.counters,
                    packets=round(self.counters.packets + fps),
                    broken=self.counters.broken + broken,
                    skipped=self.counters.skipped + skipped,
                    lost=self.counters.lost + lost,
                )
            self.look(connection, **sample)
        return [event.new for event in self.said[already:]]

    def look(self, connection: Connection, **sample: Any) -> None:  # noqa: ANN401 - likewise
        known = HealthSample(connection, self.counters, **sample)
        self.said += self.monitor.observe(known, self.clock.monotonic(), self.clock.now())

    def count(self, **more: int) -> None:
        self.counters = replace(self.counters, **{name: getattr(self.counters, name) + n for name, n in more.items()})


@pytest.fixture
def camera() -> Camera:
    return Camera()


@pytest.fixture
def running() -> Camera:
    """A camera that has run well for two minutes."""
    camera = Camera()
    assert camera.run(120) == [HealthState.RUNNING]
    return camera


def test_a_camera_connects_and_runs(camera: Camera) -> None:
    assert camera.monitor.health.state is HealthState.CONNECTING
    assert camera.run(2, Connection.CONNECTING) == []
    assert camera.run(1, fps=0) == [], "connected, but nothing came yet"
    assert camera.run(60) == [HealthState.RUNNING]
    event = camera.said[0]
    assert (event.source_id, event.old, event.reason) == (3, HealthState.CONNECTING, "")
    assert camera.monitor.health.since == event.at
    assert camera.monitor.health.counters.packets == 60 * 25


def test_a_camera_that_cannot_be_reached_is_offline_at_once_and_for_each_new_reason(camera: Camera) -> None:
    refused, wrong = "rtsp://***@host/1 refuses the connection", "rtsp://***@host/1 refused the user name and password"
    for error in (refused, refused, wrong, refused, wrong):
        camera.run(1, Connection.CONNECTING, error=error)
        camera.run(20, Connection.LOST, error=error)
    assert [(event.new, event.reason) for event in camera.said] == [
        (HealthState.OFFLINE, refused),
        (HealthState.OFFLINE, wrong),
    ]


def test_a_short_break_is_no_news_and_a_longer_one_is(running: Camera) -> None:
    assert running.run(2, Connection.LOST, error="closed") == []
    assert running.run(10) == []
    assert running.run(5, Connection.LOST, error="closed") == [HealthState.OFFLINE]
    assert running.run(1, Connection.CONNECTING, error="closed") == []
    assert running.run(20) == [HealthState.RUNNING]


def test_a_camera_that_comes_and_goes_does_not_flap(running: Camera) -> None:
    said = []
    for _ in range(30):
        running.count(reconnects=1)
        said += running.run(1, Connection.LOST, error="closed")
        said += running.run(2)
    assert said == [HealthState.DEGRADED]
    assert running.monitor.health.reason.startswith("the connection broke")
    assert running.run(90) == [HealthState.RUNNING]


def test_a_camera_that_is_never_up_for_long_stays_offline(running: Camera) -> None:
    running.run(10, Connection.LOST, error="closed")
    assert [
        state for _ in range(10) for c in (Connection.CONNECTED, Connection.LOST) for state in running.run(2, c)
    ] == []


@pytest.mark.parametrize(
    ("connection", "state"),
    [
        (Connection.PAUSED, HealthState.PAUSED),
        (Connection.ENDED, HealthState.ENDED),
        (Connection.STOPPED, HealthState.STOPPED),
    ],
)
def test_what_was_asked_for_is_told_at_once(running: Camera, connection: Connection, state: HealthState) -> None:
    assert running.run(5, connection) == [state]
    assert running.run(1, Connection.CONNECTING) == [HealthState.CONNECTING]
    assert running.run(5) == [HealthState.RUNNING]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"broken": 3}, "% of the packets are broken"),
        ({"skipped": 10}, "% of the packets to keep up"),
        ({"lost": 2}, "packets were gone before they were read"),
        ({"fps": 3}, "the frame rate fell from 25 to 3 a second"),
        ({"clock_error_s": -3600.0}, "the camera's clock is 3600 s behind"),
        ({"clock_error_s": 86_400.0 * 20_000}, "the camera's clock is 20000 days ahead"),
        ({"packet_age_s": 3.2, "fps": 0}, "no packet for 3.2 s"),
        ({"troubles": ("recording stands still: the disk is full",)}, "recording stands still: the disk is full"),
    ],
)
def test_what_is_wrong_is_told_once_with_its_reason_and_taken_back_once(
    running: Camera, trouble: dict[str, Any], reason: str
) -> None:
    assert running.run(30, **trouble) == [HealthState.DEGRADED]
    assert reason in running.said[-1].reason
    assert running.run(60) == [HealthState.RUNNING]
    assert running.said[-1].reason == ""


def test_numbers_in_a_reason_are_those_of_its_beginning(running: Camera) -> None:
    assert running.run(20, broken=3) == [HealthState.DEGRADED]
    before = running.monitor.health.reason
    assert running.run(60, broken=12) == []
    assert running.monitor.health.reason == before


@pytest.mark.parametrize(
    "blip", [{"broken": 3}, {"clock_error_s": 9.0}, {"fps": 20}, {"packet_age_s": 2.9}, {"skipped": 1}]
)
def test_a_moment_is_no_news(running: Camera, blip: dict[str, Any]) -> None:
    assert running.run(1, **blip) == []
    assert running.run(60) == []


def test_what_comes_and_goes_is_told_once(running: Camera) -> None:
    assert [state for _ in range(30) for age in (4.0, 0.0) for state in running.run(3, packet_age_s=age)] == [
        HealthState.DEGRADED
    ]


def test_several_things_are_told_one_after_the_other(running: Camera) -> None:
    assert running.run(20, clock_error_s=-60.0) == [HealthState.DEGRADED]
    assert running.run(20, clock_error_s=-60.0, packet_age_s=5.0) == [HealthState.DEGRADED]
    assert running.monitor.health.reason == "the camera's clock is 60 s behind; no packet for 5.0 s"
    assert running.run(20, clock_error_s=-60.0) == [HealthState.DEGRADED]
    assert running.run(20) == [HealthState.RUNNING]


def test_a_bad_picture_is_more_than_degraded(running: Camera) -> None:
    assert running.run(20, picture=FROZEN) == [HealthState.FROZEN]
    assert running.monitor.health.reason == FROZEN.reason
    assert running.run(30, picture=BLACK) == [HealthState.BLACK]
    assert running.run(10, picture=BLACK, clock_error_s=99.0) == [HealthState.BLACK]
    assert running.monitor.health.reason == "the picture is black; the camera's clock is 99 s ahead"
    assert running.run(30, picture=GOOD, clock_error_s=99.0) == [HealthState.DEGRADED]
    assert running.run(30, picture=GOOD) == [HealthState.RUNNING]


def test_a_frozen_camera_that_goes_away_is_offline(running: Camera) -> None:
    assert running.run(20, picture=FROZEN) == [HealthState.FROZEN]
    assert running.run(20, Connection.LOST, picture=FROZEN, error="closed") == [HealthState.OFFLINE]
    assert running.run(10) == [HealthState.RUNNING]


def test_a_lower_rate_that_lasts_is_the_cameras_way(running: Camera) -> None:
    assert running.run(700, fps=5) == [HealthState.DEGRADED, HealthState.RUNNING]
    assert running.run(600, fps=25) == []
    assert running.run(600, fps=5) == [], "it is known to do that at night"
    assert running.run(60, fps=1) == [HealthState.DEGRADED]


def test_a_camera_of_a_picture_in_five_seconds_is_well() -> None:
    camera = Camera()
    said = []
    for i in range(600):
        camera.count(packets=1 if i % 5 == 0 else 0)
        camera.clock.advance(1)
        camera.look(Connection.CONNECTED, packet_age_s=float(i % 5))
    said = [event.new for event in camera.said]
    assert said[0] is HealthState.RUNNING
    assert len(said) <= 3, "at the most the first gap is a surprise"
    assert camera.monitor.health.state is HealthState.RUNNING


def test_time_stamps_that_jump_again_and_again_are_told(running: Camera) -> None:
    running.count(timestamp_breaks=1)
    assert running.run(30) == []
    running.count(timestamp_breaks=4)
    assert running.run(10) == [HealthState.DEGRADED]
    assert running.monitor.health.reason == "time stamps jumped 5 times in a minute"
    assert running.run(90) == [HealthState.RUNNING]


def test_endless_different_troubles_stay_bounded(running: Camera) -> None:
    for i in range(200):
        running.run(1, troubles=tuple(f"trouble {i}-{n}" for n in range(50)))
    assert len(running.monitor._conditions) <= 64


def test_it_may_be_asked_as_often_as_one_likes(running: Camera) -> None:
    for _ in range(5000):
        running.clock.advance(0.001)
        running.look(Connection.CONNECTED)
    assert running.monitor.health.state is HealthState.RUNNING
    assert len(running.monitor._recent) <= 130


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Connection),
            st.integers(0, 30),
            st.integers(0, 30),
            st.sampled_from([None, GOOD, FROZEN, BLACK]),
            st.none() | st.floats(-1e10, 1e10),
            st.floats(0, 100),
            st.floats(0, 30),
        ),
        max_size=80,
    )
)
def test_whatever_happens_each_event_follows_on_the_one_before(
    steps: list[tuple[Connection, int, int, PictureVerdict | None, float | None, float, float]],
) -> None:
    camera = Camera()
    for connection, packets, broken, picture, clock_error_s, age_s, passed_s in steps:
        camera.clock.advance(passed_s)
        camera.count(packets=packets, broken=broken, reconnects=int(connection is Connection.LOST))
        camera.look(connection, picture=picture, clock_error_s=clock_error_s, packet_age_s=age_s, error="gone")
    olds = [HealthState.CONNECTING, *(event.new for event in camera.said)]
    assert [event.old for event in camera.said] == olds[:-1]
    assert all(event.reason for event in camera.said if event.new in (HealthState.DEGRADED, HealthState.FROZEN))
    assert camera.monitor.health.state is olds[-1]
