import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.media.pixels import Picture
from nvr.wall.text import TextPainter, one_line


def blank() -> Picture:
    return np.zeros((60, 200, 3), np.uint8)


@given(st.text(max_size=300))
def test_one_line_is_printable_and_bounded(text: str) -> None:
    line = one_line(text, 20)
    assert len(line) <= 20
    assert line.isprintable()


@pytest.mark.parametrize("text", ["person", "Straßenbahn", "человек", "人物", "🚗"])
def test_draws_any_script(text: str) -> None:
    picture = blank()
    TextPainter(14).line(picture, text, 10, 40, (255, 255, 255))
    assert np.count_nonzero(picture) > 20


@pytest.mark.parametrize(("x", "y"), [(-500, 20), (10, -40), (10, 500), (1000, 20)])
def test_text_outside_the_picture_changes_nothing(x: int, y: int) -> None:
    picture = blank()
    TextPainter(14).chip(picture, "person", x, y, ink=(255, 255, 255), ground=(90, 90, 90))
    assert np.count_nonzero(picture) == 0


@given(st.text(max_size=60), st.integers(0, 200))
def test_fitted_text_is_never_wider_than_its_room(text: str, room_px: int) -> None:
    painter = TextPainter(12)
    fitted = painter.fitted(one_line(text), room_px)
    assert fitted == "" or painter.width_px(fitted) <= room_px


def test_wraps_into_lines_that_hold_all_words_where_there_is_room() -> None:
    painter = TextPainter(12)
    text = "the camera refuses the connection and nobody knows why"
    lines = painter.wrapped(text, 120, 10)
    assert " ".join(lines) == text
    assert len(lines) > 2
    assert all(painter.width_px(line) <= 120 for line in lines)


def test_shortens_the_last_line_and_a_word_without_a_break() -> None:
    painter = TextPainter(12)
    lines = painter.wrapped(f"see {'x' * 200} and much more text than two lines have room for", 100, 2)
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(painter.width_px(line) <= 100 for line in lines)


def test_a_font_without_size_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one pixel, got 0"):
        TextPainter(0)
