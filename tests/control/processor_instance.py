"""The program of `nvr processor` in a thread, with its parts in reach of the test."""

import threading
from pathlib import Path

from nvr.app.instance.program import ProcessorProgram
from nvr.app.instance.running_processor import Running
from nvr.app.instance.services import ProcessorServices
from nvr.bus.local_broker import LocalBroker
from nvr.config.derive import ProcessorSettings, processor_settings
from nvr.config.operations import ControlConfig
from nvr.config.site import NvrConfig
from nvr.control.agent import ControlAgent
from nvr.control.connection import InstanceConnection
from nvr.core.errors import CancelledError, ConfigurationError
from nvr.processor.stream_processor import StreamProcessor
from nvr.recording.service import RecordingService
from tests.waiting import DEADLINE_S, wait_until


class ProcessorInstance:
    """An instance that is told its settings by the test, in place of a file."""

    def __init__(
        self,
        broker: LocalBroker,
        *uris: str,
        instance_id: str = "gate",
        first_source_id: int = 0,
        recordings: Path | None = None,
        tenant: str | None = None,
        control: ControlConfig | None = None,
    ) -> None:
        self.instance_id = instance_id
        self.tenant = tenant
        self.site = NvrConfig.model_validate(
            {
                "broker": {"host": broker.host, "port": broker.port},
                "models": {"model_id": "motion"},
                "streams": {"reconnect_max_s": 1, "open_timeout_s": 3, "read_timeout_s": 2},
                "storage": {"root": recordings, "mode": "off" if recordings is None else "on_demand", "segment_s": 2},
                "tenants": [] if tenant is None else [{"name": tenant}],
                "cameras": [
                    {"uri": uri, "source_id": n, "tenant": tenant} for n, uri in enumerate(uris, first_source_id)
                ],
                "control": (control or ControlConfig(heartbeat_s=1)).model_dump(),
            }
        )
        self.problem: ConfigurationError | None = None
        """What reading the settings fails with, as that of a file with a mistake."""
        self.program = ProcessorProgram(self._read, allow_empty=True)
        self._thread = threading.Thread(target=self._run, name="program", daemon=True)

    def _read(self) -> ProcessorSettings:
        if self.problem is not None:
            raise self.problem
        return processor_settings(self.site, instance_id=self.instance_id, tenant=self.tenant)

    def _run(self) -> None:
        try:
            self.program.run()
        except CancelledError:
            return

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self.program._services.current is not None, "it has begun")

    def stop(self) -> None:
        self.program.request_stop()
        self._thread.join(DEADLINE_S)

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    @property
    def processor(self) -> StreamProcessor:
        return self._running.processor

    @property
    def recorder(self) -> RecordingService:
        recorder = self._running.recorder
        assert recorder is not None
        return recorder

    @property
    def connection(self) -> InstanceConnection:
        connection = self._services._connection
        assert connection is not None
        return connection

    @property
    def agent(self) -> ControlAgent:
        agent = self._services._agent
        assert agent is not None
        return agent

    @property
    def _running(self) -> Running:
        running = self.program._running
        assert running is not None
        return running

    @property
    def _services(self) -> ProcessorServices:
        services = self.program._services.current
        assert services is not None
        return services
