"""What is in deploy/ against the code that it starts: commands, ports, names of variables and files."""

import configparser
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from typer.core import TyperGroup
from typer.testing import CliRunner

from nvr.app.site.plan import plan_site
from nvr.app.site.up import STOP_S
from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import find_broker, free_port
from nvr.cli import main
from nvr.config.broker import BrokerConfig
from nvr.config.file import parse_config
from nvr.config.overrides import from_environment
from nvr.config.site import NvrConfig
from tests.conftest import require_program
from tests.waiting import DEADLINE_S, wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
ROOT = DEPLOY.parent
CONFIG = DEPLOY / "etc" / "nvr.yaml"
UNIT = DEPLOY / "systemd" / "nvr.service"


def check_command(words: list[str]) -> dict[str, Any]:
    """Return the options of an `nvr` command line; fails where there is no such command or option."""
    assert Path(words[0]).name == "nvr"
    group = typer.main.get_command(main.app)
    assert isinstance(group, TyperGroup)
    command = group.commands[words[1]]
    return command.make_context(words[1], list(words[2:])).params


def unit() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the case
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def test_the_service_starts_what_there_is_and_waits_for_its_end() -> None:
    service = unit()
    assert check_command(shlex.split(service["ExecStart"]))["config"] == Path("/etc/nvr/nvr.yaml")
    assert service["Type"] == "notify"
    assert service["KillMode"] == "mixed", "children are ended in order by `nvr up`"
    assert seconds(service["TimeoutStopSec"]) > 2 * STOP_S
    assert int(service["RestartPreventExitStatus"]) == main.EXIT_USAGE
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert {service["StateDirectory"], service["RuntimeDirectory"]} == {"nvr"}


def test_systemd_finds_no_fault_in_the_service(tmp_path: Path) -> None:
    require_program("systemd-analyze")
    installed = tmp_path / "nvr.service"
    installed.write_text(UNIT.read_text().replace("/opt/nvr/bin/nvr", "/bin/true"))
    result = subprocess.run(["systemd-analyze", "verify", installed], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def instructions(keyword: str) -> list[str]:
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    return [line.removeprefix(keyword).strip() for line in text.splitlines() if line.startswith(f"{keyword} ")]


def image_environment() -> dict[str, str]:
    [line] = instructions("ENV")
    return dict(word.split("=", 1) for word in shlex.split(line))


def test_the_image_copies_what_there_is() -> None:
    allowed = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"]
    sources = [
        word for line in instructions("COPY") if not line.startswith("--from") for word in shlex.split(line)[:-1]
    ]
    assert {"requirements.lock", "src"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists()
        assert source in allowed


def test_the_image_runs_what_there_is_on_the_ports_that_it_names() -> None:
    entrypoint, command = (json.loads(instructions(keyword)[0]) for keyword in ("ENTRYPOINT", "CMD"))
    assert check_command([*entrypoint[2:], *command])["config"] == Path("/etc/nvr/nvr.yaml")
    settings = parse_config({}, "image", overrides=from_environment(image_environment()))
    ports = {settings.wall.http_port, settings.metrics.http_port}
    assert {int(port) for port in instructions("EXPOSE")[0].split()} == ports
    assert settings.wall.http_host == settings.metrics.http_host == "0.0.0.0"
    assert instructions("USER") == ["nvr"]


def test_the_image_is_healthy_while_its_first_processor_answers() -> None:
    [check] = [
        line for line in re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text()).splitlines() if "healthz" in line
    ]
    settings = parse_config({}, "image", overrides=from_environment(image_environment()))
    plan = plan_site(settings, broker=settings.broker, n_cores=1)
    assert f"http://127.0.0.1:{plan.instances[0].config.metrics.http_port}/healthz" in check


def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return content


def test_the_services_use_what_is_declared_and_mount_what_there_is() -> None:
    content = compose()
    for service in content["services"].values():
        for secret in service.get("secrets", []):
            assert (secret if isinstance(secret, str) else secret["source"]) in content["secrets"]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in content["volumes"]
        assert "healthcheck" in service or service.get("build")
    for secret in content["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    for path in ("deploy/secrets/mqtt_password", "deploy/cameras.env"):
        ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False)
        assert ignored.returncode in {0, 128}, "passwords stay out of the repository; 128: this is none"


def test_the_recorder_s_container_fits_its_image() -> None:
    service = compose()["services"]["nvr"]
    assert check_command(["nvr", *service["command"]])["config"] == Path("/etc/nvr/nvr.yaml")
    build = (DEPLOY / service["build"]["context"]).resolve()
    assert build == ROOT
    assert (build / service["build"]["dockerfile"]).is_file()
    exposed = set(instructions("EXPOSE")[0].split())
    assert {port.split(":")[-1] for port in service["ports"]} == exposed
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]), "nothing without a password for the network"
    volumes = {volume.split(":")[1] for volume in service["volumes"]}
    assert set(json.loads(instructions("VOLUME")[0])) <= volumes
    [tmpfs] = [entry for entry in service["tmpfs"] if entry.startswith(image_environment()["RUNTIME_DIRECTORY"])]
    user = re.findall(r"useradd --uid (\d+)", (DEPLOY / "Dockerfile").read_text())[0]
    assert f"uid={user}" in tmpfs
    assert seconds(service["stop_grace_period"]) > 2 * STOP_S


def container_config() -> NvrConfig:
    text = CONFIG.read_text()
    return parse_config(text.replace("!secret /run/secrets/mqtt_password", "secret"), "deploy/etc/nvr.yaml")


