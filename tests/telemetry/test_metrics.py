import json
from dataclasses import replace

from nvr.events.instance_metrics import InstanceMetrics
from nvr.telemetry.figures import InstanceFigures
from nvr.telemetry.metrics import instance_metrics
from tests.telemetry.sample import NOW, camera, instance


def test_the_message_survives_its_way_and_says_what_the_endpoint_says() -> None:
    message = InstanceMetrics.from_json(instance_metrics(instance()).to_json())
    assert (message.instance_id, message.timestamp, message.cpu_percent) == ("processor-1", NOW, 51.2)
    [front] = message.cameras
    assert (front.frames_in, front.decoded, front.analysed) == (1000, 400, 100)
    assert front.dropped["sampled_out"] == 290
    assert front.motion_ratio == 0.25
    yolox, motion = message.models
    assert yolox.occupancy == 0.75
    assert yolox.inference_ms is not None
    assert yolox.inference_ms.count == 2
    assert (motion.occupancy, motion.inference_ms) == (None, None)
    assert message.queues[0].dropped == 5
    assert message.disk is not None
    assert message.disk.forecast_days == 7.5


def test_latencies_are_bounds_in_milliseconds() -> None:
    latency = instance_metrics(instance()).cameras[0].latency["decode_to_detect"]
    assert (latency.count, latency.p50_ms, latency.p95_ms) == (3, 50.0, 200.0)


def test_a_stage_without_frames_and_reasons_that_never_were_are_left_out() -> None:
    fresh = replace(camera(), latency={}, dropped={"asleep": 0, "failed": 1}, watched=0, moving=0)
    [told] = instance_metrics(instance(fresh)).cameras
    assert (told.latency, told.dropped, told.motion_ratio) == ({}, {"failed": 1}, None)


def test_an_instance_without_anything_has_a_message() -> None:
    message = instance_metrics(InstanceFigures("p", NOW, 0.0))
    assert json.loads(message.to_json())["cameras"] == []
    assert message.disk is None
