"""What does it cost to count, to be scraped, and to be watched?

Counting is timed alone; a page and a message are put together for 64 cameras whose every figure moves; and a real
processor on simulated cameras runs in turns with a scraper each second and without, so that the two are compared
within one run. The CPU of the scraper itself is left out.
"""

import argparse
import http.client
import statistics
import sys
import threading
import time
import timeit
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._programs import Programs, accepts, choose_model, default_assets, end_on_sigterm
from bench._rows import Row, exit_code, print_rows

from nvr.app.ports import free_port
from nvr.bus.local_broker import LOOPBACK
from nvr.config.operations import MetricsConfig
from nvr.config.processor import StreamProcessorConfig
from nvr.control.metrics import ProcessorMeter
from nvr.core.clock import SystemClock
from nvr.core.histogram import Histogram
from nvr.events.instance_metrics import InstanceMetrics
from nvr.processor.stream_processor import StreamProcessor
from nvr.processor.tally import FrameTimes, Tallies
from nvr.telemetry.figures import InstanceFigures
from nvr.telemetry.http import MetricsServer
from nvr.telemetry.metrics import instance_metrics
from nvr.telemetry.points import processor_points
from nvr.telemetry.prometheus import Exporter
from nvr.telemetry.publisher import MetricsPublisher
from tests.telemetry.sample import camera, instance

N_CAMERAS = 64
WARM_UP_S = 5.0


def counting() -> list[Row]:
    histogram, tallies = Histogram(), Tallies(SystemClock())
    times = FrameTimes(1.0, 1.2, 1.25)
    tally = tallies.of(0)

    def frame() -> None:
        tally.looked(times, is_moving=True)
        tallies.published(0, times)

    return [
        Row("one value of a histogram", 1e9 * least_s(lambda: histogram.observe(0.123), 100_000), "ns", "< 1000"),
        Row("all that is counted of a frame", 1e6 * least_s(frame, 20_000), "us", "< 20"),
    ]


def least_s(work: Callable[[], object], number: int, repeat: int = 5) -> float:
    return min(timeit.repeat(work, number=number, repeat=repeat)) / number


def pages() -> list[Row]:
    figures: InstanceFigures = instance(*(camera(i, f"camera {i}") for i in range(N_CAMERAS)))
    exporter = Exporter(lambda: processor_points(figures), instance_id=lambda: "bench", max_age_s=0)
    page = exporter.render()
    n_series = sum(not line.startswith(b"#") for line in page.content.splitlines())
    size_kb = len(instance_metrics(figures).to_json()) / 1000
    message_s = least_s(lambda: instance_metrics(figures).to_json(), 5)
    return [
        Row(f"page of {N_CAMERAS} cameras", 1e3 * least_s(exporter.render, 3), "ms", "< 250"),
        Row(f"page of {N_CAMERAS} cameras, series", n_series, ""),
        Row(f"page of {N_CAMERAS} cameras, size", len(page.content) / 1000, "kB"),
        Row(f"message of {N_CAMERAS} cameras", 1e3 * message_s, "ms", "< 50"),
        Row(f"message of {N_CAMERAS} cameras, size", size_kb, "kB"),
    ]


class Scraper:
    """Scrapes each second while it is told to, and knows what CPU it takes itself."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_on = threading.Event()
        self._is_stopping = threading.Event()
        self.cpu_s = 0.0
        self.took_s: list[float] = []
        self._thread = threading.Thread(target=self._run, name="bench-scraper", daemon=True)
        self._thread.start()

    def switch(self, *, is_on: bool) -> None:
        """Scrape from now on, or no more."""
        if is_on:
            self._is_on.set()
        else:
            self._is_on.clear()

    def stop(self) -> None:
        """End its thread."""
        self._is_stopping.set()
        self._is_on.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._is_stopping.wait(1.0):
            self._is_on.wait()
            began_s = time.perf_counter()
            connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=30)
            connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
            connection.getresponse().read()
            connection.close()
            self.took_s.append(time.perf_counter() - began_s)
            self.cpu_s = time.thread_time()


def watched(n_cameras: int, phase_s: float, phases: int) -> list[Row]:
    """Return what a processor costs in turns with and without a scraper each second and messages each ten."""
    clock = SystemClock()
    with Programs(clock) as programs:
        port = free_port(LOOPBACK, 18_554)
        programs.start_nvr("simulate", "--n", str(n_cameras), "--port", str(port), "--size", "640x360", "--quiet")
        programs.wait(lambda: accepts(port), "cameras")
        config = StreamProcessorConfig(
            stream_uris=tuple(f"rtsp://{LOOPBACK}:{port}/live/{i}.stream" for i in range(n_cameras)),
            model_id=choose_model(default_assets())[0],
            mqtt_enabled=False,
        )
        processor = StreamProcessor(config)
        meter = ProcessorMeter(lambda: "bench", processor.report)
        server = MetricsServer(MetricsConfig(http_port=0), Exporter(meter.points, instance_id=lambda: "bench"))
        publisher = MetricsPublisher(write, meter.message, 10.0)
        processor.start()
        server.start()
        publisher.start()
        scraper = Scraper(server.port)
        try:
            programs.wait(
                lambda: all(camera.tally.analysed > 10 for camera in processor.report().cameras), "analysed frames"
            )
            time.sleep(WARM_UP_S)
            shares = {is_on: list[float]() for is_on in (False, True)}
            for number in range(2 * phases):
                is_on = number % 2 == 1
                scraper.switch(is_on=is_on)
                shares[is_on].append(cpu_share(scraper, phase_s))
            page_s = page_cpu_s(Exporter(meter.points, instance_id=lambda: "bench", max_age_s=0))
        finally:
            scraper.stop()
            publisher.stop(1)
            server.stop()
            processor.terminate()
    without, with_ = (statistics.median(shares[is_on]) for is_on in (False, True))
    return [
        Row(f"CPU of {n_cameras} cameras, not scraped", 100 * without, "%"),
        Row(f"CPU of {n_cameras} cameras, scraped each second", 100 * with_, "%"),
        Row("the second as a share of the first", with_ / without, ""),
        Row("CPU of one page", 1e3 * page_s, "ms"),
        Row("a page each second as a share of the processor", page_s / without, "", "< 0.05"),
        Row("a scrape, as the scraper sees it, median", 1e3 * statistics.median(scraper.took_s), "ms"),
    ]


def page_cpu_s(exporter: Exporter, n: int = 20) -> float:
    """Return the CPU seconds that one page takes beside all that runs."""
    began_s = time.thread_time()
    for _ in range(n):
        exporter.render()
    return (time.thread_time() - began_s) / n


def write(message: InstanceMetrics) -> None:
    message.to_json()


def cpu_share(scraper: Scraper, seconds: float) -> float:
    """Return CPU seconds per second of this process without the scraper's."""
    began_s, cpu_s, of_scraper_s = time.perf_counter(), time.process_time(), scraper.cpu_s
    time.sleep(seconds)
    used_s = time.process_time() - cpu_s - (scraper.cpu_s - of_scraper_s)
    return used_s / (time.perf_counter() - began_s)


def judged(row: Row) -> Row:
    """Return a row with whether its target is met."""
    return replace(row, ok=row.value < float(row.target.removeprefix("<"))) if row.target else row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four cameras, under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    arguments = parser.parse_args()
    end_on_sigterm()
    rows = [*counting(), *pages()]
    rows += watched(4, 4.0, 4) if arguments.quick else watched(16, 10.0, 6)
    rows = [judged(row) for row in rows]
    print_rows(rows, as_json=arguments.json)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
