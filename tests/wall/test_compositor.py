import logging
from collections.abc import Callable

import numpy as np
import pytest

from nvr.core.clock import ManualClock
from nvr.media import StreamState
from nvr.media.pixels import Picture
from nvr.wall.camera_view import Camera
from nvr.wall.compositor import GAP_PX, Compositor
from nvr.wall.detection_cache import DetectionCache
from nvr.wall.layout import GridLayout, Rect
from nvr.wall.palette import AMBER, GREEN, RED, Colour, colour_of_object
from tests.wall.fakes import Array, FakeCamera, PlainFrame, event_of


class Wall:
    """Some fake cameras with a compositor."""

    def __init__(self, n: int, tile_width: int = 320, tile_height: int = 180) -> None:
        self.clock = ManualClock()
        self.cache = DetectionCache(1.0, clock=self.clock)
        self.sources = [FakeCamera(i, self.clock) for i in range(n)]
        cameras = [Camera(source, self.cache, stale_after_s=3.0, clock=self.clock) for source in self.sources]
        self.layout = GridLayout(n, tile_width, tile_height, GAP_PX)
        self.compositor = Compositor(cameras, self.layout)

    def tile(self, index: int) -> Picture:
        rect = self.layout.tile(index)
        return self.compositor.compose().picture[rect.y : rect.bottom, rect.x : rect.right]

    def part(self, index: int, part: Rect) -> Picture:
        return self.tile(index)[part.y : part.bottom, part.x : part.right]


MIDDLE = Rect(40, 70, 240, 50)
"""Where a tile of 320 x 180 has its words."""


DOT = Rect(0, 0, 24, 24)
"""Where a tile of 320 x 180 has the dot of its state."""


def n_pixels_like(picture: Picture, colour: Colour) -> int:
    return int(np.count_nonzero(np.abs(picture.astype(int) - colour).max(axis=2) < 40))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
def test_every_camera_has_its_own_tile(n: int) -> None:
    wall = Wall(n)
    for i, source in enumerate(wall.sources):
        source.show(luma=40 + 15 * i)
    picture = wall.compositor.compose().picture
    assert picture.shape == (wall.layout.height_px, wall.layout.width_px, 3)
    greys = [int(wall.tile(i)[100, 160, 0]) for i in range(n)]
    assert greys == sorted(set(greys))


def test_a_picture_that_did_not_change_is_the_same_object() -> None:
    wall = Wall(2)
    wall.sources[0].show()
    first = wall.compositor.compose()
    assert wall.compositor.compose() is first
    wall.sources[0].show(luma=50)
    second = wall.compositor.compose()
    assert second.version == first.version + 1
    assert not np.array_equal(second.picture, first.picture)


def test_a_published_picture_cannot_be_changed() -> None:
    picture = Wall(1).compositor.compose().picture
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 0


def test_only_the_tile_that_changed_is_drawn_anew() -> None:
    wall = Wall(2)
    for source in wall.sources:
        source.show()
    before = [wall.tile(i).copy() for i in range(2)]
    wall.sources[1].show(luma=200)
    assert np.array_equal(wall.tile(0), before[0])
    assert not np.array_equal(wall.tile(1), before[1])


def test_an_event_is_drawn_on_the_picture_that_is_there_and_leaves_with_its_ttl() -> None:
    wall = Wall(1)
    wall.sources[0].show()
    plain = wall.tile(0).copy()
    event = event_of(0, (40, 60, 120, 160))
    wall.cache.put(event)
    composition = wall.compositor.compose()
    assert dict(composition.events) == {0: event}
    assert n_pixels_like(wall.tile(0), colour_of_object("person", None)) > 100
    wall.clock.advance(1.5)
    assert dict(wall.compositor.compose().events) == {}
    assert np.array_equal(wall.tile(0), plain)


def _never_connected(wall: Wall) -> None:
    wall.clock.advance(2)


def _refused(wall: Wall) -> None:
    wall.sources[0].state, wall.sources[0].last_error = StreamState.OFFLINE, "refused the user name and password"


def _frozen(wall: Wall) -> None:
    wall.sources[0].show(luma=150)
    wall.sources[0].state = StreamState.STALLED
    wall.clock.advance(8)


def _lost(wall: Wall) -> None:
    _frozen(wall)
    wall.sources[0].state, wall.sources[0].last_error = StreamState.OFFLINE, "closed the connection"


@pytest.mark.parametrize(
    ("happens", "colour"), [(_never_connected, AMBER), (_refused, RED), (_frozen, AMBER), (_lost, RED)]
)
def test_a_camera_without_a_live_picture_says_so_in_the_middle_of_its_tile(
    happens: Callable[[Wall], None], colour: Colour
) -> None:
    wall = Wall(2)
    wall.sources[1].show(luma=150)
    live = wall.part(1, MIDDLE)
    happens(wall)
    assert n_pixels_like(live, colour) == 0
    assert n_pixels_like(wall.part(0, MIDDLE), colour) > 60


def test_the_last_picture_of_a_lost_camera_stays_dimmed_behind_the_words() -> None:
    wall = Wall(1)
    wall.sources[0].show(luma=150)
    bright = wall.tile(0)[160, 300].astype(int)
    wall.sources[0].state = StreamState.OFFLINE
    wall.clock.advance(8)
    dim = wall.tile(0)[160, 300].astype(int)
    assert np.all(dim < bright * 0.6)
    assert np.all(dim > 20)


