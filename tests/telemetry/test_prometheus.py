"""What a scraper reads, by prometheus_client's own parser."""

import math

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from nvr import __version__
from nvr.core.clock import ManualClock
from nvr.core.histogram import HistogramSnapshot
from nvr.telemetry.points import Point, processor_points, wall_points
from nvr.telemetry.prometheus import MAX_AGE_S, PROCESS_METRICS, TARGET, Exporter
from nvr.telemetry.specs import PROCESSOR_SPECS, WALL_SPECS
from tests.telemetry.sample import camera, instance, samples_of, value_of, wall

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def exporter() -> Exporter:
    return Exporter(lambda: processor_points(instance()), instance_id=lambda: "processor-1")


def test_every_figure_arrives_under_its_name() -> None:
    samples = samples_of(exporter().render().content)
    who = {"source_id": "3", "camera": "Front door"}
    assert value_of(samples, "nvr_camera_frames_total", stage="received", **who) == 1000
    assert value_of(samples, "nvr_camera_frames_total", stage="published", **who) == 3
    assert value_of(samples, "nvr_camera_frames_dropped_total", reason="sampled_out", **who) == 290
    assert value_of(samples, "nvr_camera_motion_frames_total", motion="yes", **who) == 20
    assert value_of(samples, "nvr_camera_motion_frames_total", motion="no", **who) == 60
    assert value_of(samples, "nvr_camera_connection_failures_total", **who) == 1
    assert value_of(samples, "nvr_camera_clock_error_seconds", **who) == -0.02
    assert value_of(samples, "nvr_camera_future_frames_total", **who) == 1
    assert value_of(samples, "nvr_model_canvas_used_pixels_total", model="yolox-nano") == 300
    assert value_of(samples, "nvr_queue_depth", queue="mqtt") == 3
    sent = {"messaging_system": "mqtt", "messaging_destination_template": "nvr/detections/{source_id}"}
    assert value_of(samples, "messaging_client_sent_messages_total", error_type="", **sent) == 95
    assert value_of(samples, "messaging_client_sent_messages_total", error_type="not_taken", **sent) == 4
    assert value_of(samples, "system_filesystem_usage_bytes", system_filesystem_state="used") == 600
    assert value_of(samples, "nvr_recordings_forecast_seconds") == 7.5 * 86_400
    assert value_of(samples, "process_thread_count") == 17


def test_a_camera_is_in_one_state_of_all() -> None:
    samples = samples_of(exporter().render().content)
    states = {sample.labels["state"]: sample.value for sample in samples if sample.name == "nvr_camera_state"}
    assert states.pop("running") == 1
    assert set(states.values()) == {0}


def test_buckets_are_cumulative_and_end_with_the_count() -> None:
    samples = samples_of(exporter().render().content)
    for stage in ("capture_to_decode", "capture_to_publish"):
        buckets = [
            (float(sample.labels["le"]), sample.value)
            for sample in samples
            if sample.name == "nvr_camera_stage_duration_seconds_bucket" and sample.labels["stage"] == stage
        ]
        assert buckets == sorted(buckets)
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)
        assert buckets[-1] == (math.inf, 3)
        assert value_of(samples, "nvr_camera_stage_duration_seconds_count", stage=stage) == 3
    total = value_of(samples, "nvr_camera_stage_duration_seconds_sum", stage="capture_to_publish")
    assert total == pytest.approx(12.18)


def test_the_page_is_also_had_as_openmetrics() -> None:
    page = exporter().render(OPENMETRICS)
    assert page.content_type.startswith("application/openmetrics-text")
    parsed = parse_openmetrics(page.content.decode())  # type: ignore[no-untyped-call]  # without annotations
    families = {family.name: family for family in parsed}
    assert families["nvr_camera_frames"].type == "counter"
    assert families["target"].type == "info"


def test_the_instance_names_itself_as_opentelemetry_does_and_may_be_renamed() -> None:
    name = "old"
    exporter = Exporter(list, instance_id=lambda: name, max_age_s=0)
    assert f'target_info{{service_instance_id="{name}",service_name="nvr",service_version="{__version__}"}}' in (
        exporter.render().content.decode()
    )
    name = "new"
    samples = samples_of(exporter.render().content)
    assert value_of(samples, TARGET, service_instance_id="new") == 1


