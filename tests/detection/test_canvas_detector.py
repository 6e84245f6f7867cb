"""The detector here finds bright blocks in a picture: real pixels go in and boxes of them come out."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.detection.canvas_detector import CanvasDetector, Look
from nvr.detection.detections import Detections, Image
from nvr.detection.regions import Box, Region, Size, full_region, full_scale

CANVAS = (416, 416)


class BlockDetector:
    """Boxes around whatever is brighter than grey, however many pictures it is given."""

    model_id = "blocks"
    class_names = ("block",)
    canvas_size_px = CANVAS
    has_real_batches = False

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def input_size_px(self, width: int, height: int) -> tuple[int, int] | None:
        del width, height
        return None

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        del source_ids
        self.seen += [image.shape for image in images]
        return [self._blocks(image) for image in images]

    def close(self) -> None:
        pass

    @staticmethod
    def _blocks(image: Image) -> Detections:
        outlines, _ = cv2.findContours((image[:, :, 0] > 180).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        boxes = np.array([cv2.boundingRect(outline) for outline in outlines], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        n = len(boxes)
        return Detections(boxes, np.full(n, 0.9, np.float32), np.zeros(n, np.int32))


class Camera:
    """A dark picture with bright blocks."""

    def __init__(self, source_id: int, size_px: Size, blocks: Sequence[Box]) -> None:
        self.source_id = source_id
        self.size_px = size_px
        self.image: NDArray[np.uint8] = np.full((size_px[1], size_px[0], 3), 40, np.uint8)
        for left, top, right, bottom in blocks:
            self.image[top:bottom, left:right] = 230

    def crop(self, xyxy_px: Box, size_px: Size) -> Image:
        left, top, right, bottom = xyxy_px
        return cv2.resize(self.image[top:bottom, left:right], size_px).astype(np.uint8, copy=False)

    def look(self, *regions: Region) -> Look:
        return Look(self.source_id, self.size_px, regions, self.crop)


def assert_near(found: Detections, truth: Sequence[Box], tolerance_px: float) -> None:
    assert len(found) == len(truth)
    for box in truth:
        assert np.abs(found.xyxy_px - box).max(axis=1).min() <= tolerance_px, (box, found.xyxy_px)


def test_each_camera_gets_its_own_boxes_back_in_its_own_pixels() -> None:
    cameras = [Camera(i, (1280, 720), [(100 + 60 * i, 200, 180 + 60 * i, 400)]) for i in range(6)]
    detector = BlockDetector()
    canvas = CanvasDetector(detector, CANVAS)
    looks = [camera.look(Region((60 + 60 * i, 160, 220 + 60 * i, 440), 0.325)) for i, camera in enumerate(cameras)]
    for i, found in enumerate(canvas.detect(looks)):
        assert_near(found, [(100 + 60 * i, 200, 180 + 60 * i, 400)], 4)
    assert canvas.inferences == len(detector.seen) == 1


def test_a_full_frame_and_parts_of_others_share_a_canvas() -> None:
    wide, tall = Camera(1, (1280, 720), [(10, 10, 110, 210), (1100, 500, 1200, 700)]), Camera(2, (480, 640), [])
    tall.image[300:380, 200:260] = 255
    answers = CanvasDetector(BlockDetector(), CANVAS).detect(
        [wide.look(full_region(wide.size_px, CANVAS)), tall.look(Region((150, 250, 310, 430), 0.65))]
    )
    assert_near(answers[0], [(10, 10, 110, 210), (1100, 500, 1200, 700)], 4)
    assert_near(answers[1], [(200, 300, 260, 380)], 3)


def test_what_two_regions_share_is_one_object() -> None:
    camera = Camera(1, (640, 480), [(300, 200, 340, 300)])
    regions = (Region((200, 150, 400, 350), 0.65), Region((260, 160, 500, 340), 0.65))
    (found,) = CanvasDetector(BlockDetector(), CANVAS).detect([camera.look(*regions)])
    assert_near(found, [(300, 200, 340, 300)], 3)


def test_no_regions_cost_no_inference() -> None:
    detector = BlockDetector()
    camera = Camera(1, (640, 480), [])
    assert [len(found) for found in CanvasDetector(detector, CANVAS).detect([camera.look(), camera.look()])] == [0, 0]
    assert CanvasDetector(detector, CANVAS).detect([]) == []
    assert detector.seen == []


def test_what_does_not_fit_on_one_canvas_goes_on_more() -> None:
    detector = BlockDetector()
    cameras = [Camera(i, (416, 416), [(20 * i, 50, 20 * i + 30, 120)]) for i in range(5)]
    canvas = CanvasDetector(detector, CANVAS)
    for i, found in enumerate(canvas.detect([c.look(full_region(c.size_px, CANVAS)) for c in cameras])):
        assert_near(found, [(20 * i, 50, 20 * i + 30, 120)], 1)
    assert canvas.inferences == 5


def test_boxes_stay_inside_their_region() -> None:
    camera = Camera(1, (640, 480), [(100, 100, 300, 400)])
    (found,) = CanvasDetector(BlockDetector(), CANVAS).detect([camera.look(Region((80, 90, 280, 300), 1.0))])
    assert len(found) <= 1
    assert (found.xyxy_px >= [80, 90, 80, 90]).all()
    assert (found.xyxy_px <= [280, 300, 280, 300]).all()


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 3), np.uint8), np.zeros((100, 100), np.uint8)])
def test_a_crop_of_another_size_is_refused_and_names_the_camera(picture: Image) -> None:
    look = Look(7, (640, 480), [Region((0, 0, 100, 100), 1.0)], lambda _box, _size: picture)
    with pytest.raises(FrameError, match=r"camera 7: expected a picture \(100, 100, 3\) uint8"):
        CanvasDetector(BlockDetector(), CANVAS).detect([look])


@pytest.mark.parametrize(("share", "can_share"), [(1.0, False), (0.3, True)])
def test_it_tells_whether_more_looks_would_fit_beside(share: float, can_share: bool) -> None:
    camera = Camera(0, (800, 800), [(100, 100, 200, 200)])
    canvas = CanvasDetector(BlockDetector(), CANVAS)
    assert canvas.can_share, "as long as nothing is known"
    region = Region((0, 0, 800, round(share * 800)), full_scale(camera.size_px, CANVAS))
    canvas.detect([Look(0, camera.size_px, [region], camera.crop)])
    assert canvas.can_share is can_share


def test_a_box_that_an_edge_has_cut_gives_way_to_the_whole_one() -> None:
    camera = Camera(1, (640, 480), [(300, 200, 340, 300)])
    whole, half = Region((280, 180, 400, 320), 0.65), Region((200, 150, 322, 350), 0.65)
    for regions in ((whole, half), (half, whole)):
        (found,) = CanvasDetector(BlockDetector(), CANVAS).detect([camera.look(*regions)])
        assert_near(found, [(300, 200, 340, 300)], 3)


def test_two_objects_in_one_region_stay_two_however_they_overlap_in_class() -> None:
    camera = Camera(1, (640, 480), [(100, 100, 160, 200), (166, 100, 226, 200)])
    regions = (Region((80, 80, 260, 240), 1.0), Region((400, 300, 500, 400), 1.0))
    (found,) = CanvasDetector(BlockDetector(), CANVAS).detect([camera.look(*regions)])
    assert_near(found, [(100, 100, 160, 200), (166, 100, 226, 200)], 2)


def test_regions_are_enlarged_only_where_that_takes_no_canvas_more() -> None:
    sizes: list[Size] = []

    def look(source_id: int) -> Look:
        camera = Camera(source_id, (1280, 720), [])

        def crop(xyxy_px: Box, size_px: Size) -> Image:
            sizes.append(size_px)
            return camera.crop(xyxy_px, size_px)

        return Look(source_id, (1280, 720), [Region((100, 100, 500, 400), 0.65)], crop)

    canvas = CanvasDetector(BlockDetector(), CANVAS)
    canvas.detect([look(0)])
    assert sizes == [(260, 196)]
    sizes.clear()
    canvas.detect([look(i) for i in range(4)])
    assert sizes == [(130, 98)] * 4
    assert canvas.inferences == 2


@given(left=st.integers(0, 1100), top=st.integers(0, 600), scale=st.floats(0.2, 1.0), n_others=st.integers(0, 12))
def test_boxes_come_back_to_where_they_were(left: int, top: int, scale: float, n_others: int) -> None:
    block = (left, top, left + 60, top + 100)
    camera = Camera(0, (1280, 720), [block])
    around = (max(0, left - 40) // 2 * 2, max(0, top - 40) // 2 * 2, min(1280, left + 100), min(720, top + 140))
    looks = [camera.look(Region(around, scale))]
    looks += [Camera(1, (640, 480), []).look(Region((0, 0, 90, 60), 1.0)) for _ in range(n_others)]
    found = CanvasDetector(BlockDetector(), CANVAS).detect(looks)
    assert_near(found[0], [block], 2.5 / min(scale, 0.325))
    assert all(len(other) == 0 for other in found[1:])
