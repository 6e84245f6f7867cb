"""Reading the one configuration file: what is right is read, what is wrong is told with its place and no password."""

from pathlib import Path

import pytest

from nvr.config.file import MAX_SECRET_BYTES, load_config, parse_config
from nvr.config.overrides import Override
from nvr.config.problems import SettingsError
from nvr.config.site import NvrConfig
from nvr.core.errors import ConfigurationError

EXAMPLE = Path(__file__).parents[2] / "config" / "nvr.example.yaml"


def refusal(text: str, **environment: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        parse_config(text, "nvr.yaml", environment)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    return caught.value


def lines(text: str, **environment: str) -> list[str]:
    return [str(problem) for problem in refusal(text, **environment).problems]


def test_the_example_loads_to_exactly_the_defaults() -> None:
    assert load_config(EXAMPLE) == NvrConfig()


def test_the_example_shows_every_setting() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for section, field in NvrConfig.model_fields.items():
        assert f"\n# {field.description}\n{'' if field.default else '# '}" in text
        assert f"\n{section}:" in text
        for name, setting in getattr(type(field.default), "model_fields", {}).items():
            assert f"  # {setting.description}\n  {name}: " in text, name


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null", "cameras:\nbroker:\n", "\ufeffwall:\n"])
def test_an_empty_file_and_empty_sections_give_the_defaults(text: str, tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_config(path) == NvrConfig()


def test_words_of_older_yaml_are_text() -> None:
    site = parse_config(
        "cameras:\n- {name: 2026-01-01, uri: a, record: off}\n- {name: 12:30, uri: b, enabled: no}\n", "nvr.yaml"
    )
    assert [(camera.name, camera.record, camera.enabled) for camera in site.cameras] == [
        ("2026-01-01", "off", True),
        ("12:30", None, False),
    ]


def test_shared_settings_are_merged_and_what_stands_beside_them_wins() -> None:
    site = parse_config(
        "cameras:\n- &a {name: one, uri: u1, max_fps: 2}\n- {<<: *a, name: two}\n- {uri: u3, <<: [*a], name: three}\n",
        "nvr.yaml",
    )
    assert [(camera.name, camera.uri, camera.max_fps) for camera in site.cameras] == [
        ("one", "u1", 2),
        ("two", "u1", 2),
        ("three", "u3", 2),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "streams:\n  # how fast\n  max_fsp: 3\n",
            "streams.max_fsp: there is no such setting, did you mean max_fps? (nvr.yaml:3:3)",
        ),
        ("camera: []\n", "camera: there is no such setting, did you mean cameras? (nvr.yaml:1:1)"),
        (
            "wall: {mqtt_host: a}\n",
            "wall.mqtt_host: there is no such setting, did you mean broker.host? (nvr.yaml:1:8)",
        ),
        ('"a\\nb": 1\n', "'a\\nb': there is no such setting (nvr.yaml:1:1)"),
        ('cameras: [{uri: u, name: "a\\nb"}]', "cameras.0.name: a name must not hold control characters, got 'a\\nb'"),
        ("zzz: 1\n", "zzz: there is no such setting (nvr.yaml:1:1)"),
        (
            "cameras:\n- uri: u\n  zones:\n  - {name: a, colour: red}\n",
            "cameras.0.zones.0.colour: there is no such setting (nvr.yaml:4:15)",
        ),
        ("streams:\n  max_fps: -1\n", "streams.max_fps: Input should be greater than 0, got -1 (nvr.yaml:2:12)"),
        ("cameras:\n- name: a\n", "cameras.0.uri: Field required (nvr.yaml:2:3)"),
        (
            "cameras:\n- uri: u\n  zones:\n  - name: a\n    polygon: [[0, 0], [1, 0],\n      [1, 640]]\n",
            (
                "cameras.0.zones.0: zone 'a': polygon.2.1: Input should be less than or equal to 1, got 640"
                " (nvr.yaml:6:11)"
            ),
        ),
        (
            "broker: 3\n",
            "broker: expected a section, that is name: value, got 3 (nvr.yaml:1:9)",
        ),
        ("wall: {tile_width: 500\n", "is not YAML: did not find expected ',' or '}' (nvr.yaml:2:1)"),
        (
            "wall:\n  tile_width: 500\n  tile_width: 400\n",
            "wall.tile_width: is given twice, first at nvr.yaml:2:3 (nvr.yaml:3:3)",
        ),
        (
            "processors: {count: some}\n",
            (
                "processors.count: Input should be 'auto', or: Input should be a valid integer, unable to"
                " parse string as an integer, got 'some' (nvr.yaml:1:21)"
            ),
        ),
        (
            "broker: {tls_insecure: true}\n",
            "broker: ca_file, cert_file and tls_insecure mean nothing without tls: true (nvr.yaml:1:9)",
        ),
        ("broker: {password: x}\n", "broker: password means nothing without username (nvr.yaml:1:9)"),
        ("tenants: [{name: status}]\n", "tenants.0: tenant 'status' is a reserved word; reserved are"),
        ("processors: {instance_prefix: a/b}\n", "processors: instance 'a/b-64' is not a valid name"),
        ("cameras: [{uri: 'rtsp://[::1/x'}]\n", "cameras.0.uri: a stream URI has the form scheme://"),
        ("cameras: [{uri: 'rtsp:///x'}]\n", "cameras.0.uri: a stream URI must name a host"),
        ("broker: {host: a..b}\n", "broker.host: not a host name"),
        (
            "models: {confidence_threshold: .nan}\n",
            "models.confidence_threshold: Input should be a finite number, got nan",
        ),
        ("cameras: rtsp://h/1\n", "cameras: expected a list, got 'rtsp://h/1' (nvr.yaml:1:10)"),
        (
            "cameras:\n- rtsp://h/1\n",
            "cameras.0: expected a section, that is name: value, got 'rtsp://h/1' (nvr.yaml:2:3)",
        ),
        ("cameras: [{uri: u, name: ''}]\n", "cameras.0.name: must not be empty, got '' (nvr.yaml:1:26)"),
        (
            "storage: {cameras: 3}\n",
            "storage.cameras: expected names or numbers with a value each, got 3 (nvr.yaml:1:20)",
        ),
        (
            "storage: {mode: sometimes}\n",
            "storage.mode: expected off, or some of continuous, events and on_demand joined by +, got 'sometimes'",
        ),
        (
            "control: {key: short}\n",
            "control.key: expected at least 16 characters, not 5, got *** (nvr.yaml:1:16)",
        ),
        (
            "broker: {ca_file: [a, b]}\n",
            "broker.ca_file: expected the path of a file or folder, got a list of 2 (nvr.yaml:1:19)",
        ),
        ("tenants: [{name: 'a b'}]\n", "tenants.0: tenant 'a b' is not a valid name: use 1 to 63 letters"),
        ("broker:\n\thost: a\n", "is not YAML: a tab stands where only spaces may (nvr.yaml:2:1)"),
        ("- a\n", "expected a section, that is name: value, got a list of 1 (nvr.yaml:1:1)"),
        ("--- {}\n--- {}\n", "holds more than one document: leave out the line --- (nvr.yaml:2:1)"),
        ("a: !!python/object:os.system x\n", "is not YAML: an unknown tag (!…)"),
        ("[" * 5000, "is nested more than 32 levels deep (nvr.yaml:1:34)"),
        ("? [a]\n: b\n", "is not YAML: the name of a setting is a list"),
        ("a: *b\n", "is not YAML: an alias (*…) without its anchor"),
        ("a: &a [*a]\n", "is not YAML: an alias (*…) without its anchor"),
        ("wall: !secret x\n", "wall: !secret needs a file to be relative to (nvr.yaml:1:7)"),
        (
            "storage: {cameras: {-1: {max_gb: 1}}}\n",
            "storage.cameras.-1: Input should be greater than or equal to 0, got -1",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(text: str, line: str) -> None:
    assert str(refusal(text)).startswith(line)


def test_all_problems_are_held_and_the_first_is_said() -> None:
    text = "streams:\n  max_fps: -1\n  colour: red\ncameras:\n- uri: ''\n- uri: u\n  max_fps: x\n"
    assert [line.partition(":")[0] for line in lines(text)] == [
        "streams.colour",
        "streams.max_fps",
        "cameras.0.uri",
        "cameras.1.max_fps",
    ]
    assert str(refusal(text)).endswith("(nvr.yaml:3:3) (and 3 more)")


def test_sections_of_the_former_file_are_told_what_they_are_called_now() -> None:
    text = "processor:\n  max_fps: 3\n  mqtt_host: h\n  stream_uris: [u]\nrecording: {root: /x}\n"
    assert lines(text) == [
        (
            "processor: there is no such section any more: its settings are in broker, models, streams, cameras and"
            " processors (nvr.yaml:1:1)"
        ),
        "processor.max_fps: is called streams.max_fps now (nvr.yaml:2:3)",
        "processor.mqtt_host: is called broker.host now (nvr.yaml:3:3)",
        "processor.stream_uris: is called cameras now (nvr.yaml:4:3)",
        "recording: there is no such section any more: its settings are in storage (nvr.yaml:5:1)",
        "recording.root: is called storage.root now (nvr.yaml:5:13)",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "cameras:\n- {name: a, uri: u}\n- {name: a, uri: v}\n",
            "cameras.1.name: is given twice, first as cameras.0.name, got 'a' (nvr.yaml:3:10)",
        ),
        (
            "cameras:\n- {source_id: 3, uri: u}\n- {source_id: 3, uri: v}\n",
            "cameras.1.source_id: is given twice, first as cameras.0.source_id, got 3 (nvr.yaml:3:15)",
        ),
        ("tenants: [{name: a}, {name: a}]\n", "tenants.1.name: is given twice, first as tenants.0.name, got 'a'"),
        (
            "tenants: [{name: a}]\ncameras:\n- {tenant: b, uri: u}\n",
            "cameras.0.tenant: is none of the tenants (a), got 'b' (nvr.yaml:3:12)",
        ),
        (
            "cameras:\n- {name: gate, uri: u, record: events}\n",
            "cameras.0.record: gate is to be recorded, and storage.root names no folder for it (nvr.yaml:2:32)",
        ),
        (
            "storage: {mode: events}\ncameras: [{uri: 'rtsp://u:pw@h/x'}]\n",
            "storage.mode: rtsp://***@h/x is to be recorded, and storage.root names no folder for it (nvr.yaml:1:17)",
        ),
        (
            "broker: {enabled: false}\nhome_assistant: {enabled: true}\n",
            "home_assistant.enabled: Home Assistant is told over the broker, and broker.enabled is false",
        ),
        ("wall: {http_port: 65535}\ntenants: [{name: a}]\n", "wall.http_port: the walls of 1 tenants take the ports"),
    ],
)
def test_what_does_not_fit_together_is_refused(text: str, line: str) -> None:
    assert str(refusal(text)).startswith(line)


def test_a_camera_that_is_not_enabled_needs_no_storage() -> None:
    assert parse_config("cameras: [{uri: u, record: events, enabled: false}]", "x").cameras[0].record == "events"


@pytest.mark.parametrize(
    "text",
    [
        "broker: {username: u, password: [hunter2]}\n",
        "broker: {username: u, password: hunter2}\nwall: {http_port: x}\n",
        "broker: {username: u, password: hunter2, tls_insecure: true}\n",
        "cameras: [{uri: 'rtsp://u:hunter2@h/1'}, {uri: ''}]\n",
        "cameras: 'rtsp://u:hunter2@h/1'\n",
        "cameras: [{uri: 'rtsp://u:hunter2 x@h/1'}]\n",
        "cameras: [{uri: 'rtsp://u:hunter2/x@h/1'}]\n",
        "broker: {password: *hunter2}\n",
        "broker: {password: !hunter2 }\n",
        "broker: {password: !hunter2!x }\n",
        "broker: {password: 'hunter2\n",
        'broker: {password: "hunter2\\x"}\n',
        "broker:\n  password: hunter2: hunter2: x\n",
        "control: {key: hunter2}\n",
        "cameras: {'rtsp://u:hunter2@h/1': x}\n",
        "wall: {'rtsp://u:hunter2@h/1': x}\n",
        "'rtsp://u:hunter2@h/1': x\n'rtsp://u:hunter2@h/1': y\n",
    ],
)
def test_no_message_shows_a_password(text: str) -> None:
    assert "hunter2" not in "".join(map(str, refusal(text).problems))


class TestPlaceholders:
    def test_they_are_filled_in_within_braces_too(self) -> None:
        text = "broker: {host: ${HOST}, port: ${PORT:-1884}, username: $${HOST}}\n"
        broker = parse_config(text, "nvr.yaml", {"HOST": "broker.lan"}).broker
        assert (broker.host, broker.port, broker.username) == ("broker.lan", 1884, "${HOST}")
        assert lines("broker: {port: 1, host: ${HOST}}\n") == [
            "broker.host: the environment variable HOST is not set (nvr.yaml:1:25)"
        ]

    def test_variables_and_their_defaults_are_filled_in(self) -> None:
        text = "cameras: [{name: '${N:-gate}', uri: 'rtsp://u:${PW}@${H}/$$x$1$'}]\nwall: {http_port: '${P}'}\n"
        site = parse_config(text, "x", {"PW": "a:b$$c${d}", "H": "h", "P": "81", "EMPTY": ""})
        assert site.cameras[0].uri == "rtsp://u:a:b$$c${d}@h/$x$1$"
        assert (site.cameras[0].name, site.wall.http_port) == ("gate", 81)

    def test_a_missing_variable_is_named_with_its_place(self) -> None:
        assert lines("cameras:\n- uri: ${ONE}/${TWO}\n- uri: ${EMPTY}\n", EMPTY="") == [
            "cameras.0.uri: the environment variable ONE is not set (nvr.yaml:2:8)",
            "cameras.1.uri: the environment variable EMPTY is not set (nvr.yaml:3:8)",
        ]

    def test_what_only_begins_like_a_placeholder_is_refused(self) -> None:
        assert "write $${" in lines("cameras: [{uri: '${a b}'}]")[0]

    def test_a_variable_with_a_secrets_name_is_not_shown(self) -> None:
        text = "wall: {http_port: '${PORT_TOKEN}', tile_width: '${W}'}\n"
        shown = lines(text, PORT_TOKEN="hunter2", W="wide")
        assert "hunter2" not in "".join(shown)
        assert "got 'wide'" in shown[1]


class TestSecrets:
    def write(self, folder: Path, text: str, **secrets: str) -> Path:
        path = folder / "nvr.yaml"
        path.write_text(text, encoding="utf-8")
        for name, secret in secrets.items():
            (folder / name).write_text(secret, encoding="utf-8")
        return path

    def test_a_secret_file_is_read_beside_the_configuration(self, tmp_path: Path) -> None:
        text = "broker: {username: u, password: !secret pw}\ncameras: [{uri: !secret sub/../uri}]\n"
        (tmp_path / "sub").mkdir()
        site = load_config(self.write(tmp_path, text, pw=" \n12345\n", uri="rtsp://u:p${x}@h/1\n"))
        assert site.broker.password is not None
        assert site.broker.password.get_secret_value() == "12345"
        assert site.cameras[0].uri == "rtsp://u:p${x}@h/1"

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("none", "No such file"),
            ("empty", "is empty"),
            (".", "is no file"),
            ("large", f"more than {MAX_SECRET_BYTES} bytes"),
            ("binary", "no UTF-8 text"),
            ('""', "names no file"),
            ('"a\\0b"', "names no file"),
            ("x/" * 3000, "cannot read the secret file"),
            ("[a]", "an unknown tag"),
        ],
    )
    def test_a_secret_that_cannot_be_read_is_told_with_its_file(self, name: str, message: str, tmp_path: Path) -> None:
        path = self.write(tmp_path, f"wall:\n  http_host: !secret {name}\n", empty=" \n", large="x" * 70_000)
        (tmp_path / "binary").write_bytes(b"\xff\xfehunter2")
        with pytest.raises(SettingsError, match=message) as caught:
            load_config(path)
        assert f"{path}:2:14" in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert len(str(caught.value)) < 1000

    @pytest.mark.parametrize(
        ("setting", "secret"),
        [
            ("wall: {http_port: !secret s}", "hunter2"),
            ("wall: {http_port: !secret s}", "x"),
            ("wall: {http_port: !secret s}", "hunter2'\"\\\u00e4 " * 40),
            ("tenants: [{name: !secret s}]", "hun/ter2"),
            ("tenants: [{name: !secret s}]", "hun/ter2" * 30),
            ("cameras: [{uri: a, tenant: !secret s}]", "hunter2"),
            ("cameras: [{uri: !secret s}]", "rtsp://u:hunter2 x@h/1"),
            ("broker: {host: !secret s}", "hunter..2"),
            ("cameras: [{uri: a, zones: [{name: !secret s, polygon: []}]}]", "hunter2"),
            ("cameras: [{uri: a, name: !secret s}, {uri: b, name: !secret s}]", "hunter2"),
        ],
    )
    def test_no_message_shows_a_secret(self, setting: str, secret: str, tmp_path: Path) -> None:
        with pytest.raises(SettingsError) as caught:
            load_config(self.write(tmp_path, setting, s=secret))
        said = str(caught.value).replace(str(tmp_path), "")
        assert secret not in said if len(secret) > 1 else "got 'x'" not in said
        assert secret[:8] not in said if len(secret) > 1 else True
        assert "***" in said


