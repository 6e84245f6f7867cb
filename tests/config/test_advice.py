"""What is allowed and still worth a word: each remark where it belongs, none where all is well."""

import pytest

from nvr.config.advice import holds_passwords, remarks
from nvr.config.file import parse_config

GOOD = """
broker: {host: 127.0.0.1, username: u, password: x}
storage: {root: /rec}
cameras: [{uri: rtsp://h/1, source_id: 0}, {uri: /dev/video0, source_id: 1}]
"""


def said(text: str, *, is_there: bool = True) -> dict[str, str]:
    found = remarks(parse_config(text, "x"), is_file=lambda _: is_there, is_folder=lambda _: is_there)
    return {".".join(map(str, path)): sentence for path, sentence in found}


def test_nothing_is_said_about_what_is_well() -> None:
    assert said(GOOD) == {}


@pytest.mark.parametrize(
    ("text", "setting", "sentence"),
    [
        ("", "cameras", "there is no camera"),
        ("cameras: [{uri: rtsp://h/1, enabled: false, source_id: 0}]", "cameras", "no camera is enabled"),
        ("cameras: [{uri: rtsp://h/1, source_id: 0}, {uri: rtsp://h/2}]", "cameras.1", "1 of 2 have no"),
        ("tenants: [{name: acme}]\ncameras: [{uri: rtsp://h/1}]", "tenants.0.name", "tenant acme has no camera"),
        ("cameras: [{uri: rtsp://h/1, detect_uri: rtsp://h/1}]", "cameras.0.detect_uri", "is the main stream"),
        ("broker: {enabled: false}", "broker.enabled", "goes nowhere"),
        ("broker: {tls: true, tls_insecure: true}", "broker.tls_insecure", "certificate is not checked"),
        ("broker: {host: b.example, username: u, password: x}", "broker.password", "crosses the network as it is"),
        ("broker: {host: 192.0.2.1, username: u, password: x}", "broker.password", "crosses the network as it is"),
        ("wall: {http_host: 0.0.0.0}", "wall.http_host", "the page has no password"),
        ("metrics: {http_host: '::', http_port: 9}", "metrics.http_host", "the figures have no password"),
    ],
)  # fmt: skip
def test_a_remark_names_its_setting(text: str, setting: str, sentence: str) -> None:
    assert sentence in said(text)[setting]


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("storage: {root: /rec}", "storage.root"),
        ("broker: {tls: true, ca_file: ca.pem}", "broker.ca_file"),
        ("processors: {jsonl_path: x/y.jsonl}", "processors.jsonl_path"),
        ("control: {audit_path: x/y.jsonl}", "control.audit_path"),
        ("models: {model_id: x/y.onnx}", "models.model_id"),
        ("cameras: [{uri: film.mp4}]", "cameras.0.uri"),
    ],
)
def test_what_is_not_there_is_named(text: str, setting: str) -> None:
    assert "is no" in said(text, is_there=False)[setting] or "neither" in said(text, is_there=False)[setting]
    assert setting not in said(text)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "nvr.localhost"])
def test_a_password_to_this_machine_is_no_matter(host: str) -> None:
    assert "broker.password" not in said(f"broker: {{host: '{host}', username: u, password: x}}")


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", False),
        ("cameras: [{uri: rtsp://h/1}]", False),
        ("cameras: [{uri: 'rtsp://u:p@h/1'}]", True),
        ("cameras: [{uri: rtsp://h/1, detect_uri: 'http://h/?token=abc'}]", True),
        ("broker: {username: u, password: p}", True),
        ("control: {key: 0123456789abcdef}", True),
    ],
)
def test_tells_whether_a_file_holds_passwords(text: str, holds: bool) -> None:
    assert holds_passwords(parse_config(text, "x")) is holds
