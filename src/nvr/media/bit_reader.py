"""Bits and exp-Golomb numbers from the headers of H.264 and H.265.

Sources: ISO/IEC 14496-10 (H.264) 7.3.1, 9.1; ISO/IEC 23008-2 (H.265) 7.3.1, 9.2: both write them alike.
"""

from nvr.core.errors import InvalidInputError

MAX_HEADER_BYTES = 1024
"""More of a NAL unit is never looked at: a slice header takes 5 to 30 bytes, parameter sets up to a few hundred."""

_WORD_BITS = 32
_WORD_MASK = (1 << _WORD_BITS) - 1


class BitReader:
    """Reads the front of one NAL unit, with the bytes taken out that keep start codes from appearing in it.

    Every read past the end raises InvalidInputError, so a loop over reads ends with the input.
    """

    __slots__ = ("_bits", "_padded_bits", "_position")

    def __init__(self, nal: bytes, skip_bytes: int = 0) -> None:
        """Look at the first `MAX_HEADER_BYTES` of `nal` behind `skip_bytes` of its own header."""
        payload = nal[skip_bytes:MAX_HEADER_BYTES].replace(b"\x00\x00\x03", b"\x00\x00")
        # One large number, a word of zeros behind it so that a word can be looked at anywhere: a shift of 60 bytes
        # takes 60 ns, a loop over bits or bytes in Python ten times as long.
        self._bits = int.from_bytes(payload, "big") << _WORD_BITS
        self._padded_bits = len(payload) * 8 + _WORD_BITS
        self._position = 0

    @property
    def left(self) -> int:
        """Bits that can still be read."""
        return self._padded_bits - _WORD_BITS - self._position

    def bits(self, n: int) -> int:
        """Return the next `n` >= 0 bits as an unsigned number."""
        end = self._position + n
        if end > self._padded_bits - _WORD_BITS:
            raise InvalidInputError(f"expected {n} more bits, got {self.left}")
        self._position = end
        return (self._bits >> (self._padded_bits - end)) & ((1 << n) - 1)

    def flag(self) -> bool:
        """Return the next bit."""
        return self.bits(1) == 1

    def skip(self, n: int) -> None:
        """Pass over `n` bits."""
        if n > self.left:
            raise InvalidInputError(f"expected {n} more bits, got {self.left}")
        self._position += n

    def unsigned(self, most: int = _WORD_MASK) -> int:
        """Return an unsigned exp-Golomb number, ue(v); one above `most` is refused.

        Raises:
            InvalidInputError: it ends behind the last bit or is larger than `most` or 2^32 - 2.
        """
        word = (self._bits >> (self._padded_bits - self._position - _WORD_BITS)) & _WORD_MASK
        zeros = _WORD_BITS - word.bit_length()
        if zeros == _WORD_BITS:
            raise InvalidInputError(f"expected an exp-Golomb number, got {min(_WORD_BITS, self.left)} zero bits")
        self._position += zeros
        value = self.bits(zeros + 1) - 1
        if value > most:
            raise InvalidInputError(f"expected a number of at most {most}, got {value}")
        return value

    def signed(self) -> int:
        """Return a signed exp-Golomb number, se(v)."""
        code = self.unsigned()
        return (code + 1) >> 1 if code & 1 else -(code >> 1)
