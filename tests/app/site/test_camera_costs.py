from datetime import UTC, datetime

import pytest

from nvr.app.site.camera_costs import CameraCosts
from nvr.events.instance_metrics import CameraMetrics, InstanceMetrics


def metrics(uptime_s: float, cpu_s: float, *cameras: tuple[int, float, int], instance: str = "p-1") -> InstanceMetrics:
    return InstanceMetrics(
        instance_id=instance,
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
        uptime_s=uptime_s,
        cpu_s=cpu_s,
        cameras=tuple(
            CameraMetrics(source_id=source_id, frames_in=looks, decoded=looks, analysed=looks, cpu_s=own_s)
            for source_id, own_s, looks in cameras
        ),
    )


def test_a_camera_pays_for_its_threads_and_its_share_of_the_model() -> None:
    costs = CameraCosts()
    costs.note(metrics(10, 5, (0, 1.0, 10), (1, 1.0, 10)))
    costs.note(metrics(20, 15, (0, 3.0, 40), (1, 2.0, 20)))
    # 10 s of CPU: 2 and 1 of their own, 7 shared by 30 and 10 looks
    assert costs.measured == {0: pytest.approx((2 + 7 * 0.75) / 10), 1: pytest.approx((1 + 7 * 0.25) / 10)}


def test_an_instance_that_began_anew_is_not_measured_against_its_past() -> None:
    costs = CameraCosts()
    costs.note(metrics(100, 500, (0, 400.0, 1000)))
    costs.note(metrics(10, 1, (0, 0.5, 10)))
    assert costs.measured == {}
    costs.note(metrics(20, 2, (0, 1.5, 20)))
    assert costs.measured == {0: pytest.approx(0.1)}


def test_a_burst_counts_for_little() -> None:
    costs = CameraCosts()
    for uptime_s, cpu_s in ((10, 1.0), (20, 2.0), (30, 12.0)):
        costs.note(metrics(uptime_s, cpu_s, (0, cpu_s, 0)))
    assert costs.measured[0] == pytest.approx(0.1 + 0.3 * 0.9)


def test_cameras_and_instances_that_are_gone_are_forgotten() -> None:
    costs = CameraCosts()
    costs.note(metrics(10, 1, (0, 1.0, 0), (1, 1.0, 0)))
    costs.note(metrics(20, 2, (0, 2.0, 0), (1, 2.0, 0)))
    costs.forget_others({1}, {"p-2"})
    assert set(costs.measured) == {1}
    costs.note(metrics(30, 3, (1, 3.0, 0)))
    assert costs.measured[1] == pytest.approx(0.1)
