import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvr.events import BoundingBox, Detection
from nvr.media.pixels import Picture
from nvr.wall.layout import Rect, letterbox_rect
from nvr.wall.palette import GREEN, colour_of_object
from nvr.wall.renderer import MAX_BOXES, DetectionRenderer, label_of
from tests.wall.fakes import event_of

GREY = 90


def tile_picture(width: int, height: int) -> Picture:
    return np.full((height, width, 3), GREY, np.uint8)


def drawn_bounds(picture: Picture, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(np.all(picture == colour, axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize(
    ("tile_width", "tile_height", "frame_width", "frame_height"),
    [
        (480, 270, 1920, 1080),  # the usual
        (480, 270, 768, 576),  # bars at the sides
        (200, 300, 1920, 1080),  # bars above and below
        (333, 187, 1281, 721),  # odd everything
        (960, 540, 320, 180),  # larger than the source
        (64, 64, 704, 576),
    ],
)
def test_a_box_is_drawn_where_the_object_is(
    tile_width: int, tile_height: int, frame_width: int, frame_height: int
) -> None:
    picture = tile_picture(tile_width, tile_height)
    area = letterbox_rect(frame_width, frame_height, Rect(0, 0, tile_width, tile_height))
    edges = (frame_width * 0.25, frame_height * 0.5, frame_width * 0.75, frame_height)
    event = event_of(0, edges, tracker_id=1)
    renderer = DetectionRenderer(tile_height_px=tile_height)
    assert renderer.draw_detections(picture, event, area, frame_width, frame_height) == 1
    left, _, right, bottom = drawn_bounds(picture, colour_of_object("person", 1))
    middle = picture[round(area.y + area.height * 0.75)]
    line = np.nonzero(np.all(middle == colour_of_object("person", 1), axis=1))[0]
    assert abs(line.min() - (area.x + area.width * 0.25)) <= 1
    assert abs(line.max() + 1 - (area.x + area.width * 0.75)) <= 1
    assert bottom == area.bottom
    assert left >= area.x
    assert right <= area.right


def test_a_box_of_a_sub_stream_is_scaled_by_the_size_that_its_event_says() -> None:
    area = Rect(0, 0, 480, 270)
    renderer = DetectionRenderer()
    of_main, of_sub = tile_picture(480, 270), tile_picture(480, 270)
    renderer.draw_detections(of_main, event_of(0, (480, 540, 960, 1000)), area, 1920, 1080)
    sub = event_of(0, (160, 180, 320, 1000 / 3), extra={"frame_width": 640, "frame_height": 360})
    renderer.draw_detections(of_sub, sub, area, 1920, 1080)
    assert np.array_equal(of_main, of_sub)


def test_nothing_is_drawn_on_the_bars_beside_the_picture() -> None:
    picture = tile_picture(480, 270)
    area = letterbox_rect(576, 576, Rect(0, 0, 480, 270))
    event = event_of(0, (-900, -900, 2000, 2000), (570, 100, 576, 200), class_name="a very long name of a class")
    DetectionRenderer().draw_detections(picture, event, area, 576, 576)
    assert np.all(picture[:, : area.x] == GREY)
    assert np.all(picture[:, area.right :] == GREY)
    assert np.any(picture[:, area.x : area.right] != GREY)


@pytest.mark.parametrize(
    "box", [(-50.0, -50.0, -10.0, -10.0), (2000.0, 10.0, 2100.0, 50.0), (0.0, 1081.0, 9.0, 2000.0)]
)
def test_a_box_outside_the_frame_is_not_drawn(box: tuple[float, float, float, float]) -> None:
    picture = tile_picture(480, 270)
    assert DetectionRenderer().draw_detections(picture, event_of(0, box), Rect(0, 0, 480, 270), 1920, 1080) == 0
    assert np.all(picture == GREY)


def test_a_box_without_size_leaves_a_visible_mark() -> None:
    picture = tile_picture(480, 270)
    event = event_of(0, (960, 540, 960, 540))
    assert DetectionRenderer().draw_detections(picture, event, Rect(0, 0, 480, 270), 1920, 1080) == 1
    mark = picture[133:138, 237:243]
    assert np.any(np.all(mark == colour_of_object("person", None), axis=2))


def test_of_thousands_of_boxes_the_surest_are_drawn() -> None:
    weak = [event_of(0, (x, 10, x + 2, 20), confidence=0.2) for x in range(3000)]
    sure = event_of(0, (1500, 500, 1900, 1000), class_name="sure", confidence=0.99)
    crowded = sure.model_copy(
        update={"detections": tuple(found for event in weak for found in event.detections) + sure.detections}
    )
    picture = tile_picture(480, 270)
    assert DetectionRenderer().draw_detections(picture, crowded, Rect(0, 0, 480, 270), 3000, 1080) == MAX_BOXES
    assert np.any(np.all(picture == colour_of_object("sure", None), axis=2))


def test_weaker_detections_than_asked_for_are_left_out() -> None:
    picture = tile_picture(480, 270)
    area = Rect(0, 0, 480, 270)
    renderer = DetectionRenderer(min_confidence=0.5)
    assert renderer.draw_detections(picture, event_of(0, (1, 1, 9, 9), confidence=0.49), area, 9, 9) == 0
    assert renderer.draw_detections(picture, event_of(0, (1, 1, 9, 9), confidence=0.5), area, 9, 9) == 1


def test_the_label_of_a_box_at_the_top_stands_inside_the_picture() -> None:
    picture = tile_picture(480, 270)
    DetectionRenderer().draw_detections(picture, event_of(0, (100, 0, 300, 200)), Rect(0, 0, 480, 270), 480, 270)
    colour = colour_of_object("person", None)
    filled_columns = np.count_nonzero(np.all(picture[4] == colour, axis=1))
    assert filled_columns > 40


@pytest.mark.parametrize("top", [0, 5, 20, 30])
def test_the_label_of_a_box_under_the_header_stands_below_it(top: int) -> None:
    renderer, area = DetectionRenderer(), Rect(0, 0, 480, 270)
    picture = tile_picture(480, 270)
    event = event_of(0, (10, top, 300, 200))
    renderer.draw_detections(picture, event, area, 480, 270, header_bottom=renderer.header_height_px)
    before = picture.copy()
    renderer.draw_header(picture, area, "Camera 1", "25 fps", GREEN)
    filled = np.count_nonzero(np.all(before == colour_of_object("person", None), axis=2), axis=1)
    # only the line along the top edge of the box may be under the header
    under_header = filled[: renderer.header_height_px]
    assert np.count_nonzero(under_header > 40) <= 3
    assert np.count_nonzero(filled[renderer.header_height_px :] > 40) > 10


def test_where_the_picture_begins_below_the_header_a_label_stands_above_its_box() -> None:
    renderer, area = DetectionRenderer(), Rect(0, 60, 480, 150)
    with_header, without = tile_picture(480, 270), tile_picture(480, 270)
    event = event_of(0, (100, 40, 200, 100))
    renderer.draw_detections(with_header, event, area, 480, 150, header_bottom=renderer.header_height_px)
    renderer.draw_detections(without, event, area, 480, 150)
    assert np.array_equal(with_header, without)


def test_a_label_that_would_cover_that_of_a_surer_box_moves_inside_its_own() -> None:
    renderer, area = DetectionRenderer(), Rect(0, 0, 480, 270)
    alone, both = tile_picture(480, 270), tile_picture(480, 270)
    weak = event_of(0, (140, 100, 260, 220), class_name="car", confidence=0.5)
    sure = event_of(0, (100, 100, 200, 220), class_name="person", confidence=0.9)
    renderer.draw_detections(alone, weak, area, 480, 270)
    pair = sure.model_copy(update={"detections": weak.detections + sure.detections})
    renderer.draw_detections(both, pair, area, 480, 270)
    car = colour_of_object("car", None)
    assert np.any(np.all(alone[90] == car, axis=1))
    assert not np.any(np.all(both[:100] == car, axis=2))
    assert np.count_nonzero(np.all(both[104] == car, axis=1)) > 20


@pytest.mark.parametrize("name", ["", "\x00\n\t", "x" * 5000, "человек", "人物", "\ud800 half a surrogate", "{}%s<b>"])
def test_any_class_name_can_be_drawn(name: str) -> None:
    picture = tile_picture(480, 270)
    event = event_of(0, (100, 100, 300, 200))
    named = event.model_copy(update={"detections": (event.detections[0].model_copy(update={"class_name": name}),)})
    DetectionRenderer().draw_detections(picture, named, Rect(0, 0, 480, 270), 480, 270)
    assert np.any(picture != GREY)


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 200), st.integers(4, 200), st.lists(st.tuples(*[st.floats(-300, 300)] * 4), max_size=5))
def test_no_size_of_tile_and_no_box_breaks_it(
    width: int, height: int, corners: list[tuple[float, float, float, float]]
) -> None:
    picture = tile_picture(width, height)
    area = letterbox_rect(160, 90, Rect(0, 0, width, height))
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    renderer = DetectionRenderer(tile_height_px=height)
    n_drawn = renderer.draw_detections(picture, event_of(0, *boxes), area, 160, 90)
    renderer.draw_header(picture, Rect(0, 0, width, height), "Camera 1", "25 fps", GREEN)
    assert 0 <= n_drawn <= len(boxes)


def test_the_header_shows_the_name_left_and_the_facts_right() -> None:
    picture, tile = tile_picture(480, 270), Rect(0, 0, 480, 270)
    DetectionRenderer().draw_header(picture, tile, "Camera 1", "25 fps", GREEN)
    bright = np.all(picture > 180, axis=2)
    assert np.any(bright[:40, :120])
    assert np.any(bright[:40, 400:])
    assert not np.any(bright[:40, 150:380])
    assert not np.any(bright[60:])
    assert np.any(np.all(picture[:40, :30] == GREEN, axis=2))


def test_facts_give_way_where_a_tile_is_too_narrow_for_both() -> None:
    picture = tile_picture(110, 270)
    DetectionRenderer().draw_header(picture, Rect(0, 0, 110, 270), "Camera 1", "25 fps  5.0 det/s", GREEN)
    name_only = tile_picture(110, 270)
    DetectionRenderer().draw_header(name_only, Rect(0, 0, 110, 270), "Camera 1", "", GREEN)
    assert np.array_equal(picture, name_only)


@pytest.mark.parametrize(("track_id", "label"), [(7, "person 0.90 #7"), (1795522758240012, "person 0.90 #0012")])
def test_a_long_number_of_a_track_is_told_by_its_end(track_id: int, label: str) -> None:
    box = BoundingBox(x=5, y=5, width=2, height=2)
    assert label_of(Detection(class_name="person", confidence=0.9, bbox=box, tracker_id=track_id)) == label
