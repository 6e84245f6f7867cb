import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nvr.core.clock import ManualClock
from nvr.core.errors import ConfigurationError
from nvr.events.schema import DetectionEvent
from nvr.processor.mqtt_sink import MQTTDetectionSink


@dataclass
class Receipt:
    rc: int = 0


@dataclass
class RecordingClient:
    """Takes what a paho client takes, positionally."""

    rc: int = 0
    published: list[tuple[str, bytes, int]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, qos: int, /) -> Receipt:
        if self.rc == 0:
            self.published.append((topic, payload, qos))
        return Receipt(self.rc)

    def events(self) -> list[DetectionEvent]:
        return [DetectionEvent.from_json(payload) for _, payload, _ in self.published]


@dataclass
class VideoFrame:
    """The fields of Roboflow's VideoFrame that count; the time stamp is naive local time there."""

    frame_id: int
    frame_timestamp: datetime
    source_id: int | None = None


def prediction(n: int = 1, **extra: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    # as recorded from `InferencePipeline` 1.8: no `time`, no `inference_id`
    found = {
        "x": 320.0,
        "y": 180.5,
        "width": 40.0,
        "height": 100.0,
        "confidence": 0.87,
        "class": "person",
        "class_id": 0,
        "detection_id": "2f0c",
    }
    return {"image": {"width": 640, "height": 360}, "predictions": [found | {"class_id": i} for i in range(n)]} | extra


NOW = ManualClock().now()
LOCAL_NAIVE = (NOW - timedelta(milliseconds=70)).astimezone().replace(tzinfo=None)


def sink_on(client: RecordingClient, **options: Any) -> MQTTDetectionSink:  # noqa: ANN401 - keywords of the sink
    return MQTTDetectionSink(client, "nvr/detections", "yolov8n-640", clock=ManualClock(), **options)


def test_one_prediction_of_one_frame_becomes_one_event() -> None:
    client = RecordingClient()
    sink_on(client)(prediction(2), VideoFrame(5, LOCAL_NAIVE, 3))
    [(topic, payload, qos)] = client.published
    event = DetectionEvent.from_json(payload)
    assert (topic, qos) == ("nvr/detections/3", 0)
    assert (event.source_id, event.frame_id, event.model_id) == (3, 5, "yolov8n-640")
    assert event.timestamp == NOW - timedelta(milliseconds=70)
    assert event.latency_ms == pytest.approx(70)
    assert (event.frame_width, event.frame_height) == (640, 360)
    assert [found.class_id for found in event.detections] == [0, 1]
    assert event.detections[0].bbox.xyxy_px == (300.0, 130.5, 340.0, 230.5)
    assert json.loads(payload)["timestamp"].endswith("Z")


def test_without_a_source_id_it_is_source_0() -> None:
    client = RecordingClient()
    sink_on(client)(prediction(), VideoFrame(1, LOCAL_NAIVE, None))
    assert client.published[0][0] == "nvr/detections/0"


def test_lists_may_hold_holes() -> None:
    client = RecordingClient()
    frames = [VideoFrame(1, LOCAL_NAIVE, 0), None, VideoFrame(9, LOCAL_NAIVE, 2), VideoFrame(4, LOCAL_NAIVE, 3)]
    sink_on(client)([prediction(), None, prediction(0), None], frames)
    assert [(event.source_id, len(event.detections)) for event in client.events()] == [(0, 1), (2, 0)]


def test_time_and_tracker_id_are_used_where_they_are() -> None:
    client = RecordingClient()
    tracked = prediction(1, time=0.0321)
    tracked["predictions"][0]["tracker_id"] = 17
    sink_on(client)(tracked, VideoFrame(1, LOCAL_NAIVE, 0))
    [event] = client.events()
    assert event.inference_time_ms == pytest.approx(32.1)
    assert event.detections[0].tracker_id == 17


def test_fps_is_measured_per_source() -> None:
    client, clock = RecordingClient(), ManualClock()
    sink = MQTTDetectionSink(client, "nvr/detections", "m", clock=clock)
    for i in range(11):
        sink([prediction(), prediction() if i % 2 == 0 else None], [VideoFrame(i, NOW, 0), VideoFrame(i, NOW, 1)])
        clock.advance(0.1)
    rates = {event.source_id: event.fps for event in client.events()}
    assert rates == {0: pytest.approx(10), 1: pytest.approx(5)}


@pytest.mark.parametrize(
    ("answer", "frame"),
    [
        (None, None),
        (None, VideoFrame(0, NOW, 0)),
        ([], []),
    ],
)
def test_nothing_seen_is_nothing_sent(answer: Any, frame: Any) -> None:  # noqa: ANN401 - what a pipeline may pass
    client = RecordingClient()
    sink = sink_on(client)
    sink(answer, frame)
    assert (client.published, sink.failures) == ([], 0)


@pytest.mark.parametrize(
    ("answer", "frame", "message"),
    [
        ([prediction()], VideoFrame(0, NOW, 0), "one is a list"),
        ([prediction()], [], "as many predictions as frames, got 1 and 0"),
        ({"predictions": "x"}, VideoFrame(0, NOW, 0), "expected a list, got str"),
        ({"predictions": [3]}, VideoFrame(0, NOW, 0), "expected dictionaries, got int"),
        ({"predictions": [{"x": 1}]}, VideoFrame(0, NOW, 0), "'class' is missing"),
        (
            {"predictions": [prediction()["predictions"][0] | {"confidence": 1.5}]},
            VideoFrame(0, NOW, 0),
            "confidence: Input should be less than or equal to 1, got 1.5",
        ),
        (prediction(), VideoFrame(-1, NOW, -1), "source_id"),
        (prediction(), VideoFrame(2**70, NOW, 0), "frame_id"),
        (prediction(), {"frame_id": 1}, "not a frame of a pipeline"),
        (prediction(), VideoFrame(1, None, 0), "not a frame of a pipeline"),  # type: ignore[arg-type] # that is the point
        (["abc"], [VideoFrame(0, NOW, 0)], "expected a dictionary, got str"),
    ],
)
def test_a_malformed_prediction_is_reported_not_raised(
    answer: Any,  # noqa: ANN401 - what a pipeline may pass
    frame: Any,  # noqa: ANN401 - what a pipeline may pass
    message: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = RecordingClient()
    sink_on(client)(answer, frame)
    assert client.published == []
    assert message in caplog.text


def test_a_broker_that_is_away_is_told_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    client = RecordingClient(rc=4)
    clock = ManualClock()
    sink = MQTTDetectionSink(client, "nvr/detections", "m", clock=clock)
    event = DetectionEvent(source_id=0, frame_id=0, timestamp=datetime.now(UTC), model_id="m", inference_time_ms=0)
    for _ in range(30):
        sink.publish(event)
        clock.advance(0.1)
    assert sink.failures == 30
    assert len(caplog.records) == 3
    assert "the broker is not connected" in caplog.text


@pytest.mark.parametrize(("qos", "failures"), [(0, 1), (1, 0), (2, 0)])
def test_what_waits_for_the_return_of_the_broker_is_not_lost(qos: int, failures: int) -> None:
    sink = MQTTDetectionSink(RecordingClient(rc=4), "nvr/detections", "m", qos=qos)
    sink.publish(
        DetectionEvent(source_id=0, frame_id=0, timestamp=datetime.now(UTC), model_id="m", inference_time_ms=0)
    )
    assert sink.failures == failures


def test_one_bad_frame_of_a_batch_costs_no_other() -> None:
    client = RecordingClient()
    sink_on(client)([prediction(), prediction()], [VideoFrame(1, NOW, -5), VideoFrame(2, NOW, 1)])
    assert [event.source_id for event in client.events()] == [1]


class RaisingClient(RecordingClient):
    """As paho does on a payload beyond 256 MB or a client that was never connected."""

    def publish(self, topic: str, payload: bytes, qos: int, /) -> Receipt:
        raise ValueError(f"Payload too large: {len(payload)} bytes for {topic} at QoS {qos}")


def test_a_client_that_raises_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    sink = sink_on(RaisingClient())
    sink(prediction(), VideoFrame(1, NOW, 0))
    assert sink.failures == 1
    assert "cannot be published: Payload too large" in caplog.text


def test_qos_reaches_the_client() -> None:
    client = RecordingClient()
    sink_on(client, qos=1)(prediction(), VideoFrame(1, NOW, 0))
    assert client.published[0][2] == 1


@pytest.mark.parametrize("prefix", ["", "nvr/+", "a/#"])
def test_refuses_a_prefix_that_cannot_be_published_to(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="topic prefix"):
        MQTTDetectionSink(RecordingClient(), prefix, "m")


def test_refuses_a_qos_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="got 3"):
        MQTTDetectionSink(RecordingClient(), "a", "m", qos=3)
