import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import InvalidInputError
from nvr.media.bit_reader import MAX_HEADER_BYTES, BitReader
from tests.media.bit_writer import BitWriter

fields = st.one_of(
    st.tuples(st.just("u"), st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2**n - 1)))),
    st.tuples(st.just("ue"), st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 2))),
    st.tuples(st.just("se"), st.one_of(st.integers(-20, 20), st.integers(-(2**31) + 1, 2**31 - 1))),
)
Field = tuple[str, int | tuple[int, int]]


@given(written=st.lists(fields, max_size=60))
def test_numbers_are_read_as_they_were_written(written: list[Field]) -> None:
    writer = BitWriter()
    for kind, value in written:
        if isinstance(value, tuple):
            writer.u(*value)
        else:
            getattr(writer, kind)(value)
    reader = BitReader(writer.nal(b"\x65")[4:], skip_bytes=1)
    for kind, value in written:
        if isinstance(value, tuple):
            assert reader.bits(value[0]) == value[1]
        else:
            assert (reader.unsigned() if kind == "ue" else reader.signed()) == value


@pytest.mark.parametrize(
    ("value", "code"), [(0, "1"), (1, "010"), (-1, "011"), (2, "00100"), (-2, "00101"), (3, "00110")]
)
def test_signed_numbers_alternate_in_sign(value: int, code: str) -> None:
    assert BitReader(int(f"{code:0<8}", 2).to_bytes(1, "big")).signed() == value


def test_the_byte_that_prevents_a_start_code_is_not_read() -> None:
    reader = BitReader(b"\x67\x00\x00\x03\x01\x00\x00\x03\x00", skip_bytes=1)
    assert [reader.bits(8) for _ in range(6)] == [0, 0, 1, 0, 0, 0]
    assert reader.left == 0


def test_a_read_past_the_end_is_refused() -> None:
    reader = BitReader(b"\xff")
    reader.skip(5)
    with pytest.raises(InvalidInputError, match="expected 4 more bits, got 3"):
        reader.bits(4)
    with pytest.raises(InvalidInputError, match="expected 4 more bits, got 3"):
        reader.skip(4)
    assert reader.bits(3) == 7


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00" * 4, b"\x00" * 40, b"\x00\x00\x01"])
def test_a_number_that_does_not_end_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        BitReader(data).unsigned()


def test_a_number_out_of_its_range_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected a number of at most 3, got 4"):
        BitReader(BitWriter().ue(4).payload()).unsigned(3)


def test_only_the_front_of_a_nal_unit_is_looked_at() -> None:
    assert BitReader(b"\x55" * 10_000_000, 1).left == (MAX_HEADER_BYTES - 1) * 8


@given(data=st.binary(max_size=200))
def test_any_bytes_end_with_a_refusal(data: bytes) -> None:
    reader = BitReader(data)

    def read_numbers(most: int) -> None:
        for _ in range(most):
            reader.unsigned()

    with pytest.raises(InvalidInputError):
        read_numbers(reader.left + 1)
