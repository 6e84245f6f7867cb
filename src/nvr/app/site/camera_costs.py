"""What each camera costs, from the counters that instances publish: pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from nvr.events.instance_metrics import InstanceMetrics

MIN_INTERVAL_S = 5.0
SMOOTHING = 0.3
"""Weight of the newest measurement: a street changes with the minute, and cameras should not move with it."""


@dataclass(slots=True)
class CameraCosts:
    """Cores that each camera takes, smoothed. Not thread-safe."""

    _before: dict[str, InstanceMetrics] = field(default_factory=dict)
    _costs: dict[int, float] = field(default_factory=dict)

    @property
    def measured(self) -> Mapping[int, float]:
        """Cores by source id, of the cameras that were measured."""
        return self._costs

    def note(self, metrics: InstanceMetrics) -> None:
        """Take the counters of an instance; one that began anew is measured from then on."""
        before = self._before.get(metrics.instance_id)
        if before is not None and 0 <= metrics.uptime_s - before.uptime_s < MIN_INTERVAL_S:
            return
        self._before[metrics.instance_id] = metrics
        if before is None or metrics.uptime_s < before.uptime_s:
            return
        for source_id, cost in costs_between(before, metrics).items():
            known = self._costs.get(source_id)
            self._costs[source_id] = cost if known is None else known + SMOOTHING * (cost - known)

    def forget_others(self, source_ids: Collection[int], instances: Collection[str]) -> None:
        """Forget all cameras and instances but these."""
        self._costs = {source_id: cost for source_id, cost in self._costs.items() if source_id in set(source_ids)}
        self._before = {name: metrics for name, metrics in self._before.items() if name in set(instances)}


def costs_between(before: InstanceMetrics, after: InstanceMetrics) -> dict[int, float]:
    """Return the cores that each camera took between two counts of one run of an instance.

    What belongs to no camera, as the model, is paid by the cameras in proportion to their frames that were looked at.
    """
    elapsed_s = after.uptime_s - before.uptime_s
    first = {camera.source_id: camera for camera in before.cameras}
    both = [(first[camera.source_id], camera) for camera in after.cameras if camera.source_id in first]
    own_s = {new.source_id: max(0.0, new.cpu_s - old.cpu_s) for old, new in both}
    looks = {new.source_id: max(0, new.analysed - old.analysed) for old, new in both}
    shared_s = max(0.0, after.cpu_s - before.cpu_s - sum(own_s.values()))
    all_looks = sum(looks.values())
    return {
        source_id: (own_s[source_id] + (shared_s * looks[source_id] / all_looks if all_looks else 0.0)) / elapsed_s
        for source_id in own_s
    }
