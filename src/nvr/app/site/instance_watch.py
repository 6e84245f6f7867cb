"""What the instances say of themselves on the broker: which live, which say nothing, what each camera costs."""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

from nvr.app.site.added_cameras import AddedCameras
from nvr.app.site.camera_costs import CameraCosts
from nvr.app.site.control import Heard
from nvr.app.site.heartbeats import Heartbeats
from nvr.app.site.plan import SitePlan
from nvr.app.supervision.kept_child import ChildReport
from nvr.control.registry import DEFAULT_HEARTBEAT_S
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import STOPPED_BY_COMMAND, InstanceStatus


class InstanceWatch:
    """Joins what is heard with what the supervisor reports. Not thread-safe."""

    def __init__(self, host: Callable[[], str] = socket.gethostname) -> None:
        """Know of nobody yet; `host` is what our processes call this machine, which may change while they run."""
        self._costs = CameraCosts()
        self._heartbeats = Heartbeats()
        self._added = AddedCameras()
        self._stopped: set[str] = set()
        self._host = host

    @property
    def stopped(self) -> frozenset[str]:
        """Instances whose last word was that a command had stopped them."""
        return frozenset(self._stopped)

    @property
    def costs(self) -> Mapping[int, float]:
        """Cores of each camera, by source id, where they were measured."""
        return self._costs.measured

    @property
    def added(self) -> Mapping[int, str]:
        """The process of each camera that a command added, by source id."""
        return self._added.owners

    def keep(self, plan: SitePlan) -> None:
        """Forget what is not in a plan."""
        self._heartbeats.forget_others(instance.name for instance in plan.instances)
        self._added.keep(plan.source_ids, {instance.name for instance in plan.instances})
        self._costs.forget_others(plan.source_ids, {instance.instance_id for instance in plan.instances})

    def note_broker(self, *, is_connected: bool, now_s: float) -> None:
        """Say whether we hear the broker, at monotonic second `now_s`."""
        self._heartbeats.note_broker(is_connected=is_connected, now_s=now_s)

    def hear(self, messages: Iterable[Heard], plan: SitePlan, reports: Sequence[ChildReport], now_s: float) -> None:
        """Take what instances said."""
        names = {(each.tenant, each.instance_id): each.name for each in plan.instances}
        # one that was renamed by a command is still our child
        pids = {report.pid: report.name for report in reports if report.pid is not None}
        host = self._host()
        for heard in messages:
            message = heard.message
            if isinstance(message, InstanceStatus) and message.host not in {None, host}:
                continue  # one of another machine that is called as ours is
            name = names.get((heard.tenant, message.instance_id))
            if isinstance(message, InstanceMetrics):
                if name is not None:
                    self._costs.note(message)
            elif message.state != "offline" and (name := _whose(message, pids) or name) is not None:
                self._heartbeats.note(name, now_s, message.heartbeat_s or DEFAULT_HEARTBEAT_S)
                self._stopped.discard(name)
                self._added.note(name, {camera.source_id for camera in message.cameras})
            elif name is not None:
                self._added.note(name, ())
                if message.reason == STOPPED_BY_COMMAND:
                    self._stopped.add(name)

    def has_answered(self, report: ChildReport) -> bool:
        """Tell whether a process that runs has said a word since its start."""
        return report.started_s is not None and self._heartbeats.has_answered(report.name, report.started_s)

    def starting(self, plan: SitePlan, reports: Sequence[ChildReport]) -> frozenset[str]:
        """Return the instances that run and have not said a word yet."""
        return frozenset(
            name
            for name, since_s in _running_since_s(plan, reports).items()
            if not self._heartbeats.has_answered(name, since_s)
        )

    def silent(self, plan: SitePlan, reports: Sequence[ChildReport], now_s: float) -> dict[str, float]:
        """Return the instances that hang, and for how many seconds nothing was heard of them."""
        return self._heartbeats.silent(_running_since_s(plan, reports), now_s)


def _whose(status: InstanceStatus, pids: Mapping[int, str]) -> str | None:
    return None if status.pid is None else pids.get(status.pid)


def _running_since_s(plan: SitePlan, reports: Sequence[ChildReport]) -> dict[str, float]:
    instances = {instance.name for instance in plan.instances}
    return {
        report.name: report.started_s for report in reports if report.name in instances and report.started_s is not None
    }
