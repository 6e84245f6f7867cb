"""Which processes an installation consists of, and what each is told: pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nvr.app.site.assignment import CameraLoad, assign, instance_count, instance_names, most_instances
from nvr.config.derive import cameras_of, processor_settings, site_for_instance, wall_settings
from nvr.config.site import BrokerSection, NvrConfig

THREADS_AT_MOST = 4
"""Of one model, as a processor of its own has them."""
HIGHEST_PORT = 65_535
ANY_PORT = 0

NO_COSTS: Mapping[int, float] = {}


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """A processor instance."""

    name: str
    """Of the process: that of the instance, and of its tenant where it has one."""
    instance_id: str
    tenant: str | None
    source_ids: tuple[int, ...]
    config: NvrConfig
    """Complete in itself."""
    inference_threads: int | None = None
    """Its part of the cores, for as long as it runs; None for all, as a processor takes them by itself."""


@dataclass(frozen=True, slots=True)
class WallPlan:
    """The wall page of a tenant."""

    name: str
    tenant: str | None
    http_host: str
    http_port: int
    """As it was asked for; 0 for any free one."""
    config: NvrConfig


@dataclass(frozen=True, slots=True)
class SitePlan:
    """All processes but the broker."""

    instances: tuple[InstancePlan, ...]
    walls: tuple[WallPlan, ...]
    moves: int = 0
    """Cameras that change their instance to even out the load."""
    placed: Mapping[int, str] = field(default_factory=dict)
    """Instance of each camera."""

    @property
    def source_ids(self) -> tuple[int, ...]:
        """Every camera that runs."""
        return tuple(sorted(self.placed))


def plan_site(
    site: NvrConfig,
    *,
    broker: BrokerSection,
    n_cores: int,
    before: SitePlan | None = None,
    costs: Mapping[int, float] = NO_COSTS,
    may_move: bool = False,
) -> SitePlan:
    """Return what is to run.

    Args:
        site: The configuration; each camera has its number.
        broker: The one to use.
        n_cores: Of this machine.
        before: What runs now: there cameras stay where there is no reason to move, and instances keep their part of
            the cores, as another one would cost their cameras a new processor.
        costs: Cores of each camera, where they were measured.
        may_move: Whether cameras may move to another instance to even out the load.

    Raises:
        ConfigurationError: A camera is to run in an instance that cannot be called so.
    """
    instances: list[InstancePlan] = []
    walls: list[WallPlan] = []
    placed = {} if before is None else before.placed
    moves = n_at_most = 0
    for tenant in (None, *(each.name for each in site.tenants)):
        cameras = cameras_of(site, tenant=tenant)
        if not cameras:
            continue
        loads = [
            CameraLoad(camera.source_id or 0, camera.processor, costs.get(camera.source_id or 0)) for camera in cameras
        ]
        section = site.processors
        wanted = None if section.count == "auto" else section.count
        pins = [camera.processor for camera in cameras if camera.processor is not None]
        names = instance_names(section.instance_prefix, instance_count(wanted, n_cores, len(cameras)), pins)
        n_at_most += len(instance_names(section.instance_prefix, most_instances(wanted, n_cores), pins))
        assignment = assign(loads, names, placed, may_move=may_move)
        moves += assignment.moves
        for instance_id in names:
            if source_ids := assignment.of(instance_id):
                config = site_for_instance(site, source_ids=source_ids, tenant=tenant, broker=broker)
                processor_settings(config, instance_id=instance_id, tenant=tenant)
                instances.append(InstancePlan(_name(tenant, instance_id), instance_id, tenant, source_ids, config))
        if site.wall.enabled and (port := wall_settings(site, tenant).http_port) is not None:
            config = site_for_instance(site, tenant=tenant, broker=broker)
            walls.append(WallPlan(_name(tenant, "wall"), tenant, site.wall.http_host, port, config))
    if not instances:
        instances = [_idle_instance(site, broker)]
    running = {} if before is None else {plan.name: plan.inference_threads for plan in before.instances}
    threads = _threads_of_each(n_at_most, n_cores)
    shared = tuple(
        _share_machine(plan, number, running.get(plan.name, threads)) for number, plan in enumerate(instances)
    )
    owners = {source_id: plan.instance_id for plan in shared for source_id in plan.source_ids}
    return SitePlan(shared, tuple(walls), moves, owners)


def _idle_instance(site: NvrConfig, broker: BrokerSection) -> InstancePlan:
    """Return an instance without cameras: it takes commands, which may add some, and tells that it lives."""
    instance_id = f"{site.processors.instance_prefix}-1"
    config = site_for_instance(site, source_ids=(), broker=broker)
    return InstancePlan(instance_id, instance_id, None, (), config)


def tenants_of(site: NvrConfig) -> tuple[str | None, ...]:
    """Return the tenants that have cameras; the default one, which is None, in any case."""
    used = {camera.tenant for camera in site.cameras if camera.enabled}
    return (None, *(tenant.name for tenant in site.tenants if tenant.name in used))


def _name(tenant: str | None, name: str) -> str:
    return name if tenant is None else f"{tenant}/{name}"


def _threads_of_each(n_at_most: int, n_cores: int) -> int | None:
    # of the instances that may come, not of those that there are: the first ones do not give way to those that follow
    return None if n_at_most < 2 else min(THREADS_AT_MOST, max(1, n_cores // n_at_most))


def _share_machine(plan: InstancePlan, number: int, threads: int | None) -> InstancePlan:
    """Give an instance a port of its own for its figures, and its part of the cores for its model."""
    config = plan.config
    updates: dict[str, object] = {}
    if config.metrics.http_port:
        port = config.metrics.http_port + number
        port = port if port <= HIGHEST_PORT else ANY_PORT
        updates["metrics"] = config.metrics.model_copy(update={"http_port": port})
    if config.models.inference_threads is None:
        updates["models"] = config.models.model_copy(update={"inference_threads": threads})
    return replace(plan, config=config.model_copy(update=updates), inference_threads=threads)
