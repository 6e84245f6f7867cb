"""The demo: simulated cameras, a broker, a processor and a wall page, each the real thing in its own process."""

import contextlib
import importlib.util
import json
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from nvr.app.ports import free_port, is_free
from nvr.app.supervision.supervised_child import ChildSpec
from nvr.app.supervision.supervisor import LineHandler, Supervisor
from nvr.assets.catalogue import load_catalogue
from nvr.assets.model_ref import resolve_model
from nvr.assets.store import AssetStore
from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import LocalBroker, find_broker
from nvr.config.broker import BrokerConfig
from nvr.config.streams import stream_server_uris
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import (
    BrokerError,
    CancelledError,
    ConfigurationError,
    DownloadError,
    MessageError,
    NvrError,
    TransientError,
    UnsupportedError,
)
from nvr.events.protocol import TopicKind, Topics
from nvr.events.schema import DetectionEvent

PERSON_VIDEO = "one-by-one-person-detection"
CAR_VIDEO = "car-detection"

COCO_MODEL = "yolox-nano"
CLASSES = {COCO_MODEL: ("--classes", "person,bicycle,car,motorcycle,bus,truck")}
"""Of what the demo shows; the other classes of COCO are mistakes there."""
SCENES = ("--size", "640x360", "--no-overlay", "--scene-length", "10")
"""Drawn, without the burnt-in frame code, which would count as motion."""

RTSP_PORT = 8554
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - recognised, not chosen
START_TIMEOUT_S = 60.0
POLL_S = 0.2
STOP_TIMEOUT_S = 2.5
"""A processor ends within 2 s whatever its cameras do."""

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


@dataclass(frozen=True, slots=True)
class Show:
    """Which cameras there are and what looks at each; cameras with a video of moving cars stand last."""

    person_file: Path | None
    car_file: Path | None
    model: str
    """For all cameras but that with `car_file`: from straight above, COCO models take cars for telephones."""


class ChildEndedError(NvrError):
    """A process ended that should run on; its last words are in the message."""