def test_a_file_that_unfolds_to_gigabytes_is_refused_at_once() -> None:
    text = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    text += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "unfolds to more than" in str(refusal("\n".join([*text, "cameras: *a11"])))


def test_refuses_a_file_that_is_absent_huge_or_binary(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    for content, message in (
        (None, "cannot read the configuration .*nvr.yaml"),
        (b"\xff\xfe\x00", r"is no UTF-8 text \(.*nvr.yaml:1\)"),
        ("broker:\n  host: café\n".encode("latin-1"), r"is no UTF-8 text \(.*nvr.yaml:2\)"),
        (b"a: \x00", "not YAML"),
        (b"#" * 1_000_001, "has more than 1000000 bytes"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=message) as caught:
            load_config(path)
        assert str(path) in str(caught.value)


class TestOverrides:
    def test_the_last_one_wins_over_the_file(self) -> None:
        overrides = [Override(("wall", "http_port"), port, "x") for port in (1, 2)]
        assert parse_config("wall: {http_port: 3, tile_width: 70}", "x", overrides=overrides).wall.http_port == 2

    def test_a_fallback_counts_only_where_the_file_says_nothing(self) -> None:
        overrides = [Override(("storage", "mode"), "events", "x", is_fallback=True)]
        assert parse_config("storage: {mode: off}", "x", overrides=overrides).storage.mode == "off"
        assert parse_config("storage: {segment_s: 4}", "x", overrides=overrides).storage.mode == "events"

    def test_an_error_names_who_says_it(self) -> None:
        with pytest.raises(SettingsError, match=r"wall\.http_port: .* got 'x' \(--http\)$"):
            parse_config("wall: {http_port: 3}", "x", overrides=[Override(("wall", "http_port"), "x", "--http")])

    def test_a_section_that_is_none_stays_an_error_of_the_file(self) -> None:
        with pytest.raises(SettingsError, match=r"wall: .*got 3"):
            parse_config("wall: 3", "x", overrides=[Override(("wall", "http_port"), 3, "--http")])
