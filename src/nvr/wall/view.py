"""A composed picture of all cameras or of one, kept current only while someone looks at it."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from nvr.wall.compositor import Composition, Compositor
from nvr.wall.layout import GridLayout

OnPicture = Callable[[Composition], None]
"""Called in the wall's thread after each new picture: be quick, raise nothing."""


class WallView:
    """One compositor and those who watch it. Thread-safe."""

    def __init__(self, compositor: Compositor, on_watched: Callable[[], None]) -> None:
        """Wrap a compositor; `on_watched` is called when a new watcher wants pictures."""
        self._compositor = compositor
        self._on_watched = on_watched
        self._lock = threading.Lock()
        self._watchers: list[Watch] = []

    @property
    def layout(self) -> GridLayout:
        """Where the tiles stand in the picture."""
        return self._compositor.layout

    @property
    def source_ids(self) -> tuple[int, ...]:
        """The camera of each tile."""
        return self._compositor.source_ids

    @property
    def is_watched(self) -> bool:
        """Whether anyone wants pictures."""
        return bool(self._watchers)

    def replace(self, make: Callable[[int], Compositor]) -> None:
        """Show other tiles from now on, to those who watch as well.

        Args:
            make: Called with the version of the last picture; returns the compositor of the new tiles.
        """
        self._compositor = make(self._compositor.version)
        self._on_watched()

    def compose(self) -> Composition:
        """Return the picture of now, in the caller's thread."""
        return self._compositor.compose()

    def watch(self, on_picture: OnPicture) -> "Watch":
        """Have `on_picture` called with the present picture and each new one until the returned watch is closed."""
        watch = Watch(self, on_picture)
        with self._lock:
            self._watchers.append(watch)
        self._on_watched()
        return watch

    def refresh(self) -> None:
        """Compose, and tell each watcher what it has not seen yet; called by the wall's thread only."""
        composition = self._compositor.compose()
        with self._lock:
            watchers = tuple(self._watchers)
        for watch in watchers:
            watch.tell(composition)

    def forget(self, watch: "Watch") -> None:
        """Call a watcher no more; one that has gone already is fine."""
        with self._lock:
            if watch in self._watchers:
                self._watchers.remove(watch)


class Watch:
    """A subscription to pictures; also a context manager."""

    def __init__(self, view: WallView, on_picture: OnPicture) -> None:
        self._view = view
        self._on_picture = on_picture
        self._told_version = 0

    def tell(self, composition: Composition) -> None:
        """Hand a picture on, unless it is the one told last; called by the wall's thread only."""
        if composition.version != self._told_version:
            self._told_version = composition.version
            self._on_picture(composition)

    def close(self) -> None:
        """End it; a call that is under way may still arrive."""
        self._view.forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
