"""The whole installation on one machine: broker, processors and walls as child processes that are kept running."""

import contextlib
import logging
import os
import shutil
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from nvr import __version__
from nvr.app.site.camera_costs import CameraCosts
from nvr.app.site.control import ReloadRequest, UpControl
from nvr.app.site.folders import StateLock, make_private
from nvr.app.site.heartbeats import Heartbeats
from nvr.app.site.overview import overview
from nvr.app.site.plan import SitePlan, plan_site, tenants_of
from nvr.app.site.private_broker import PrivateBroker, choose_broker
from nvr.app.site.processes import PROCESSOR_STAGE, PROCESSOR_STOP_S, SiteProcesses
from nvr.app.site.running_file import RunningFile, RunningInfo, remove_stale
from nvr.app.site.service_manager import ServiceManager, without_notification
from nvr.app.site.state import SiteState, read_state, write_state
from nvr.app.supervision.kept_child import ChildReport
from nvr.app.supervision.spare import Spare
from nvr.app.supervision.supervisor import LineHandler, Supervisor
from nvr.config.derive import broker_config
from nvr.config.numbering import number_cameras
from nvr.config.overrides import without_settings
from nvr.config.site import BrokerSection, NvrConfig
from nvr.control.memory import CommandMemory
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import NvrError
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import STOPPED_BY_COMMAND, ChildState, InstanceStatus

logger = logging.getLogger(__name__)

STOP_S = 4.6
"""For all processes; with the good-bye on the broker it is 5 s."""
BROKER_STOP_S = 1.0
POLL_S = 0.5
BROKER_WAIT_S = 5.0
"""How long the others wait for a private broker before they are started without it."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What `nvr up` is told beside the configuration."""

    state_folder: Path
    runtime_folder: Path
    n_cores: int
    config_path: Path | None = None


@dataclass(frozen=True, slots=True)
class _Site:
    """What was read, and what came of it."""

    config: NvrConfig
    """As it was read."""
    numbered: NvrConfig
    """The same with a number for each camera."""
    plan: SitePlan
    broker: BrokerSection


