"""What the supervisor says of itself and of its processes, as a message and in one line: pure."""

import os
import socket
from collections.abc import Collection, Sequence
from datetime import datetime

from nvr import __version__
from nvr.app.site.plan import SitePlan
from nvr.app.supervision.kept_child import ChildReport
from nvr.config.operations import ControlConfig
from nvr.events.instance_status import STOPPED_BY_COMMAND, ChildState, InstanceStatus


def supervisor_status(
    instance_id: str,
    started_at: datetime,
    control: ControlConfig,
    plan: SitePlan,
    reports: Sequence[ChildReport],
    *,
    starting: Collection[str],
    stopped: Collection[str],
    problem: str | None,
    is_stopping: bool,
) -> InstanceStatus:
    """Return the status.

    Args:
        instance_id: Of the supervisor.
        started_at: When it began, aware UTC.
        control: Its heartbeat, and whether it takes commands.
        plan: Which instance has which cameras.
        reports: How each process does.
        starting: Processes that run and have not said a word yet.
        stopped: Those that a command has stopped.
        problem: What else is wrong, in words.
        is_stopping: Whether everything is being ended.
    """
    cameras = {each.name: each.source_ids for each in plan.instances}
    troubled = [f"{report.name} {report.reason}" for report in reports if report.phase in {"waiting", "failed"}]
    reason = problem or ("; ".join(troubled) or None)
    return InstanceStatus(
        instance_id=instance_id,
        kind="supervisor",
        state="stopping" if is_stopping else "degraded" if reason else "running",
        reason=reason,
        started_at=started_at,
        heartbeat_s=control.heartbeat_s,
        version=__version__,
        host=socket.gethostname(),
        pid=os.getpid(),
        accepts_commands=control.enabled,
        children=tuple(
            _child_state(
                report,
                cameras.get(report.name, ()),
                is_starting=report.name in starting,
                is_stopped=report.name in stopped,
            )
            for report in reports
        ),
    )


def summary(status: InstanceStatus) -> str:
    """Return how all do, in one line."""
    well = sum(child.state in {"running", "starting"} for child in status.children)
    text = f"{well} of {len(status.children)} processes run"
    return f"{text}; {status.reason}" if status.reason else text


def _child_state(
    report: ChildReport, source_ids: tuple[int, ...], *, is_starting: bool, is_stopped: bool
) -> ChildState:
    return ChildState(
        name=report.name,
        state="starting" if is_starting and report.phase == "running" else report.phase,
        pid=report.pid,
        restarts=report.restarts,
        reason=STOPPED_BY_COMMAND if is_stopped and report.phase == "stopped" else report.reason,
        source_ids=source_ids,
    )
