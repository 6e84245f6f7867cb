"""Settings of a processor."""

from itertools import count
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nvr.config.broker import MqttSettings
from nvr.config.camera import CameraConfig, DecodeWord, HwaccelWord, QuietSeconds
from nvr.config.streams import PositiveSeconds, StreamSettings
from nvr.core.errors import ConfigurationError
from nvr.core.names import check_name


class StreamProcessorConfig(StreamSettings, MqttSettings):
    """Everything that `nvr processor` can be told."""

    cameras: tuple[CameraConfig, ...] = Field(
        default=(), description="Cameras with settings of their own, beside those of `stream_uris`."
    )
    decode: DecodeWord = Field(
        default="adaptive",
        description="`adaptive`: key frames only while nothing moves, everything while something does; `all`; "
        "`nonref`: without the frames that no other needs; `keyframes`.",
    )
    hwaccel: HwaccelWord = Field(
        default="none",
        description="Hardware that decodes: `none`, `auto` or a kind of device, such as `cuda` or `vaapi`; what this "
        "build of FFmpeg or the machine has not falls back to the CPU, with one warning.",
    )
    file_pace: Literal["realtime", "fast"] = Field(
        default="realtime",
        description="Cameras that are files are played at their own pace, or as fast as they can be analysed, then "
        "without leaving out a frame of `max_fps`.",
    )
    quiet_s: QuietSeconds = Field(
        default=5.0, description="Seconds without motion until `adaptive` decodes key frames only."
    )
    instance_id: str = Field(default="processor", description="Name of this processor among all on the broker.")
    model_id: str = Field(
        default="yolox-nano",
        min_length=1,
        description="Catalogue name, path of an .onnx file, `motion`, or `roboflow:<model id>`.",
    )
    confidence_threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.35, description="Detections less sure than this are not published, 0..1."
    )
    classes: tuple[str, ...] = Field(default=(), description="Class names to publish; empty: all that the model knows.")
    max_fps: Annotated[float, Field(gt=0, le=240, allow_inf_nan=False)] | None = Field(
        default=5.0, description="Most frames per second that are analysed of each camera; none: as many as possible."
    )
    max_batch: Annotated[int, Field(ge=1, le=256)] = Field(
        default=32, description="Most frames, one of each camera, that are looked at together."
    )
    multiplex: Literal["canvas", "frames"] = Field(
        default="canvas",
        description="`canvas`: what moves in all cameras is looked at side by side in one picture, and each whole "
        "picture now and then; `frames`: each frame as a whole.",
    )
    max_wait_ms: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = Field(
        default=50.0,
        description="How long a frame may wait for those of other cameras, so that they share an inference.",
    )
    full_look_s: Annotated[float, Field(ge=0.1, le=3600, allow_inf_nan=False)] = Field(
        default=10.0, description="`canvas` looks at the whole picture of each camera every so many seconds."
    )
    inference_threads: Annotated[int, Field(ge=1, le=64)] | None = Field(
        default=None,
        description="Copies of the model, with a thread each, where it runs on a CPU; none: one per core, at most 4.",
    )
    mqtt_enabled: bool = Field(default=True, description="Publish to the broker; false where another sink is enough.")
    mqtt_qos: Literal[0, 1, 2] = Field(
        default=0, description="QoS of detections: 0 is cheapest, 1 survives a lost packet."
    )
    jsonl_path: Path | None = Field(default=None, description="Also append each event as a line of JSON to this file.")
    sink_queue_size: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=256, description="Events that may wait for a slow sink before the oldest is dropped and counted."
    )
    enable_watchdog: bool = Field(
        default=True,
        description="Reconnect a camera that is connected but delivers no picture, and report a detector that hangs.",
    )
    watchdog_timeout_s: PositiveSeconds = Field(
        default=10.0, description="How long a camera may deliver no picture, or the detector no answer, before that."
    )

    @property
    def numbered_cameras(self) -> tuple[tuple[int, CameraConfig], ...]:
        """Every camera with its source id: those of `stream_uris` in order, then `cameras`.

        A camera without a number of its own gets the next one that is free.
        """
        listed = [CameraConfig(uri=uri) for uri in self.stream_uris] + list(self.cameras)
        taken = {camera.source_id for camera in listed}
        free = (number for number in count(self.first_source_id) if number not in taken)
        return tuple((next(free) if camera.source_id is None else camera.source_id, camera) for camera in listed)

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        given = [camera.source_id for camera in self.cameras if camera.source_id is not None]
        twice = sorted({number for number in given if given.count(number) > 1})
        if twice:
            raise ValueError(f"cameras: source_id {twice[0]} is given twice")
        return self

    @model_validator(mode="after")
    def _check_instance(self) -> Self:
        try:
            check_name(self.instance_id, "instance")
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return self