def test_the_configuration_of_the_containers_names_their_services() -> None:
    config, content = container_config(), compose()
    assert config.broker.host in content["services"]
    assert "!secret /run/secrets/mqtt_password" in CONFIG.read_text()
    assert str(config.storage.root) in {volume.split(":")[1] for volume in content["services"]["nvr"]["volumes"]}
    users = re.findall(r"^user (\S+)$", (DEPLOY / "mosquitto" / "acl").read_text(), re.MULTILINE)
    assert config.broker.username in users


def test_the_folder_of_the_configuration_is_mounted_so_that_editors_may_replace_the_file() -> None:
    service = compose()["services"]["nvr"]
    config = Path(check_command(["nvr", *service["command"]])["config"])
    mounts = {target: DEPLOY / source for source, target, *_ in (volume.split(":") for volume in service["volumes"])}
    assert mounts[str(config.parent)].is_dir()
    assert mounts[str(config.parent)] / config.name == CONFIG


def test_the_cameras_that_are_shown_are_understood_with_the_passwords_that_are_shown(tmp_path: Path) -> None:
    [env_file] = compose()["services"]["nvr"]["env_file"]
    shown = (DEPLOY / f"{env_file['path']}.example").read_text()
    passwords = dict(
        shlex.split(line)[0].split("=", 1) for line in shown.splitlines() if line and not line.startswith("#")
    )
    secret = tmp_path / "mqtt_password"
    secret.write_text("mqtt-password\n")
    secret.chmod(0o400)
    text = CONFIG.read_text().replace("/run/secrets/mqtt_password", str(secret))
    text = re.sub(r"^#(?=  )", "", text, flags=re.MULTILINE)
    (tmp_path / "nvr.yaml").write_text(text)

    def check(environment: dict[str, str]) -> tuple[int, str]:
        command = ["config", "check", str(tmp_path / "nvr.yaml")]
        result = CliRunner().invoke(main.app, command, env={**image_environment(), **environment})
        return result.exit_code, result.output

    status, output = check(passwords)
    assert (status, output.splitlines()[-1]) == (0, f"{tmp_path / 'nvr.yaml'} is understood: 1 camera")
    status, output = check({})
    assert status != 0
    assert "DOOR_PASSWORD" in output


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """A real mosquitto with the configuration of deploy/, on a port of its own."""
    program = require_program("mosquitto")
    passwords = tmp_path / "passwords"
    for flags, user in ((["-c"], "nvr"), ([], "homeassistant"), ([], "viewer")):
        command = [require_program("mosquitto_passwd"), *flags, "-b", str(passwords), user, f"{user}-password"]
        subprocess.run(command, check=True, capture_output=True)
    port = free_port()
    config = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
    acl = tmp_path / "acl"
    acl.write_text((DEPLOY / "mosquitto" / "acl").read_text())
    for before, after in (
        ("listener 1883", f"listener {port} 127.0.0.1"),
        ("/run/secrets/mqtt_passwords", str(passwords)),
        ("/mosquitto/config/acl", str(acl)),
        ("/mosquitto/data/", f"{tmp_path}/"),
    ):
        assert before in config
        config = config.replace(before, after)
    # started by root it becomes another user, who may not enter the test's folder
    (tmp_path / "mosquitto.conf").write_text(f"user root\n{config}")
    with subprocess.Popen([program, "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: find_broker("127.0.0.1", port), "the broker answers")
            yield port
        finally:
            process.terminate()


class User:
    """A client with a name and a password, and what it has heard."""

    def __init__(self, port: int, name: str | None, password: str | None = None) -> None:
        self.heard: list[str] = []
        self.connection = MqttConnection(
            BrokerConfig.model_validate(
                {
                    "host": "127.0.0.1",
                    "port": port,
                    "username": name,
                    "password": password or (name and f"{name}-password"),
                }
            )
        )
        self.connection.subscribe("#", lambda topic, _: self.heard.append(topic))
        self.connection.start()

    def say(self, topic: str) -> None:
        assert self.connection.wait_connected(DEADLINE_S)
        self.connection.publish(topic, b"x", qos=1)


@pytest.mark.broker
def test_the_broker_lets_each_do_what_is_theirs(broker: int) -> None:
    users = {name: User(broker, name) for name in ("nvr", "homeassistant", "viewer")}
    strangers = [User(broker, None), User(broker, "nvr", "wrong")]
    try:
        for topic in ("nvr/control/commands", "nvr/homeassistant/3/set/record", "homeassistant/device/x/config"):
            users["viewer"].say(topic)
        users["homeassistant"].say("nvr/control/commands")
        users["homeassistant"].say("nvr/status/processor-1")
        users["homeassistant"].say("nvr/homeassistant/3/set/record")
        users["homeassistant"].say("homeassistant/device/x/config")
        allowed = ["nvr/homeassistant/3/set/record", "homeassistant/device/x/config"]
        wait_until(lambda: users["nvr"].heard == allowed, "what is allowed, and nothing else, has come")
        users["nvr"].say("nvr/detections/0")
        for user in users.values():
            wait_until(lambda heard=user.heard: "nvr/detections/0" in heard, "everyone sees events")  # type: ignore[misc]
        assert "homeassistant/device/x/config" not in users["viewer"].heard
        assert not any(stranger.connection.is_connected for stranger in strangers)
    finally:
        for user in (*users.values(), *strangers):
            user.connection.stop()
