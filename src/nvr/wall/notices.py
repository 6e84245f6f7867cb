"""What stands where a picture should be: a card before the first, a banner over the last."""

from nvr.media.pixels import Picture
from nvr.wall.camera_view import TileState
from nvr.wall.layout import Rect
from nvr.wall.palette import AMBER, BLACK, CARD, GREEN, MUTED, RED, TEXT, Colour
from nvr.wall.pixels import blend
from nvr.wall.renderer import font_size_px
from nvr.wall.text import REGULAR, SEMIBOLD, TextPainter, one_line

MAX_REASON_LINES = 3
BANNER_OPACITY = 0.7


def colour_of_state(state: TileState) -> Colour:
    """Return the colour of a state's dot and mark."""
    match state:
        case TileState.LIVE:
            return GREEN
        case TileState.OFFLINE:
            return RED
        case TileState.STALE | TileState.CONNECTING:
            return AMBER
        case TileState.ENDED:
            return MUTED


class NoticePainter:
    """Draws why there is no live picture, onto tiles of one size. Used by one thread at a time."""

    def __init__(self, *, tile_height_px: int) -> None:
        size_px = font_size_px(tile_height_px)
        self._headline = TextPainter(size_px + max(1, size_px // 5), SEMIBOLD)
        self._small = TextPainter(size_px, REGULAR)

    def card(self, picture: Picture, tile: Rect, state: TileState, headline: str, reason: str | None) -> None:
        """Fill a tile with the words for a camera that never showed a picture."""
        blend(picture, tile, CARD)
        self._words(picture, tile, state, headline, reason)

    def banner(self, picture: Picture, tile: Rect, state: TileState, headline: str, reason: str | None) -> None:
        """Lay a dark band with the words over the middle of a tile."""
        height_px = min(tile.height, self._words_height_px(tile, reason) + self._headline.line_height_px)
        band = Rect(tile.x, tile.y + (tile.height - height_px) // 2, tile.width, height_px)
        blend(picture, band, BLACK, BANNER_OPACITY)
        blend(picture, Rect(band.x, band.y, max(2, tile.width // 120), band.height), colour_of_state(state))
        self._words(picture, tile, state, headline, reason)

    def _reason_lines(self, tile: Rect, reason: str | None) -> list[str]:
        if reason is None:
            return []
        return self._small.wrapped(one_line(reason, 240), round(tile.width * 0.86), MAX_REASON_LINES)

    def _words_height_px(self, tile: Rect, reason: str | None) -> int:
        return self._headline.line_height_px + len(self._reason_lines(tile, reason)) * self._small.line_height_px

    def _words(self, picture: Picture, tile: Rect, state: TileState, headline: str, reason: str | None) -> None:
        baseline_y = tile.y + (tile.height - self._words_height_px(tile, reason)) // 2 + self._headline.line_height_px
        baseline_y -= self._headline.line_height_px // 4
        title = self._headline.fitted(headline, round(tile.width * 0.9))
        ink = colour_of_state(state) if state is not TileState.ENDED else TEXT
        self._headline.line(picture, title, _centred(tile, self._headline.width_px(title)), baseline_y, ink)
        for line in self._reason_lines(tile, reason):
            baseline_y += self._small.line_height_px
            self._small.line(picture, line, _centred(tile, self._small.width_px(line)), baseline_y, MUTED)


def _centred(tile: Rect, width_px: int) -> int:
    return tile.x + (tile.width - width_px) // 2
