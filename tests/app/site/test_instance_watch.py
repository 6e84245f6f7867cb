from nvr.app.site.control import Heard
from nvr.app.site.heartbeats import LEAST_SILENCE_S, MISSED_HEARTBEATS
from nvr.app.site.instance_watch import InstanceWatch
from nvr.app.site.plan import InstancePlan, SitePlan
from nvr.app.supervision.kept_child import ChildReport
from nvr.config.site import NvrConfig
from nvr.events.instance_status import CameraStatus, InstanceStatus

PLAN = SitePlan(tuple(InstancePlan(name, name, None, (), NvrConfig()) for name in ("gate", "porch")), ())


def report(name: str, pid: int | None) -> ChildReport:
    return ChildReport(
        name=name,
        phase="running" if pid else "waiting",
        pid=pid,
        started_s=1.0 if pid else None,
        restarts=0,
        reason=None,
        next_start_s=None,
        last_lines=(),
        dropped_lines=0,
    )


REPORTS = (report("gate", 7), report("porch", None))


def heard(name: str, *, host: str | None = None, pid: int | None = None, heartbeat_s: float | None = None) -> Heard:
    status = InstanceStatus(instance_id=name, state="running", host=host, pid=pid, heartbeat_s=heartbeat_s)
    return Heard(None, status)


def listening(host: list[str]) -> InstanceWatch:
    watch = InstanceWatch(lambda: host[0])
    watch.note_broker(is_connected=True, now_s=0.0)
    return watch


def test_processes_are_heard_after_the_machine_got_another_name() -> None:
    host = ["localhost"]
    watch = listening(host)
    watch.hear([heard("gate", host="localhost", pid=7)], PLAN, REPORTS, 2.0)
    host[0] = "cellar"
    watch.hear([heard("gate", host="cellar", pid=7)], PLAN, REPORTS, 20.0)
    assert watch.silent(PLAN, REPORTS, 2.0 + LEAST_SILENCE_S) == {}
    watch.hear([heard("gate", host="attic", pid=7)], PLAN, REPORTS, 25.0)
    assert watch.silent(PLAN, REPORTS, 20.0 + LEAST_SILENCE_S) == {"gate": LEAST_SILENCE_S}, "attic is another machine"


def test_a_process_is_waited_for_by_the_heartbeat_that_it_told() -> None:
    watch = listening(["cellar"])
    watch.hear([heard("gate", pid=7, heartbeat_s=60.0)], PLAN, REPORTS, 2.0)
    assert watch.silent(PLAN, REPORTS, 1.0 + MISSED_HEARTBEATS * 60.0) == {}, "it has not read a new setting yet"
    watch.hear([heard("gate", pid=7, heartbeat_s=5.0)], PLAN, REPORTS, 400.0)
    assert watch.silent(PLAN, REPORTS, 400.0 + LEAST_SILENCE_S) == {"gate": LEAST_SILENCE_S}


def test_a_status_without_a_pid_is_of_whom_it_names() -> None:
    watch = listening(["cellar"])
    watch.hear([heard("gate")], PLAN, REPORTS, 2.0)
    assert watch.has_answered(REPORTS[0])
    assert watch.starting(PLAN, REPORTS) == frozenset()


def test_one_that_a_command_renamed_is_still_our_process() -> None:
    watch = listening(["cellar"])
    watch.hear([heard("shed", pid=7)], PLAN, REPORTS, 2.0)
    assert watch.has_answered(REPORTS[0])


def test_a_camera_that_no_plan_has_was_added_and_goes_with_its_process() -> None:
    watch = listening(["cellar"])
    watch.keep(PLAN)
    camera = CameraStatus(source_id=4, name="door", state="running")
    status = InstanceStatus(instance_id="gate", state="running", host="cellar", pid=7, cameras=(camera,))
    strange = status.model_copy(update={"instance_id": "attic", "pid": 9})
    watch.hear([Heard(None, status), Heard(None, strange)], PLAN, REPORTS, 2.0)
    assert watch.added == {4: "gate"}
    watch.hear([Heard(None, InstanceStatus.offline("gate", "processor", "connection lost"))], PLAN, REPORTS, 3.0)
    assert watch.added == {}
