"""What each component gets of the one file, and files of single instances: nothing is lost or changed on the way."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from nvr.config.broker import BrokerConfig
from nvr.config.derive import processor_settings, site_for_instance, wall_settings
from nvr.config.dump import dump_site, masked_yaml
from nvr.config.file import parse_config
from nvr.config.processor import StreamProcessorConfig
from nvr.config.site import BrokerSection, NvrConfig, SiteCamera
from nvr.config.wall import VideoWallConfig
from nvr.core.errors import ConfigurationError

TEXT = """
broker: {host: broker.local, port: 8883, username: u, password: "hunter2$$", tls: true, ca_file: ca.pem, qos: 1,
  topic_prefix: site/detections}
storage: {root: /rec, mode: events, cameras: {7: {max_gb: 3}}}
models: {model_id: motion, confidence_threshold: 0.5, classes: [person], multiplex: frames, inference_threads: 2}
streams: {max_fps: 3, decode: all, rtsp_transport: udp, read_timeout_s: 9, file_pace: fast}
processors: {instance_prefix: site, jsonl_path: events.jsonl, sink_queue_size: 9, watchdog_timeout_s: 3}
wall: {tile_width: 320, min_confidence: 0.4, http_port: 9000}
tenants: [{name: acme}, {name: beta}]
control: {key: 0123456789abcdef, heartbeat_s: 2}
cameras:
  - {name: gate, uri: "rtsp://u:hunter2@h/main", detect_uri: rtsp://h/sub, source_id: 7, max_fps: 1, record: off,
     zones: [{name: yard, polygon: [[0, 0], [1, 0], [1, 1]]}]}
  - {uri: rtsp://h/2}
  - {uri: rtsp://h/3, enabled: false}
  - {uri: rtsp://h/4, tenant: acme, processor: site-2}
  - {uri: rtsp://h/5}
"""


def site(text: str = TEXT) -> NvrConfig:
    return parse_config(text, "nvr.yaml")


def test_the_defaults_give_what_components_have_by_default() -> None:
    told = processor_settings(NvrConfig())
    assert told.stream == StreamProcessorConfig()
    assert (told.recording, told.control, told.log) == (NvrConfig().storage, NvrConfig().control, NvrConfig().log)
    assert wall_settings(NvrConfig()) == VideoWallConfig(http_port=8080)


def test_a_processor_is_told_every_setting_of_its_sections() -> None:
    told = processor_settings(site(), instance_id="site-1").stream
    assert told.broker == BrokerConfig(
        host="broker.local",
        port=8883,
        username="u",
        password=SecretStr("hunter2$"),
        tls=True,
        ca_file=Path("ca.pem"),
    )
    assert told.model_dump(exclude_defaults=True, exclude={"cameras"}) == {
        "mqtt_host": "broker.local",
        "mqtt_port": 8883,
        "mqtt_username": "u",
        "mqtt_password": SecretStr("hunter2$"),
        "mqtt_tls": True,
        "mqtt_ca_file": Path("ca.pem"),
        "mqtt_qos": 1,
        "mqtt_topic_prefix": "site/detections",
        "model_id": "motion",
        "confidence_threshold": 0.5,
        "classes": ("person",),
        "multiplex": "frames",
        "inference_threads": 2,
        "max_fps": 3,
        "decode": "all",
        "rtsp_transport": "udp",
        "read_timeout_s": 9,
        "file_pace": "fast",
        "jsonl_path": Path("events.jsonl"),
        "sink_queue_size": 9,
        "watchdog_timeout_s": 3,
        "instance_id": "site-1",
    }


def test_no_setting_of_a_component_is_out_of_reach_of_the_file() -> None:
    """Each setting has another value in the file than by default, and so has what is derived of it."""
    reached = {
        name
        for section in ("models", "streams", "processors", "wall")
        for name in type(NvrConfig.model_fields[section].default).model_fields
    } | {f"mqtt_{name}" for name in BrokerSection.model_fields}
    by_other_ways = {"stream_uris", "first_source_id", "cameras", "tenant", "instance_id"}
    for component in (StreamProcessorConfig, VideoWallConfig):
        assert set(component.model_fields) <= reached | by_other_ways


def test_cameras_have_numbers_and_only_the_enabled_ones_of_the_tenant_are_told() -> None:
    told = processor_settings(site())
    assert [(number, camera.uri) for number, camera in told.stream.numbered_cameras] == [
        (7, "rtsp://u:hunter2@h/main"),
        (0, "rtsp://h/2"),
        (3, "rtsp://h/5"),
    ]
    gate = told.stream.cameras[0]
    assert (gate.name, gate.max_fps, gate.record, gate.zones[0].name) == ("gate", 1, "off", "yard")
    assert [n for n, _ in processor_settings(site(), tenant="acme").stream.numbered_cameras] == [2]
    assert [n for n, _ in processor_settings(site(), source_ids={0, 1, 2, 3}).stream.numbered_cameras] == [0, 3]
    assert processor_settings(site(), tenant="acme").stream.tenant == "acme"


@pytest.mark.parametrize("told", [processor_settings, wall_settings])
def test_a_tenant_of_no_valid_name_is_a_configuration_error(told: Callable[..., object]) -> None:
    with pytest.raises(ConfigurationError, match="reserved word"):
        told(NvrConfig(), tenant="status")


@pytest.mark.parametrize("told", [processor_settings, wall_settings])
def test_a_tenant_that_is_not_declared_is_refused_with_the_nearest_that_is(told: Callable[..., object]) -> None:
    with pytest.raises(ConfigurationError, match=r"^there is no tenant acmee, did you mean acme\?$"):
        told(site(), tenant="acmee")
    with pytest.raises(ConfigurationError, match=r"^there is no tenant acme, there is only the unnamed one$"):
        told(NvrConfig(), tenant="acme")


def test_a_wall_shows_the_smaller_streams_under_the_numbers_of_events() -> None:
    told = wall_settings(site())
    assert [(camera.source_id, camera.uri, camera.name) for camera in told.numbered_cameras] == [
        (7, "rtsp://h/sub", "gate"),
        (0, "rtsp://h/2", None),
        (3, "rtsp://h/5", None),
    ]
    assert (told.tile_width, told.min_confidence, told.rtsp_transport, told.mqtt_port) == (320, 0.4, "udp", 8883)


@pytest.mark.parametrize(
    ("port", "tenant", "expected"),
    [(9000, None, 9000), (9000, "acme", 9001), (9000, "beta", 9002), (0, "acme", 0), (None, "acme", None)],
)
def test_walls_of_tenants_take_the_ports_after_the_first(
    port: int | None, tenant: str | None, expected: int | None
) -> None:
    changed = site().wall.model_copy(update={"http_port": port})
    assert wall_settings(site().model_copy(update={"wall": changed}), tenant).http_port == expected


@pytest.mark.parametrize(("tenant", "source_ids"), [(None, None), (None, {7, 3}), ("acme", None), ("beta", None)])
def test_a_file_of_one_instance_says_the_same_as_the_file_of_all(
    tenant: str | None, source_ids: set[int] | None
) -> None:
    own = site_for_instance(site(), tenant=tenant, source_ids=source_ids)
    read = parse_config(dump_site(own), "instance.yaml")
    assert read == own
    expected = processor_settings(site(), tenant=tenant, source_ids=source_ids, instance_id="site-2")
    assert processor_settings(read, tenant=tenant, instance_id="site-2") == expected


def test_a_file_of_one_instance_names_the_broker_that_was_started_for_it() -> None:
    own = site_for_instance(site(), broker=BrokerSection(host="127.0.0.1", port=4711))
    assert processor_settings(parse_config(dump_site(own), "x")).stream.mqtt_port == 4711


def test_what_is_shown_holds_no_password() -> None:
    shown = masked_yaml(site())
    assert "hunter2" not in shown
    assert "0123456789abcdef" not in shown
    assert 'uri: "rtsp://***@h/main"' in shown
    assert 'password: "***"' in shown
    assert 'name: "gate"' in shown
    assert "hunter2$$" in dump_site(site())


texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=30)


@given(texts, texts, st.floats(0, 1), st.floats(1e-9, 3600))
def test_whatever_text_is_written_is_read_again(name: str, password: str, share: float, seconds: float) -> None:
    original = NvrConfig(
        broker=BrokerSection(username=name, password=SecretStr(password)),
        cameras=(SiteCamera(name=name, uri="rtsp://h/x"),),
    )
    original = original.model_copy(
        update={
            "models": original.models.model_copy(update={"confidence_threshold": share, "classes": (name, password)}),
            "streams": original.streams.model_copy(update={"open_timeout_s": seconds}),
        }
    )
    assert parse_config(dump_site(original), "x") == original


@pytest.mark.parametrize("text", ["1e5", "0o17", "0x1F", "null", "off", "12:30", "2026-01-01", "~", "", ".inf", "a: b"])
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    original = NvrConfig(broker=BrokerSection(username=text, password=SecretStr(text)))
    assert parse_config(dump_site(original), "x") == original
