"""Frames made by hand, for tests of what happens to frames."""

from datetime import UTC, datetime, timedelta

import av
import numpy as np

from nvr.media.frame import Frame

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def make_frame(
    source_id: int = 0, frame_id: int = 0, received_s: float = 0.0, size: tuple[int, int] = (64, 48), grey: int = 128
) -> Frame:
    """Return a grey picture of `size` (width, height), captured at `received_s` after the epoch of the tests."""
    width, height = size
    picture = av.VideoFrame.from_ndarray(np.full((height, width, 3), grey, np.uint8), format="bgr24")
    return Frame(
        source_id=source_id,
        frame_id=frame_id,
        captured_at=EPOCH + timedelta(seconds=received_s),
        timestamp_source="arrival",
        received_s=received_s,
        pts=frame_id,
        time_base=None,
        picture=picture.reformat(format="yuv420p"),
    )
