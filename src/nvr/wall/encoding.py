"""Pictures as JPEG and PNG."""

import uuid
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from nvr.core.errors import ConfigurationError
from nvr.media.pixels import Picture

JPEG_QUALITY = 82
PictureFormat = Literal[".png", ".jpg"]


def encode(picture: Picture, picture_format: PictureFormat, quality: int = JPEG_QUALITY) -> bytes:
    """Return a BGR picture as a file's content; `quality` (1-100) counts for JPEG only."""
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality] if picture_format == ".jpg" else []
    is_done, content = cv2.imencode(picture_format, picture, parameters)
    if not is_done:
        raise ValueError(f"cannot encode a picture of {picture.shape} as {picture_format}")
    return np.asarray(content).tobytes()


def format_of(path: Path) -> PictureFormat:
    """Return the format that a file's name asks for.

    Raises:
        ConfigurationError: It is neither PNG nor JPEG, or the file's folder does not exist.
    """
    suffix = path.suffix.lower()
    if suffix not in {".png", ".jpg", ".jpeg"}:
        raise ConfigurationError(f"a snapshot is a .png or .jpg file, got {path.name}")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(f"the folder of the snapshot does not exist: {path.absolute().parent}")
    return ".png" if suffix == ".png" else ".jpg"


def write_picture(picture: Picture, path: Path) -> None:
    """Write a picture in the format that the file's name asks for; a reader never sees half of it.

    Raises:
        ConfigurationError: The name asks for another format, or the file cannot be written.
    """
    content = encode(picture, format_of(path), quality=92)
    part = path.with_name(f".nvr-{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:  # never through a link that someone laid there
            file.write(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigurationError(f"cannot write the snapshot {path}: {error}") from error
