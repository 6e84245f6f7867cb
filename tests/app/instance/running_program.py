"""A program in a thread, the file that it follows, and who hears it."""

import json
import threading
from concurrent.futures import Future
from pathlib import Path

from nvr.app.instance.program import ProcessorProgram
from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from nvr.config.derive import ProcessorSettings, processor_settings
from nvr.config.numbering import number_cameras
from nvr.config.source import ConfigSource
from nvr.core.errors import NvrError
from nvr.demo.simulator import Simulator
from nvr.events.instance_status import InstanceStatus
from nvr.events.schema import DetectionEvent
from nvr.processor.report import ProcessorReport
from tests.waiting import wait_until


class Heard:
    """What a subscriber hears of one instance."""

    def __init__(self, broker: LocalBroker) -> None:
        self.events: list[DetectionEvent] = []
        self.statuses: list[InstanceStatus] = []
        self.connection = MqttConnection(BrokerConfig(host=broker.host, port=broker.port))
        self.connection.subscribe(
            "nvr/detections/+", lambda _, payload: self.events.append(DetectionEvent.from_json(payload))
        )
        self.connection.subscribe(
            "nvr/status/+", lambda _, payload: self.statuses.append(InstanceStatus.from_json(payload)), 1
        )
        self.connection.start()

    def frame_ids(self, source_id: int) -> list[int]:
        return [event.frame_id for event in tuple(self.events) if event.source_id == source_id]

    def wait_for_events(self, source_id: int, n: int = 3) -> None:
        before = len(self.frame_ids(source_id))
        wait_until(lambda: len(self.frame_ids(source_id)) >= before + n, f"events of camera {source_id}")

    def wait_for_state(self, state: str) -> None:
        wait_until(lambda: bool(self.statuses) and self.statuses[-1].state == state, f"status {state}")


class Site:
    """A program, the file that it follows, and who hears it."""

    def __init__(self, folder: Path, broker: LocalBroker, simulator: Simulator) -> None:
        self.path = folder / "nvr.yaml"
        self.simulator = simulator
        self.heard = Heard(broker)
        self.broker = broker
        self._known: dict[str, int] = {}
        self._source = ConfigSource(self.path, {})
        self.ended: Future[ProcessorReport] = Future()
        self.program: ProcessorProgram | None = None

    def write(self, *cameras: int, **sections: object) -> None:
        content = {
            "broker": {"host": self.broker.host, "port": self.broker.port},
            "models": {"model_id": "motion"},
            "streams": {"max_fps": None, "decode": "all"},
            "cameras": [{"name": f"camera {i}", "uri": self.simulator.uri(i), "source_id": i} for i in cameras],
            **sections,
        }
        self.path.write_text(json.dumps(content), encoding="utf-8")

    def read(self) -> ProcessorSettings:
        site, self._known = number_cameras(self._source(), self._known)
        return processor_settings(site)

    def start(self, *, watches: bool = False) -> ProcessorProgram:
        program = ProcessorProgram(self.read, watched=self._source.files if watches else None, allow_empty=True)
        self.program = program

        def run() -> None:
            try:
                self.ended.set_result(program.run())
            except NvrError as error:
                self.ended.set_exception(error)

        threading.Thread(target=run, name="program", daemon=True).start()
        return program

    def stop(self) -> None:
        if self.program is not None:
            self.program.request_stop()
            self.ended.exception(30)
        self.heard.connection.stop()
