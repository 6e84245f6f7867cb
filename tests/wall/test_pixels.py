import numpy as np

from nvr.media.pixels import Picture
from nvr.wall.layout import Rect
from nvr.wall.pixels import blend, dimmed


def test_blending_touches_the_rectangle_only_and_by_its_opacity() -> None:
    picture: Picture = np.full((20, 20, 3), 100, np.uint8)
    blend(picture, Rect(-5, 15, 10, 50), (200, 200, 200), 0.5)
    assert np.unique(picture[15:, :5]).tolist() == [150]
    assert np.unique(picture[:15]).tolist() == np.unique(picture[:, 5:]).tolist() == [100]


def test_a_dimmed_picture_is_darker_and_the_original_stays() -> None:
    picture: Picture = np.full((4, 4, 3), 200, np.uint8)
    assert dimmed(picture).max() < 100
    assert picture.min() == 200
