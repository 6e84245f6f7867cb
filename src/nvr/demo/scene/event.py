"""What is in a frame, and how long each thing stays: the truth of a scene, as values."""

from collections.abc import Iterable
from dataclasses import dataclass

from nvr.demo.scene.cast import SceneClass
from nvr.demo.scene.shapes import Box


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One thing in one frame, as it truly is."""

    object_id: int
    """The same for the same thing over the whole loop; from 1."""
    class_name: SceneClass
    xyxy_px: Box
    """Clipped to the picture; parts hidden behind others count."""
    inside_fraction: float
    """Share of the whole box that is inside the picture, 0..1."""


@dataclass(frozen=True, slots=True)
class SceneEvent:
    """A stretch of frames in which one thing is in the picture."""

    object_id: int
    class_name: SceneClass
    start_frame: int
    """The first frame with it."""
    end_frame: int
    """The last frame with it."""
    areas_px: tuple[int, ...]
    """Width by height of its clipped box in each of these frames."""

    @property
    def n_frames(self) -> int:
        """Return how many frames it lasts."""
        return self.end_frame - self.start_frame + 1


def find_events(frames: Iterable[tuple[SceneObject, ...]]) -> tuple[SceneEvent, ...]:
    """Return the stretches of all things in consecutive frames, in the order of their beginnings."""
    present: dict[int, tuple[SceneObject, int, list[int]]] = {}
    events: list[SceneEvent] = []

    def end(object_id: int) -> None:
        thing, start, areas = present.pop(object_id)
        events.append(SceneEvent(object_id, thing.class_name, start, start + len(areas) - 1, tuple(areas)))

    for number, things in enumerate(frames):
        for gone in present.keys() - {thing.object_id for thing in things}:
            end(gone)
        for thing in things:
            left, top, right, bottom = thing.xyxy_px
            _, _, areas = present.setdefault(thing.object_id, (thing, number, []))
            areas.append(round((right - left) * (bottom - top)))
    for object_id in tuple(present):
        end(object_id)
    return tuple(sorted(events, key=lambda event: (event.start_frame, event.object_id)))