@pytest.mark.parametrize("name", ['a "quoted" \\ name', "two\nlines", "Türe ☃", "rtsp://***@192.0.2.1/live"])
def test_a_name_with_odd_signs_is_one_label_all_the_same(name: str) -> None:
    page = Exporter(lambda: processor_points(instance(camera(name=name))), instance_id=lambda: "p").render()
    assert value_of(samples_of(page.content), "nvr_camera_up", camera=name) == 1


def test_what_is_not_known_has_no_sample() -> None:
    bare = instance()
    page = Exporter(
        lambda: processor_points(type(bare)(bare.instance_id, bare.at, bare.uptime_s)), instance_id=lambda: "p"
    ).render()
    names = {sample.name for sample in samples_of(page.content)}
    assert "nvr_recordings_bytes" not in names
    assert "nvr_camera_up" not in names
    assert "nvr_broker_connected" in names


def points_by_metric(points: list[Point]) -> set[str]:
    return {point.spec.name for point in points}


def test_each_metric_of_the_lists_has_values_and_no_other_has() -> None:
    assert points_by_metric(list(processor_points(instance()))) == {spec.name for spec in PROCESSOR_SPECS}
    assert points_by_metric(list(wall_points(wall(), threads=5))) == {spec.name for spec in WALL_SPECS}


def test_each_value_fits_its_metric() -> None:
    for point in [*processor_points(instance()), *wall_points(wall(), threads=5)]:
        assert len(point.labels) == len(point.spec.labels), point.spec.name
        assert isinstance(point.value, HistogramSnapshot) == (point.spec.kind == "histogram")
        assert point.spec.name.endswith("_total") == (point.spec.kind == "counter")


def test_no_metric_is_told_twice_with_the_same_labels() -> None:
    samples = samples_of(Exporter(
        lambda: [*processor_points(instance(camera(1, "a"), camera(2, "a")))], instance_id=lambda: "p"
    ).render().content)  # fmt: skip
    keys = [(sample.name, *sorted(sample.labels.items())) for sample in samples]
    assert len(keys) == len(set(keys))


def test_the_number_of_series_grows_with_cameras_only_and_is_bounded() -> None:
    def series(n: int) -> int:
        cameras = tuple(camera(i, f"camera {i}") for i in range(n))
        return len(samples_of(Exporter(lambda: processor_points(instance(*cameras)), instance_id=str).render().content))

    one, two, ten = series(1), series(2), series(10)
    assert ten - one == 9 * (two - one)
    assert two - one <= 130


def test_the_process_is_told_by_its_usual_names() -> None:
    samples = samples_of(exporter().render().content)
    assert {sample.name for sample in samples if sample.name.startswith("process_")} == {
        *PROCESS_METRICS,
        "process_thread_count",
    }
    assert value_of(samples, "process_resident_memory_bytes") > 1_000_000


def test_nothing_is_gathered_before_a_page_is_asked_for() -> None:
    asked = []

    def points() -> list[Point]:
        asked.append(1)
        return []

    exporter = Exporter(points, instance_id=lambda: "p")
    assert asked == []
    exporter.render()
    assert asked == [1]


def test_who_asks_again_at_once_gets_the_same_page_and_costs_nothing() -> None:
    asked, clock = [], ManualClock()

    def points() -> list[Point]:
        asked.append(1)
        return []

    exporter = Exporter(points, instance_id=lambda: "p", clock=clock)
    assert exporter.render() is exporter.render()
    assert exporter.render(OPENMETRICS).content_type != exporter.render().content_type
    clock.advance(MAX_AGE_S)
    exporter.render()
    assert len(asked) == 4, "another format and another moment are another page"


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3", False),
        ("application/openmetrics-text;version=nonsense;escaping=dots", True),
        ("application/json, Application/OpenMetrics-Text; version=0.0.1;q=0.4, text/plain", True),
        ("," * 1000, False),
    ],
)
def test_what_a_scraper_accepts_chooses_between_two_formats(accept: str, is_openmetrics: bool) -> None:
    page = exporter().render(accept)
    assert page.content_type.startswith("application/openmetrics-text; version=1.0.0" if is_openmetrics else "text/pl")
    assert page.content.endswith(b"# EOF\n") == is_openmetrics
