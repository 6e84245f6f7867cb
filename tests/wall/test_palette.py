from hypothesis import given
from hypothesis import strategies as st

from nvr.wall.palette import colour_of, colour_of_object, readable_on, relative_luminance


def test_a_class_keeps_its_colour_in_every_process() -> None:
    assert colour_of("class:person") == (174, 235, 52)


def test_a_track_keeps_its_colour_whatever_its_class_is_taken_for() -> None:
    assert colour_of_object("car", 7) == colour_of_object("truck", 7)
    assert colour_of_object("car", None) == colour_of_object("car", None)


def test_neighbouring_tracks_have_many_colours() -> None:
    assert len({colour_of_object("person", track) for track in range(40)}) >= 20


@given(st.text())
def test_the_text_on_every_colour_has_the_contrast_that_wcag_asks_for(key: str) -> None:
    colour = colour_of(key)
    light, dark = sorted((relative_luminance(colour), relative_luminance(readable_on(colour))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
