"""What is drawn over a camera's picture: boxes with labels, the name of the stream, its rates."""

import cv2

from nvr.events import Detection, DetectionEvent
from nvr.media.pixels import Picture
from nvr.wall.layout import Rect, SourceToTile
from nvr.wall.palette import BLACK, MUTED, TEXT, Colour, colour_of_object, readable_on
from nvr.wall.pixels import blend
from nvr.wall.text import REGULAR, SEMIBOLD, TextPainter, one_line

MAX_BOXES = 500
"""Only the surest are drawn: more would hide the picture and cost more than composing it."""
MAX_LABELS = 100
MAX_LABEL_CHARACTERS = 32
HEADER_OPACITY = 0.72
SHORT_IDS = 100_000
"""Longer numbers of tracks would hide more than they tell."""


def font_size_px(tile_height_px: int) -> int:
    """Return the size of letters that is legible on a tile without covering it."""
    return min(max(round(tile_height_px / 21), 8), 24)


def label_of(detection: Detection) -> str:
    """Return the text of a label: class, confidence and, where there is one, the track."""
    name = one_line(detection.class_name, MAX_LABEL_CHARACTERS) or "?"
    track = "" if detection.tracker_id is None else f" #{short_number(detection.tracker_id)}"
    return f"{name} {detection.confidence:.2f}{track}"


