import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from nvr.bus import local_broker
from nvr.bus.local_broker import BrokerKind, LocalBroker, find_broker, free_port
from nvr.core.errors import BrokerError, UnsupportedError
from tests.conftest import require_program
from tests.waiting import DEADLINE_S, wait_until

KINDS = [pytest.param("mosquitto", marks=pytest.mark.broker), "amqtt"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> BrokerKind:
    kind: BrokerKind = request.param
    if kind == "mosquitto":
        require_program("mosquitto")
    return kind


@pytest.fixture
def broker(kind: BrokerKind) -> Iterator[LocalBroker]:
    with LocalBroker.start(kind) as broker:
        yield broker


class Client:
    """A paho client that collects what it receives."""

    def __init__(self, broker: LocalBroker, topic_filter: str | None = None) -> None:
        self.received: list[tuple[str, bytes]] = []
        self._subscribed = threading.Event()
        self._mqtt = PahoClient(CallbackAPIVersion.VERSION2)
        self._mqtt.on_message = self._collect
        self._mqtt.on_subscribe = lambda *_: self._subscribed.set()
        self._mqtt.connect(broker.host, broker.port)
        self._mqtt.loop_start()
        if topic_filter is not None:
            self._mqtt.subscribe(topic_filter, qos=1)
            assert self._subscribed.wait(DEADLINE_S)

    def _collect(self, _client: PahoClient, _data: object, message: MQTTMessage) -> None:
        self.received.append((message.topic, bytes(message.payload)))

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> None:
        self._mqtt.publish(topic, payload, qos, retain).wait_for_publish(DEADLINE_S)

    def close(self) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()
        # without the callbacks there is no cycle, and paho's sockets are closed with the client
        self._mqtt.on_message = self._mqtt.on_subscribe = None


def children() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def test_delivers_both_qualities_of_service_and_what_is_retained(broker: LocalBroker, kind: BrokerKind) -> None:
    subscriber = Client(broker, "nvr/detections/+")
    publisher = Client(broker)
    publisher.publish("nvr/detections/0", b"zero", qos=0)
    publisher.publish("nvr/detections/1", b"one", qos=1)
    publisher.publish("nvr/status/a", b"online", qos=1, retain=True)
    wait_until(lambda: len(subscriber.received) >= 2, "both messages received")
    late = Client(broker, "nvr/status/+")
    wait_until(lambda: bool(late.received), "the retained message received")

    assert subscriber.received == [("nvr/detections/0", b"zero"), ("nvr/detections/1", b"one")]
    assert set(late.received) == {("nvr/status/a", b"online")}
    assert broker.kind == kind
    assert broker.describe() == f"private {kind} broker on 127.0.0.1:{broker.port}"
    for client in (subscriber, publisher, late):
        client.close()


@pytest.mark.usefixtures("broker")
def test_listens_on_the_loopback_address_only() -> None:
    listening = {
        connection.laddr.ip
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    if not listening:
        pytest.skip("this kernel does not tell which process listens where")
    assert listening == {"127.0.0.1"}


def test_stops_within_two_seconds_and_leaves_no_process_and_no_file(kind: BrokerKind, tmp_path: Path) -> None:
    before = children()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        broker = LocalBroker.start(kind)
    assert list(tmp_path.iterdir())
    # A connected client must not keep it.
    client = Client(broker, "nvr/#")
    broker.stop()

    assert not broker.is_running
    assert not find_broker(broker.host, broker.port)
    assert children() <= before
    assert list(tmp_path.iterdir()) == []
    broker.stop()
    client.close()


def test_restarts_empty_on_the_same_port(broker: LocalBroker) -> None:
    port = broker.port
    client = Client(broker)
    client.publish("nvr/status/a", b"online", qos=1, retain=True)
    broker.restart()
    assert broker.port == port
    assert find_broker(broker.host, port)
    client.close()

    broker.stop()
    assert not broker.is_running
    broker.restart()
    late = Client(broker, "nvr/#")
    publisher = Client(broker)
    publisher.publish("nvr/status/b", b"new", qos=1)
    wait_until(lambda: bool(late.received), "the new message received")
    assert late.received == [("nvr/status/b", b"new")]
    late.close()
    publisher.close()


OWNER = """
import sys, time
from nvr.bus.local_broker import LocalBroker
broker = LocalBroker.start(sys.argv[1])
print(broker.port, flush=True)
time.sleep(600)
"""


def test_ends_with_its_owner_even_after_kill_9(kind: BrokerKind, tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, kind],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert owner.stdout is not None
    port = int(owner.stdout.readline())
    assert find_broker("127.0.0.1", port, DEADLINE_S)
    descendants = psutil.Process(owner.pid).children(recursive=True)
    assert len(descendants) == 2
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()

    _, alive = psutil.wait_procs(descendants, DEADLINE_S)
    assert alive == []
    assert not find_broker("127.0.0.1", port)
    assert list(tmp_path.iterdir()) == []


def test_ends_with_its_owner_although_another_process_holds_the_pipe(kind: BrokerKind) -> None:
    # A forked child of the owner keeps its end of the pipe open, as multiprocessing's do.
    fork = "import os\nif os.fork() == 0:\n    time.sleep(600)\n"
    code = OWNER.replace("print(", f"{fork}print(")
    owner = subprocess.Popen([sys.executable, "-c", code, kind], stdout=subprocess.PIPE, start_new_session=True)
    assert owner.stdout is not None
    port = int(owner.stdout.readline())
    try:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        wait_until(lambda: not find_broker("127.0.0.1", port), "the broker is gone")
    finally:
        owner.stdout.close()
        # The child that holds the pipe is still there, which is what the test is about.
        os.killpg(owner.pid, signal.SIGKILL)


def test_survives_the_thread_that_started_it(kind: BrokerKind) -> None:
    started: list[LocalBroker] = []
    thread = threading.Thread(target=lambda: started.append(LocalBroker.start(kind)), name="starts-the-broker")
    thread.start()
    thread.join(DEADLINE_S)
    with started[0] as broker:
        assert find_broker(broker.host, broker.port, DEADLINE_S)
        assert broker.is_running


def test_takes_another_port_where_somebody_was_faster(kind: BrokerKind, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1], free_port()]
        asked = iter(ports)
        monkeypatch.setattr(local_broker, "free_port", lambda: next(asked))
        with LocalBroker.start(kind) as broker:
            assert broker.port == ports[1]


def test_says_that_a_chosen_port_is_taken_even_by_a_broker(broker: LocalBroker, kind: BrokerKind) -> None:
    before = children()
    with pytest.raises(BrokerError, match=rf"private {kind} broker on 127.0.0.1:{broker.port} .*in use"):
        LocalBroker.start(kind, port=broker.port)
    assert children() <= before
    assert broker.is_running


def test_a_broker_that_finds_its_port_taken_is_heard_and_another_tried(
    kind: BrokerKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The port is taken after we looked and before the broker came.
    monkeypatch.setattr(local_broker, "_is_free", lambda _port: True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=rf"127.0.0.1:{port} ended with status 1, it said: .*in use"):
            LocalBroker.start(kind, port=port)
        asked = iter([port, free_port()])
        monkeypatch.setattr(local_broker, "free_port", lambda: next(asked))
        with LocalBroker.start(kind) as broker:
            assert broker.port != port


def test_a_restart_fails_where_somebody_took_the_port(kind: BrokerKind) -> None:
    with LocalBroker.start(kind) as broker:
        broker.stop()
        with (
            socket.create_server((broker.host, broker.port)),
            pytest.raises(BrokerError, match="the port is in use"),
        ):
            broker.restart()
        broker.restart()
        assert find_broker(broker.host, broker.port, DEADLINE_S)


def test_uses_amqtt_where_there_is_no_mosquitto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_broker, "find_mosquitto", lambda: None)
    with LocalBroker.start() as broker:
        assert broker.kind == "amqtt"
        assert find_broker(broker.host, broker.port, DEADLINE_S)


def test_says_what_to_install_where_there_is_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_broker, "find_mosquitto", lambda: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UnsupportedError, match="neither mosquitto nor amqtt is installed; install mosquitto") as caught:
        LocalBroker.start()
    assert "\n" not in str(caught.value)
    with pytest.raises(UnsupportedError, match="no amqtt is installed"):
        LocalBroker.start("amqtt")


def test_gives_up_on_a_broker_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    monkeypatch.setattr(
        local_broker, "broker_command", lambda *_: [sys.executable, "-c", "import time; time.sleep(600)"]
    )
    with pytest.raises(BrokerError, match=r"did not answer within 0\.3 s"):
        LocalBroker.start("amqtt", timeout_s=0.3)
    assert children() <= before


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00"])
def test_takes_no_other_server_for_a_broker(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, name="no-broker")
        thread.start()
        assert not find_broker("127.0.0.1", server.getsockname()[1], DEADLINE_S)
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_finds_no_broker_where_nothing_listens_or_the_host_is_nonsense() -> None:
    assert not find_broker("127.0.0.1", free_port())
    assert not find_broker("no..host", 1883)
    assert not find_broker("host.invalid", 1883)


def test_finds_no_broker_behind_a_server_that_stays_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not find_broker("127.0.0.1", server.getsockname()[1], 0.1)


def test_a_refusal_is_a_broker_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(bytes.fromhex("20020005"))
                connection.recv(64)

        thread = threading.Thread(target=refuse, name="refusing-broker")
        thread.start()
        assert find_broker("127.0.0.1", server.getsockname()[1], DEADLINE_S)
        thread.join(DEADLINE_S)
