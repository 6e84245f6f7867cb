"""The names of all metrics of the Prometheus endpoints, explained in docs/reference/metrics.md.

Names of OpenTelemetry's semantic conventions, as its Prometheus exporters spell them, where there are some: messaging,
process, system. The others begin with `nvr_`.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric."""

    name: str
    """As it is queried; a histogram's without `_bucket`, `_sum` and `_count`."""
    kind: Kind
    help: str
    """One sentence."""
    labels: tuple[str, ...] = ()


_CAMERA = ("source_id", "camera")
_MODEL = ("model",)
_QUEUE = ("queue",)
_MESSAGING = ("messaging_system", "messaging_operation_name", "messaging_destination_template", "error_type")

CAMERA_UP = MetricSpec("nvr_camera_up", "gauge", "Whether the camera is connected and delivers packets.", _CAMERA)
CAMERA_STATE = MetricSpec("nvr_camera_state", "gauge", "1 for what the camera is doing.", (*_CAMERA, "state"))
CAMERA_DETECTING = MetricSpec(
    "nvr_camera_detecting", "gauge", "Whether the camera is looked at; 0: it pauses.", _CAMERA
)
CAMERA_ASLEEP = MetricSpec(
    "nvr_camera_asleep", "gauge", "Whether only key frames are decoded since nothing moves.", _CAMERA
)
CAMERA_FRAMES = MetricSpec(
    "nvr_camera_frames_total", "counter", "Video frames that got as far as a stage.", (*_CAMERA, "stage")
)
CAMERA_DROPPED = MetricSpec(
    "nvr_camera_frames_dropped_total", "counter", "Video frames that were not looked at.", (*_CAMERA, "reason")
)
CAMERA_MOTION = MetricSpec(
    "nvr_camera_motion_frames_total", "counter", "Frames that were looked at, by motion.", (*_CAMERA, "motion")
)
CAMERA_FPS = MetricSpec("nvr_camera_fps", "gauge", "Frames per second over the last seconds.", (*_CAMERA, "stage"))
CAMERA_BYTES = MetricSpec(
    "nvr_camera_received_bytes_total", "counter", "Video and audio that the camera sent.", _CAMERA
)
CAMERA_CONNECTIONS = MetricSpec(
    "nvr_camera_connections_total", "counter", "Connections to the camera that were established.", _CAMERA
)
CAMERA_FAILURES = MetricSpec(
    "nvr_camera_connection_failures_total",
    "counter",
    "Connections to the camera that failed or were lost.",
    _CAMERA,
)
CAMERA_PACKETS_LOST = MetricSpec(
    "nvr_camera_packets_lost_total", "counter", "Packets of which a part was lost on the way.", _CAMERA
)
CAMERA_BREAKS = MetricSpec(
    "nvr_camera_timestamp_breaks_total", "counter", "Jumps of the camera's time stamps within a connection.", _CAMERA
)
CAMERA_CLOCK = MetricSpec(
    "nvr_camera_clock_error_seconds", "gauge", "How far the camera's clock is ahead of this machine's.", _CAMERA
)
CAMERA_CPU = MetricSpec("nvr_camera_cpu_seconds_total", "counter", "CPU time of the camera's own threads.", _CAMERA)
CAMERA_MEMORY = MetricSpec("nvr_camera_memory_bytes", "gauge", "Packets of the camera that are remembered.", _CAMERA)
CAMERA_STAGES = MetricSpec(
    "nvr_camera_stage_duration_seconds", "histogram", "How long a frame took for a stage.", (*_CAMERA, "stage")
)
CAMERA_AHEAD = MetricSpec(
    "nvr_camera_future_frames_total",
    "counter",
    "Frames whose capture time lay ahead of this machine's clock; their latency counts as 0.",
    _CAMERA,
)
CAMERA_RECORDING = MetricSpec(
    "nvr_camera_recording", "gauge", "Whether the camera is being recorded at this moment.", _CAMERA
)
CAMERA_RECORDED = MetricSpec("nvr_camera_recorded_bytes_total", "counter", "Bytes of finished segments.", _CAMERA)
CAMERA_RECORDING_LOST = MetricSpec(
    "nvr_camera_recording_lost_packets_total",
    "counter",
    "Packets that were to be recorded and left the memory before the disk took them.",
    _CAMERA,
)
CAMERA_RECORDING_PAUSES = MetricSpec(
    "nvr_camera_recording_pauses_total", "counter", "How often the disk failed while the camera was recorded.", _CAMERA
)

