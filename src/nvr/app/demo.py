"""The demo: simulated cameras, a broker, a processor and a wall page, each the real thing in its own process."""

import importlib.util
import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from nvr.app.children import Children
from nvr.app.ports import free_port, is_free
from nvr.assets.catalogue import load_catalogue
from nvr.assets.model_ref import resolve_model
from nvr.assets.store import AssetStore
from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import LocalBroker, find_broker
from nvr.config.broker import BrokerConfig
from nvr.config.streams import stream_server_uris
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import BrokerError, ConfigurationError, DownloadError, TransientError, UnsupportedError
from nvr.events.protocol import TopicKind, Topics
from nvr.events.schema import DetectionEvent

VIDEOS = ("one-by-one-person-detection", "car-detection")
"""CC BY 4.0, Intel: a fixed camera each, one with people, one with cars."""

COCO_MODEL = "yolox-nano"
SCENES = ["--size", "640x360", "--no-overlay"]
"""Drawn, without the burnt-in frame code, which would count as motion."""

RTSP_PORT = 8554
START_TIMEOUT_S = 60.0
POLL_S = 0.2

DEFAULT_BROKER = BrokerConfig()
DEMO_TENANT = "demo"
"""Topics on a broker that is not the demo's own, so that it disturbs nobody's cameras there."""


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """What the demo shows and where."""

    n_cameras: int = 4
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    """Or the next free one."""
    mqtt_host: str | None = None
    """None: the broker on this machine's usual port if there is one, else a private one."""
    mqtt_port: int = 1883
    model: str | None = None
    """None: a COCO model with real videos where they can be had, else motion on drawn scenes."""
    is_verbose: bool = False


@dataclass(frozen=True, slots=True)
class Pictures:
    """What the cameras see and what looks at it."""

    files: tuple[Path, ...]
    """Empty for drawn scenes."""
    model: str