def test_the_seconds_of_the_banner_go_on_and_the_live_picture_returns() -> None:
    wall = Wall(1)
    wall.sources[0].show(luma=150)
    live = wall.tile(0).copy()
    wall.clock.advance(8)
    eight = wall.tile(0).copy()
    wall.clock.advance(1)
    assert not np.array_equal(wall.tile(0), eight)
    wall.sources[0].show(luma=150)
    wall.cache.put(event_of(0))
    assert np.array_equal(wall.tile(0)[60:], live[60:])


def test_the_reason_of_a_failure_takes_more_room_the_longer_it_is() -> None:
    wall = Wall(1)
    wall.sources[0].state, wall.sources[0].last_error = StreamState.OFFLINE, "no"
    short = np.count_nonzero(wall.tile(0)[60:].max(axis=2) > 120)
    wall.sources[0].last_error = "refuses the connection: is the camera on and the port right? " * 3
    assert np.count_nonzero(wall.tile(0)[60:].max(axis=2) > 120) > 3 * short


def test_a_silent_processor_is_mentioned_at_the_bottom() -> None:
    wall = Wall(1)
    wall.sources[0].show(luma=60)
    before = wall.part(0, Rect(0, 160, 320, 20)).copy()
    wall.clock.advance(6)
    wall.sources[0].show(luma=60)
    after = wall.part(0, Rect(0, 160, 320, 20))
    assert np.count_nonzero(after.max(axis=2) > 120) > 50 > np.count_nonzero(before.max(axis=2) > 120)


def test_a_camera_may_change_its_picture_size_while_it_runs() -> None:
    wall = Wall(1)
    wall.sources[0].show(luma=150, width=320, height=180)
    assert wall.tile(0)[100, 5, 0] > 100
    wall.sources[0].show(luma=150, width=180, height=180)
    assert wall.tile(0)[100, 5, 0] < 30
    wall.sources[0].show(luma=150, width=2688, height=1520, is_planar=False)
    assert wall.tile(0)[100, 160, 0] > 100


def test_a_frame_that_cannot_be_converted_is_told_on_the_tile_and_the_next_is_shown() -> None:
    class Broken(PlainFrame):
        def planes(self) -> tuple[Array, Array, Array] | None:
            empty = np.empty((0, 0), np.uint8)
            return empty, empty, empty

    wall = Wall(2)
    wall.sources[0].show()
    wall.sources[1].show()
    wall.sources[0].frame = Broken(7, wall.clock.monotonic())
    assert n_pixels_like(wall.part(0, MIDDLE), RED) > 60
    assert n_pixels_like(wall.part(0, DOT), RED) > 3
    assert n_pixels_like(wall.part(0, DOT), GREEN) == 0
    assert n_pixels_like(wall.part(1, MIDDLE), RED) == 0
    wall.sources[0].show(luma=150)
    assert n_pixels_like(wall.part(0, MIDDLE), RED) == 0
    assert n_pixels_like(wall.part(0, DOT), GREEN) > 3


def _absurd_event(wall: Wall) -> None:
    wall.sources[0].show(luma=90)
    event = event_of(0, (40, 60, 120, 160), extra={"frame_width": 640, "frame_height": 360})
    wall.cache.put(event.model_copy(update={"frame_width": 10**400}))


def _exploding_frame(wall: Wall) -> None:
    class Exploding(PlainFrame):
        def planes(self) -> tuple[Array, Array, Array] | None:
            raise ZeroDivisionError("no planes")

    wall.sources[0].show()
    wall.sources[0].frame = Exploding(77, wall.clock.monotonic())


@pytest.mark.parametrize("breaks", [_absurd_event, _exploding_frame])
def test_a_tile_that_cannot_be_drawn_says_so_and_the_others_stay_live(
    breaks: Callable[[Wall], None], caplog: pytest.LogCaptureFixture
) -> None:
    wall = Wall(2)
    wall.sources[0].show()
    wall.sources[1].show(luma=60)
    wall.compositor.compose()
    breaks(wall)
    assert n_pixels_like(wall.part(0, MIDDLE), RED) > 60
    assert n_pixels_like(wall.part(0, DOT), RED) > 3
    assert wall.compositor.compose().events == {}
    for luma in (100, 200):
        wall.sources[1].show(luma=luma)
        assert abs(int(wall.tile(1)[100, 160, 0]) - luma) < 25
    shown = wall.compositor.compose()
    assert wall.compositor.compose() is shown
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert failures[0].exc_info is not None
    assert "the tile of Camera 0 could not be drawn" in failures[0].getMessage()
    wall.clock.advance(1.5)
    wall.sources[0].show(luma=150)
    assert n_pixels_like(wall.part(0, DOT), GREEN) > 3
    assert n_pixels_like(wall.part(0, MIDDLE), RED) == 0


def test_a_camera_that_cannot_be_looked_at_returns_as_it_was_when_it_can() -> None:
    class Moody(FakeCamera):
        is_broken = False

        def latest(self) -> PlainFrame | None:
            if self.is_broken:
                raise ZeroDivisionError
            return super().latest()

    clock = ManualClock()
    source = Moody(0, clock)
    source.show(luma=150)
    camera = Camera(source, DetectionCache(1.0, clock=clock), stale_after_s=3.0, clock=clock)
    compositor = Compositor([camera], GridLayout(1, 320, 180))
    before = compositor.compose()
    source.is_broken = True
    broken = compositor.compose()
    assert n_pixels_like(broken.picture, RED) > 60
    assert compositor.compose() is broken
    source.is_broken = False
    assert np.array_equal(compositor.compose().picture, before.picture)


def test_as_many_cameras_as_tiles_are_asked_for() -> None:
    with pytest.raises(ValueError, match="got 0 and 2"):
        Compositor([], GridLayout(2, 100, 100))
