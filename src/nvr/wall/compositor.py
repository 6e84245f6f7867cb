"""One picture of several cameras, redrawn only where something changed."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from nvr.core.errors import FrameError
from nvr.core.throttle import ThrottledLog
from nvr.events import DetectionEvent
from nvr.media.pixels import Picture, shrink_to_bgr
from nvr.wall.camera_view import Camera, CameraView, TileState
from nvr.wall.layout import GridLayout, Rect, letterbox_rect
from nvr.wall.notices import NoticePainter, colour_of_state
from nvr.wall.palette import BACKGROUND, LETTERBOX
from nvr.wall.pixels import dimmed
from nvr.wall.renderer import DetectionRenderer

logger = logging.getLogger(__name__)

GAP_PX = 2
NOT_READABLE = "picture not readable"


@dataclass(frozen=True, slots=True, eq=False)
class Composition:
    """A finished picture of the wall."""

    version: int
    """Grows with each picture that differs from the one before."""
    picture: Picture
    """(H, W, 3) uint8, BGR; read-only, never changed again."""
    events: Mapping[int, DetectionEvent]
    """By source, the events whose boxes stand in the picture."""


class Compositor:
    """Draws the tiles of some cameras in a grid. `compose` may be called from any thread."""

    def __init__(
        self,
        cameras: Sequence[Camera],
        layout: GridLayout,
        *,
        min_confidence: float = 0.0,
        faults: ThrottledLog | None = None,
        after_version: int = 0,
    ) -> None:
        """Prepare the tiles.

        Args:
            cameras: One per tile.
            layout: Where the tiles stand.
            min_confidence: Weaker detections are not drawn, 0..1.
            faults: Counts and tells the tiles that could not be drawn.
            after_version: Version of the last picture of the compositor that this one takes the place of.
        """
        if len(cameras) != layout.n_tiles:
            raise ValueError(f"expected one camera per tile, got {len(cameras)} and {layout.n_tiles}")
        renderer = DetectionRenderer(tile_height_px=layout.tile_height_px, min_confidence=min_confidence)
        notices = NoticePainter(tile_height_px=layout.tile_height_px)
        self.layout = layout
        self.source_ids = tuple(camera.source_id for camera in cameras)
        self._canvas: Picture = np.empty((layout.height_px, layout.width_px, 3), np.uint8)
        self._canvas[:] = BACKGROUND
        self._tiles = [
            _Tile(camera, self._part(layout.tile(index)), renderer, notices) for index, camera in enumerate(cameras)
        ]
        self._faults = faults or ThrottledLog(logger, logging.ERROR)
        self._lock = threading.Lock()
        self._latest: Composition | None = None
        self._version = after_version

    @property
    def version(self) -> int:
        """Of the newest picture."""
        return self._version

    def compose(self) -> Composition:
        """Look at every camera and return the picture of now, the same object as before if nothing changed."""
        with self._lock:
            changed = [self._update(tile) for tile in self._tiles]
            if self._latest is None or any(changed):
                self._version += 1
                self._latest = self._publish(self._version)
            return self._latest

    def _update(self, tile: "_Tile") -> bool:
        try:
            return tile.update()
        except Exception as error:  # the supervisor of the tiles: what one camera sends must not freeze the others
            if self._faults.total == 0:
                logger.exception("the tile of %s could not be drawn; the others go on", tile.title)
            self._faults.report(f"the tile of {tile.title} could not be drawn: {error!r}")
            return tile.give_up(repr(error))

    def _publish(self, version: int) -> Composition:
        picture = self._canvas.copy()
        picture.flags.writeable = False
        events = {tile.drawn.source_id: tile.drawn for tile in self._tiles if tile.drawn is not None}
        return Composition(version, picture, MappingProxyType(events))

    def _part(self, rect: Rect) -> Picture:
        return self._canvas[rect.y : rect.bottom, rect.x : rect.right]


class _Tile:
    """One camera's part of the canvas."""

    def __init__(self, camera: Camera, canvas: Picture, renderer: DetectionRenderer, notices: NoticePainter) -> None:
        self._camera = camera
        self._canvas = canvas
        self._renderer = renderer
        self._notices = notices
        self._rect = Rect(0, 0, canvas.shape[1], canvas.shape[0])
        self._shown: tuple[object, ...] | None = None
        self._shown_event: DetectionEvent | None = None
        self._base: Picture | None = None
        self._problem: str | None = None
        self._failure: str | None = None
        self._base_frame_id: int | None = None
        self._area = self._rect
        self.drawn: DetectionEvent | None = None
        """The event whose boxes are on the canvas now."""

    @property
    def title(self) -> str:
        """What people call its camera."""
        return self._camera.title

    def update(self) -> bool:
        """Redraw if there is something new to show; say whether there was."""
        # forgotten while it looks, and remembered before it draws: what cannot be drawn is not tried at each tick
        shown, self._shown = self._shown, None
        view = self._camera.look()
        frame_id = None if view.frame is None else view.frame.frame_id
        content = (frame_id, view.state, view.notice, view.reason, view.footnote)
        is_known = content == shown and view.event is self._shown_event
        self._shown, self._shown_event = content, view.event
        if is_known:
            return False
        self._draw(view)
        self._failure = None
        return True

    def give_up(self, reason: str) -> bool:
        """Show that this camera could not be drawn; say whether that is news."""
        self.drawn = None
        self._notices.card(self._canvas, self._rect, TileState.OFFLINE, NOT_READABLE, reason)
        self._renderer.draw_header(self._canvas, self._rect, self.title, "", colour_of_state(TileState.OFFLINE))
        is_news, self._failure = reason != self._failure, reason
        return is_news

    def _draw(self, view: CameraView) -> None:
        self.drawn = None
        self._take_picture(view)
        state = view.state if self._problem is None else TileState.OFFLINE
        if self._base is None:
            self._notices.card(
                self._canvas, self._rect, state, view.notice or NOT_READABLE, self._problem or view.reason
            )
        else:
            self._draw_picture(view, self._base)
        facts = view.facts if view.state is TileState.LIVE else ""
        self._renderer.draw_header(self._canvas, self._rect, view.title, facts, colour_of_state(state))

    def _draw_picture(self, view: CameraView, base: Picture) -> None:
        is_live = view.state is TileState.LIVE
        area = self._area
        if area != self._rect:
            self._canvas[:] = LETTERBOX
        self._canvas[area.y : area.bottom, area.x : area.right] = base if is_live else dimmed(base)
        if view.notice is not None:
            self._notices.banner(self._canvas, self._rect, view.state, view.notice, view.reason)
        if view.footnote is not None:
            self._renderer.draw_footnote(self._canvas, self._rect, view.footnote)
        if is_live and view.event is not None and view.frame is not None:
            self._renderer.draw_detections(
                self._canvas,
                view.event,
                area,
                view.frame.width,
                view.frame.height,
                header_bottom=self._renderer.header_height_px,
            )
            self.drawn = view.event

    def _take_picture(self, view: CameraView) -> None:
        frame = view.frame
        if frame is None or frame.frame_id == self._base_frame_id:
            return
        self._base_frame_id, self._base, self._problem = frame.frame_id, None, None
        area = letterbox_rect(frame.width, frame.height, self._rect)
        try:
            self._base, self._area = shrink_to_bgr(frame, area.width, area.height), area
        except FrameError as error:
            self._problem = str(error)