class DetectionRenderer:
    """Draws detections and facts onto tiles of one size. Used by one thread at a time.

    Args:
        tile_height_px: Sets the size of letters and the width of lines.
        min_confidence: Weaker detections are left out, 0..1.
    """

    def __init__(self, *, tile_height_px: int = 270, min_confidence: float = 0.0) -> None:
        size_px = font_size_px(tile_height_px)
        self._label = TextPainter(max(8, size_px - 1), SEMIBOLD)
        self._name = TextPainter(size_px, SEMIBOLD)
        self._facts = TextPainter(size_px, REGULAR)
        self._margin_px = max(3, round(tile_height_px / 45))
        self._line_px = max(1, round(tile_height_px / 160))
        self._min_confidence = min_confidence

    @property
    def header_height_px(self) -> int:
        """How much of a tile's top belongs to its header."""
        return self._margin_px + self._name.chip_height_px

    def draw_detections(
        self,
        picture: Picture,
        event: DetectionEvent,
        area: Rect,
        frame_width: int,
        frame_height: int,
        *,
        header_bottom: int = 0,
    ) -> int:
        """Draw the boxes of an event; return how many could be seen.

        Args:
            picture: (H, W, 3) uint8, BGR; drawn upon.
            event: Its boxes are in pixels of its own `frame_width` and `frame_height`, where it says them.
            area: Where in `picture` the camera's whole picture stands; nothing is drawn outside it.
            frame_width: Width of the frame on show; stands in for what the event does not say.
            frame_height: Its height.
            header_bottom: No label stands above this row of `picture`, where a header will be drawn.
        """
        to_tile = SourceToTile(event.frame_width or frame_width, event.frame_height or frame_height, area)
        sure = [found for found in event.detections if found.confidence >= self._min_confidence]
        sure.sort(key=lambda found: found.confidence, reverse=True)
        visible = [(found, box) for found in sure if (box := to_tile.box(found.bbox.xyxy_px)) is not None][:MAX_BOXES]
        canvas = picture[area.y : area.bottom, area.x : area.right]
        for found, box in reversed(visible):
            self._draw_box(canvas, _within(box, area), colour_of_object(found.class_name, found.tracker_id))
        labelled = [(found, _within(box, area)) for found, box in visible[:MAX_LABELS]]
        labels = self._placed(labelled, area.width, area.height, max(0, header_bottom - area.y))
        for (found, _), (text, place) in reversed(list(zip(labelled, labels, strict=True))):
            if not text:
                continue
            colour = colour_of_object(found.class_name, found.tracker_id)
            self._label.chip(canvas, text, place.x, place.y, ink=readable_on(colour), ground=colour)
        return len(visible)

    def draw_header(self, picture: Picture, tile: Rect, name: str, facts: str, dot: Colour) -> None:
        """Draw the name of a stream with a dot for its state at the top left, facts at the top right if they fit."""
        x, y = tile.x + self._margin_px, tile.y + self._margin_px
        room_px = tile.width - 2 * self._margin_px
        dot_px = max(4, round(self._name.chip_height_px * 0.42))
        dot_room_px = 2 * dot_px
        text = self._name.fitted(one_line(name), max(0, room_px - dot_room_px - self._name.chip_width_px("")))
        name_width_px = self._name.chip_width_px(text) + dot_room_px
        height_px = self._name.chip_height_px
        blend(picture, Rect(x, y, name_width_px, height_px), BLACK, HEADER_OPACITY)
        centre = (x + dot_px + 1, y + height_px // 2)
        cv2.circle(picture, centre, dot_px // 2, dot, cv2.FILLED, cv2.LINE_AA)
        self._name.chip(picture, text, x + dot_room_px, y, ink=TEXT, ground=BLACK, opacity=0.0)
        facts_width_px = self._facts.chip_width_px(facts)
        if facts and name_width_px + self._margin_px + facts_width_px <= room_px:
            x = tile.right - self._margin_px - facts_width_px
            self._facts.chip(picture, facts, x, y, ink=TEXT, ground=BLACK, opacity=HEADER_OPACITY)

    def draw_footnote(self, picture: Picture, tile: Rect, text: str) -> None:
        """Draw a discreet remark at the bottom right of a tile."""
        fitted = self._facts.fitted(text, tile.width - 2 * self._margin_px - self._facts.chip_width_px(""))
        x = tile.right - self._margin_px - self._facts.chip_width_px(fitted)
        y = tile.bottom - self._margin_px - self._facts.chip_height_px
        self._facts.chip(picture, fitted, x, y, ink=MUTED, ground=BLACK, opacity=HEADER_OPACITY)

    def _draw_box(self, canvas: Picture, box: Rect, colour: Colour) -> None:
        line_px = min(self._line_px, box.width, box.height)
        canvas[box.y : box.y + line_px, box.x : box.right] = colour
        canvas[box.bottom - line_px : box.bottom, box.x : box.right] = colour
        canvas[box.y : box.bottom, box.x : box.x + line_px] = colour
        canvas[box.y : box.bottom, box.right - line_px : box.right] = colour

    def _placed(
        self, labelled: list[tuple[Detection, Rect]], width_px: int, height_px: int, top_px: int
    ) -> list[tuple[str, Rect]]:
        """Return the text of each label and where it stands, the surest first; no text where there is no room."""
        chip_px = self._label.chip_height_px
        placed: list[tuple[str, Rect]] = []
        for found, box in labelled:
            text = self._label.fitted(label_of(found), width_px - self._label.chip_width_px(""))
            if not text or height_px < chip_px:
                placed.append(("", Rect(0, 0, 0, 0)))
                continue
            chip_width_px = self._label.chip_width_px(text)
            x = max(0, min(box.x, width_px - chip_width_px))
            lowest_y = max(0, height_px - chip_px)
            inside_y = [box.y, box.y + chip_px, box.y + 2 * chip_px]
            tops = [y for y in (box.y - chip_px,) if y >= top_px] + [min(max(y, top_px), lowest_y) for y in inside_y]
            tops.append(min(top_px + chip_px, lowest_y))
            places = [Rect(x, y, chip_width_px, chip_px) for y in tops]
            free = (place for place in places if not any(_overlap(place, other) for _, other in placed))
            placed.append((text, next(free, places[0])))
        return placed


def _overlap(one: Rect, other: Rect) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def _within(box: Rect, area: Rect) -> Rect:
    return Rect(box.x - area.x, box.y - area.y, box.width, box.height)


def short_number(track_id: int) -> str:
    """Return what tells tracks of one camera apart on a screen: of a long id its last four digits."""
    return str(track_id) if abs(track_id) < SHORT_IDS else f"{abs(track_id) % 10_000:04}"
