"""What the wall says in words: its page as HTML and its state as JSON. Pure."""

from collections.abc import Sequence
from html import escape
from typing import TypedDict

from nvr.wall.camera_view import CameraView, TileState
from nvr.wall.layout import GridLayout
from nvr.wall.video_wall import WallState


class CameraJson(TypedDict):
    """One camera of `/api/state.json`."""

    source_id: int
    title: str
    uri: str
    state: str
    detail: str
    notice: str | None
    reason: str | None
    footnote: str | None
    fps: float
    latency_ms: float | None
    frame_width: int | None
    frame_height: int | None
    n_detections: int | None


class StateJson(TypedDict):
    """The answer of `/api/state.json`."""

    summary: str
    broker: str
    broker_connected: bool
    broker_error: str | None
    n_events: int
    n_bad_messages: int
    n_faults: int
    streams: list[str]
    """The ids of the picture streams that are being sent; a page whose own is not among them asks again."""
    cameras: list[CameraJson]


def state_json(state: WallState, streams: Sequence[str] = ()) -> StateJson:
    """Return the state as it is answered, with the ids of the streams that are being sent."""
    return StateJson(
        summary=_summary(state),
        broker=state.broker,
        broker_connected=state.is_broker_connected,
        broker_error=state.broker_error,
        n_events=state.n_events,
        n_bad_messages=state.n_bad_messages,
        n_faults=state.n_faults,
        streams=list(streams),
        cameras=[_camera_json(camera) for camera in state.cameras],
    )


def _camera_json(camera: CameraView) -> CameraJson:
    frame, event = camera.frame, camera.event
    return CameraJson(
        source_id=camera.source_id,
        title=camera.title,
        uri=camera.uri,
        state=camera.state.value,
        detail=_detail(camera),
        notice=camera.notice,
        reason=camera.reason,
        footnote=camera.footnote,
        fps=round(camera.fps, 1),
        latency_ms=None if camera.latency_ms is None else round(camera.latency_ms, 1),
        frame_width=None if frame is None else frame.width,
        frame_height=None if frame is None else frame.height,
        n_detections=None if event is None else len(event.detections),
    )


def _summary(state: WallState) -> str:
    n_live = sum(camera.state is TileState.LIVE for camera in state.cameras)
    broker = "connected" if state.is_broker_connected else "not connected"
    return f"{n_live} of {len(state.cameras)} cameras live · broker {state.broker} {broker}"


def _detail(camera: CameraView) -> str:
    if camera.state is not TileState.LIVE:
        return " · ".join(part for part in (camera.notice, camera.reason) if part)
    frame = camera.frame
    size = "" if frame is None else f"{frame.width} x {frame.height}"
    return " · ".join(part for part in (size, camera.facts, camera.footnote) if part)


def wall_page(state: WallState, layout: GridLayout, stream_id: str) -> str:
    """Return the page with all cameras, its picture a stream of that id; each tile is a link to its own page."""
    # cameras may have come since the layout was made: the page then asks for itself again
    cameras = state.cameras[: layout.n_tiles]
    links = "\n".join(_tile_link(camera, layout, index) for index, camera in enumerate(cameras))
    figure = _figure(f"/wall.mjpeg?id={stream_id}", f"Video wall of {len(state.cameras)} cameras", layout, links)
    return _document("Video wall", state, f"{figure}\n{_camera_list(state)}")


def tile_page(state: WallState, layout: GridLayout, camera: CameraView, stream_id: str) -> str:
    """Return the page with one camera enlarged, its picture a stream of that id; a click leads back."""
    back = '<a href="/" style="inset:0" aria-label="Back to all cameras"></a>'
    figure = _figure(f"/tile/{camera.source_id}.mjpeg?id={stream_id}", camera.title, layout, back)
    return _document(camera.title, state, f'{figure}\n<p><a href="/">All cameras</a></p>\n{_camera_list(state)}')


def _document(title: str, state: WallState, body: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · NVR</title>
<link rel="stylesheet" href="/static/wall.css">
<script src="/static/wall.js" defer></script>
</head>
<body>
<a class="skip" href="#cameras">Skip to the list of cameras</a>
<header>
<h1><a href="/">NVR</a> · {escape(title)}</h1>
<p id="status" role="status">{escape(_summary(state))}</p>
</header>
<main>
{body}
</main>
</body>
</html>
"""


def _figure(source: str, description: str, layout: GridLayout, links: str) -> str:
    width, height = layout.width_px, layout.height_px
    picture = f'<img src="{escape(source)}" width="{width}" height="{height}" alt="{escape(description)}">'
    return f'<figure class="wall" style="--ratio:{width}/{height}">\n{picture}\n{links}\n</figure>'


def _tile_link(camera: CameraView, layout: GridLayout, index: int) -> str:
    tile = layout.tile(index)
    left, width = 100 * tile.x / layout.width_px, 100 * tile.width / layout.width_px
    top, height = 100 * tile.y / layout.height_px, 100 * tile.height / layout.height_px
    return (
        f'<a href="/tile/{camera.source_id}" aria-label="Enlarge {escape(camera.title)}" '
        f'style="left:{left:.3f}%;top:{top:.3f}%;width:{width:.3f}%;height:{height:.3f}%"></a>'
    )


def _camera_list(state: WallState) -> str:
    entries = "\n".join(
        f'<li id="camera-{camera.source_id}">'
        f'<span class="state" data-state="{camera.state.value}">{camera.state.value}</span>'
        f'<a class="name" href="/tile/{camera.source_id}">{escape(camera.title)}</a>'
        f'<div class="detail">{escape(_detail(camera))}</div></li>'
        for camera in state.cameras
    )
    return f'<h2 id="cameras">Cameras</h2>\n<ul class="cameras">\n{entries}\n</ul>'
