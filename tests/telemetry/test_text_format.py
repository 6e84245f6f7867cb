"""Our writer against prometheus_client's own, on the same figures."""

import math
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from nvr.core.histogram import HistogramSnapshot
from nvr.telemetry.points import Point, processor_points, wall_points
from nvr.telemetry.specs import CAMERA_CLOCK, CAMERA_STAGES, MetricSpec
from nvr.telemetry.text_format import write_points
from tests.telemetry.sample import camera, instance, snapshot, wall

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
Read = tuple[str, str, str, tuple[object, ...]]


class Library:
    """The same points through prometheus_client's families."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points

    def describe(self) -> list[Family]:
        return []

    def collect(self) -> Iterable[Family]:
        kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
        families: dict[MetricSpec, Family] = {}
        for spec, value, labels in self._points:
            family = families.setdefault(spec, kinds[spec.kind](spec.name, spec.help, labels=spec.labels))
            if isinstance(family, HistogramMetricFamily):
                assert isinstance(value, HistogramSnapshot)
                edges = [("+Inf" if math.isinf(bound) else repr(bound), count) for bound, count in value.cumulative()]
                family.add_metric(labels, buckets=edges, sum_value=value.total)
            else:
                assert not isinstance(value, HistogramSnapshot)
                family.add_metric(labels, value)
        return families.values()


def by_library(points: Sequence[Point], *, is_openmetrics: bool) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Library(points))
    written: bytes = (generate_openmetrics if is_openmetrics else generate_latest)(registry)
    return written.decode()


def read(text: str, *, is_openmetrics: bool) -> list[Read]:
    parse: Callable[[str], Iterable[Metric]] = parse_openmetrics if is_openmetrics else parse_text
    return [
        (family.name, family.type, family.documentation, tuple(repr(sample) for sample in family.samples))
        for family in parse(text)
    ]


POINTS = {
    "processor": list(processor_points(instance(camera(1, "a"), camera(2, 'q"\\ \n')))),
    "wall": list(wall_points(wall(), threads=3)),
    "nothing": list[Point](),
}


@pytest.mark.parametrize("is_openmetrics", [False, True])
@pytest.mark.parametrize("kind", POINTS)
def test_a_parser_reads_the_same_from_both(kind: str, is_openmetrics: bool) -> None:
    points = POINTS[kind]
    ours = write_points(points, is_openmetrics=is_openmetrics) + ("# EOF\n" if is_openmetrics else "")
    expected = by_library(points, is_openmetrics=is_openmetrics)
    assert read(ours, is_openmetrics=is_openmetrics) == read(expected, is_openmetrics=is_openmetrics)


@given(name=st.text(), value=st.floats())
def test_whatever_a_camera_is_called_and_its_clock_says_reads_the_same(name: str, value: float) -> None:
    who = ("1", name.encode("utf-8", "replace").decode())
    points = [Point(CAMERA_CLOCK, value, who), Point(CAMERA_STAGES, snapshot(0.2, 77.0), (*who, "capture_to_publish"))]
    ours = write_points(points, is_openmetrics=False)
    assert read(ours, is_openmetrics=False) == read(by_library(points, is_openmetrics=False), is_openmetrics=False)


def test_samples_of_a_metric_stand_together_however_they_come() -> None:
    points = [*processor_points(instance(camera(1, "a"))), *processor_points(instance(camera(2, "b")))]
    heads = [line for line in write_points(points, is_openmetrics=False).splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))
