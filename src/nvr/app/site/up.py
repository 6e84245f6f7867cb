"""The whole installation on one machine: broker, processors and walls as child processes that are kept running."""

import contextlib
import logging
import os
import shutil
import signal
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from nvr.app.ports import PortClaims
from nvr.app.site.broker_watch import BrokerWatch
from nvr.app.site.control import ReloadRequest, UpControl
from nvr.app.site.folders import StateLock, make_private
from nvr.app.site.installation import Installation, Site, UpOptions
from nvr.app.site.instance_watch import InstanceWatch
from nvr.app.site.plan import tenants_of
from nvr.app.site.private_broker import NAME as BROKER_NAME
from nvr.app.site.private_broker import PrivateBroker
from nvr.app.site.processes import PROCESSOR_STAGE, PROCESSOR_STOP_S
from nvr.app.site.running_file import RunningFile, remove_stale
from nvr.app.site.service_manager import ServiceManager, without_notification
from nvr.app.site.supervisor_status import summary, supervisor_status
from nvr.app.supervision.spare import Spare
from nvr.app.supervision.supervisor import LineHandler, Supervisor
from nvr.config.derive import broker_config
from nvr.config.overrides import without_settings
from nvr.config.site import NvrConfig
from nvr.control.memory import CommandMemory
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import NvrError
from nvr.events.instance_status import InstanceStatus

logger = logging.getLogger(__name__)

