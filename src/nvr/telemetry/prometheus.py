"""The page that a scraper gets: everything is put together when it is asked for, nothing in between."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from nvr import __version__
from nvr.core.clock import Clock, SystemClock
from nvr.telemetry.points import Point
from nvr.telemetry.text_format import write_points

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

MAX_AGE_S = 0.5
"""Who asks again within it gets the same page, so that many who ask cost no more than one."""

_OPENMETRICS = "application/openmetrics-text"
_OPENMETRICS_TYPE = f"{_OPENMETRICS}; version=1.0.0; charset=utf-8"

Points = Callable[[], Iterable[Point]]
"""Gathers the values of this moment; must not wait for a disk or a network."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered to a scraper."""

    content: bytes
    content_type: str


class Exporter:
    """Renders the figures of one instance. Any thread."""

    def __init__(
        self,
        points: Points,
        *,
        instance_id: Callable[[], str],
        max_age_s: float = MAX_AGE_S,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is gathered before `render`.

        Args:
            points: Called for each page.
            instance_id: Tells the name of the instance, which may change, for `target_info`; its labels are those of
                OpenTelemetry's resources.
            max_age_s: A page is given again to who asks so soon.
            clock: For the age of pages.
        """
        self._points = points
        self._instance_id = instance_id
        self._max_age_s = max_age_s
        self._clock = clock or SystemClock()
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._lock = threading.Lock()
        self._page: tuple[float, Page] | None = None

    def render(self, accept: str = "") -> Page:
        """Return all metrics, in the format that an Accept header wants; Prometheus' own text without one.

        Raises whatever gathering raises.
        """
        is_openmetrics = wants_openmetrics(accept)
        content_type = _OPENMETRICS_TYPE if is_openmetrics else CONTENT_TYPE_PLAIN_0_0_4
        with self._lock:
            now_s = self._clock.monotonic()
            if self._page is not None:
                rendered_s, page = self._page
                if page.content_type == content_type and now_s - rendered_s < self._max_age_s:
                    return page
            self._registry.set_target_info(
                {
                    "service_name": "nvr",
                    "service_version": __version__,
                    "service_instance_id": self._instance_id(),
                }
            )
            own = write_points(self._points(), is_openmetrics=is_openmetrics).encode()
            rest: bytes = (generate_openmetrics if is_openmetrics else generate_latest)(self._registry)
            page = Page(own + rest, content_type)
            self._page = now_s, page
            return page


def wants_openmetrics(accept: str) -> bool:
    """Tell whether an Accept header names OpenMetrics; Prometheus then prefers it."""
    return any(wanted.partition(";")[0].strip().lower() == _OPENMETRICS for wanted in accept.split(","))
