"""What runs beside a processor, from before its first camera to after its last: control, metrics, Home Assistant."""

import os
import socket
from collections.abc import Callable
from datetime import datetime

from nvr import __version__
from nvr.app.instance.home_assistant_cameras import HomeAssistantCameras
from nvr.app.instance.running_processor import Running
from nvr.config.derive import ProcessorSettings
from nvr.config.operations import MetricsConfig
from nvr.control.agent import ControlAgent
from nvr.control.connection import InstanceConnection
from nvr.control.controlled import ControlledProgram
from nvr.control.home_assistant.bridge import HomeAssistantBridge
from nvr.control.home_assistant.switches import with_decided_switches
from nvr.control.memory import CommandMemory
from nvr.control.processor_commands import ProcessorCommands, camera_configs
from nvr.control.registry import ProcessorRegistry
from nvr.control.status import InstanceFacts, bare_status, instance_status, with_namesake
from nvr.control.status_publisher import StatusPublisher
from nvr.core.clock import Clock
from nvr.core.errors import ConfigurationError, UnsupportedError
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import InstanceState, InstanceStatus
from nvr.events.protocol import TopicKind, Topics
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent
from nvr.processor.stream_processor import StreamProcessor
from nvr.recording.service import RecordingService
from nvr.telemetry.http import MetricsServer
from nvr.telemetry.points import Point
from nvr.telemetry.prometheus import Exporter
from nvr.telemetry.publisher import MetricsPublisher

AGENT_STOP_S = 0.5
STOP_S = 0.5


