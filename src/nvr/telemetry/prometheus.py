"""Points as Prometheus and OpenMetrics text: everything is put together when it is asked for, nothing in between."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder

from nvr import __version__
from nvr.core.histogram import HistogramSnapshot
from nvr.telemetry.points import Point
from nvr.telemetry.specs import MetricSpec

PROCESS_METRICS = (
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
)
"""Those of prometheus_client itself; it has them on Linux."""

TARGET = "target_info"

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
Points = Callable[[], Iterable[Point]]
"""Gathers the values of this moment; must not wait for a disk or a network."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered to a scraper."""

    content: bytes
    content_type: str


class Exporter:
    """Renders the figures of one instance. Any thread."""

    def __init__(self, points: Points, *, instance_id: Callable[[], str]) -> None:
        """Prepare; nothing is gathered before `render`.

        Args:
            points: Called for each page.
            instance_id: Tells the name of the instance, which may change, for `target_info`; its labels are those of
                OpenTelemetry's resources.
        """
        self._instance_id = instance_id
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(_PointsCollector(points))

    def render(self, accept: str = "") -> Page:
        """Return all metrics, in the format that an Accept header wants; Prometheus' own text without one.

        Raises whatever gathering raises.
        """
        encode, content_type = choose_encoder(accept)
        self._registry.set_target_info(
            {
                "service_name": "nvr",
                "service_version": __version__,
                "service_instance_id": self._instance_id(),
            }
        )
        return Page(encode(self._registry), content_type)


class _PointsCollector:
    """Puts points into families, as prometheus_client wants them."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def describe(self) -> Iterable[Family]:
        """Tell prometheus_client nothing: it would gather figures only to learn names."""
        return ()

    def collect(self) -> Iterable[Family]:
        """Return the families of this moment; called by the registry."""
        families: dict[MetricSpec, Family] = {}
        edges: dict[tuple[float, ...], list[str]] = {}
        for spec, value, labels in self._points():
            family = families.get(spec)
            if family is None:
                family = families[spec] = _family(spec)
            if isinstance(family, HistogramMetricFamily):
                assert isinstance(value, HistogramSnapshot)  # noqa: S101 - a spec of a histogram has no other values
                names = edges.setdefault(value.bounds, [])
                names += [] if names else [*(repr(bound) for bound in value.bounds), "+Inf"]
                family.add_metric(
                    labels,
                    buckets=[(name, count) for name, (_, count) in zip(names, value.cumulative(), strict=True)],
                    sum_value=value.total,
                )
            else:
                assert not isinstance(value, HistogramSnapshot)  # noqa: S101 - nor the other way round
                family.add_metric(labels, value)
        return families.values()


_FAMILIES: Mapping[str, type[Family]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


def _family(spec: MetricSpec) -> Family:
    return _FAMILIES[spec.kind](spec.name, spec.help, labels=spec.labels)