class Up:
    """Starts everything, keeps it running, applies changes, ends everything. `run` is called once."""

    def __init__(
        self,
        read_config: Callable[[], NvrConfig],
        options: UpOptions,
        *,
        say: Callable[[str], None],
        on_line: LineHandler,
        service: ServiceManager,
        environment: Mapping[str, str],
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            read_config: Reads the settings, now and at each reload.
            options: The rest.
            say: Takes a line for the person at the terminal.
            on_line: Takes what the processes write.
            service: Who wants to know when all is up.
            environment: Of the processes.
            clock: For intervals.
        """
        self._read_config = read_config
        self._options = options
        self._say = say
        self._service = service
        self._clock = clock or SystemClock()
        self._folder = options.runtime_folder / f"up-{os.getpid()}"
        of_children = without_notification(without_settings(environment))
        spare = Spare(self._folder, of_children, stop_timeout_s=PROCESSOR_STOP_S, clock=self._clock)
        self._supervisor = Supervisor(on_line, environment=of_children, spare=spare, clock=self._clock)
        self._costs = CameraCosts()
        self._heartbeats = Heartbeats()
        self._state = SiteState()
        self._site: _Site | None = None
        self._private: PrivateBroker | None = None
        self._processes: SiteProcesses | None = None
        self._control: UpControl | None = None
        self._status = InstanceStatus(instance_id="supervisor", kind="supervisor", state="starting")
        self._started_at = self._clock.now()
        self._memory = CommandMemory(began_at=self._started_at, clock=self._clock)
        self._problem: str | None = None
        self._starting: frozenset[str] = frozenset()
        self._stopped: set[str] = set()
        """Instances whose last word was that a command had stopped them."""
        self._is_stopping = False
        self._wants_reload = self._wants_retry = False
        self._rebalanced_s = self._clock.monotonic()
        self._kept_alive_s = self._rebalanced_s

    def request_stop(self) -> None:
        """Let `run` end everything and return; any thread."""
        self._is_stopping = True
        self._supervisor.wake()

    def request_reload(self) -> None:
        """Let the settings be read anew, and what has failed be tried again; any thread, also a signal handler."""
        self._wants_retry = True
        self.note_change()

    def note_change(self) -> None:
        """Let the settings be read anew soon; any thread."""
        self._wants_reload = True
        self._supervisor.wake()

    def run(self) -> bool:
        """Run until `request_stop`.

        Returns:
            Whether everything ended in time by itself.

        Raises:
            NvrError: The settings are wrong, or something that is needed is not there; nothing was started then.
        """
        with contextlib.ExitStack() as stack:
            config = self._read_config()
            stack.callback(StateLock.acquire(self._options.state_folder).release)
            self._state = read_state(self._options.state_folder)
            make_private(self._options.runtime_folder)
            remove_stale(self._options.runtime_folder)
            stack.callback(shutil.rmtree, make_private(self._folder), ignore_errors=True)
            self._processes = SiteProcesses(self._folder)
            running_file = stack.enter_context(RunningFile(self._options.runtime_folder))
            stack.callback(self._supervisor.close)
            is_clean = False
            try:
                self._apply(config)
                running_file.write(self._running_info())
                self._tell()
                self._loop(running_file)
            finally:
                is_clean = self._stop()
            return is_clean

    def _loop(self, running_file: RunningFile) -> None:
        self._note_children()
        self._service.ready(self._summary())
        while not self._is_stopping:
            is_changed = self._supervisor.poll(POLL_S)
            self._serve_reloads(running_file)
            self._listen()
            self._restart_silent()
            self._rebalance()
            if is_changed:
                self._note_children()
                self._service.status(self._summary())
            self._keep_alive()

    def _stop(self) -> bool:
        self._is_stopping = True
        self._service.stopping()
        self._note_children()
        is_clean = self._supervisor.stop(STOP_S - BROKER_STOP_S, through_stage=PROCESSOR_STAGE)
        if self._control is not None:
            self._control.stop()
        return self._supervisor.stop(BROKER_STOP_S) and is_clean

    def _apply(self, config: NvrConfig, *, may_move: bool = False) -> None:
        """Let the processes be as the configuration says; on failure all goes on as before.

        Raises:
            NvrError: It cannot be done.
        """
        assert self._processes is not None  # noqa: S101 - set by run
        numbered, numbers = number_cameras(config, self._state.numbers)
        broker, private = self._choose_broker(config)
        plan = plan_site(
            numbered,
            broker=broker,
            n_cores=self._options.n_cores,
            placed={} if self._site is None else self._site.plan.placed,
            costs=self._costs.measured,
            may_move=may_move,
        )
        state = self._state.model_copy(
            update={"numbers": numbers, "broker_port": private.port if private else self._state.broker_port}
        )
        if state != self._state:
            write_state(self._options.state_folder, state)
            self._state = state
        specs = self._processes.write(plan)
        if private is not None:
            specs = [private.spec(self._folder), *specs]
        before, self._site, self._private = self._site, _Site(config, numbered, plan, broker), private
        self._supervisor.want(specs)
        if private is not None and (before is None or before.broker != broker):
            self._wait_for_broker(private)
        self._hurry(self._processes.take_changed())
        self._connect(config, broker)
        names = [instance.name for instance in plan.instances]
        self._heartbeats.forget_others(names)
        self._costs.forget_others(plan.source_ids, {instance.instance_id for instance in plan.instances})

    def _hurry(self, changed: set[str]) -> None:
        """Tell processors that their file has changed, which they would notice within half a second.

        One that has not said a word yet may not expect the signal, which would end it.
        """
        for name, since_s in self._started_s().items():
            if name in changed and self._heartbeats.has_answered(name, since_s):
                self._supervisor.signal(name, signal.SIGHUP)

    def _choose_broker(self, config: NvrConfig) -> tuple[BrokerSection, PrivateBroker | None]:
        section = config.broker
        if section.host is not None or not section.enabled:
            return section, None
        private = self._private or choose_broker(self._state.broker_port)
        own = BrokerSection(host=private.host, port=private.port, topic_prefix=section.topic_prefix, qos=section.qos)
        return own, private

    def _connect(self, config: NvrConfig, broker: BrokerSection) -> None:
        if self._control is not None and not broker.enabled:
            self._control.stop()
            self._control = None
        elif self._control is not None:
            self._control.reconfigure(broker_config(broker), config.control)
        elif broker.enabled:
            name = f"{config.processors.instance_prefix}-supervisor"
            self._status = self._status.model_copy(update={"instance_id": name})
            self._control = UpControl(
                broker_config(broker),
                name,
                config.control,
                status=lambda: self._status.model_copy(update={"timestamp": self._clock.now()}),
                wake=self._supervisor.wake,
                memory=self._memory,
                clock=self._clock,
            )
            self._control.start()
        if self._control is not None:
            self._control.watch(tenants_of(config))

    def _wait_for_broker(self, private: PrivateBroker) -> None:
        deadline_s = self._clock.monotonic() + BROKER_WAIT_S
        while not private.answers and not self._is_stopping:
            self._supervisor.poll(0.05)
            if self._clock.monotonic() > deadline_s:
                logger.warning("the broker does not answer yet")
                return

    def _serve_reloads(self, running_file: RunningFile) -> None:
        requests: list[ReloadRequest] = []
        while self._control is not None and not self._control.requests.empty():
            requests.append(self._control.requests.get())
        is_asked, self._wants_retry = self._wants_retry or bool(requests), False
        has_changed, self._wants_reload = self._wants_reload, False
        if not is_asked and not has_changed:
            return
        self._service.reloading()
        try:
            result = self._reload()
            if is_asked:
                self._supervisor.retry()
            running_file.write(self._running_info())
        except NvrError as error:
            logger.error("the settings stay as they were: %s", error)  # noqa: TRY400 - the message says it all
            self._problem = f"the settings were not applied: {error}"
            for request in requests:
                request.fail(error)
        else:
            self._problem = None
            for request in requests:
                request.answer(result)
        self._note_children()
        self._service.ready(self._summary())

    def _reload(self) -> JsonValue:
        before = self._site
        config = self._read_config()
        self._apply(config)
        assert self._site is not None  # noqa: S101 - set by _apply
        is_changed = before is None or before.config != config
        n_cameras = len(self._site.plan.placed)
        logger.info("the settings were read: %s", f"{n_cameras} cameras" if is_changed else "nothing has changed")
        return {
            "changed": is_changed,
            "cameras": n_cameras,
            "instances": {each.name: list(each.source_ids) for each in self._site.plan.instances},
        }

    def _listen(self) -> None:
        now_s = self._clock.monotonic()
        if self._control is None or self._site is None:
            return
        self._heartbeats.note_broker(is_connected=self._control.is_connected, now_s=now_s)
        messages = self._control.heard()
        names = {(each.tenant, each.instance_id): each.name for each in self._site.plan.instances}
        # one that was renamed by a command is still our child
        pids = {report.pid: report.name for report in self._supervisor.reports()} if messages else {}
        for heard in messages:
            message = heard.message
            if isinstance(message, InstanceStatus) and message.host not in {None, self._status.host}:
                continue  # one of another machine that is called as ours is
            name = names.get((heard.tenant, message.instance_id))
            if isinstance(message, InstanceMetrics):
                if name is not None:
                    self._costs.note(message)
            elif message.state != "offline" and (name := pids.get(message.pid, name)) is not None:
                self._heartbeats.note(name, now_s)
                self._stopped.discard(name)
            elif name is not None and message.reason == STOPPED_BY_COMMAND and name not in self._stopped:
                self._stopped.add(name)
                self._note_children()
        if self._starting != (starting := self._starting_now()):
            self._starting = starting
            self._note_children()

    def _starting_now(self) -> frozenset[str]:
        """Return the instances that run and have not said a word yet."""
        return frozenset(
            name for name, since_s in self._started_s().items() if not self._heartbeats.has_answered(name, since_s)
        )

    def _started_s(self) -> dict[str, float]:
        """Return since when each instance runs, in monotonic seconds."""
        instances = set() if self._site is None else {instance.name for instance in self._site.plan.instances}
        return {
            report.name: report.started_s
            for report in self._supervisor.reports()
            if report.name in instances and report.started_s is not None
        }

    def _restart_silent(self) -> None:
        for name, silent_s in self._heartbeats.silent(self._started_s(), self._clock.monotonic()).items():
            logger.error("%s runs but has not been heard for %.0f s: it is started anew", name, silent_s)
            self._supervisor.restart(name, f"was not heard for {silent_s:.0f} s")

    def _rebalance(self) -> None:
        now_s = self._clock.monotonic()
        site = self._site
        if site is None or now_s - self._rebalanced_s < site.config.processors.rebalance_s:
            return
        self._rebalanced_s = now_s
        if not set(site.plan.source_ids) <= set(self._costs.measured):
            return
        try:
            self._apply(site.config, may_move=True)
        except NvrError as error:
            logger.warning("cameras stay where they are: %s", error)
            return
        if self._site is not None and self._site.plan.moves:
            logger.info("%d cameras moved to a less loaded processor", self._site.plan.moves)
            self._note_children()

    def _note_children(self) -> None:
        """Make the status that is told of what the supervisor knows."""
        reports = self._supervisor.reports()
        cameras = {} if self._site is None else {each.name: each.source_ids for each in self._site.plan.instances}
        troubled = [f"{report.name} {report.reason}" for report in reports if report.phase in {"waiting", "failed"}]
        reason = self._problem or ("; ".join(troubled) or None)
        state = "stopping" if self._is_stopping else "degraded" if reason else "running"
        self._status = InstanceStatus(
            instance_id=self._status.instance_id,
            kind="supervisor",
            state=state,
            reason=reason,
            started_at=self._started_at,
            heartbeat_s=None if self._site is None else self._site.config.control.heartbeat_s,
            version=__version__,
            host=socket.gethostname(),
            pid=os.getpid(),
            accepts_commands=self._site is not None and self._site.config.control.enabled,
            children=tuple(
                _child_state(
                    report,
                    cameras.get(report.name, ()),
                    is_starting=report.name in self._starting,
                    is_stopped=report.name in self._stopped,
                )
                for report in reports
            ),
        )
        if self._control is not None:
            self._control.look()

    def _summary(self) -> str:
        children = self._status.children
        well = sum(child.state in {"running", "starting"} for child in children)
        text = f"{well} of {len(children)} processes run"
        return f"{text}; {self._status.reason}" if self._status.reason else text

    def _keep_alive(self) -> None:
        interval_s = self._service.watchdog_interval_s
        now_s = self._clock.monotonic()
        if interval_s is not None and now_s - self._kept_alive_s >= interval_s:
            self._kept_alive_s = now_s
            self._service.keep_alive()

    def _wall_urls(self) -> dict[str, str]:
        if self._site is None or self._processes is None:
            return {}
        return {wall.name: self._processes.wall_url(wall) for wall in self._site.plan.walls}

    def _running_info(self) -> RunningInfo:
        assert self._site is not None  # noqa: S101 - set by _apply
        broker = self._site.broker
        return RunningInfo(
            pid=os.getpid(),
            broker_host=broker.host or "localhost",
            broker_port=broker.port,
            is_private_broker=self._private is not None,
            tenants=tenants_of(self._site.config),
            config_path=self._options.config_path,
            wall_urls=tuple(self._wall_urls().values()),
        )

    def _tell(self) -> None:
        assert self._site is not None  # noqa: S101 - set by _apply
        assert self._processes is not None  # noqa: S101 - set by run
        for name, (wanted, got) in self._processes.port_changes(self._site.plan).items():
            self._say(f"Port {wanted} is taken: the {name.rpartition('/')[2]} page is on {got}.")
        broker = self._site.broker
        if broker.enabled and self._control is not None and self._private is None and self._control.last_error:
            self._say(f"{self._control.last_error}; it is tried until it can be.")
        lines = overview(
            self._site.numbered,
            self._site.plan,
            broker=f"{broker.host}:{broker.port}" if broker.enabled else "",
            wall_urls=self._wall_urls(),
            config_path=None if self._options.config_path is None else str(self._options.config_path),
        )
        for line in lines:
            self._say(line)


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
