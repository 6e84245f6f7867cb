import av
import numpy as np
import pytest

from nvr.media.frame import Frame
from tests.media.frames import EPOCH, make_frame


def test_converts_to_bgr_of_its_size() -> None:
    image = make_frame(size=(65, 49), grey=200).to_bgr()
    assert image.shape == (49, 65, 3)
    assert image.dtype == np.uint8
    assert abs(int(image.mean()) - 200) <= 2


def test_planes_are_read_only_views_without_the_padding_of_the_decoder() -> None:
    planes = make_frame(size=(65, 49)).planes()
    assert planes is not None
    assert [plane.shape for plane in planes] == [(49, 65), (25, 33), (25, 33)]
    with pytest.raises(ValueError, match="read-only"):
        planes[0][0, 0] = 1


def test_says_so_where_there_are_no_such_planes() -> None:
    picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
    frame = Frame(0, 0, EPOCH, "file", 0.0, None, None, picture)
    assert frame.planes() is None
    assert frame.to_bgr().shape == (48, 64, 3)
