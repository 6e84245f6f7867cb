"""Headers of H.264 and H.265 written by hand, for syntax that no encoder at hand produces."""


class BitWriter:
    """Puts numbers one after another the way the standards write them."""

    def __init__(self) -> None:
        self._text = ""

    def u(self, n_bits: int, value: int) -> "BitWriter":
        """Add an unsigned number of `n_bits`."""
        self._text += f"{value:0{n_bits}b}" if n_bits else ""
        return self

    def ue(self, *values: int) -> "BitWriter":
        """Add unsigned exp-Golomb numbers."""
        for value in values:
            digits = f"{value + 1:b}"
            self._text += "0" * (len(digits) - 1) + digits
        return self

    def se(self, *values: int) -> "BitWriter":
        """Add signed exp-Golomb numbers."""
        for value in values:
            self.ue(2 * value - 1 if value > 0 else -2 * value)
        return self

    def payload(self) -> bytes:
        """Return the bits, closed by a one and zeros."""
        text = self._text + "1"
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")

    def nal(self, header: bytes) -> bytes:
        """Return start code, header and the bits with emulation prevention."""
        escaped = bytearray(header)
        zeros = 0
        for byte in self.payload():
            if zeros == 2 and byte <= 3:
                escaped.append(3)
                zeros = 0
            escaped.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b"\x00\x00\x00\x01" + bytes(escaped)
