import threading
from collections.abc import Sequence

import numpy as np
import pytest

from nvr.core.errors import InvalidInputError
from nvr.detection.detections import AdjustableDetector, Detections, Image
from nvr.detection.motion import MotionDetector
from nvr.detection.pool import DetectorPool
from tests.processor.fakes import BrightSpotDetector, FailingDetector


def spot_at(x: int) -> Image:
    image = np.zeros((20, 100, 3), np.uint8)
    image[5:10, x : x + 5] = 255
    return image


@pytest.mark.parametrize("n_detectors", [1, 2, 3])
@pytest.mark.parametrize("n_images", [0, 1, 2, 5])
def test_answers_come_in_the_order_of_the_images(n_detectors: int, n_images: int) -> None:
    pool = DetectorPool([BrightSpotDetector() for _ in range(n_detectors)])
    found = pool.infer([spot_at(10 * i) for i in range(n_images)], list(range(n_images)))
    assert [answer.xyxy_px[0, 0] for answer in found] == [10 * i for i in range(n_images)]
    pool.close()


def test_the_images_of_a_batch_are_looked_at_at_the_same_time() -> None:
    class Meeting(BrightSpotDetector):
        def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
            both.wait(timeout=30)  # breaks unless the other detector is called meanwhile
            return super().infer(images, source_ids)

    both = threading.Barrier(2)
    pool = DetectorPool([Meeting(), Meeting()])
    assert len(pool.infer([spot_at(0), spot_at(10)])) == 2
    pool.close()


def test_one_that_fails_is_told_when_all_have_ended_and_the_next_batch_works() -> None:
    other = BrightSpotDetector()
    pool = DetectorPool([FailingDetector(failures=1), other])
    with pytest.raises(RuntimeError, match="no memory on the device"):
        pool.infer([spot_at(0), spot_at(10)])
    assert len(other.batches) == 1
    assert len(pool.infer([spot_at(0), spot_at(10)])) == 2
    pool.close()
    assert other.closed


def test_it_is_one_model() -> None:
    pool = DetectorPool([BrightSpotDetector(has_real_batches=False), BrightSpotDetector()])
    assert (pool.model_id, pool.class_names, pool.has_real_batches) == ("bright-spot", ("spot",), False)
    assert pool.input_size_px(640, 480) is None
    with pytest.raises(InvalidInputError, match="expected 1, one per image, got 2"):
        pool.infer([spot_at(0)], [1, 2])
    with pytest.raises(InvalidInputError, match="at least one"):
        DetectorPool([])
    pool.close()


def test_all_of_them_go_by_another_threshold() -> None:
    detectors = [MotionDetector(confidence_threshold=0.3), MotionDetector(confidence_threshold=0.3)]
    pool = DetectorPool(detectors)
    assert isinstance(pool, AdjustableDetector)
    assert pool.confidence_threshold == 0.3
    pool.set_confidence_threshold(0.1)
    assert [detector.confidence_threshold for detector in detectors] == [0.1, 0.1]
    pool.close()
    stiff = DetectorPool([BrightSpotDetector()])
    stiff.set_confidence_threshold(0.1)
    assert stiff.confidence_threshold == 0
    stiff.close()