MODEL_UP = MetricSpec("nvr_model_up", "gauge", "Whether the model's last inference succeeded.", _MODEL)
MODEL_INFERENCES = MetricSpec("nvr_model_inferences_total", "counter", "Pictures that the model has looked at.", _MODEL)
MODEL_FRAMES = MetricSpec("nvr_model_frames_total", "counter", "Frames that were shown in these pictures.", _MODEL)
MODEL_FAILURES = MetricSpec("nvr_model_failures_total", "counter", "Looks of the model that failed.", _MODEL)
MODEL_USED = MetricSpec(
    "nvr_model_canvas_used_pixels_total", "counter", "Pixels of canvases that showed something.", _MODEL
)
MODEL_OFFERED = MetricSpec("nvr_model_canvas_pixels_total", "counter", "Pixels of all canvases.", _MODEL)
MODEL_SECONDS = MetricSpec(
    "nvr_model_inference_duration_seconds",
    "histogram",
    "How long a look took, at one or several pictures together, with composing them.",
    _MODEL,
)

QUEUE_DEPTH = MetricSpec("nvr_queue_depth", "gauge", "What waits in the queue.", _QUEUE)
QUEUE_CAPACITY = MetricSpec("nvr_queue_capacity", "gauge", "What may wait in the queue.", _QUEUE)
QUEUE_DROPPED = MetricSpec("nvr_queue_dropped_total", "counter", "What gave way since the queue was full.", _QUEUE)

SENT = MetricSpec(
    "messaging_client_sent_messages_total",
    "counter",
    "Messages handed to the broker's connection; those that it did not take carry an error_type.",
    _MESSAGING,
)
EVENTS_LOST = MetricSpec(
    "nvr_events_lost_total", "counter", "Events that were dropped at a slow way out, or not taken by it."
)
BROKER_CONNECTED = MetricSpec("nvr_broker_connected", "gauge", "Whether the MQTT broker answers.")
WATCHDOG_RECONNECTS = MetricSpec(
    "nvr_watchdog_reconnects_total", "counter", "Cameras that were told to begin anew because they showed nothing."
)
DETECTOR_HANGS = MetricSpec(
    "nvr_detector_hanging", "gauge", "Whether the present inference takes longer than the watchdog's timeout."
)
THREADS = MetricSpec("process_thread_count", "gauge", "Threads of the process.")

DISK_USAGE = MetricSpec(
    "system_filesystem_usage_bytes",
    "gauge",
    "The disk of the recordings.",
    ("system_filesystem_mountpoint", "system_filesystem_state"),
)
RECORDINGS_BYTES = MetricSpec("nvr_recordings_bytes", "gauge", "What all recordings of the folder take.")
RECORDINGS_FORECAST = MetricSpec(
    "nvr_recordings_forecast_seconds",
    "gauge",
    "How far back recordings will reach once the disk is full, at the rate of the last day.",
)

PROCESSOR_SPECS = (
    CAMERA_UP,
    CAMERA_STATE,
    CAMERA_DETECTING,
    CAMERA_ASLEEP,
    CAMERA_FRAMES,
    CAMERA_DROPPED,
    CAMERA_MOTION,
    CAMERA_FPS,
    CAMERA_BYTES,
    CAMERA_CONNECTIONS,
    CAMERA_FAILURES,
    CAMERA_PACKETS_LOST,
    CAMERA_BREAKS,
    CAMERA_CLOCK,
    CAMERA_CPU,
    CAMERA_MEMORY,
    CAMERA_STAGES,
    CAMERA_AHEAD,
    CAMERA_RECORDING,
    CAMERA_RECORDED,
    CAMERA_RECORDING_LOST,
    CAMERA_RECORDING_PAUSES,
    MODEL_UP,
    MODEL_INFERENCES,
    MODEL_FRAMES,
    MODEL_FAILURES,
    MODEL_USED,
    MODEL_OFFERED,
    MODEL_SECONDS,
    QUEUE_DEPTH,
    QUEUE_CAPACITY,
    QUEUE_DROPPED,
    SENT,
    EVENTS_LOST,
    BROKER_CONNECTED,
    WATCHDOG_RECONNECTS,
    DETECTOR_HANGS,
    THREADS,
    DISK_USAGE,
    RECORDINGS_BYTES,
    RECORDINGS_FORECAST,
)

RECEIVED = MetricSpec(
    "messaging_client_consumed_messages_total",
    "counter",
    "Messages that the wall received; those that it refused carry an error_type.",
    _MESSAGING,
)
WALL_LATENCY = MetricSpec(
    "nvr_wall_event_latency_seconds", "histogram", "From the capture of a frame to the arrival of its event."
)
WALL_PICTURES = MetricSpec("nvr_wall_pictures_total", "counter", "Pictures that were composed.")
WALL_FAULTS = MetricSpec("nvr_wall_faults_total", "counter", "How often a tile, composing or a watcher failed.")
WALL_STREAMS = MetricSpec("nvr_wall_streams", "gauge", "Streams of pictures that are being watched on the page.")
WALL_CAMERAS = MetricSpec("nvr_wall_cameras", "gauge", "Cameras of the wall.", ("state",))

WALL_SPECS = (
    RECEIVED,
    WALL_LATENCY,
    WALL_PICTURES,
    WALL_FAULTS,
    WALL_STREAMS,
    WALL_CAMERAS,
    BROKER_CONNECTED,
    THREADS,
)
