"""The wall in a window: q or Esc ends it, f fills the screen, a click enlarges a tile and another goes back."""

import threading

from nvr.core.errors import UnsupportedError
from nvr.media.pixels import resized
from nvr.wall.compositor import Composition
from nvr.wall.layout import Rect, letterbox_rect
from nvr.wall.palette import LETTERBOX
from nvr.wall.video_wall import VideoWall
from nvr.wall.view import WallView, Watch

try:
    import pygame
except ModuleNotFoundError as missing:
    raise UnsupportedError(
        "the wall's window needs pygame, which is not installed: pip install 'nvr-multiplexer[wall]'"
    ) from missing

POLL_MS = 50
"""How often it looks whether it was asked to end while nothing happens."""


class WallWindow:
    """Shows a started wall. `run` belongs in the thread that the window system wants: the main one."""

    def __init__(self, wall: VideoWall, *, title: str = "NVR video wall") -> None:
        self._wall = wall
        self._title = title
        self._view: WallView = wall.view()
        self._is_enlarged = False
        self._windowed_size: tuple[int, int] | None = None
        self._watch: Watch | None = None
        self._lock = threading.Lock()
        self._fresh: Composition | None = None
        self._shown: Composition | None = None

    def run(self) -> None:
        """Show the wall until the user ends it or the wall is stopped.

        Raises:
            UnsupportedError: There is no display that a window can be opened on.
        """
        self._open()
        try:
            self._look_at(self._wall.view())
            while not self._wall.join(0) and self._handle(pygame.event.wait(POLL_MS)):
                self._show_fresh()
        finally:
            if self._watch is not None:
                self._watch.close()
            pygame.display.quit()

    def _open(self) -> None:
        layout = self._view.layout
        try:
            pygame.display.init()
            screen_width, screen_height = pygame.display.get_desktop_sizes()[0]
            fit = min(1.0, 0.9 * screen_width / layout.width_px, 0.9 * screen_height / layout.height_px)
            size = (max(1, round(layout.width_px * fit)), max(1, round(layout.height_px * fit)))
            pygame.display.set_caption(self._title)
            pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise UnsupportedError(f"cannot open a window: {error}") from error

    def _handle(self, event: pygame.event.Event) -> bool:
        if event.type == pygame.QUIT:
            return False
        if event.type == pygame.KEYDOWN:
            return self._handle_key(event.key)
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == pygame.BUTTON_LEFT:
            self._click(event.pos)
        elif event.type in {pygame.VIDEORESIZE, pygame.VIDEOEXPOSE, pygame.WINDOWEXPOSED}:
            self._redraw()
        return True

    def _handle_key(self, key: int) -> bool:
        if key in {pygame.K_q, pygame.K_ESCAPE}:
            return False
        if key == pygame.K_f:
            self._toggle_full_screen()
        return True

    def _toggle_full_screen(self) -> None:
        # pygame's own toggle only scales the old picture up, and without a window manager does nothing at all
        if self._windowed_size is None:
            self._windowed_size = pygame.display.get_window_size()
            pygame.display.set_mode(pygame.display.get_desktop_sizes()[0], pygame.FULLSCREEN)
        else:
            pygame.display.set_mode(self._windowed_size, pygame.RESIZABLE)
            self._windowed_size = None
        self._redraw()

    def _click(self, position: tuple[int, int]) -> None:
        if self._is_enlarged:
            self._look_at(self._wall.view())
            return
        area = self._area()
        layout = self._view.layout
        x = (position[0] - area.x) * layout.width_px / area.width
        y = (position[1] - area.y) * layout.height_px / area.height
        index = layout.tile_at(x, y)
        if index is not None:
            self._look_at(self._wall.view(self._view.source_ids[index]))

    def _look_at(self, view: WallView) -> None:
        if self._watch is not None:
            self._watch.close()
        self._view, self._is_enlarged = view, view is not self._wall.view()
        with self._lock:
            self._fresh = None
        self._shown = None
        self._watch = view.watch(self._take)

    def _take(self, composition: Composition) -> None:
        with self._lock:
            self._fresh = composition
        pygame.event.post(pygame.event.Event(pygame.USEREVENT))

    def _show_fresh(self) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, None
        if fresh is not None:
            self._shown = fresh
            self._redraw()

    def _redraw(self) -> None:
        screen = pygame.display.get_surface()
        if screen is None or self._shown is None:
            return
        picture, area = self._shown.picture, self._area()
        if (picture.shape[1], picture.shape[0]) != (area.width, area.height):
            picture = resized(picture, area.width, area.height)
        screen.fill(tuple(reversed(LETTERBOX)))
        screen.blit(pygame.image.frombuffer(picture.tobytes(), (area.width, area.height), "BGR"), (area.x, area.y))
        pygame.display.flip()

    def _area(self) -> Rect:
        width, height = pygame.display.get_window_size()
        return letterbox_rect(self._view.layout.width_px, self._view.layout.height_px, Rect(0, 0, width, height))
