"""Detections to MQTT, from our own multiplexer or from Roboflow's `InferencePipeline`."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import ValidationError

from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import ConfigurationError, MessageError
from nvr.core.rate import RateMeter
from nvr.core.throttle import ThrottledLog
from nvr.core.validation import first_problem
from nvr.events.message import to_aware_utc
from nvr.events.protocol import DEFAULT_DETECTIONS_PREFIX, topic_for_source
from nvr.events.schema import DetectionEvent, SourceEvent
from nvr.processor.predictions import Prediction, detections_of, frame_size_of, inference_time_ms_of

logger = logging.getLogger(__name__)


NO_BROKER = 4
"""paho's code `MQTT_ERR_NO_CONN`: with QoS 0 the message is lost, with more it waits for the broker's return."""

_REASONS = {NO_BROKER: "the broker is not connected", 15: "too much waits for the broker already"}
"""Of paho's codes `MQTT_ERR_NO_CONN` and `MQTT_ERR_QUEUE_SIZE`; paho itself is not needed to use a sink."""


class Receipt(Protocol):
    """What paho's `publish` returns."""

    @property
    def rc(self) -> int:
        """0 where the message was taken."""
        ...


class MqttPublisher(Protocol):
    """A paho client, our `MqttConnection`, or anything that publishes like them."""

    def publish(self, topic: str, payload: bytes, qos: int, /) -> Receipt:
        """Hand over a message."""
        ...


class PipelineFrame(Protocol):
    """What is used of Roboflow's `VideoFrame`."""

    @property
    def frame_id(self) -> int:
        """Number of the frame within its source."""
        ...

    @property
    def frame_timestamp(self) -> datetime:
        """When it was grabbed; naive values are local time."""
        ...

    @property
    def source_id(self) -> int | None:
        """The source; None with a single one."""
        ...


class MQTTDetectionSink:
    """Publishes detection events; a broker that is away costs messages and one warning a second, never an exception.

    As a sink of the processor its `publish` takes events. Called as a function it is an `on_prediction` of
    Roboflow's `InferencePipeline`: it takes a prediction and a frame, or aligned lists of them that hold None where
    a source delivered nothing.
    """

    name = "mqtt"

    def __init__(
        self,
        mqtt_client: MqttPublisher,
        topic_prefix: str = DEFAULT_DETECTIONS_PREFIX,
        model_id: str = "",
        *,
        qos: int = 0,
        clock: Clock | None = None,
    ) -> None:
        """Bind the sink to a client, which the caller connects and closes.

        Args:
            mqtt_client: `publish(topic, payload, qos)` is called positionally.
            topic_prefix: Topic without the source id.
            model_id: Named by events made from predictions.
            qos: 0, 1 or 2.
            clock: For latencies and reports.

        Raises:
            ConfigurationError: The prefix is empty or holds a wildcard, or the QoS is none.
        """
        if not topic_prefix or any(sign in topic_prefix for sign in "+#\0"):
            raise ConfigurationError(f"topic prefix {topic_prefix!r} must not be empty or hold '+' or '#'")
        if qos not in (0, 1, 2):
            raise ConfigurationError(f"QoS must be 0, 1 or 2, got {qos}")
        self._client = mqtt_client
        self._prefix = topic_prefix.rstrip("/")
        self._model_id = model_id
        self._qos = qos
        self._clock = clock or SystemClock()
        self._failures = ThrottledLog(logger, clock=self._clock)
        self._rates: dict[int, RateMeter] = {}

    @property
    def failures(self) -> int:
        """Messages that the client did not take."""
        return self._failures.total

    def publish(self, event: SourceEvent) -> None:
        """Hand one event of a camera to the client; a refusal is reported, not raised."""
        topic = topic_for_source(event.source_id, self._prefix)
        try:
            receipt = self._client.publish(topic, event.to_json(), self._qos)
        except (ValueError, OSError, MessageError) as error:
            self._failures.report(f"an event for {topic} cannot be published: {error}")
            return
        if receipt.rc != 0 and not (self._qos > 0 and receipt.rc == NO_BROKER):
            reason = _REASONS.get(int(receipt.rc), f"code {int(receipt.rc)}")
            self._failures.report(f"an event for {topic} was not taken: {reason}")

    def close(self) -> None:
        """Nothing to let go of: the client belongs to the caller."""

    def __call__(
        self,
        predictions: Prediction | Sequence[Prediction | None] | None,
        video_frame: PipelineFrame | Sequence[PipelineFrame | None] | None,
    ) -> None:
        """Publish what Roboflow's pipeline saw: one event per frame that has a prediction."""
        if predictions is None or video_frame is None:
            return
        one_prediction = isinstance(predictions, Mapping)
        one_frame = not isinstance(video_frame, Sequence)
        if one_prediction != one_frame:
            self._failures.report("predictions and frames do not match: one is a list, the other is not")
            return
        predictions_list = [predictions] if isinstance(predictions, Mapping) else list(predictions)
        frames = list(video_frame) if isinstance(video_frame, Sequence) else [video_frame]
        if len(predictions_list) != len(frames):
            self._failures.report(
                f"expected as many predictions as frames, got {len(predictions_list)} and {len(frames)}"
            )
            return
        for prediction, frame in zip(predictions_list, frames, strict=True):
            if prediction is None or frame is None:
                continue
            try:
                event = self._event_of(prediction, frame)
            except MessageError as error:
                self._failures.report(str(error))
            except ValidationError as error:
                self._failures.report(f"not a detection event: {first_problem(error)}")
            except (AttributeError, TypeError, ValueError, OverflowError) as error:
                self._failures.report(f"not a frame of a pipeline: {error}")
            else:
                self.publish(event)

    def _event_of(self, prediction: Prediction, frame: PipelineFrame) -> DetectionEvent:
        if not isinstance(prediction, Mapping):
            raise MessageError(f"predictions: expected a dictionary, got {type(prediction).__name__}")
        source_id = frame.source_id or 0
        now_s = self._clock.monotonic()
        meter = self._rates.setdefault(source_id, RateMeter())
        meter.count(now_s)
        captured_at = to_aware_utc(frame.frame_timestamp)
        width, height = frame_size_of(prediction)
        return DetectionEvent(
            source_id=source_id,
            frame_id=frame.frame_id,
            timestamp=captured_at,
            model_id=self._model_id,
            inference_time_ms=inference_time_ms_of(prediction),
            detections=detections_of(prediction),
            fps=meter.per_second(now_s),
            latency_ms=(self._clock.now() - captured_at).total_seconds() * 1000,
            frame_width=width,
            frame_height=height,
        )
