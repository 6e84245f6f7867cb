"""What a user draws: accepted as it is meant, refused with the shape's name and the value."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nvr.config.file import load_config, parse_config
from nvr.config.polygon import Point, check_polygon, segments_touch, signed_area
from nvr.config.site import SiteCamera
from nvr.config.zones import LineConfig, ObjectFilterConfig, ZoneConfig
from nvr.core.errors import ConfigurationError

SQUARE = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5], [0.1, 0.5]]
BOW_TIE = [[0, 0], [1, 1], [1, 0], [0, 1]]


def camera(**settings: object) -> SiteCamera:
    content = {"cameras": [{"uri": "rtsp://h/1", **settings}]}
    return parse_config(content, "nvr.yaml").cameras[0]


def zone(polygon: object, **settings: object) -> dict[str, object]:
    return {"name": "yard", "polygon": polygon, **settings}


def test_everything_that_can_be_drawn_is_read() -> None:
    drawn = camera(
        zones=[zone(SQUARE, classes=["person"])],
        lines=[{"name": "gate", "start": [0, 0.5], "end": [1, 0.5]}],
        motion_masks=[zone(SQUARE)],
        object_masks=[zone(SQUARE, classes=["cat"])],
        filters=[{"classes": ["car"], "min_area": 0.01, "max_ratio": 4}],
    )
    assert drawn.zones[0].polygon == ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))
    assert (drawn.zones[0].classes, drawn.lines[0].end, drawn.filters[0].max_ratio) == (("person",), (1.0, 0.5), 4)
    assert SiteCamera.model_validate(drawn.model_dump()) == drawn


def test_a_first_point_that_is_repeated_at_the_end_closes_the_polygon() -> None:
    assert camera(zones=[zone([*SQUARE, SQUARE[0]])]).zones[0].polygon == camera(zones=[zone(SQUARE)]).zones[0].polygon


def test_an_l_shape_and_three_points_on_one_edge_are_polygons() -> None:
    camera(zones=[zone([[0, 0], [0.2, 0], [0.4, 0], [0.4, 0.2], [0.2, 0.2], [0.2, 0.4], [0, 0.4]])])


@pytest.mark.parametrize(
    ("polygon", "problem"),
    [
        (BOW_TIE, r"the edges \(0, 0\)-\(1, 1\) and \(1, 0\)-\(0, 1\) cross or touch"),
        ([[0, 0], [1, 0], [1, 1], [0.5, 0], [0, 1]], "cross or touch"),
        ([[0, 0], [1, 1]], "at least 3 points, got 2"),
        ([], "at least 3 points, got 0"),
        ([[0, 0], [0.5, 0.5], [1, 1]], "turns back on itself"),
        ([[0, 0], [1, 0], [0.5, 0], [0.5, 1]], r"turns back on itself at \(1, 0\)"),
        ([[0, 0], [1, 0], [1, 1], [1, 0], [0, 1]], r"the point \(1, 0\) is given twice"),
        ([[0.5, 0.5], [0.5001, 0.5], [0.5, 0.5001]], "needs an inside"),
        ([[0, 0], [math.nan, 1], [0, 1]], r"polygon\.1\.0: .*got nan"),
        ([[0, 0], [math.inf, 1], [0, 1]], r"polygon\.1\.0: .*got inf"),
        ([[0, 0], [640, 1], [0, 1]], r"polygon\.1\.0: .*less than or equal to 1, got 640"),
        ([[0, 0], [-0.1, 1], [0, 1]], r"polygon\.1\.0: .*greater than or equal to 0, got -0\.1"),
        ([[0, 0], [1, 0, 1], [0, 1]], r"polygon\.1: .*got \[1, 0, 1\]"),
        ([[0, 0], ["x", 0], [0, 1]], r"polygon\.1\.0: .*got 'x'"),
        ([0, 1, 2], r"polygon\.0: .*got 0"),
        ("0,0 1,0 1,1", r"polygon: .*got '0,0 1,0 1,1'"),
        ([[0.5, i * 1e-6] for i in range(100_000)], "polygon: .*at most 128 .*100000"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize(
    ("setting", "what"), [("zones", "zone"), ("motion_masks", "motion mask"), ("object_masks", "object mask")]
)
def test_what_is_no_polygon_is_refused_with_its_name_and_the_value(
    setting: str, what: str, polygon: object, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^cameras\.0\.{setting}\.0: {what} 'yard': .*\(nvr\.yaml\)$") as e:
        camera(**{setting: [zone(polygon)]})
    assert e.match(problem)
    assert len(str(e.value)) < 400


@pytest.mark.parametrize("name", ["a/b", "", "a b", "+", "#", "-a", "x" * 64, "ä", "a\n"])
def test_a_name_that_is_no_level_of_a_topic_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"zones\.0: zone .* is not a valid name"):
        camera(zones=[zone(SQUARE) | {"name": name}])
    with pytest.raises(ConfigurationError, match=r"lines\.0: line .* is not a valid name"):
        camera(lines=[{"name": name, "start": [0, 0], "end": [1, 1]}])


@pytest.mark.parametrize("setting", ["zones", "motion_masks", "object_masks"])
def test_a_name_that_stands_twice_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"cameras\.0: {setting}: the name 'yard' is given twice"):
        camera(**{setting: [zone(SQUARE), zone(SQUARE)]})


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"start": [0.5, 0.5], "end": [0.5, 0.5]}, r"line 'gate': start \[0\.5, 0\.5\] and end"),
        ({"start": [0.5, 0.5], "end": [0.5, 0.5005]}, "only 0.0005 apart"),
        ({"start": [0.5, 0.5]}, "line 'gate': end: Field required"),
        ({"start": [0.5, math.nan], "end": [1, 1]}, r"line 'gate': start\.1: .*got nan"),
        ({"start": [0.5, 0.5], "end": [1, 1], "direction": "up"}, "direction: there is no such setting"),
    ],
)
def test_what_is_no_line_is_refused(line: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"lines\.0.*{problem}"):
        camera(lines=[{"name": "gate", **line}])


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"min_area": 0.5, "max_area": 0.1}, "filter of person: min_area 0.5 is above max_area 0.1"),
        ({"min_ratio": 2, "max_ratio": 1}, "filter of person: min_ratio 2 is above max_ratio 1"),
        ({"min_confidence": 1.5}, r"filters\.0\.min_confidence: .*got 1\.5"),
        ({"max_area": math.nan}, r"filters\.0\.max_area: .*got nan"),
        ({"min_ratio": 0}, r"filters\.0\.min_ratio: .*got 0"),
        ({"size": 3}, r"filters\.0\.size: there is no such setting"),
    ],
)
def test_what_is_no_filter_is_refused(rule: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        camera(filters=[{"classes": ["person"], **rule}])


@pytest.mark.parametrize(
    "zones", [3, {"yard": SQUARE}, [3], [{"polygon": SQUARE}], [{"name": ["x"], "polygon": SQUARE}]]
)
def test_nonsense_in_place_of_zones_is_one_line(zones: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^cameras\.0\.zones") as e:
        camera(zones=zones)
    assert "\n" not in str(e.value)


def test_too_many_zones_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"cameras\.0\.zones: .*at most 64 .*65"):
        camera(zones=[zone(SQUARE) | {"name": f"z{i}"} for i in range(65)])


def test_a_file_whose_zones_unfold_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    lines = ["a0: &a0 [[0,0],[0,0],[0,0],[0,0],[0,0]]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    path.write_text("\n".join([*lines, "cameras: [{uri: x, zones: [{name: y, polygon: *a11}]}]"]))
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    assert len(str(caught.value)) < 1000


def test_a_python_caller_is_told_the_same() -> None:
    with pytest.raises(ValidationError, match="zone 'yard': polygon: the edges"):
        ZoneConfig.model_validate(zone(BOW_TIE))
    assert LineConfig(name="gate", start=(0, 0), end=(1, 0)).classes == ()
    assert ObjectFilterConfig().max_area == 1


coordinates = st.integers(0, 16).map(lambda sixteenths: sixteenths / 16)
points = st.tuples(coordinates, coordinates)


def crosses_or_touches(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    """Say by solving for the place of the crossing in whole sixteenths, where nothing is rounded."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = ((round(x * 16), round(y * 16)) for x, y in (*first, *second))
    rx, ry, sx, sy = bx - ax, by - ay, dx - cx, dy - cy
    cross = rx * sy - ry * sx
    if cross:
        t, u = (cx - ax) * sy - (cy - ay) * sx, (cx - ax) * ry - (cy - ay) * rx
        return all(0 <= each * (1 if cross > 0 else -1) <= abs(cross) for each in (t, u))
    if (cx - ax) * ry - (cy - ay) * rx:
        return False
    return max(min(ax, bx), min(cx, dx)) <= min(max(ax, bx), max(cx, dx)) and max(min(ay, by), min(cy, dy)) <= min(
        max(ay, by), max(cy, dy)
    )