class Demo:
    """Starts everything, tells what a person needs to know, ends everything."""

    def __init__(self, config: DemoConfig, say: Callable[[str], None], clock: Clock | None = None) -> None:
        """Prepare; `say` takes one line at a time."""
        self._config = config
        self._say = say
        self._clock = clock or SystemClock()
        self._is_stopping = threading.Event()
        self._first_event: DetectionEvent | None = None

    def request_stop(self) -> None:
        """Let `run` return soon; may be called from any thread."""
        self._is_stopping.set()

    def run(self) -> None:
        """Run until `request_stop`.

        Raises:
            NvrError: A part could not be started or ended by itself; all others have been ended.
        """
        config = self._config
        started_s = self._clock.monotonic()
        with ExitStack() as stack:
            pictures = self._choose_pictures()
            broker, tenant = self._find_broker(stack)
            children = stack.enter_context(Children(is_verbose=config.is_verbose))
            rtsp_port = self._port("127.0.0.1", RTSP_PORT, "cameras")
            http_port = self._port(config.http_host, config.http_port, "wall page")
            server = f"rtsp://127.0.0.1:{rtsp_port}"
            listener = self._listen(stack, broker, tenant)
            children.start("simulator", *_simulator_arguments(config.n_cameras, rtsp_port, pictures.files))
            common = (
                *("--stream-server", server, "--n", str(config.n_cameras)),
                *("--mqtt-host", broker.host, "--mqtt-port", str(broker.port)),
                *(() if tenant is None else ("--tenant", tenant)),
            )
            self._wait_for_port(children, rtsp_port)
            children.start("processor", "processor", *common, "--model", pictures.model, "--instance-id", "demo")
            page = ("--http", str(http_port), "--http-host", config.http_host, "--no-window")
            children.start("wall", "wall", *common, *page)
            url = f"http://{config.http_host}:{http_port}/"
            self._wait(children, lambda: _cameras_shown(config.http_host, http_port) > 0, "the wall page")
            self._tell(url, server, broker, tenant)
            self._wait(children, lambda: self._first_event is not None, "the first box")
            self._say(f"First boxes {self._clock.monotonic() - started_s:.1f} s after the start. Ctrl-C ends the demo.")
            while not self._is_stopping.wait(POLL_S):
                children.check()
            listener.stop()

    def _choose_pictures(self) -> Pictures:
        model = self._config.model
        if model == "motion":
            return Pictures((), "motion")
        store = AssetStore.from_environment()
        try:
            pictures = _real_pictures(model or COCO_MODEL, store)
        except (DownloadError, UnsupportedError, ConfigurationError) as error:
            if model is not None:
                raise
            self._say(f"Showing drawn scenes with motion boxes: {error}")
            return Pictures((), "motion")
        files = " and ".join(file.name for file in pictures.files)
        self._say(f"Cameras play {files} (CC BY 4.0, Intel); {pictures.model} looks.")
        return pictures

    def _find_broker(self, stack: ExitStack) -> tuple[BrokerConfig, str | None]:
        config = self._config
        if config.mqtt_host is not None:
            broker = BrokerConfig(host=config.mqtt_host, port=config.mqtt_port)
            if not _accepts_anonymous(broker):
                raise BrokerError(f"broker {broker.host}:{broker.port} cannot be reached without a password")
            self._say(f"Events go to the broker {broker.host}:{broker.port}.")
            return broker, DEMO_TENANT
        if _accepts_anonymous(DEFAULT_BROKER):
            self._say(f"Events go to the broker that runs on {DEFAULT_BROKER.host}:{DEFAULT_BROKER.port}.")
            return DEFAULT_BROKER, DEMO_TENANT
        private = stack.enter_context(LocalBroker.start())
        self._say(f"Events go to a {private.describe()}.")
        return BrokerConfig(host=private.host, port=private.port), None

    def _port(self, host: str, preferred: int, what: str) -> int:
        port = free_port(host, preferred)
        if port != preferred:
            self._say(f"Port {preferred} is taken: the {what} will be on {port}.")
        return port

    def _listen(self, stack: ExitStack, broker: BrokerConfig, tenant: str | None) -> MqttConnection:
        connection = MqttConnection(broker)
        connection.subscribe(Topics(tenant).filter(TopicKind.DETECTIONS), self._note_event)
        connection.start()
        stack.callback(connection.stop)
        return connection

    def _note_event(self, _topic: str, payload: bytes) -> None:
        if self._first_event is None:
            event = DetectionEvent.from_json(payload)
            if event.detections:
                self._first_event = event

    def _wait_for_port(self, children: Children, port: int) -> None:
        self._wait(children, lambda: not is_free("127.0.0.1", port), "the cameras")

    def _wait(self, children: Children, is_there: Callable[[], bool], what: str) -> None:
        deadline_s = self._clock.monotonic() + START_TIMEOUT_S
        while not is_there() and not self._is_stopping.wait(POLL_S):
            children.check()
            if self._clock.monotonic() > deadline_s:
                raise TransientError(f"{what} did not appear within {START_TIMEOUT_S:.0f} s; see `nvr demo --verbose`")

    def _tell(self, url: str, server: str, broker: BrokerConfig, tenant: str | None) -> None:
        self._say("")
        self._say(f"  Wall     {url}")
        self._say(f"  Cameras  {stream_server_uris(server, 1)[0]} and so on")
        self._say(f"  Events   mosquitto_sub -h {broker.host} -p {broker.port} -t '{Topics(tenant).root}/#'")
        self._say("")


def _real_pictures(model: str, store: AssetStore) -> Pictures:
    if importlib.util.find_spec("onnxruntime") is None:
        raise UnsupportedError("ONNX Runtime is not installed: pip install 'nvr-multiplexer[cpu]'")
    resolve_model(model, store)
    catalogue = load_catalogue()
    return Pictures(tuple(store.get(catalogue.find(name, kind="video")) for name in VIDEOS), model)


def _simulator_arguments(n_cameras: int, port: int, files: tuple[Path, ...]) -> list[str]:
    pictures = [argument for file in files for argument in ("--file", str(file))] or SCENES
    return ["simulate", "--n", str(n_cameras), "--port", str(port), *pictures]


def _accepts_anonymous(broker: BrokerConfig) -> bool:
    if not find_broker(broker.host, broker.port):
        return False
    connection = MqttConnection(broker)
    connection.start()
    try:
        return connection.wait_connected(1.0)
    finally:
        connection.stop()


def _cameras_shown(host: str, port: int) -> int:
    connection = HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/api/state.json")
        state = json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError):
        return 0
    finally:
        connection.close()
    return sum(camera["state"] == "live" for camera in state["cameras"])