class ProcessorServices:
    """Live as long as the program, over all changes of its settings; processors come and go meanwhile."""

    def __init__(
        self,
        settings: ProcessorSettings,
        program: ControlledProgram,
        running: Callable[[], Running | None],
        *,
        memory: CommandMemory,
        started_at: datetime,
        clock: Clock,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            settings: Of the instance.
            program: Carries out commands that concern more than the processor.
            running: Returns what runs now; None while it starts, or starts again.
            memory: What the program knows of earlier commands.
            started_at: When the program began, aware UTC.
            clock: For time stamps and intervals.

        Raises:
            ConfigurationError: The shared key is too short, or a certificate file is absent or none.
        """
        stream, control, metrics = settings.stream, settings.control, settings.metrics
        self._settings = settings
        self._running = running
        self._started_at = started_at
        self._clock = clock
        self._connection: InstanceConnection | None = None
        self._registry: ProcessorRegistry | None = None
        self._agent: ControlAgent | None = None
        self._status: StatusPublisher | None = None
        self._publisher: MetricsPublisher | None = None
        self._bridge: HomeAssistantBridge | None = None
        if stream.mqtt_enabled:
            connection = InstanceConnection(stream.broker, Topics(stream.tenant), stream.instance_id, clock=clock)
            self._connection = connection
            self._status = StatusPublisher(connection, program.status, heartbeat_s=control.heartbeat_s, clock=clock)
            self._registry = ProcessorRegistry(connection, tenant=stream.tenant, clock=clock)
            commands = ProcessorCommands(
                program, self._processor, self._recorder, instances=self._registry.instances, clock=clock
            )
            self._agent = ControlAgent(
                connection, control, commands.handlers(), memory=memory, on_done=self._status.look, clock=clock
            )
            cameras = HomeAssistantCameras(running, program.status)
            self._bridge = HomeAssistantBridge(
                with_decided_switches(settings.home_assistant, control),
                connection,
                cameras,
                write_down=self._agent.write_down,
                clock=clock,
            )
            self._publisher = self._make_publisher(metrics)
        self._server = self._make_server(metrics)

    @property
    def metrics_url(self) -> str | None:
        """Where the metrics are, once started; None without an endpoint."""
        return None if self._server is None else self._server.url

    def start(self) -> None:
        """Begin to listen and to tell; the broker may come later.

        Raises:
            ConfigurationError: The port of the metrics is taken.
        """
        if self._server is not None:
            self._server.start()
        if self._registry is not None:
            self._registry.start()  # before commands are taken: they ask it who has which camera
        if self._connection is not None and self._agent is not None and self._status is not None:
            self._agent.start()
            self._status.start()
            self._connection.start()
        if self._publisher is not None:
            self._publisher.start()
        if self._bridge is not None:
            self._bridge.start()

    def stop(self, reason: str) -> None:
        """Take no more commands, say that the instance is gone and why, let go of everything."""
        if self._bridge is not None:  # first, as the agent ends the audit log
            self._bridge.stop(STOP_S)
        if self._agent is not None:
            self._agent.stop(AGENT_STOP_S)
        if self._status is not None:
            self._status.stop(STOP_S)
        for part in (self._publisher, self._registry):
            if part is not None:
                part.stop(STOP_S)
        if self._connection is not None:
            self._connection.stop(reason, STOP_S)
        if self._server is not None:
            self._server.stop(STOP_S)

    def look(self) -> None:
        """Tell the status now if it has changed."""
        if self._status is not None:
            self._status.look()
        if self._bridge is not None:
            self._bridge.cameras_changed()

    def reconfigure(self, settings: ProcessorSettings) -> None:
        """Go on with other settings, of the same tenant, and with a broker if there was one before.

        What was answered stays known, and commands that come meanwhile are taken. Another broker is waited for a
        little; not to be called by a command, then.

        Raises:
            BrokerError: It was stopped meanwhile.
            ConfigurationError: The port of the metrics is taken, or a certificate file is absent or none; all else
                that was changed stays so.
        """
        before, self._settings = self._settings, settings
        home_assistant = with_decided_switches(settings.home_assistant, settings.control)
        if self._bridge is not None and home_assistant != with_decided_switches(before.home_assistant, before.control):
            self._bridge.reconfigure(home_assistant)
        if self._connection is not None and self._agent is not None and self._status is not None:
            stream = settings.stream
            if (before.stream.broker, self._connection.instance_id) != (stream.broker, stream.instance_id):
                self._agent.wait_idle(AGENT_STOP_S)
                self._connection.move(stream.broker, stream.instance_id)
            self._agent.reconfigure(settings.control)
            self._status.set_heartbeat(settings.control.heartbeat_s)
            self._status.look()
        if self._publisher is not None and before.metrics.interval_s != settings.metrics.interval_s:
            self._publisher.stop(STOP_S)
            self._publisher = self._make_publisher(settings.metrics)
            self._publisher.start()
        if _endpoint(before.metrics) != _endpoint(settings.metrics):
            self._move_server(before.metrics, settings.metrics)

    def _move_server(self, before: MetricsConfig, metrics: MetricsConfig) -> None:
        if self._server is not None:  # first, as the new address may hold the old one
            self._server.stop(STOP_S)
        server = self._make_server(metrics)
        try:
            if server is not None:
                server.start()
        except ConfigurationError:
            server = self._make_server(before)
            if server is not None:
                server.start()
            raise
        finally:
            self._server = server

    def on_event(self, event: DetectionEvent | TrackEvent) -> None:
        """Take what was seen, or how a track does; never waits."""
        if self._bridge is not None and self._settings.home_assistant.enabled:
            self._bridge.on_event(event)

    def rename(self, instance_id: str) -> None:
        """Go on under another name.

        Raises:
            BrokerError: The broker did not accept it; the old name stays.
            ConfigurationError: The name is none.
        """
        if self._connection is not None:
            self._connection.rename(instance_id)

    def status(self, state: InstanceState, reason: str | None) -> InstanceStatus:
        """Return how the instance is; `state` and `reason` count while no processor runs."""
        told = self._status_of_its_own(state, reason)
        return told if self._connection is None else with_namesake(told, self._connection.namesake)

    def _status_of_its_own(self, state: InstanceState, reason: str | None) -> InstanceStatus:
        settings, running, now = self._settings, self._running(), self._clock.now()
        facts = InstanceFacts(
            instance_id=self._instance_id(),
            started_at=self._started_at,
            heartbeat_s=settings.control.heartbeat_s,
            version=__version__,
            host=socket.gethostname(),
            pid=os.getpid(),
            accepts_commands=settings.control.enabled,
        )
        if running is None:
            return bare_status(facts, state, now, reason)
        recorder = running.recorder
        return instance_status(
            facts,
            running.processor.report(),
            now,
            cameras=camera_configs(running.processor),
            model_id=running.processor.config.model_id,
            recording=None if recorder is None else recorder.states(),
            record_mode=None if recorder is None else settings.recording.mode,
        )

    def metrics(self) -> InstanceMetrics:
        """Return the counters of this moment.

        Raises:
            UnsupportedError: No processor runs yet, so that there is nothing to count.
        """
        running = self._running()
        if running is None:
            raise UnsupportedError("the processor does not run yet, or begins anew: nothing is counted")
        return running.meter.message()

    def _make_publisher(self, metrics: MetricsConfig) -> MetricsPublisher:
        return MetricsPublisher(self._publish, self.metrics, metrics.interval_s, clock=self._clock)

    def _make_server(self, metrics: MetricsConfig) -> MetricsServer | None:
        if metrics.http_port is None:
            return None
        exporter = Exporter(self._points, instance_id=self._instance_id)
        return MetricsServer(metrics, exporter, why_not_ready=self._why_not_ready, clock=self._clock)

    def _instance_id(self) -> str:
        return self._settings.stream.instance_id if self._connection is None else self._connection.instance_id

    def _processor(self) -> StreamProcessor | None:
        running = self._running()
        return None if running is None else running.processor

    def _recorder(self) -> RecordingService | None:
        running = self._running()
        return None if running is None else running.recorder

    def _publish(self, metrics: InstanceMetrics) -> None:
        connection, kind = self._connection, TopicKind.METRICS
        if connection is not None:
            topic = connection.topics.metrics(connection.instance_id)
            connection.publish(topic, metrics.to_json(), kind.qos, kind.is_retained)

    def _points(self) -> list[Point]:
        running = self._running()
        return [] if running is None else running.meter.points()

    def _why_not_ready(self) -> str | None:
        if self._running() is None:
            return "the processor does not run yet"
        if self._connection is not None and not self._connection.is_connected:
            return self._connection.last_error or "the broker has not answered yet"
        return None


def _endpoint(metrics: MetricsConfig) -> tuple[str, int | None]:
    return metrics.http_host, metrics.http_port
