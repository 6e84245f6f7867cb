"""The figures of a wall, for `nvr.telemetry`."""

from collections import Counter
from collections.abc import Callable

from nvr.telemetry.figures import WallFigures
from nvr.telemetry.points import wall_points
from nvr.telemetry.process import thread_count
from nvr.telemetry.prometheus import Exporter
from nvr.wall.camera_view import TileState
from nvr.wall.video_wall import VideoWall, WallState

INSTANCE_ID = "wall"


def wall_figures(state: WallState, *, streams: int) -> WallFigures:
    """Return the figures of a wall; pure.

    Args:
        state: What it knows about itself.
        streams: How many streams of pictures are being watched on its page.
    """
    states = Counter(camera.state for camera in state.cameras)
    return WallFigures(
        events=state.n_events,
        invalid_messages=state.n_bad_messages,
        is_broker_connected=state.is_broker_connected,
        pictures=state.n_pictures,
        faults=state.n_faults,
        streams=streams,
        cameras_by_state={known.value: states[known] for known in TileState},
        latency=state.event_latency,
        topic=f"{state.topic_prefix}/{{source_id}}",
    )


def wall_exporter(wall: VideoWall, streams: Callable[[], int]) -> Exporter:
    """Return what renders the metrics of a wall; `streams` tells how many are being watched."""
    return Exporter(
        lambda: wall_points(wall_figures(wall.state(), streams=streams()), thread_count()),
        instance_id=lambda: INSTANCE_ID,
    )
