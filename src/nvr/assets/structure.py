"""Tell cheaply whether a file can be what its name says, before a checksum is known or a network is loaded."""

from pathlib import Path
from typing import BinaryIO

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_IR_VERSION_FIELD = 1
_GRAPH_FIELD = 7
_MAX_FIELDS = 10_000


def structure_trouble(path: Path, suffix: str | None = None) -> str | None:
    """Return what is wrong with an `.onnx` or `.mp4` file, or None; other suffixes are not looked at.

    Reads a few bytes: an ONNX file is a protobuf message whose top-level fields must end where the file ends, so a
    file cut short and a web page saved under the name of a model both show.

    Args:
        path: The file.
        suffix: What its name is going to end in, if not the suffix it has now.

    Raises:
        OSError: The file cannot be read.
    """
    suffix = (suffix or path.suffix).lower()
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        return "it is empty"
    with path.open("rb") as file:
        if suffix == ".onnx":
            return _onnx_trouble(file, size_bytes)
        if suffix == ".mp4" and file.read(8)[4:] != b"ftyp":
            return "it does not begin like an MP4 file"
    return None


def _onnx_trouble(file: BinaryIO, size_bytes: int) -> str | None:
    # Field numbers and wire types: onnx.proto, message ModelProto; protobuf encoding guide.
    begin = file.read(16)
    file.seek(0)
    fields: set[int] = set()
    for _ in range(_MAX_FIELDS):
        if file.tell() == size_bytes:
            break
        tag = _read_varint(file)
        end = None if tag is None else _skip_value(file, tag & 7)
        if tag is None or end is None or (_IR_VERSION_FIELD not in fields and tag >> 3 != _IR_VERSION_FIELD):
            return f"it begins with {begin!r} and is no ONNX file" if not fields else "its ONNX structure is broken"
        if end > size_bytes:
            return f"it was cut short: its ONNX structure needs {end} bytes, the file has {size_bytes}"
        fields.add(tag >> 3)
        file.seek(end)
    return None if _GRAPH_FIELD in fields else "it has no ONNX graph"


def _skip_value(file: BinaryIO, wire_type: int) -> int | None:
    """Return where the value that starts here ends; None for what no ONNX file holds."""
    if wire_type == _VARINT:
        return None if _read_varint(file) is None else file.tell()
    if wire_type == _LENGTH:
        length = _read_varint(file)
        return None if length is None else file.tell() + length
    return {_FIXED64: file.tell() + 8, _FIXED32: file.tell() + 4}.get(wire_type)


def _read_varint(file: BinaryIO) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None
