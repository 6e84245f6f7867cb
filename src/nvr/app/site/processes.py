"""The processes of an installation as the supervisor wants them, and the file that each reads its settings from."""

import hashlib
import sys
from pathlib import Path

from nvr.app.ports import PortClaims, free_port
from nvr.app.site.plan import InstancePlan, SitePlan, WallPlan
from nvr.app.site.state import write_all
from nvr.app.supervision.supervised_child import ChildSpec
from nvr.config.dump import dump_site

WALL_STAGE, PROCESSOR_STAGE = 0, 1
"""Those who look end before those whom they look at."""

WALL_STOP_S = 2.0
PROCESSOR_STOP_S = 3.7
"""With the second of the walls and that of the broker all ends within 5 s; a processor needs longer than 2 s only where
the disk is slow."""


class SiteProcesses:
    """Writes the files, each only when its content changes: a child reads a file that has changed anew."""

    def __init__(self, folder: Path, claims: PortClaims) -> None:
        """Prepare; `folder` must be there, and private: the files hold passwords."""
        self._folder = folder
        self._claims = claims
        self._written: dict[str, str] = {}
        self._changed: set[str] = set()
        self._ports: dict[tuple[str, str, int], int] = {}

    def write(self, plan: SitePlan) -> list[ChildSpec]:
        """Write what has changed and return what is to run.

        Raises:
            ConfigurationError: A file cannot be written, or a wall page can be on no port; no file has changed then.
        """
        configs = {instance.name: instance.config for instance in plan.instances}
        configs |= {wall.name: wall.config for wall in plan.walls}
        texts = {name: dump_site(config) for name, config in configs.items()}
        specs = [self._processor(instance, _revision(texts[instance.name])) for instance in plan.instances]
        specs += [self._wall(wall, _revision(texts[wall.name])) for wall in plan.walls]
        changed = {name: text for name, text in texts.items() if self._written.get(name) != text}
        write_all({self._path(name): text for name, text in changed.items()})
        self._changed |= set(changed)
        for name in set(self._written) - set(texts):
            self._path(name).unlink(missing_ok=True)
        self._written = texts
        return specs

    def take_changed(self) -> set[str]:
        """Return the processes whose file was written since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def wall_url(self, wall: WallPlan) -> str:
        """Return where people open a wall page; `write` must have seen it."""
        host = f"[{wall.http_host}]" if ":" in wall.http_host else wall.http_host
        return f"http://{host}:{self._port(wall)}/"

    def port_changes(self, plan: SitePlan) -> dict[str, tuple[int, int]]:
        """Return the walls whose port was taken: the one that was asked for, and the one they got."""
        ports = {wall.name: (wall.http_port, self._port(wall)) for wall in plan.walls}
        return {name: pair for name, pair in ports.items() if pair[0] not in {0, pair[1]}}

    def _processor(self, plan: InstancePlan, revision: str) -> ChildSpec:
        path = str(self._path(plan.name))
        command = [sys.executable, "-m", "nvr", "processor", "--config", path, "--instance-id", plan.instance_id]
        tenant = () if plan.tenant is None else ("--tenant", plan.tenant)
        return ChildSpec(
            plan.name,
            (*command, *tenant),
            stage=PROCESSOR_STAGE,
            stop_timeout_s=PROCESSOR_STOP_S,
            revision=revision,
            may_be_spare=plan.config.processors.spare,
            may_end=True,
        )

    def _wall(self, plan: WallPlan, revision: str) -> ChildSpec:
        command = [sys.executable, "-m", "nvr", "wall", "--config", str(self._path(plan.name)), "--no-window"]
        page = ("--http", str(self._port(plan)), "--http-host", plan.http_host)
        tenant = () if plan.tenant is None else ("--tenant", plan.tenant)
        return ChildSpec(
            plan.name,
            (*command, *page, *tenant),
            stage=WALL_STAGE,
            stop_timeout_s=WALL_STOP_S,
            revision=revision,
        )

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.replace('/', '@')}.yaml"

    def _port(self, wall: WallPlan) -> int:
        key = (wall.name, wall.http_host, wall.http_port)
        if key not in self._ports:
            self._ports[key] = free_port(wall.http_host, wall.http_port, may_take=self._claims.take)
        return self._ports[key]


def _revision(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
