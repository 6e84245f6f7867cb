from pathlib import Path

import numpy as np
from bench._tracking_run import Tracked, count_false, told_share, track_ours
from bench._tracking_videos import Seen, Truth, Video, read_truth, sampled

from nvr.detection.detections import Detections

VIDEO = Video("street", "street.mp4", 10.0, "gt.txt", 0.5)
BOX = np.array([[100, 100, 150, 200]], np.float32)


def seen(n_frames: int, confidence: float = 0.8) -> Seen:
    found = Detections(BOX, np.array([confidence], np.float32), np.zeros(1, np.int32))
    return Seen(VIDEO, (640, 480), [i / 10 for i in range(n_frames)], [found] * n_frames)


def truth(n_frames: int) -> Truth:
    return Truth(np.array([[i, 7, *BOX[0]] for i in range(n_frames)]))


def test_a_sampler_takes_the_first_frame_that_is_due() -> None:
    assert sampled(12, 7.0, 5.0) == [0, 2, 3, 5, 6, 7, 9, 10]
    assert sampled(11, 25.0, 5.0) == [0, 5, 10]
    assert sampled(11, 25.0, 5.0, first=3) == [3, 8]
    assert sampled(4, 5.0, 25.0) == [0, 1, 2, 3]


def test_truth_of_some_frames_is_counted_anew() -> None:
    assert truth(6).at([1, 4]).rows[:, :2].tolist() == [[0, 7], [1, 7]]
    assert seen(6).at([1, 4]).captured_s == [0.1, 0.4]


def test_truth_is_scaled_and_without_what_need_not_be_found(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("1,9,200,100,40,80,1,0,0,0\n2,9,200,100,40,80,0,0,0,0\n")
    assert read_truth(VIDEO, tmp_path).rows.tolist() == [[0, 9, 100, 50, 120, 90]]


def test_what_waits_for_its_id_is_not_told() -> None:
    tracked = track_ours(seen(10))
    assert len(tracked.ms) == 10
    assert told_share(seen(10), truth(10), tracked) == 0.9
    assert told_share(seen(10), Truth(truth(10).rows + 300), tracked) == 0


def test_only_right_boxes_count_as_told() -> None:
    tracked = Tracked([np.array([1])] * 10, [0.1] * 10)
    assert told_share(seen(10), truth(5), tracked) == 1


def test_false_tracks_are_counted_by_class() -> None:
    assert count_false(seen(10), 0) == 1
    assert count_false(seen(10), 1) == 0
    assert count_false(seen(10, confidence=0.4), 0) == 0
