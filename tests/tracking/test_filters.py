import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.config.zones import ObjectFilterConfig, ObjectMaskConfig
from nvr.core.errors import InvalidInputError
from nvr.tracking.filters import ObjectRules, passes

NAMES = ("person", "car")
SIZE_PX = (1000, 500)
CORNER = ObjectMaskConfig(name="corner", polygon=((0, 0.5), (0.5, 0.5), (0.5, 1), (0, 1)))


def kept(
    rules: ObjectRules,
    *objects: tuple[tuple[float, float, float, float], float, int],
    size_px: tuple[int, int] = SIZE_PX,
) -> list[bool]:
    boxes, confidence, class_id = zip(*objects, strict=True) if objects else ((), (), ())
    mask = rules.keep(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(confidence, np.float32),
        np.array(class_id, np.int32),
        class_names=NAMES,
        size_px=size_px,
    )
    assert mask.dtype == np.bool_
    return [bool(each) for each in mask]


PERSON = ((100.0, 100.0, 150.0, 250.0), 0.6, 0)
"""50 x 150: 1.5 % of the picture, ratio a third, foot at (0.125, 0.5)."""


@pytest.mark.parametrize(
    ("rule", "is_kept"),
    [
        ({}, True),
        ({"min_confidence": 0.6}, True),
        ({"min_confidence": 0.61}, False),
        ({"min_area": 0.015}, True),
        ({"min_area": 0.0151}, False),
        ({"max_area": 0.015}, True),
        ({"max_area": 0.0149}, False),
        ({"min_ratio": 0.33}, True),
        ({"min_ratio": 0.34}, False),
        ({"max_ratio": 0.34}, True),
        ({"max_ratio": 0.33}, False),
        ({"classes": ("car",), "min_confidence": 1.0}, True),
        ({"classes": ("car", "person"), "min_confidence": 1.0}, False),
    ],
)
def test_a_filter_keeps_what_is_within_its_limits_and_what_it_is_not_for(
    rule: dict[str, object], is_kept: bool
) -> None:
    assert kept(ObjectRules((ObjectFilterConfig.model_validate(rule),)), PERSON) == [is_kept]


@pytest.mark.parametrize("confidence", [0.1, 0.35, 0.6, 0.7, 0.9])
def test_a_confidence_of_exactly_the_limit_passes_though_it_is_rounded(confidence: float) -> None:
    rules = ObjectRules((ObjectFilterConfig(min_confidence=confidence),))
    assert kept(rules, ((0, 0, 9, 9), confidence, 0)) == [True]


def test_what_breaks_one_of_several_filters_is_dropped() -> None:
    rules = ObjectRules(
        (ObjectFilterConfig(classes=("person",), min_area=0.01), ObjectFilterConfig(min_confidence=0.7))
    )
    assert kept(rules, PERSON, (PERSON[0], 0.7, 0), ((0, 0, 10, 10), 0.9, 0), ((0, 0, 10, 10), 0.9, 1)) == [
        False,
        True,
        False,
        True,
    ]


def test_a_mask_drops_what_stands_in_it_not_what_only_reaches_into_it() -> None:
    rules = ObjectRules(masks=(CORNER,))
    standing, reaching, outside = (10, 10, 50, 400), (10, 300, 1000, 400), (600, 300, 700, 400)
    assert kept(rules, (standing, 1, 0), (reaching, 1, 0), (outside, 1, 0)) == [False, True, True]


def test_a_mask_at_the_lower_edge_drops_what_the_edge_cuts() -> None:
    assert kept(ObjectRules(masks=(CORNER,)), ((10, 300, 50, 500), 1, 0), ((10, 300, 50, 520), 1, 0)) == [False, False]


def test_a_mask_for_a_class_drops_that_class_only() -> None:
    mask = ObjectMaskConfig(name="m", polygon=CORNER.polygon, classes=("car",))
    assert kept(ObjectRules(masks=(mask,)), ((10, 10, 50, 400), 1, 0), ((10, 10, 50, 400), 1, 1)) == [True, False]


def test_a_class_beyond_the_names_goes_by_its_number() -> None:
    rules = ObjectRules((ObjectFilterConfig(classes=("7",), min_confidence=1.0),))
    assert kept(rules, (PERSON[0], 0.5, 7), (PERSON[0], 0.5, -1)) == [False, True]


def test_nothing_seen_gives_nothing_and_no_rules_keep_everything() -> None:
    assert kept(ObjectRules((ObjectFilterConfig(min_area=0.5),), (CORNER,))) == []
    assert kept(ObjectRules(), PERSON, PERSON) == [True, True]


def test_a_box_without_height_is_as_flat_as_can_be() -> None:
    flat = ((10.0, 10.0, 60.0, 10.0), 0.9, 0)
    assert kept(ObjectRules((ObjectFilterConfig(max_ratio=1000),)), flat) == [False]
    assert kept(ObjectRules((ObjectFilterConfig(min_ratio=1000),)), flat) == [True]


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"expected \(n, 4\), \(n,\) and \(n,\), got \(2, 4\), \(1,\)"):
        ObjectRules().keep(
            np.zeros((2, 4), np.float32),
            np.zeros(1, np.float32),
            np.zeros(2, np.int32),
            class_names=NAMES,
            size_px=SIZE_PX,
        )
    with pytest.raises(InvalidInputError, match=r"got \(0, 500\)"):
        kept(ObjectRules(), PERSON, size_px=(0, 500))


boxes = st.tuples(*[st.floats(0, 400, width=32)] * 4).map(
    lambda each: (min(each[0], each[2]), min(each[1], each[3]), max(each[0], each[2]), max(each[1], each[3]))
)


@given(st.lists(st.tuples(boxes, st.floats(0, 1, width=32)), min_size=1, max_size=8), st.floats(0, 1), st.floats(0, 1))
def test_a_stricter_filter_keeps_no_more(seen: list[tuple[tuple[float, ...], float]], one: float, other: float) -> None:
    xyxy_px = np.array([box for box, _ in seen], np.float32)
    confidence = np.array([each for _, each in seen], np.float32)
    loose, strict = (
        passes(ObjectFilterConfig(min_confidence=limit, min_area=limit / 4), xyxy_px, confidence, SIZE_PX)
        for limit in sorted((one, other))
    )
    assert not (strict & ~loose).any()
