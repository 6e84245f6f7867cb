"""Which broker and which tenants the commands talk to that only talk over the broker."""

import os
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from nvr.app.site.running_file import RunningFile, RunningInfo
from nvr.bus.local_broker import free_port
from nvr.cli import settings
from nvr.cli.broker_options import Asked, find_broker
from nvr.cli.main import app
from nvr.config.overrides import Override
from nvr.core.errors import ConfigurationError
from tests.cli.conftest import Nvr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with a broker, a key and two tenants, of which one has a camera."""
    path = tmp_path / "nvr.yaml"
    path.write_text(
        "broker: {host: from-file, tls: true, ca_file: ca.pem}\n"
        "control: {key: 0123456789abcdef}\n"
        "tenants: [{name: acme}, {name: empty}]\n"
        "cameras: [{uri: rtsp://h/1, tenant: acme}]\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a running installation leaves its file; nothing runs."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    return tmp_path


def running(broker_host: str, *, is_private_broker: bool) -> RunningInfo:
    return RunningInfo(
        pid=os.getpid(),
        broker_host=broker_host,
        broker_port=2000,
        is_private_broker=is_private_broker,
        tenants=(None, "acme"),
    )


def asked(config: Path | None, *overrides: Override) -> Asked:
    return Asked(config, overrides)


def test_the_file_tells_broker_key_and_tenants(file: Path) -> None:
    found = find_broker(asked(file), None)
    assert (found.broker.host, found.broker.ca_file) == ("from-file", Path("ca.pem"))
    assert found.key is not None
    assert found.tenants == (None, "acme")
    flags = settings.from_broker_flags(host="from-flag")
    assert find_broker(asked(file, *flags), "empty").broker.host == "from-flag"


def test_without_a_file_it_is_what_runs_here_unless_a_broker_was_named(folder: Path) -> None:
    assert find_broker(asked(None), None).broker.host == "localhost"
    with RunningFile(folder) as file:
        file.write(running("127.0.0.9", is_private_broker=True))
        found = find_broker(asked(None), "acme")
        assert (found.broker.host, found.broker.port, found.tenants) == ("127.0.0.9", 2000, (None, "acme"))
        named = find_broker(asked(None, *settings.from_broker_flags(host="other")), "beta")
        assert (named.broker.host, named.broker.port, named.tenants) == ("other", 1883, (None,))


def test_a_tenant_that_the_file_or_what_runs_here_does_not_know_is_refused(file: Path, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no tenant acne, did you mean acme\?"):
        find_broker(asked(file), "acne")
    with RunningFile(folder) as written:
        written.write(running("127.0.0.9", is_private_broker=True))
        with pytest.raises(ConfigurationError, match=r"there is no tenant acne, did you mean acme\?"):
            find_broker(asked(None), "acne")


def test_on_a_broker_that_others_use_too_there_may_be_any_tenant(folder: Path) -> None:
    assert find_broker(asked(None), "acne").broker.host == "localhost"
    with RunningFile(folder) as written:
        written.write(running("broker.lan", is_private_broker=False))
        assert find_broker(asked(None), "acne").broker.host == "broker.lan"


def test_status_top_and_ctl_have_the_same_options_about_the_broker() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined] # it is a group
    options = {
        name: {option for parameter in commands[name].params for option in parameter.opts}
        for name in ("status", "top", "ctl")
    }
    shared = {"--config", "--tenant", "--verbose", *(option for option in options["ctl"] if "mqtt" in option)}
    assert len(shared) == 11
    assert all(shared <= each for each in options.values())


def test_ctl_refuses_an_unknown_tenant_before_it_looks_for_a_broker(file: Path) -> None:
    error = CliRunner().invoke(app, ["ctl", "--config", str(file), "--tenant", "acne", "ping"]).exception
    assert isinstance(error, ConfigurationError)
    assert "did you mean acme?" in str(error)


@pytest.mark.parametrize(("command", "status"), [(["status"], 2), (["top", "--once"], 2), (["ctl", "ping"], 1)])
def test_where_no_broker_was_named_it_is_said_that_nvr_up_does_not_run_either(
    nvr: Nvr, command: list[str], status: int, tmp_path: Path
) -> None:
    environment = {"RUNTIME_DIRECTORY": str(tmp_path), "NVR_BROKER__PORT": str(free_port())}
    ended = nvr(*command, **environment)
    assert ended.returncode == status
    assert "cannot be reached" in ended.stderr
    assert "no `nvr up` runs here: start it, or name a broker with --mqtt-host" in ended.stderr
    named = nvr(*command, **environment, NVR_BROKER__HOST="127.0.0.1")
    assert named.returncode == status
    assert "nvr up" not in named.stderr
