"""The smallest byte strings that have the structure of an ONNX file, of any length and content."""


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def onnx_bytes(length: int = 300_000, seed: int = 1) -> bytes:
    """Return ir_version 8 and a graph field of `length` bytes; two seeds give two different files of one size."""
    graph = bytes((seed + n * 7) % 251 for n in range(251)) * (length // 251 + 1)
    return b"\x08\x08" + b"\x3a" + varint(length) + graph[:length]
