import gc
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from paho.mqtt.client import Client
from pydantic import SecretStr

from nvr.bus import MqttConnection
from nvr.bus.connection import MAX_PENDING, LastWill
from nvr.bus.local_broker import LocalBroker, find_mosquitto, free_port
from nvr.config import BrokerConfig
from nvr.core.errors import ConfigurationError
from tests.conftest import require_program
from tests.waiting import DEADLINE_S, wait_until

pytestmark = pytest.mark.broker


@contextmanager
def connected(config: BrokerConfig) -> Iterator[MqttConnection]:
    connection = MqttConnection(config)
    connection.start()
    try:
        assert connection.wait_connected(DEADLINE_S), connection.last_error
        yield connection
    finally:
        connection.stop()


def config_of(broker: LocalBroker) -> BrokerConfig:
    return BrokerConfig(host=broker.host, port=broker.port)


def publish_until(connection: MqttConnection, topic: str, is_seen: Callable[[], bool]) -> None:
    """QoS 0 before the subscription reaches the broker is lost by design: publish again."""

    def attempt() -> bool:
        connection.publish(topic, b"x")
        return is_seen()

    wait_until(attempt, f"a message on {topic}")


def test_delivers_topic_and_payload(mosquitto: LocalBroker) -> None:
    received = list[tuple[str, bytes]]()
    with connected(config_of(mosquitto)) as connection:
        connection.subscribe("nvr/detections/+", lambda topic, payload: received.append((topic, payload)), qos=1)
        publish_until(connection, "nvr/detections/3", lambda: bool(received))
    assert received[0] == ("nvr/detections/3", b"x")


def test_subscribed_before_the_broker_is_there_and_kept_when_it_restarts(mosquitto: LocalBroker) -> None:
    received = list[str]()
    mosquitto.stop()
    connection = MqttConnection(config_of(mosquitto))
    connection.subscribe("a/#", lambda topic, _: received.append(topic))
    connection.start()
    try:
        wait_until(lambda: connection.last_error is not None, "a failed try")
        assert connection.last_error == f"broker 127.0.0.1:{mosquitto.port} cannot be reached"
        assert connection.publish("a/1", b"lost", 0).rc != 0
        mosquitto.restart()
        assert connection.wait_connected(DEADLINE_S)
        publish_until(connection, "a/1", lambda: "a/1" in received)
        mosquitto.stop()
        wait_until(lambda: not connection.is_connected, "the loss is noticed")
        mosquitto.restart()
        assert connection.wait_connected(DEADLINE_S)
        assert connection.last_error is None
        publish_until(connection, "a/2", lambda: "a/2" in received)
    finally:
        connection.stop()


