import random
from fractions import Fraction
from pathlib import Path

import numpy as np
from bench._chaos_disk import Sent, match, read_disk
from bench._chaos_plan import QUICK, Plan, plan_faults
from bench._chaos_rows import Fault, Outcome, find_gaps, judge
from bench._rows import Row

from nvr.demo.frame_code import draw_frame_code
from nvr.media.encode import EncoderSettings, encode_pictures

FPS = 25
START_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def outcome(lost: range, faults: list[Fault], is_index_equal: bool = True) -> Outcome:
    delivered = [START_S + number / FPS for number in range(2500)]
    kept = frozenset(at_s for number, at_s in enumerate(delivered) if number not in lost)
    return Outcome(FPS, {0: delivered}, {0: kept}, faults, n_segments=10, is_index_equal=is_index_equal)


def test_every_kind_of_fault_comes_as_often_as_the_others_and_none_too_near_to_the_ends() -> None:
    for plan in (QUICK, Plan(1800.0)):
        steps = plan_faults(plan, random.Random(1))
        kinds = [step.kind for step in steps]
        assert set(kinds) == {"camera", "server", "recorder"}
        assert max(map(kinds.count, kinds)) - min(map(kinds.count, kinds)) <= 1
        assert all(plan.first_s <= step.at_s < plan.run_s - plan.last_s for step in steps)
        assert all((step.camera is None) == (step.kind != "camera") for step in steps)


def test_the_same_seed_plans_the_same() -> None:
    assert plan_faults(QUICK, random.Random(3)) == plan_faults(QUICK, random.Random(3))


def test_what_a_fault_costs_is_allowed_up_to_a_second() -> None:
    fault = Fault("recorder", START_S + 40, START_S + 43)
    rows = by_name(judge(outcome(range(980, 1000), [fault])))
    assert rows["chaos.lost"].value == 0.8
    assert rows["chaos.lost_per_fault_worst"] == Row("chaos.lost_per_fault_worst", 0.8, "s", "<= 1", None, ok=True)
    assert rows["chaos.recorder.lost_worst"].value == 0.8
    rows = by_name(judge(outcome(range(970, 1000), [fault])))
    assert rows["chaos.lost_per_fault_worst"].ok is False


def test_pieces_that_one_fault_cost_are_added_up() -> None:
    fault = Fault("server", START_S + 40, START_S + 43)
    result = outcome(range(980, 1000), [fault])
    result.kept = {0: result.kept[0] - {START_S + number / FPS for number in range(1100, 1110)}}
    assert by_name(judge(result))["chaos.lost_per_fault_worst"].value == 1.2


def test_what_is_lost_far_from_any_fault_or_by_the_fault_of_another_camera_has_no_excuse() -> None:
    [gap] = find_gaps(outcome(range(980, 1000), [Fault("camera", START_S + 40, START_S + 40, camera=1)]))
    assert gap.fault is None
    assert gap.n_frames == 20
    rows = by_name(judge(outcome(range(980, 1000), [Fault("recorder", START_S + 90, START_S + 91)])))
    assert rows["chaos.lost_without_fault"] == Row("chaos.lost_without_fault", 0.8, "s", "0", None, ok=False)
    assert "no fault near" in gap.describe(FPS)


def test_an_index_that_differs_fails() -> None:
    assert by_name(judge(outcome(range(0), [])))["chaos.index_equals_disk"].ok
    assert by_name(judge(outcome(range(0), [], is_index_equal=False)))["chaos.index_equals_disk"].ok is False


def test_a_number_means_the_frame_of_the_nearest_round() -> None:
    sent = [Sent(number % 100, START_S + number / FPS) for number in range(300)]
    shown = [Sent(7, START_S + 7 / FPS + 0.05), Sent(7, START_S + 207 / FPS - 0.3), Sent(99, START_S + 1000)]
    found = match(sent, shown, loop_s=4.0)
    assert list(found) == [START_S + 7 / FPS, START_S + 207 / FPS]
    assert [round(error_s, 3) for error_s in found.values()] == [0.05, -0.3]


def test_the_disk_is_read_frame_by_frame(tmp_path: Path) -> None:
    folder = tmp_path / "default" / "3" / "2026" / "01" / "01" / "00"
    folder.mkdir(parents=True)

    def picture(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        image = np.full((180, 320, 3), 90, np.uint8)
        draw_frame_code(image, number)
        return image

    whole = folder / "20260101T000000.000000Z_400_continuous.mp4"
    encode_pictures(map(picture, range(40, 50)), whole, EncoderSettings(320, 180, Fraction(FPS)))
    (folder / "20260101T000010.000000Z_400_continuous.mp4").write_bytes(whole.read_bytes()[:700])
    (folder / "20260101T000020.000000Z.recording").write_bytes(b"")
    (folder / "20260101T000030.000000Z.broken").write_bytes(b"")
    disk = read_disk(tmp_path)
    assert [(frame.number, round(frame.at_s - START_S, 2)) for frame in disk.shown[3]] == [
        (40 + index, round(index / FPS, 2)) for index in range(10)
    ]
    assert (disk.n_segments, disk.n_unplayable, disk.n_unfinished, disk.n_unread) == (2, 1, 2, 0)
