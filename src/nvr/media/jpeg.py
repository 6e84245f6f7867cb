"""A decoded picture as a JPEG that knows when and by which camera it was taken."""

import struct
from datetime import datetime
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.media.frame import Frame

_MARKER_EXIF = 0xE1
_ASCII, _LONG, _UNDEFINED = 2, 4, 7


def encode_jpeg(frame: Frame, quality: int = 85) -> bytes:
    """Return a frame as a JPEG with EXIF.

    A JPEG has the full range and the matrix of BT.601 (JFIF 1.02). Planes that are so already are coded as they are;
    others go through swscale once, from YUV to YUV.

    Args:
        frame: Not modified.
        quality: 1 to 100, about what libjpeg calls so; 90 is the finest there is.

    Raises:
        FrameError: The quality is out of range, or the pixels are of a kind that cannot be coded.
    """
    if not 1 <= quality <= 100:
        raise FrameError(f"expected a JPEG quality of 1 to 100, got {quality}")
    try:
        coded = _encode(_full_range(frame), _quantizer(quality))
    except (av.FFmpegError, ValueError) as error:
        raise FrameError(
            f"camera {frame.source_id}: cannot make a JPEG of {frame.width}x{frame.height} {frame.picture.format.name}"
        ) from error
    # EXIF stands right behind the start of the image, Exif 2.32, 4.5.4
    return coded[:2] + exif_segment(frame.captured_at, f"camera {frame.source_id}") + coded[2:]


def exif_segment(captured_at: datetime, description: str) -> bytes:
    """Return the APP1 segment of a JPEG with the capture time, to the microsecond, and a description.

    Args:
        captured_at: Aware; its offset is kept.
        description: Letters beyond ASCII become question marks.
    """
    offset = captured_at.strftime("%z")
    original = [
        (0x9000, _UNDEFINED, b"0232"),  # ExifVersion
        (0x9003, _ASCII, captured_at.strftime("%Y:%m:%d %H:%M:%S").encode()),  # DateTimeOriginal
        (0x9011, _ASCII, f"{offset[:3]}:{offset[3:5]}".encode()),  # OffsetTimeOriginal
        (0x9291, _ASCII, f"{captured_at.microsecond:06}".encode()),  # SubSecTimeOriginal
    ]
    text = description.encode("ascii", "replace")
    header = b"MM\x00\x2a" + struct.pack(">I", 8)
    # the pointer to the second directory is the last entry of the first, whose size does not depend on its value
    first_size = len(_directory([(0x010E, _ASCII, text), (0x8769, _LONG, bytes(4))], 8))
    pointer = struct.pack(">I", 8 + first_size)
    tiff = header + _directory([(0x010E, _ASCII, text), (0x8769, _LONG, pointer)], 8)
    tiff += _directory(original, 8 + first_size)
    body = b"Exif\x00\x00" + tiff
    return struct.pack(">BBH", 0xFF, _MARKER_EXIF, len(body) + 2) + body


def _directory(entries: list[tuple[int, int, bytes]], at: int) -> bytes:
    """Return an image file directory (TIFF 6.0, section 2) that lies at an offset, with its values behind it."""
    table = struct.pack(">H", len(entries))
    values = b""
    values_at = at + 2 + 12 * len(entries) + 4
    for tag, kind, content in entries:
        data = content + b"\x00" if kind == _ASCII else content
        count = len(data) // 4 if kind == _LONG else len(data)
        table += struct.pack(">HHI", tag, kind, count)
        if len(data) <= 4:
            table += data.ljust(4, b"\x00")
        else:
            table += struct.pack(">I", values_at + len(values))
            values += data + b"\x00" * (len(data) % 2)
    return table + bytes(4) + values


def _full_range(frame: Frame) -> av.VideoFrame:
    """Return a picture of our own that a JPEG can hold."""
    # threads: PyAV would start and end one per core
    ready = frame.picture.reformat(
        format="yuvj420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG, threads=1
    )
    if ready is not frame.picture:
        return ready
    # the encoder writes times into what it is given, and this picture is everyone's
    copied = av.VideoFrame(frame.width, frame.height, "yuvj420p")
    planes = frame.planes()
    for view, plane in zip(planes or (), copied.planes, strict=True):
        rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows[: view.shape[0], : view.shape[1]] = view
    return copied


def _encode(picture: av.VideoFrame, quantizer: int) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = picture.width, picture.height
    encoder.pix_fmt = "yuvj420p"
    encoder.color_range = ColorRange.JPEG
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.qmin = encoder.qmax = quantizer  # `global_quality` does nothing without `AVFrame.quality`
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def _quantizer(quality: int) -> int:
    """Return FFmpeg's quantizer scale, 2 (fine) to 31, for the quality that libjpeg calls so.

    Source: libjpeg, jcparam.c, `jpeg_quality_scaling`; FFmpeg's scale of 8 is the table as it is, quality 50.
    """
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    return min(31, max(2, round(percent * 8 / 100)))
