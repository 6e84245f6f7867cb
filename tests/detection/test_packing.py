import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import InvalidInputError
from nvr.detection.packing import pack

BIN = (416, 416)
SIZES = st.lists(st.tuples(st.integers(1, 416), st.integers(1, 416)), max_size=40)


@given(sizes=SIZES, gutter_px=st.integers(0, 16))
def test_all_lie_inside_a_bin_with_gutters_between_them(sizes: list[tuple[int, int]], gutter_px: int) -> None:
    placements = pack(sizes, BIN, gutter_px)
    assert len(placements) == len(sizes)
    placed = list(zip(sizes, placements, strict=True))
    for i, ((width, height), at) in enumerate(placed):
        assert 0 <= at.left_px <= BIN[0] - width
        assert 0 <= at.top_px <= BIN[1] - height
        for (other_width, other_height), other in placed[:i]:
            assert (
                at.bin != other.bin
                or at.left_px >= other.left_px + other_width + gutter_px
                or other.left_px >= at.left_px + width + gutter_px
                or at.top_px >= other.top_px + other_height + gutter_px
                or other.top_px >= at.top_px + height + gutter_px
            )


@given(sizes=SIZES)
def test_no_bin_is_left_out_and_the_same_comes_out_again(sizes: list[tuple[int, int]]) -> None:
    placements = pack(sizes, BIN, 8)
    bins = {placement.bin for placement in placements}
    assert bins == set(range(len(bins)))
    assert pack(sizes, BIN, 8) == placements


def test_what_fills_the_bin_exactly_needs_no_gutter_at_its_edge() -> None:
    assert {place.bin for place in pack([(204, 204)] * 4, BIN, 8)} == {0}
    assert pack([BIN], BIN, 8)[0].bin == 0


def test_small_ones_fill_the_steps_of_large_ones() -> None:
    placements = pack([(300, 200), (100, 100), (100, 92)], BIN, 8)
    assert {place.bin for place in placements} == {0}
    assert placements[2].top_px < 200


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (417, 5), (5, 417)])
def test_refuses_what_can_never_fit(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInputError, match="expected sizes up to"):
        pack([size], BIN)