def test_who_subscribes_at_the_moment_of_a_connect_is_heard(
    mosquitto: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = list[str]()
    connection = MqttConnection(config_of(mosquitto))
    connection.subscribe("a", lambda topic, _: received.append(topic))
    late = threading.Thread(target=connection.subscribe, args=("b", lambda topic, _: received.append(topic)))
    subscribe = Client.subscribe

    def subscribe_and_let_others(client: Client, topic: list[tuple[str, int]] | str, qos: int = 0) -> object:
        answer = subscribe(client, topic, qos)
        if isinstance(topic, list):  # those of the connect are on their way
            late.start()
            late.join(0.1)
        return answer

    monkeypatch.setattr(Client, "subscribe", subscribe_and_let_others)
    connection.start()
    try:
        assert connection.wait_subscribed(DEADLINE_S)
        late.join(DEADLINE_S)
        publish_until(connection, "b", lambda: "b" in received)
    finally:
        connection.stop()


def test_qos_1_published_while_the_broker_is_away_arrives_when_it_is_back(mosquitto: LocalBroker) -> None:
    received = list[bytes]()
    with connected(config_of(mosquitto)) as publisher, connected(config_of(mosquitto)) as subscriber:
        subscriber.subscribe("kept", lambda _, payload: received.append(payload), qos=1)
        mosquitto.stop()
        wait_until(lambda: not publisher.is_connected, "the loss is noticed")
        wait_until(lambda: not subscriber.is_connected, "the loss is noticed")
        mosquitto.restart()
        assert subscriber.wait_connected(DEADLINE_S)
        publish_until(subscriber, "kept", lambda: bool(received))
        publisher.publish("kept", b"important", 1)
        wait_until(lambda: b"important" in received, "the kept message")


def test_a_broker_that_hangs_fills_a_bounded_queue_and_delays_nobody(mosquitto: LocalBroker) -> None:
    with connected(config_of(mosquitto)) as connection:
        [process] = [
            child for child in psutil.Process().children(recursive=True) if "mosquitto" in Path(child.exe()).name
        ]
        os.kill(process.pid, signal.SIGSTOP)
        try:
            payload = bytes(64_000)  # fills the socket's buffers soon
            receipts = [connection.publish("a", payload, 0).rc for _ in range(MAX_PENDING + 500)]
            assert any(rc != 0 for rc in receipts)
            stopper = threading.Thread(target=connection.stop, name="stopper")
            stopper.start()
            stopper.join(DEADLINE_S)
            assert not stopper.is_alive()
        finally:
            os.kill(process.pid, signal.SIGCONT)


def test_stop_ends_although_the_address_swallows_everything() -> None:
    with socket.socket() as silent:  # accepts connections, answers nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        connection = MqttConnection(BrokerConfig(host="127.0.0.1", port=silent.getsockname()[1]))
        connection.start()
        assert not connection.wait_connected(0.2)
        connection.stop(timeout_s=0.5)
        assert not connection.is_connected
    wait_until(lambda: "paho" not in " ".join(t.name for t in threading.enumerate()), "paho's thread has ended")


def test_a_goodbye_amid_a_flood_is_heard_and_no_last_will_follows(mosquitto: LocalBroker) -> None:
    wills: list[bytes] = []
    is_over = threading.Event()

    def flood(connection: MqttConnection) -> None:
        while not is_over.wait(0.0005):
            connection.publish("flood", b"x" * 10_000)

    with connected(config_of(mosquitto)) as listener, connected(config_of(mosquitto)) as sender:
        listener.subscribe("will", lambda _, payload: wills.append(payload), 1)
        flooding = threading.Thread(target=flood, args=(sender,), name="flood")
        flooding.start()
        for number in range(5):
            came = threading.Event()
            leaving = MqttConnection(config_of(mosquitto), will=LastWill("will", b"lost"))
            leaving.subscribe("flood", lambda _, __, came=came: came.set())  # type: ignore[misc] # its own event
            leaving.start()
            assert came.wait(DEADLINE_S)
            leaving.publish("will", str(number).encode(), 1)
            leaving.stop()
        is_over.set()
        flooding.join(DEADLINE_S)
        publish_until(sender, "will", lambda: b"x" in wills)
    assert [each for each in wills if each != b"x"] == [b"0", b"1", b"2", b"3", b"4"]


def test_the_log_tells_the_connections_of_a_process_apart_and_how_one_was_lost(
    mosquitto: LocalBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "nvr.bus.connection")
    address = f"127.0.0.1:{mosquitto.port}"
    connection = MqttConnection(config_of(mosquitto), purpose="events")
    connection.start()
    try:
        assert connection.wait_connected(DEADLINE_S)
        mosquitto.stop()
        wait_until(lambda: f"events: lost broker {address}" in caplog.text, "the loss is told")
    finally:
        connection.stop()
    assert f"events: connected to broker {address}" in caplog.messages
    assert f"events: lost broker {address}: the connection broke or was ended by the broker" in caplog.messages


def test_a_handler_that_raises_costs_its_message_only(mosquitto: LocalBroker, caplog: pytest.LogCaptureFixture) -> None:
    received = list[bytes]()

    def handle(_topic: str, payload: bytes) -> None:
        received.append(payload)
        if len(received) == 1:
            raise RuntimeError("not this one")

    with connected(config_of(mosquitto)) as connection:
        connection.subscribe("a", handle)
        publish_until(connection, "a", lambda: len(received) > 2)
        assert connection.is_connected
    assert "the handler of a failed: RuntimeError('not this one')" in caplog.text


def test_a_stopped_connection_leaves_no_socket_behind(mosquitto: LocalBroker) -> None:
    before = psutil.Process().num_fds()
    gc.disable()  # what only the collector would close is left open here
    try:
        for _ in range(5):
            with connected(config_of(mosquitto)) as connection:
                connection.subscribe("a", lambda _topic, _payload: None)
            with pytest.raises(RuntimeError, match="was stopped before"):
                connection.start()
        del connection
        assert psutil.Process().num_fds() <= before
    finally:
        gc.enable()


def test_small_messages_are_not_held_back(mosquitto: LocalBroker) -> None:
    with connected(config_of(mosquitto)) as connection:
        sock = connection._client.socket()
        assert isinstance(sock, socket.socket)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@contextmanager
def own_mosquitto(folder: Path, settings: str, port: int | None = None) -> Iterator[int]:
    require_program("mosquitto")
    port = free_port() if port is None else port
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nuser root\n{settings}", encoding="ascii")
    with subprocess.Popen([find_mosquitto() or "", "-c", config], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _accepts(port), "mosquitto listens")
            yield port
        finally:
            process.terminate()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_credentials_are_sent_and_a_refusal_is_told_without_them(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run([require_program("mosquitto_passwd"), "-b", passwords, "nvr", "hunter2"], check=True)
    with own_mosquitto(tmp_path, f"allow_anonymous false\npassword_file {passwords}\n") as port:
        right = BrokerConfig(host="127.0.0.1", port=port, username="nvr", password=SecretStr("hunter2"))
        with connected(right):
            pass
        wrong = MqttConnection(right.model_copy(update={"password": SecretStr("hunter3")}))
        wrong.start()
        wait_until(lambda: wrong.last_error is not None, "the refusal")
        wrong.stop()
        assert "refused the connection: Not authorized" in str(wrong.last_error)
        assert "hunter" not in str(wrong.last_error)


def make_certificate(folder: Path) -> tuple[Path, Path, str]:
    """Write a key and a certificate for both sides; return them, and the settings of a broker that wants them."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command = [require_program("openssl"), "req", "-x509", *curve, "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    settings = (
        f"allow_anonymous true\ncafile {cert}\ncertfile {cert}\nkeyfile {key}\n"
        "require_certificate true\nuse_identity_as_username true\n"
    )
    return key, cert, settings


# paho 2.2 leaves the socket of a failed handshake to the garbage collector, called here before another test is blamed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_certificates_that_are_replaced_hold_from_the_next_connection_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key, cert, settings = make_certificate(tmp_path)
    port, ours = free_port(), tmp_path / "ours.pem"
    ours.write_bytes(cert.read_bytes())
    connection = MqttConnection(
        BrokerConfig(host="127.0.0.1", port=port, tls=True, ca_file=ours, cert_file=ours, key_file=key)
    )
    connection.start()
    try:
        with own_mosquitto(tmp_path, settings, port):
            assert connection.wait_connected(DEADLINE_S), connection.last_error
            ours.write_text("half of it", encoding="utf-8")
        wait_until(lambda: not connection.is_connected, "the broker is gone")
        with own_mosquitto(tmp_path, settings, port):
            assert connection.wait_connected(DEADLINE_S), connection.last_error
        assert "ours.pem" in caplog.text
        assert "those of before are tried" in caplog.text
        wait_until(lambda: not connection.is_connected, "the broker is gone again")
        make_certificate(tmp_path)
        ours.write_bytes(cert.read_bytes())
        with own_mosquitto(tmp_path, settings, port):
            assert connection.wait_connected(DEADLINE_S), connection.last_error
    finally:
        connection.stop()
        gc.collect()


# paho 2.2 leaves the socket of a failed handshake to the garbage collector, called here before another test is blamed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_is_verified_and_a_client_certificate_shown(tmp_path: Path) -> None:
    key, cert, settings = make_certificate(tmp_path)
    with own_mosquitto(tmp_path, settings) as port:
        config = BrokerConfig(host="127.0.0.1", port=port, tls=True, ca_file=cert, cert_file=cert, key_file=key)
        with connected(config):
            pass
        with connected(config.model_copy(update={"ca_file": None, "tls_insecure": True})):
            pass
        unverified = MqttConnection(config.model_copy(update={"ca_file": None}))
        unverified.start()
        wait_until(lambda: unverified.last_error is not None, "the refusal")
        unverified.stop()
        assert not unverified.is_connected
        assert "certificate is not trusted" in str(unverified.last_error)
    gc.collect()


def test_a_missing_certificate_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"/no/ca\.pem"):
        MqttConnection(BrokerConfig(tls=True, ca_file=Path("/no/ca.pem")))
