"""A real processor with a real recorder under the control plane, wired as a program wires them."""

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from nvr import __version__
from nvr.app.recording_processor import make_processor
from nvr.bus.local_broker import LocalBroker
from nvr.config.operations import ControlConfig
from nvr.config.processor import StreamProcessorConfig
from nvr.config.recording import RecordingConfig
from nvr.control.agent import ControlAgent
from nvr.control.connection import InstanceConnection
from nvr.control.metrics import ProcessorMeter
from nvr.control.processor_commands import ProcessorCommands, camera_configs
from nvr.control.status import InstanceFacts, bare_status, instance_status
from nvr.control.status_publisher import StatusPublisher
from nvr.core.errors import ConfigurationError
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import InstanceStatus
from nvr.events.protocol import Topics
from nvr.processor.stream_processor import StreamProcessor
from nvr.recording.service import RecordingService

HEARTBEAT_S = 1.0


class ProcessorInstance:
    """The least program around a processor: starts, restarts, renames and stops it."""

    def __init__(
        self,
        broker: LocalBroker,
        *uris: str,
        instance_id: str = "gate",
        recordings: Path | None = None,
        tenant: str | None = None,
        control: ControlConfig | None = None,
    ) -> None:
        self.config = StreamProcessorConfig.model_validate(
            {
                "stream_uris": uris,
                "model_id": "motion",
                "mqtt_host": broker.host,
                "mqtt_port": broker.port,
                "instance_id": instance_id,
                "tenant": tenant,
                "reconnect_max_s": 1,
                "open_timeout_s": 3,
                "read_timeout_s": 2,
            }
        )
        mode = "off" if recordings is None else "on_demand"
        self.recording = RecordingConfig.model_validate({"root": recordings, "mode": mode, "segment_s": 2})
        self.started_at = datetime.now(UTC)
        self.processor: StreamProcessor | None = None
        self.recorder: RecordingService | None = None
        self.meter: ProcessorMeter | None = None
        self.is_stop_wanted = threading.Event()
        self.connection = InstanceConnection(self.config.broker, Topics(tenant), instance_id, keepalive_s=5)
        self.status_publisher = StatusPublisher(self.connection, self.status, heartbeat_s=HEARTBEAT_S)
        commands = ProcessorCommands(self, lambda: self.processor, lambda: self.recorder)
        settings = control or ControlConfig(heartbeat_s=HEARTBEAT_S)
        self.agent = ControlAgent(self.connection, settings, commands.handlers(), on_done=self.status_publisher.look)

    def start(self) -> None:
        self.agent.start()
        self.status_publisher.start()
        self.connection.start()
        self._start_processor()

    def stop(self) -> None:
        self.agent.stop()
        self._stop_processor()
        self.status_publisher.stop()
        self.connection.stop()

    def _start_processor(self) -> None:
        processor, self.recorder = make_processor(self.config, self.recording)
        processor.start()
        self.meter = ProcessorMeter(lambda: processor.config.instance_id, processor.report)
        self.processor = processor

    def _stop_processor(self) -> None:
        processor, self.processor = self.processor, None
        if processor is not None:
            processor.terminate()

    def status(self) -> InstanceStatus:
        facts = InstanceFacts(
            self.connection.instance_id, self.started_at, HEARTBEAT_S, __version__, "test", os.getpid()
        )
        processor = self.processor
        if processor is None:
            return bare_status(facts, "starting", datetime.now(UTC))
        return instance_status(
            facts,
            processor.report(),
            datetime.now(UTC),
            cameras=camera_configs(processor),
            model_id=processor.config.model_id,
            recording=None if self.recorder is None else self.recorder.states(),
            record_mode=None if self.recorder is None else self.recording.mode,
        )

    def metrics(self) -> InstanceMetrics:
        if self.meter is None:
            raise ConfigurationError("nothing runs yet")
        return self.meter.message()

    def request_stop(self) -> None:
        self.is_stop_wanted.set()

    def restart(self) -> None:
        self._stop_processor()
        self._start_processor()

    def reload(self) -> JsonValue:
        processor = self.processor
        assert processor is not None
        new = self.config.model_copy(update={"confidence_threshold": 0.5})
        processor.apply(new)
        return {"changes": ["confidence_threshold"], "restarted_for": []}

    def rename(self, instance_id: str) -> None:
        assert self.processor is not None
        self.connection.rename(instance_id)
        self.processor.rename(instance_id)
