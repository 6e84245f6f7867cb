"""What an installation is at the moment, and how it becomes another: numbers, broker, plan, files, processes."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nvr.app.ports import PortClaims
from nvr.app.site.overview import overview
from nvr.app.site.plan import SitePlan, plan_site, tenants_of
from nvr.app.site.private_broker import PrivateBroker, choose_broker
from nvr.app.site.processes import SiteProcesses
from nvr.app.site.running_file import RunningInfo
from nvr.app.site.state import read_state, write_state
from nvr.app.supervision.supervisor import Supervisor
from nvr.bus.tls import check_files
from nvr.config.derive import broker_config
from nvr.config.numbering import number_cameras
from nvr.config.site import BrokerSection, NvrConfig
from nvr.core.errors import ConfigurationError
from nvr.core.masking import mask_credentials

logger = logging.getLogger(__name__)


NOTHING_ADDED: Mapping[int, str] = {}


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What `nvr up` is told beside the configuration."""

    state_folder: Path
    runtime_folder: Path
    n_cores: int
    config_path: Path | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """What was read, and what came of it."""

    config: NvrConfig
    """As it was read."""
    numbered: NvrConfig
    """The same with a number for each camera."""
    plan: SitePlan
    broker: BrokerSection
    private: PrivateBroker | None
    """Where the broker is our own."""


class Installation:
    """Lets the supervisor run what a configuration asks for. Not thread-safe."""

    def __init__(self, options: UpOptions, folder: Path, supervisor: Supervisor, claims: PortClaims) -> None:
        """Read what was remembered from the last time.

        Args:
            options: Where things are.
            folder: For the files of the processes; private, and there.
            supervisor: Runs them.
            claims: Hold the ports of broker and pages.

        Raises:
            ConfigurationError: The state is damaged.
        """
        self._options = options
        self._folder = folder
        self._supervisor = supervisor
        self._state = read_state(options.state_folder)
        self._claims = claims
        self._processes = SiteProcesses(folder, claims)
        self._site: Site | None = None

    @property
    def site(self) -> Site | None:
        """What runs; None before the first `install`."""
        return self._site

    def prepare(
        self,
        config: NvrConfig,
        costs: Mapping[int, float],
        *,
        may_move: bool = False,
        added: Mapping[int, str] = NOTHING_ADDED,
    ) -> Site:
        """Return what a configuration asks for; nothing is different before it is given to `install`.

        Args:
            config: As it was read.
            costs: Cores of each camera, where they were measured.
            may_move: Whether cameras may move to another instance to even out the load.
            added: The process of each camera that a command added, by source id; new cameras are numbered around them.

        Raises:
            NvrError: It cannot be done.
        """
        check_written_numbers(config, added)
        numbered, _ = number_cameras(config, self._state.numbers, elsewhere=added)
        broker, private = self._choose_broker(config)
        if broker.enabled:
            check_files(broker_config(broker))
        plan = plan_site(
            numbered,
            broker=broker,
            n_cores=self._options.n_cores,
            before=None if self._site is None else self._site.plan,
            costs=costs,
            may_move=may_move,
        )
        return Site(config, numbered, plan, broker, private)

    def install(self, site: Site) -> None:
        """Let the processes be as they were prepared.

        Raises:
            ConfigurationError: A file cannot be written; what runs goes on.
        """
        self._remember(site)
        specs = self._processes.write(site.plan)
        if site.private is not None:
            specs = [site.private.spec(self._folder), *specs]
        self._site = site
        self._supervisor.want(specs)

    def take_changed(self) -> set[str]:
        """Return the processes whose file was written since the last call."""
        return self._processes.take_changed()

    def running_info(self, site: Site) -> RunningInfo:
        """Return what others on this machine may know."""
        return RunningInfo(
            pid=os.getpid(),
            broker_host=site.broker.host or "localhost",
            broker_port=site.broker.port,
            is_private_broker=site.private is not None,
            tenants=tenants_of(site.config),
            config_path=self._options.config_path,
            wall_urls=tuple(self._wall_urls(site).values()),
        )

    def describe(self, site: Site) -> list[str]:
        """Return what a person is told when everything has been started, in lines."""
        broker, path = site.broker, self._options.config_path
        changes = self._processes.port_changes(site.plan)
        return [
            *(
                f"Port {wanted} is taken: the {name.rpartition('/')[2]} page is on {got}."
                for name, (wanted, got) in changes.items()
            ),
            *overview(
                site.numbered,
                site.plan,
                broker=f"{broker.host}:{broker.port}" if broker.enabled else "",
                wall_urls=self._wall_urls(site),
                config_path=None if path is None else str(path),
            ),
        ]

    def _remember(self, site: Site) -> None:
        _, numbers = number_cameras(site.numbered, self._state.numbers)
        port = self._state.broker_port if site.private is None else site.private.port
        state = self._state.model_copy(update={"numbers": numbers, "broker_port": port})
        if state != self._state:
            write_state(self._options.state_folder, state)
            self._state = state

    def _choose_broker(self, config: NvrConfig) -> tuple[BrokerSection, PrivateBroker | None]:
        section = config.broker
        if section.host is not None or not section.enabled:
            return section, None
        private = (None if self._site is None else self._site.private) or choose_broker(
            self._claims, self._state.broker_port
        )
        own = BrokerSection(host=private.host, port=private.port, topic_prefix=section.topic_prefix, qos=section.qos)
        return own, private

    def _wall_urls(self, site: Site) -> dict[str, str]:
        return {wall.name: self._processes.wall_url(wall) for wall in site.plan.walls}


def check_written_numbers(config: NvrConfig, added: Mapping[int, str]) -> None:
    """Refuse a number that is written down for one camera while a command has added another one under it.

    Raises:
        ConfigurationError: Says which camera, where the other one runs, and what can be done.
    """
    for camera in config.cameras:
        owner = None if camera.source_id is None or not camera.enabled else added.get(camera.source_id)
        if owner is not None:
            raise ConfigurationError(
                f"camera {camera.name or mask_credentials(camera.uri)}: source_id {camera.source_id} has a camera "
                f"that a command added to {owner}: write another one, or first take that camera out "
                f"(nvr ctl remove-stream --source {camera.source_id})"
            )