class Demo:
    """Starts everything, tells what a person needs to know, ends everything. `run` is called once."""

    def __init__(
        self, config: DemoConfig, say: Callable[[str], None], on_line: LineHandler, clock: Clock | None = None
    ) -> None:
        """Prepare.

        Args:
            config: What is shown.
            say: Takes a line for the person at the terminal.
            on_line: Takes what the processes write.
            clock: For deadlines.
        """
        self._config = config
        self._say = say
        self._clock = clock or SystemClock()
        self._supervisor = Supervisor(on_line, clock=self._clock)
        self._specs: list[ChildSpec] = []
        self._is_stopping = False
        self._first_event: DetectionEvent | None = None

    def request_stop(self) -> None:
        """Let `run` return soon; may be called from any thread."""
        self._is_stopping = True
        self._supervisor.wake()

    def run(self) -> None:
        """Run until `request_stop`.

        Raises:
            NvrError: A part could not be started or ended by itself; all others have been ended.
        """
        config = self._config
        started_s = self._clock.monotonic()
        with ExitStack() as stack:
            stack.callback(self._supervisor.close)
            show = self._choose_show()
            broker, tenant = self._find_broker(stack)
            self._listen(stack, broker, tenant)
            stack.callback(self._supervisor.stop, STOP_TIMEOUT_S + 1)
            http_port = self._port(config.http_host, config.http_port, "wall page")
            filmed, drawn = self._start_cameras(show)
            mqtt = (
                *("--mqtt-host", broker.host, "--mqtt-port", str(broker.port)),
                *(() if tenant is None else ("--tenant", tenant)),
            )
            looked_at, cars = [*filmed[:1], *drawn], filmed[1:]
            look = ("--model", show.model, "--instance-id", "demo", *CLASSES.get(show.model, ()))
            self._start("processor", "processor", *looked_at, *mqtt, *look)
            if cars:
                motion = ("--model", "motion", "--instance-id", "demo-cars", "--first-source-id", str(len(looked_at)))
                self._start("processor-cars", "processor", *cars, *mqtt, *motion)
            page = ("--http", str(http_port), "--http-host", config.http_host, "--no-window")
            self._start("wall", "wall", *looked_at, *cars, *mqtt, *page)
            self._wait(lambda: _cameras_shown(config.http_host, http_port) > 0, "the wall page")
            self._tell(http_port, [*looked_at, *cars], broker, tenant)
            is_told = False
            while not self._is_stopping:
                self._poll()
                if self._first_event is not None and not is_told:
                    is_told = True
                    self._say(f"First boxes {self._clock.monotonic() - started_s:.1f} s after the start.")

    def _start(self, name: str, *arguments: str) -> None:
        """Start `nvr` with these arguments in a process of its own, without which the demo does not go on."""
        command = (sys.executable, "-m", "nvr", *arguments)
        self._specs.append(ChildSpec(name, command, stop_timeout_s=STOP_TIMEOUT_S, has_one_life=True))
        self._supervisor.want(self._specs)
        self._supervisor.poll(0)

    def _poll(self) -> None:
        """Wait a moment.

        Raises:
            ChildEndedError: A process has ended; says how and with which last words.
        """
        self._supervisor.poll(POLL_S)
        for report in self._supervisor.reports():
            if report.phase == "failed" and not self._is_stopping:
                raise ChildEndedError(f"{report.name} {report.reason}")

    def _start_cameras(self, show: Show) -> tuple[list[str], list[str]]:
        files = [file for file in (show.person_file, show.car_file) if file is not None][: self._config.n_cameras]
        filmed = self._simulate("videos", len(files), [part for file in files for part in ("--file", str(file))])
        # the cameras with videos have that port for themselves
        preferred = RTSP_PORT + 1 if filmed else RTSP_PORT
        drawn = self._simulate("scenes", self._config.n_cameras - len(files), SCENES, preferred)
        return filmed, drawn

    def _simulate(self, name: str, n_cameras: int, pictures: Sequence[str], preferred: int = RTSP_PORT) -> list[str]:
        if n_cameras == 0:
            return []
        port = self._port("127.0.0.1", preferred, f"cameras with {name}")
        self._start(name, "simulate", "--n", str(n_cameras), "--port", str(port), *pictures)
        self._wait(lambda: not is_free("127.0.0.1", port), f"cameras with {name}")
        return list(stream_server_uris(f"rtsp://127.0.0.1:{port}", n_cameras))

    def _choose_show(self) -> Show:
        model = self._config.model
        if model == "motion":
            return Show(None, None, "motion")
        try:
            show = _real_show(model or COCO_MODEL, AssetStore.from_environment())
        except (DownloadError, UnsupportedError, ConfigurationError) as error:
            if model is not None:
                raise
            self._say(f"Showing drawn scenes with motion boxes: {error}")
            return Show(None, None, "motion")
        self._say(f"Sample videos by Intel (CC BY 4.0) and drawn scenes; {show.model} looks, at the cars motion does.")
        return show

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

    def _listen(self, stack: ExitStack, broker: BrokerConfig, tenant: str | None) -> None:
        connection = MqttConnection(broker)
        connection.subscribe(Topics(tenant).filter(TopicKind.DETECTIONS), self._note_event)
        connection.start()
        stack.callback(connection.stop)

    def _note_event(self, _topic: str, payload: bytes) -> None:
        if self._first_event is None:
            with contextlib.suppress(MessageError):  # on a broker that others use too
                event = DetectionEvent.from_json(payload)
                self._first_event = event if event.detections else None

    def _wait(self, is_there: Callable[[], bool], what: str) -> None:
        deadline_s = self._clock.monotonic() + START_TIMEOUT_S
        while not is_there():
            self._poll()
            if self._is_stopping:
                raise CancelledError("the demo was stopped before it had started")
            if self._clock.monotonic() > deadline_s:
                raise TransientError(f"{what} did not appear within {START_TIMEOUT_S:.0f} s; see `nvr demo --verbose`")

    def _tell(self, http_port: int, uris: Sequence[str], broker: BrokerConfig, tenant: str | None) -> None:
        host = socket.gethostname() if self._config.http_host in ANY_ADDRESS else self._config.http_host
        self._say("")
        self._say(f"  Wall     http://{host}:{http_port}/")
        self._say(f"  Cameras  {uris[0]} and so on")
        self._say(f"  Events   mosquitto_sub -h {broker.host} -p {broker.port} -t '{Topics(tenant).root}/#'")
        self._say("")
        self._say("Ctrl-C ends the demo.")


def _real_show(model: str, store: AssetStore) -> Show:
    if importlib.util.find_spec("onnxruntime") is None:
        raise UnsupportedError("ONNX Runtime is not installed: pip install 'nvr-multiplexer[cpu]'")
    resolve_model(model, store)
    catalogue = load_catalogue()
    person_file, car_file = (store.get(catalogue.find(name, kind="video")) for name in (PERSON_VIDEO, CAR_VIDEO))
    return Show(person_file, car_file, model)


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
