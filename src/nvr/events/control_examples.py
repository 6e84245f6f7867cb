"""Full examples of the messages of the control plane, for the generated documents and the tests."""

from datetime import UTC, datetime, timedelta

from nvr.events.command import Command, CommandAck, CommandError
from nvr.events.instance_metrics import (
    CameraMetrics,
    DiskMetrics,
    InstanceMetrics,
    Latency,
    ModelMetrics,
    QueueMetrics,
)
from nvr.events.instance_status import CameraStatus, ChildState, InstanceStatus, ModelState
from nvr.events.message import SCHEMA_VERSION

_AT = datetime(2026, 11, 20, 9, 30, 5, 123456, tzinfo=UTC)
_COMMAND_ID = "5f0c0f7be0d44c1b8a4f5f2f6a1d9e3c"


def example_command() -> Command:
    """Return a command in which every field is set; the key of its signature is `0123456789abcdef`."""
    return Command(
        schema_version=SCHEMA_VERSION,
        command="pause",
        command_id=_COMMAND_ID,
        target_instances=("gate-house",),
        source_ids=(3,),
        params={"hang_up": True},
        issued_at=_AT,
        expires_at=_AT + timedelta(seconds=40),
        issuer="nvr ctl, anna@desk",
        signature="5fefea59fa5c91978b7b0575bd7fdc2bd971a879a3c215c291f4f08a773f2f4a",
    )


def example_received() -> CommandAck:
    """Return the first answer."""
    return CommandAck(
        schema_version=SCHEMA_VERSION,
        instance_id="gate-house",
        command_id=_COMMAND_ID,
        command="pause",
        status="received",
        timestamp=_AT + timedelta(milliseconds=2),
    )


def example_completed() -> CommandAck:
    """Return the last answer to a command that was carried out."""
    return example_received().model_copy(
        update={
            "status": "completed",
            "timestamp": _AT + timedelta(milliseconds=14),
            "result": {"source_ids": [3]},
            "duration_ms": 12.4,
        }
    )


def example_error() -> CommandAck:
    """Return the last answer to a command that was not carried out."""
    error = CommandError(type="not_found", reason="there is no camera 3 here, there are 0, 1, 2")
    return example_completed().model_copy(update={"status": "error", "result": None, "error": error})


def example_status() -> InstanceStatus:
    """Return the status of a processor with a camera that it cannot reach."""
    return InstanceStatus(
        schema_version=SCHEMA_VERSION,
        instance_id="gate-house",
        kind="processor",
        state="degraded",
        reason="camera 4 is offline",
        timestamp=_AT,
        started_at=_AT - timedelta(hours=3),
        heartbeat_s=5,
        version="0.1.0",
        host="nvr",
        pid=4711,
        accepts_commands=True,
        cameras=(
            CameraStatus(
                source_id=3,
                name="gate",
                state="running",
                fps=25.0,
                analysed_fps=4.9,
                model_id="yolox-nano",
                recording="recording",
                record_mode="continuous+events",
            ),
            CameraStatus(
                source_id=4,
                name="yard",
                state="offline",
                reason="camera 4 refuses the connection",
                model_id="yolox-nano",
                recording="idle",
                record_mode="events",
            ),
        ),
        models=(ModelState(model_id="yolox-nano", state="ok"),),
    )


def example_supervisor_status() -> InstanceStatus:
    """Return the status of what looks after processors."""
    return InstanceStatus(
        schema_version=SCHEMA_VERSION,
        instance_id="supervisor",
        kind="supervisor",
        state="degraded",
        reason="processor-2 waits for its next start",
        timestamp=_AT,
        started_at=_AT - timedelta(hours=3),
        heartbeat_s=5,
        version="0.1.0",
        host="nvr",
        pid=4700,
        accepts_commands=True,
        children=(
            ChildState(name="processor-1", state="running", pid=4711, source_ids=(0, 1, 2)),
            ChildState(name="processor-2", state="waiting", restarts=2, reason="killed by signal 9", source_ids=(3, 4)),
        ),
    )


def example_offline() -> InstanceStatus:
    """Return what the broker says of an instance that has vanished."""
    return InstanceStatus.offline("gate-house", "processor", "connection lost")


def example_metrics() -> InstanceMetrics:
    """Return the counters of a processor with one camera."""
    latency = Latency(count=52_920, mean_ms=31.2, p50_ms=25.0, p95_ms=75.0)
    return InstanceMetrics(
        schema_version=SCHEMA_VERSION,
        instance_id="gate-house",
        timestamp=_AT,
        uptime_s=10_800,
        cpu_s=2_484.2,
        cpu_percent=23.1,
        rss_bytes=187_904_000,
        threads=14,
        events_lost=0,
        cameras=(
            CameraMetrics(
                source_id=3,
                frames_in=270_000,
                decoded=58_110,
                analysed=52_920,
                dropped={"replaced": 12},
                bytes_in=2_700_000_000,
                reconnects=1,
                packets_lost=0,
                fps=25.0,
                analysed_fps=4.9,
                motion_ratio=0.12,
                cpu_s=812.4,
                recorded_bytes=2_690_000_000,
                latency={"capture_to_publish": latency},
            ),
        ),
        models=(ModelMetrics(model_id="yolox-nano", inferences=9_120, frames=52_920, occupancy=0.61),),
        queues=(QueueMetrics(name="mqtt", depth=0, capacity=256, dropped=0),),
        disk=DiskMetrics(
            total_bytes=500_000_000_000,
            free_bytes=210_000_000_000,
            recordings_bytes=240_000_000_000,
            forecast_days=18.5,
        ),
    )
