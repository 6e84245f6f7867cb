"""Where what a processor says goes: broker, file, callback, each behind a queue of its own."""

from collections.abc import Callable, Iterator, Sequence

from nvr.bus.connection import MqttConnection
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import Clock
from nvr.core.errors import NvrError
from nvr.events.protocol import TopicKind, Topics, detections_prefix
from nvr.events.schema import DetectionEvent, SourceEvent
from nvr.events.track_event import TrackEvent
from nvr.media.frame import Frame
from nvr.processor.mqtt_sink import MQTTDetectionSink
from nvr.processor.multiplexer import EventHandler, TrackHandler
from nvr.processor.report import QueueReport
from nvr.processor.sinks import MAX_FRAMES_IN_CALLBACK_QUEUE, EventSink, JsonLinesSink, SinkWorker
from nvr.processor.tally import FrameTimes, Tallies

TimedEvent = tuple[DetectionEvent, FrameTimes]

Worker = (
    SinkWorker[TimedEvent]
    | SinkWorker[SourceEvent]
    | SinkWorker[TrackEvent]
    | SinkWorker[tuple[DetectionEvent, Frame, FrameTimes]]
)


class Outlets:
    """All sinks of one processor. Any thread may hand over; nothing waits."""

    def __init__(
        self,
        config: StreamProcessorConfig,
        *,
        clock: Clock,
        on_event: EventHandler | None,
        on_track: TrackHandler | None,
        is_recording: bool,
        tallies: Tallies | None = None,
        is_muted: Callable[[int], bool] = lambda _: False,
    ) -> None:
        """Make the sinks; nothing is connected before `start`.

        Args:
            config: The processor's settings.
            clock: For reports and reconnects.
            on_event: Takes each detection event with its frame, in a thread of its own.
            on_track: Takes what is said about tracks, in a thread of its own.
            is_recording: Whether there will be recordings to announce.
            tallies: Told of each event that was handed to the broker, or without one to the first other way out.
            is_muted: Tells of a source id whether the detections of it that still wait are to be dropped.

        Raises:
            ConfigurationError: A file cannot be written, or the broker's settings do not fit.
        """
        self._config = config
        self._clock = clock
        self._tallies = tallies or Tallies(clock)
        self._is_muted = is_muted
        self._connection: MqttConnection | None = None
        self._sinks: list[EventSink] = []
        self._announcers: list[MQTTDetectionSink] = []
        self._announcements: dict[TopicKind, SinkWorker[SourceEvent]] = {}
        try:
            self._open(is_recording)
        except NvrError:
            self.close_unstarted()
            raise
        self._detections = [
            SinkWorker(
                sink.name, self._deliver_to(sink), queue_size=config.sink_queue_size, clock=clock, close=sink.close
            )
            for sink in self._sinks
        ]
        self._callback = None if on_event is None else self._make_callback(on_event)
        self._track_callback = (
            None
            if on_track is None
            else SinkWorker("track callback", on_track, queue_size=config.sink_queue_size, clock=clock)
        )

    @property
    def lost_events(self) -> int:
        """Events of all kinds that were dropped because a sink was slow, or not taken by it."""
        return sum(worker.dropped + worker.failed for worker in self._workers()) + sum(
            sink.failures for sink in (*self._sinks, *self._announcers)
        )

    @property
    def is_broker_connected(self) -> bool:
        """Whether the broker answers."""
        return self._connection is not None and self._connection.is_connected

    def queues(self) -> list[QueueReport]:
        """Return what waits at each way out, and what became of the rest."""
        return [
            QueueReport(
                worker.name,
                worker.depth,
                worker.capacity,
                worker.dropped,
                delivered=worker.delivered - lost,
                failed=worker.failed + lost,
                topic=topic,
            )
            for worker, lost, topic in self._ways_out()
        ]

    def _ways_out(self) -> Iterator[tuple[Worker, int, TopicKind | None]]:
        """Yield each worker with the items that its sink lost without a word, and what it publishes."""
        for worker, sink in zip(self._detections, self._sinks, strict=True):
            yield worker, sink.failures, TopicKind.DETECTIONS if isinstance(sink, MQTTDetectionSink) else None
        for callback in (self._callback, self._track_callback):
            if callback is not None:
                yield callback, 0, None
        for (kind, announcement), announcer in zip(self._announcements.items(), self._announcers, strict=True):
            yield announcement, announcer.failures, kind

    def start(self) -> None:
        """Connect, and begin to deliver."""
        if self._connection is not None:
            self._connection.start()
        for worker in self._workers():
            worker.start()

    def put(self, event: DetectionEvent, frame: Frame, times: FrameTimes) -> None:
        """Hand over what was seen in a frame."""
        for worker in self._detections:
            worker.put((event, times))
        if self._callback is not None:
            self._callback.put((event, frame, times))

    def put_track(self, event: TrackEvent) -> None:
        """Hand over what is to be said about a track."""
        self.announce(TopicKind.TRACKS, event)
        if self._track_callback is not None:
            self._track_callback.put(event)

    def announce(self, kind: TopicKind, event: SourceEvent) -> None:
        """Publish something else about a source; without a broker nobody is told."""
        if kind in self._announcements:
            self._announcements[kind].put(event)

    def drain(self, timeout_s: float) -> None:
        """Deliver what waits; nothing is taken afterwards."""
        for worker in self._workers():
            worker.stop(timeout_s)

    def stop(self, left_s: Callable[[], float]) -> None:
        """Deliver what can be delivered within what `left_s` tells, then hang up."""
        for worker in self._workers():
            worker.stop(left_s())
        if self._connection is not None:
            self._connection.stop(left_s())

    def close_unstarted(self) -> None:
        """Let go of files and connections where `start` was never called."""
        for sink in self._sinks:
            sink.close()

    def _open(self, is_recording: bool) -> None:
        config, clock = self._config, self._clock
        if config.jsonl_path is not None:
            self._sinks.append(JsonLinesSink(config.jsonl_path, clock))
        if config.mqtt_enabled:
            self._connection = MqttConnection(config.broker, clock=clock, purpose="events")
            prefix = detections_prefix(config.tenant, config.mqtt_topic_prefix)
            self._sinks.append(MQTTDetectionSink(self._connection, prefix, qos=config.mqtt_qos, clock=clock))
            self._announce_on(self._connection, TopicKind.TRACKS)
            if is_recording:
                self._announce_on(self._connection, TopicKind.RECORDINGS)

    def _deliver_to(self, sink: EventSink) -> Callable[[TimedEvent], None]:
        # the broker's is opened last
        is_timed = sink is self._sinks[-1]

        def deliver(item: TimedEvent) -> None:
            event, times = item
            if self._is_muted(event.source_id):
                return
            n_lost = sink.failures
            sink.publish(event)
            if is_timed and sink.failures == n_lost:
                self._tallies.published(event.source_id, times)

        return deliver

    def _workers(self) -> Sequence[Worker]:
        callbacks = [worker for worker in (self._callback, self._track_callback) if worker is not None]
        return [*self._detections, *callbacks, *self._announcements.values()]

    def _announce_on(self, connection: MqttConnection, kind: TopicKind) -> None:
        sink = MQTTDetectionSink(connection, Topics(self._config.tenant).prefix(kind), qos=kind.qos, clock=self._clock)
        self._announcers.append(sink)
        self._announcements[kind] = SinkWorker(
            kind.value, sink.publish, queue_size=self._config.sink_queue_size, clock=self._clock, close=sink.close
        )

    def _make_callback(self, on_event: EventHandler) -> SinkWorker[tuple[DetectionEvent, Frame, FrameTimes]]:
        is_timed = not self._sinks

        def deliver(item: tuple[DetectionEvent, Frame, FrameTimes]) -> None:
            event, frame, times = item
            if self._is_muted(event.source_id):
                return
            if is_timed:
                self._tallies.published(event.source_id, times)
            on_event(event, frame)

        return SinkWorker(
            "callback",
            deliver,
            queue_size=min(self._config.sink_queue_size, MAX_FRAMES_IN_CALLBACK_QUEUE),
            clock=self._clock,
        )
