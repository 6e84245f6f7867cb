"""Tenants on one broker that knows them by their certificates: each reaches his own topics and no others."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvr.config.broker import BrokerConfig
from nvr.control.client import ControlClient
from nvr.core.errors import BrokerError
from tests.bus.test_connection import own_mosquitto
from tests.conftest import require_program
from tests.control.conftest import Desk, Instance, wait_until_it_listens
from tests.waiting import DEADLINE_S

pytestmark = [
    pytest.mark.broker,
    # paho 2.2 leaves the socket of a failed handshake to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


class Authority:
    """Signs the certificates of a broker and of its users."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.key, self.cert = folder / f"{name}.key", folder / f"{name}.pem"
        self._run("req", "-x509", *CURVE, "-keyout", self.key, "-out", self.cert, "-subj", f"/CN={name}")

    def issue(self, name: str, extension: str = "basicConstraints=CA:FALSE") -> tuple[Path, Path]:
        """Return certificate and key of a name."""
        key, request, cert = (self._folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(extension, encoding="ascii")
        self._run("req", *CURVE, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._run(
            "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
            "-extfile", extensions, "-out", cert,
        )  # fmt: skip
        return cert, key

    @staticmethod
    def _run(*arguments: str | Path) -> None:
        subprocess.run([require_program("openssl"), *arguments], check=True, capture_output=True)


class SharedBroker:
    """A mosquitto that lets each user, known by his certificate, reach `nvr/{his name}/#`."""

    def __init__(self, port: int, authority: Authority) -> None:
        self._port = port
        self._authority = authority

    def as_user(self, name: str, authority: Authority | None = None) -> BrokerConfig:
        cert, key = (authority or self._authority).issue(name)
        return BrokerConfig(
            host="127.0.0.1", port=self._port, tls=True, ca_file=self._authority.cert, cert_file=cert, key_file=key
        )


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedBroker]:
    authority = Authority(tmp_path)
    cert, key = authority.issue("broker", "subjectAltName=IP:127.0.0.1")
    acl = tmp_path / "acl"
    acl.write_text("pattern readwrite nvr/%u/#\n", encoding="ascii")
    acl.chmod(0o600)
    settings = (
        f"cafile {authority.cert}\ncertfile {cert}\nkeyfile {key}\nrequire_certificate true\n"
        f"use_identity_as_username true\nacl_file {acl}\n"
    )
    with own_mosquitto(tmp_path, settings) as port:
        yield SharedBroker(port, authority)


@pytest.fixture
def acme(shared: SharedBroker) -> Iterator[Instance]:
    config = shared.as_user("acme")
    instance = Instance(config, tenant="acme")
    instance.start()
    wait_until_it_listens(config, "gate", "acme")
    yield instance
    instance.stop()


def test_a_tenant_commands_his_own_instances(shared: SharedBroker, acme: Instance) -> None:
    with ControlClient(shared.as_user("acme"), tenant="acme") as client:
        [reply] = client.send("pause", timeout_s=DEADLINE_S)
    assert reply.is_ok
    assert acme.processor.paused == {1, 2, 3}


def test_a_neighbour_neither_sees_nor_commands_them(shared: SharedBroker, acme: Instance) -> None:
    neighbour = shared.as_user("globex")
    own = Instance(neighbour, tenant="globex")
    own.start()
    wait_until_it_listens(neighbour, "gate", "globex")
    spy = Desk(neighbour, "acme")
    try:
        with ControlClient(neighbour, tenant="acme") as client:
            [reply] = client.send("pause", targets=("gate",), timeout_s=0.5)
            assert reply.status == "silent"
            assert client.registry.instances() == ()
        with ControlClient(neighbour, tenant="globex") as client:  # all that the neighbour may has worked meanwhile
            assert client.send("ping", timeout_s=DEADLINE_S)[0].is_ok
    finally:
        spy.connection.stop()
        own.stop()
    assert (spy.statuses, spy.acks) == ([], [])
    assert (acme.agent.counters.received, acme.processor.paused) == (0, set())


@pytest.mark.usefixtures("acme")
def test_who_has_no_certificate_of_the_authority_is_not_let_in(shared: SharedBroker, tmp_path: Path) -> None:
    foreign = Authority(tmp_path, "foreign")
    client = ControlClient(shared.as_user("mallory", foreign), tenant="acme")
    with pytest.raises(BrokerError):
        client.start(timeout_s=1.5)
    without = shared.as_user("acme").model_copy(update={"cert_file": None, "key_file": None})
    client = ControlClient(without, tenant="acme")
    with pytest.raises(BrokerError):
        client.start(timeout_s=1.5)
