from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nvr.app.site.view import Observation, Verdict, view_of
from nvr.control.registry import KnownInstance, Presence
from nvr.events.instance_metrics import CameraMetrics, InstanceMetrics
from nvr.events.instance_status import STOPPED_BY_COMMAND, CameraStatus, ChildState, InstanceStatus


def seen(
    *states: str, instance: str = "running", presence: Presence = Presence.ALIVE, reason: str | None = None
) -> Observation:
    cameras = tuple(CameraStatus(source_id=i, name=f"c{i}", state=state) for i, state in enumerate(states))
    status = InstanceStatus.model_validate(
        {"instance_id": "p", "state": instance, "cameras": cameras, "reason": reason}
    )
    return Observation(None, KnownInstance(status, presence, 0.0))


@pytest.mark.parametrize(
    ("observations", "verdict"),
    [
        ([seen("running", "paused", "ended")], Verdict.WELL),
        ([seen("running", "connecting")], Verdict.UNWELL),
        ([seen("running", instance="degraded")], Verdict.UNWELL),
        ([seen("running"), seen("running", presence=Presence.STALE)], Verdict.UNWELL),
        ([seen("running", presence=Presence.STALE)], Verdict.UNREACHABLE),
        ([seen(instance="offline", presence=Presence.OFFLINE, reason="connection lost")], Verdict.UNREACHABLE),
        ([seen("running"), seen(instance="offline", presence=Presence.OFFLINE, reason="stopped")], Verdict.WELL),
        ([], Verdict.UNREACHABLE),
    ],
)
def test_all_is_well_only_if_each_is(observations: list[Observation], verdict: Verdict) -> None:
    assert view_of(observations).verdict is verdict


def test_frames_that_were_left_out_on_purpose_are_not_lost() -> None:
    camera = CameraMetrics(
        source_id=0, frames_in=9, decoded=9, analysed=1, dropped={"asleep": 5, "paused": 1, "skipped": 2, "new": 3}
    )
    metrics = InstanceMetrics(
        instance_id="p", timestamp=datetime(2026, 1, 1, tzinfo=UTC), uptime_s=1, cameras=(camera,)
    )
    observation = seen("running")
    [row] = view_of([Observation("acme", observation.known, metrics, {0: 0.5})]).cameras
    assert (row.lost_frames, row.cpu_percent, row.instance) == (5, 50.0, "acme/p")


def test_cameras_of_an_instance_that_hangs_are_shown_so() -> None:
    [row] = view_of([seen("running", presence=Presence.STALE)]).cameras
    assert (row.state, row.is_well) == ("stale", False)


def test_a_camera_that_pauses_with_its_connection_is_shown_so() -> None:
    camera = CameraStatus(source_id=0, name="c", state="running", is_detecting=False)
    status = InstanceStatus(instance_id="p", state="paused", cameras=(camera,))
    [row] = view_of([Observation(None, KnownInstance(status, Presence.ALIVE, 0.0))]).cameras
    assert (row.state, row.is_well, row.reason) == ("running", True, "not looked at")


def test_a_number_that_two_living_instances_have_is_not_well() -> None:
    def instance(name: str, presence: Presence = Presence.ALIVE, tenant: str | None = None) -> Observation:
        known = replace(seen("running").known, presence=presence)
        status = known.status.model_copy(update={"instance_id": name})
        return Observation(tenant, replace(known, status=status))

    view = view_of([instance("a"), instance("b")])
    assert view.verdict is Verdict.UNWELL
    assert [(row.instance, row.is_well, row.reason) for row in view.cameras] == [
        ("a", False, "b has a camera 0, too"),
        ("b", False, "a has a camera 0, too"),
    ]
    assert view_of([instance("a"), instance("b", tenant="acme")]).verdict is Verdict.WELL
    assert [row.reason for row in view_of([instance("a"), instance("b", Presence.STALE)]).cameras] == ["", ""]


def supervising(*children: ChildState) -> Observation:
    status = InstanceStatus(instance_id="s", kind="supervisor", state="running", children=children)
    return Observation(None, KnownInstance(status, Presence.ALIVE, 0.0))


def test_an_instance_that_a_command_stopped_is_missed_by_its_supervisor() -> None:
    child = ChildState(name="p", state="stopped", reason=STOPPED_BY_COMMAND, source_ids=(3, 1))
    gone = seen(instance="offline", presence=Presence.OFFLINE, reason=STOPPED_BY_COMMAND)
    view = view_of([supervising(child), gone, seen("running")])
    assert view.verdict is Verdict.UNWELL
    [row] = [row for row in view.instances if row.state == "stopped"]
    assert (row.name, row.n_cameras, row.is_well) == ("p", 2, False)
    assert row.reason == "stopped by a command, 2 cameras are not served; `nvr ctl reload` starts it again"
    assert [(row.source_id, row.state, row.is_well) for row in view.cameras] == [
        (0, "running", True),
        (1, "not served", False),
        (3, "not served", False),
    ]


def test_one_that_came_to_its_end_or_that_nobody_looks_after_is_missed_by_nobody() -> None:
    ended = ChildState(name="p", state="stopped", reason="ended by itself", source_ids=(1,))
    gone = seen(instance="offline", presence=Presence.OFFLINE, reason=STOPPED_BY_COMMAND)
    view = view_of([supervising(ended), gone])
    assert (view.verdict, view.cameras) == (Verdict.WELL, ())