STOP_S = 4.6
"""For all processes; with the good-bye on the broker it is 5 s."""
BROKER_STOP_S = 1.0
POLL_S = 0.5
BROKER_WAIT_S = 5.0
"""How long the others wait for a private broker before they are started without it."""


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
        self._watch = InstanceWatch()
        self._broker_watch = BrokerWatch()
        self._site: Site | None = None
        self._control: UpControl | None = None
        self._status = InstanceStatus(instance_id="supervisor", kind="supervisor", state="starting")
        self._started_at = self._clock.now()
        self._memory = CommandMemory(began_at=self._started_at, clock=self._clock)
        self._problem: str | None = None
        self._starting = self._stopped = frozenset[str]()
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
            make_private(self._options.runtime_folder)
            remove_stale(self._options.runtime_folder)
            stack.callback(shutil.rmtree, make_private(self._folder), ignore_errors=True)
            installation = Installation(
                self._options, self._folder, self._supervisor, stack.enter_context(PortClaims())
            )
            running_file = stack.enter_context(RunningFile(self._options.runtime_folder))
            stack.callback(self._supervisor.close)
            is_clean = False
            try:
                site = self._apply(installation, config)
                running_file.write(installation.running_info(site))
                self._tell(installation, site)
                self._loop(installation, running_file)
            finally:
                is_clean = self._stop()
            return is_clean

    def _loop(self, installation: Installation, running_file: RunningFile) -> None:
        self._note_children()
        self._service.ready(summary(self._status))
        while not self._is_stopping:
            is_changed = self._supervisor.poll(POLL_S)
            self._listen()  # first: a new camera is numbered around those that commands added
            self._serve_reloads(installation, running_file)
            self._restart_silent()
            self._restart_deaf_broker()
            self._rebalance(installation)
            if is_changed:
                self._note_children()
                self._service.status(summary(self._status))
            self._keep_alive()

    def _stop(self) -> bool:
        self._is_stopping = True
        self._service.stopping()
        self._note_children()
        is_clean = self._supervisor.stop(STOP_S - BROKER_STOP_S, through_stage=PROCESSOR_STAGE)
        if self._control is not None:
            self._control.stop()
        return self._supervisor.stop(BROKER_STOP_S) and is_clean

    def _apply(self, installation: Installation, config: NvrConfig, *, may_move: bool = False) -> Site:
        """Let everything be as the configuration says; on failure all goes on as before.

        Raises:
            NvrError: It cannot be done.
        """
        before = self._site
        site = installation.prepare(config, self._watch.costs, may_move=may_move, added=self._watch.added)
        installation.install(site)
        self._site = site
        if site.private is not None and (before is None or before.broker != site.broker):
            self._wait_for_broker(site.private)
        self._hurry(installation.take_changed())
        self._connect(site)
        self._watch.keep(site.plan)
        return site

    def _hurry(self, changed: set[str]) -> None:
        """Tell processors that their file has changed, which they would notice within half a second.

        One that has not said a word yet may not expect the signal, which would end it.
        """
        for report in self._supervisor.reports():
            if report.name in changed and self._watch.has_answered(report):
                self._supervisor.signal(report.name, signal.SIGHUP)

    def _connect(self, site: Site) -> None:
        config, broker = site.config, site.broker
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

    def _serve_reloads(self, installation: Installation, running_file: RunningFile) -> None:
        requests: list[ReloadRequest] = []
        while self._control is not None and not self._control.requests.empty():
            requests.append(self._control.requests.get())
        is_asked, self._wants_retry = self._wants_retry or bool(requests), False
        has_changed, self._wants_reload = self._wants_reload, False
        if not is_asked and not has_changed:
            return
        self._service.reloading()
        try:
            result = self._reload(installation)
            if is_asked:
                self._supervisor.retry()
            if self._site is not None:
                running_file.write(installation.running_info(self._site))
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
        self._service.ready(summary(self._status))

    def _reload(self, installation: Installation) -> JsonValue:
        before = self._site
        config = self._read_config()
        plan = self._apply(installation, config).plan
        is_changed = before is None or before.config != config
        n_cameras = len(plan.placed)
        logger.info("the settings were read: %s", f"{n_cameras} cameras" if is_changed else "nothing has changed")
        return {
            "changed": is_changed,
            "cameras": n_cameras,
            "instances": {each.name: list(each.source_ids) for each in plan.instances},
        }

    def _listen(self) -> None:
        if self._control is None or self._site is None:
            return
        now_s = self._clock.monotonic()
        reports = self._supervisor.reports()
        self._watch.note_broker(is_connected=self._control.is_connected, now_s=now_s)
        self._watch.hear(self._control.heard(), self._site.plan, reports, now_s)
        told = self._watch.starting(self._site.plan, reports), self._watch.stopped
        if told != (self._starting, self._stopped):
            self._starting, self._stopped = told
            self._note_children()

    def _restart_silent(self) -> None:
        if self._site is None:
            return
        silent = self._watch.silent(self._site.plan, self._supervisor.reports(), self._clock.monotonic())
        for name, silent_s in silent.items():
            if self._supervisor.restart(name, f"was not heard for {silent_s:.0f} s"):
                logger.error("%s runs but has not been heard for %.0f s: it is started anew", name, silent_s)

    def _restart_deaf_broker(self) -> None:
        private = None if self._site is None else self._site.private
        if private is None or self._control is None:
            return
        is_connected, now_s = self._control.is_connected, self._clock.monotonic()
        if not self._broker_watch.is_time_to_ask(is_connected=is_connected, now_s=now_s) or private.answers:
            return
        if self._supervisor.restart(BROKER_NAME, "did not answer"):
            logger.error("the broker runs but does not answer: it is started anew")

    def _rebalance(self, installation: Installation) -> None:
        now_s = self._clock.monotonic()
        site = self._site
        if site is None or now_s - self._rebalanced_s < site.config.processors.rebalance_s:
            return
        self._rebalanced_s = now_s
        if not set(site.plan.source_ids) <= set(self._watch.costs):
            return
        try:
            moves = self._apply(installation, site.config, may_move=True).plan.moves
        except NvrError as error:
            logger.warning("cameras stay where they are: %s", error)
            return
        if moves:
            logger.info("%d cameras moved to a less loaded processor", moves)
            self._note_children()

    def _note_children(self) -> None:
        """Make the status that is told of what the supervisor knows."""
        if self._site is None:
            return
        self._status = supervisor_status(
            self._status.instance_id,
            self._started_at,
            self._site.config.control,
            self._site.plan,
            self._supervisor.reports(),
            starting=self._starting,
            stopped=self._stopped,
            problem=self._problem,
            is_stopping=self._is_stopping,
        )
        if self._control is not None:
            self._control.look()

    def _keep_alive(self) -> None:
        interval_s = self._service.watchdog_interval_s
        now_s = self._clock.monotonic()
        if interval_s is not None and now_s - self._kept_alive_s >= interval_s:
            self._kept_alive_s = now_s
            self._service.keep_alive()

    def _tell(self, installation: Installation, site: Site) -> None:
        if site.broker.enabled and self._control is not None and site.private is None and self._control.last_error:
            self._say(f"{self._control.last_error}; it is tried until it can be.")
        for line in installation.describe(site):
            self._say(line)