@given(points, points, points, points)
def test_segments_touch_where_they_have_a_common_point(a: Point, b: Point, c: Point, d: Point) -> None:
    if a != b and c != d:
        assert segments_touch((a, b), (c, d)) == crosses_or_touches((a, b), (c, d))


@given(st.lists(st.floats(0.1, 0.5), min_size=3, max_size=40), st.booleans())
def test_a_star_shaped_outline_is_a_polygon_in_either_direction(radii: list[float], is_reversed: bool) -> None:
    n = len(radii)
    outline = [
        (0.5 + r * math.cos(2 * math.pi * i / n), 0.5 + r * math.sin(2 * math.pi * i / n)) for i, r in enumerate(radii)
    ]
    check_polygon(outline[::-1] if is_reversed else outline)
    assert signed_area(outline) > 0 > signed_area(outline[::-1])


@given(st.lists(st.floats(0.1, 0.5), min_size=4, max_size=20), st.data())
def test_two_corners_in_the_wrong_order_are_no_polygon(radii: list[float], data: st.DataObject) -> None:
    n = len(radii)
    outline = [(0.5 + 0.4 * math.cos(2 * math.pi * i / n), 0.5 + 0.4 * math.sin(2 * math.pi * i / n)) for i in range(n)]
    i = data.draw(st.integers(0, n - 2))
    outline[i], outline[i + 1] = outline[i + 1], outline[i]
    with pytest.raises(ValueError, match="cross or touch"):
        check_polygon(outline)
