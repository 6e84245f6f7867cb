"""H.265: from parameter sets and the front of a picture's first slice to its quantiser.

Source: ISO/IEC 23008-2 (H.265), 7.3.2.2 (SPS), 7.3.2.3 (PPS), 7.3.6 (slice header), 7.3.7 (reference picture sets), in
this order of fields. What comes behind the last field that is needed is not read. Only the base layer, and no screen
content coding, where a picture may refer to itself.
"""

from dataclasses import dataclass

from nvr.core.errors import InvalidInputError
from nvr.media.bit_reader import BitReader
from nvr.media.slice_qp import SliceQp, SliceType

ReferencePictures = tuple[tuple[int, bool], ...]
"""A short-term reference picture set: distance in output order (earlier < 0), and whether this very picture uses it;
the nearest first, earlier ones before later ones."""

_TYPES: tuple[SliceType, ...] = ("B", "P", "I")
_FIRST_KEY_TYPE = 16
_IDR_TYPES = (19, 20)
_MAX_PICTURES = 16
_MAX_LONG_TERM = 33
_MAX_SETS = 64


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """What a slice header needs of an SPS."""

    sps_id: int
    has_separate_planes: bool
    has_chroma: bool
    """ChromaArrayType is not 0."""
    order_count_bits: int
    has_adaptive_offset: bool
    reference_sets: tuple[ReferencePictures, ...]
    has_long_term: bool
    long_term_used: tuple[bool, ...]
    has_temporal_mvp: bool


@dataclass(frozen=True, slots=True)
class PictureParameters:
    """What a slice header needs of a PPS."""

    pps_id: int
    sps_id: int
    has_output_flag: bool
    n_extra_bits: int
    has_cabac_init: bool
    n_references: tuple[int, int]
    """Of lists 0 and 1, unless the slice says otherwise."""
    init_qp: int
    is_weighted: bool
    is_weighted_b: bool
    has_modification: bool


def read_sps(nal: bytes) -> SequenceParameters:
    """Read a sequence parameter set; InvalidInputError where it is cut off or out of range."""
    reader = BitReader(nal, 2)
    reader.skip(4)  # VPS
    n_layers = reader.bits(3) + 1
    reader.skip(1)
    _pass_profile(reader, n_layers)
    sps_id = reader.unsigned(15)
    chroma_format = reader.unsigned(3)
    has_separate_planes = chroma_format == 3 and reader.flag()
    reader.unsigned()  # width
    reader.unsigned()  # height
    _pass_if_flag(reader, 4)  # conformance window
    reader.unsigned(8)  # bit depth of luma
    reader.unsigned(8)  # and chroma
    order_count_bits = reader.unsigned(12) + 4
    for _ in range(n_layers if reader.flag() else 1):
        _pass_numbers(reader, 3)  # sizes of the buffer of decoded pictures
    _pass_numbers(reader, 6)  # block sizes
    if reader.flag() and reader.flag():
        _pass_scaling_lists(reader)
    reader.skip(1)  # asymmetric partitions
    has_adaptive_offset = reader.flag()
    if reader.flag():
        reader.skip(8)  # bit depths of PCM
        _pass_numbers(reader, 2)
        reader.skip(1)
    reference_sets: list[ReferencePictures] = []
    n_sets = reader.unsigned(_MAX_SETS)
    for _ in range(n_sets):
        reference_sets.append(_read_reference_set(reader, reference_sets, is_in_slice=False))
    has_long_term = reader.flag()
    long_term_used: list[bool] = []
    for _ in range(reader.unsigned(_MAX_LONG_TERM - 1) if has_long_term else 0):
        reader.skip(order_count_bits)
        long_term_used.append(reader.flag())
    return SequenceParameters(
        sps_id=sps_id,
        has_separate_planes=has_separate_planes,
        has_chroma=chroma_format != 0 and not has_separate_planes,
        order_count_bits=order_count_bits,
        has_adaptive_offset=has_adaptive_offset,
        reference_sets=tuple(reference_sets),
        has_long_term=has_long_term,
        long_term_used=tuple(long_term_used),
        has_temporal_mvp=reader.flag(),
    )


def read_pps(nal: bytes) -> PictureParameters:
    """Read a picture parameter set; InvalidInputError where it is cut off or out of range."""
    reader = BitReader(nal, 2)
    pps_id = reader.unsigned(63)
    sps_id = reader.unsigned(15)
    reader.skip(1)  # dependent slice segments, of which the first slice of a picture is none
    has_output_flag = reader.flag()
    n_extra_bits = reader.bits(3)
    reader.skip(1)  # sign data hiding
    has_cabac_init = reader.flag()
    n_references = reader.unsigned(_MAX_PICTURES - 2) + 1, reader.unsigned(_MAX_PICTURES - 2) + 1
    init_qp = 26 + reader.signed()
    reader.skip(2)  # constrained intra prediction, transform skip
    _pass_if_flag(reader, 1)  # QP deltas within a picture
    _pass_numbers(reader, 2)  # offsets of the chroma QP: signed, but of the same length
    reader.skip(1)  # the same per slice, behind what is read
    is_weighted, is_weighted_b = reader.flag(), reader.flag()
    reader.skip(1)  # lossless blocks
    has_tiles = reader.flag()
    reader.skip(1)  # wavefronts
    if has_tiles:
        _pass_tiles(reader)
    reader.skip(1)  # loop filter across slices
    if reader.flag():
        reader.skip(1)
        if not reader.flag():
            _pass_numbers(reader, 2)  # deblocking
    if reader.flag():
        _pass_scaling_lists(reader)
    return PictureParameters(
        pps_id=pps_id,
        sps_id=sps_id,
        has_output_flag=has_output_flag,
        n_extra_bits=n_extra_bits,
        has_cabac_init=has_cabac_init,
        n_references=n_references,
        init_qp=init_qp,
        is_weighted=is_weighted,
        is_weighted_b=is_weighted_b,
        has_modification=reader.flag(),
    )


class HevcHeaders:
    """Remembers parameter sets and reads the first slices of pictures with them."""

    SLICE_TYPES = frozenset((*range(10), *range(16, 22)))
    """NAL unit types whose slice header is understood."""
    SPS_TYPE = 33
    PPS_TYPE = 34

    def __init__(self) -> None:
        self._sequences: dict[int, SequenceParameters] = {}
        self._pictures: dict[int, PictureParameters] = {}

    @staticmethod
    def nal_type(nal: bytes) -> int:
        """Return the type of a NAL unit that is not empty, -1 for one of another layer than the first."""
        is_first_layer = len(nal) > 1 and not nal[0] & 1 and not nal[1] & 0xF8
        return nal[0] >> 1 & 0x3F if is_first_layer else -1

    def learn_sps(self, nal: bytes) -> None:
        """Take over a sequence parameter set; InvalidInputError where it cannot be read."""
        sps = read_sps(nal)
        self._sequences[sps.sps_id] = sps

    def learn_pps(self, nal: bytes) -> None:
        """Take over a picture parameter set; InvalidInputError where it cannot be read."""
        pps = read_pps(nal)
        self._pictures[pps.pps_id] = pps

    def read_slice(self, nal: bytes) -> SliceQp | None:
        """Read the front of a slice.

        Returns:
            None where its parameter sets are not known, and for any slice but the first of a picture.

        Raises:
            InvalidInputError: it is cut off or out of range.
        """
        nal_type = nal[0] >> 1 & 0x3F
        reader = BitReader(nal, 2)
        if not reader.flag():
            return None
        if nal_type >= _FIRST_KEY_TYPE:
            reader.skip(1)  # whether earlier pictures are still shown
        pps = self._pictures.get(reader.unsigned(63))
        sps = None if pps is None else self._sequences.get(pps.sps_id)
        if pps is None or sps is None:
            return None
        reader.skip(pps.n_extra_bits)
        kind = _TYPES[reader.unsigned(2)]
        reader.skip((1 if pps.has_output_flag else 0) + (2 if sps.has_separate_planes else 0))
        n_used, has_temporal_mvp = 0, False
        if nal_type not in _IDR_TYPES:
            n_used = _read_references(reader, sps)
            has_temporal_mvp = sps.has_temporal_mvp and reader.flag()
        if sps.has_adaptive_offset:
            reader.skip(2 if sps.has_chroma else 1)
        if kind != "I":
            _pass_prediction(reader, pps, sps, n_used, is_b=kind == "B", has_temporal_mvp=has_temporal_mvp)
        # of the leading and trailing pictures those with an odd type may be referred to
        return SliceQp(pps.init_qp + reader.signed(), kind, nal_type >= _FIRST_KEY_TYPE or nal_type % 2 == 1)


def _pass_numbers(reader: BitReader, n: int) -> None:
    for _ in range(n):
        reader.unsigned()


def _pass_if_flag(reader: BitReader, n: int) -> None:
    if reader.flag():
        _pass_numbers(reader, n)


def _pass_profile(reader: BitReader, n_layers: int) -> None:
    reader.skip(96)
    if n_layers > 1:
        layers = [(reader.flag(), reader.flag()) for _ in range(8)]  # those behind the last are padding
        for has_profile, has_level in layers[: n_layers - 1]:
            reader.skip((88 if has_profile else 0) + (8 if has_level else 0))


def _pass_scaling_lists(reader: BitReader) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not reader.flag():
                reader.unsigned()
                continue
            _pass_numbers(reader, min(64, 16 << 2 * size) + (1 if size > 1 else 0))


def _pass_tiles(reader: BitReader) -> None:
    n_columns, n_rows = reader.unsigned(1023), reader.unsigned(1023)
    if not reader.flag():
        _pass_numbers(reader, n_columns + n_rows)
    reader.skip(1)


def _read_reference_set(
    reader: BitReader, known: "list[ReferencePictures] | tuple[ReferencePictures, ...]", *, is_in_slice: bool
) -> ReferencePictures:
    if known and reader.flag():
        base = known[-1]
        if is_in_slice:
            base = known[-1 - reader.unsigned(len(known) - 1)]
        return _predict_reference_set(reader, base)
    n_earlier, n_later = reader.unsigned(_MAX_PICTURES), reader.unsigned(_MAX_PICTURES)
    if n_earlier + n_later > _MAX_PICTURES:
        raise InvalidInputError(f"expected at most {_MAX_PICTURES} references, got {n_earlier + n_later}")
    pictures = []
    for n, sign in ((n_earlier, -1), (n_later, 1)):
        distance = 0
        for _ in range(n):
            distance += sign * (reader.unsigned(0x7FFF) + 1)
            pictures.append((distance, reader.flag()))
    return tuple(pictures)


def _predict_reference_set(reader: BitReader, base: ReferencePictures) -> ReferencePictures:
    is_earlier = reader.flag()
    shift = reader.unsigned(0x7FFF) + 1
    shift = -shift if is_earlier else shift
    pictures = []
    for distance, _ in (*base, (0, False)):
        is_used = reader.flag()
        if (is_used or reader.flag()) and distance + shift != 0:
            pictures.append((distance + shift, is_used))
    if len(pictures) > _MAX_PICTURES:
        raise InvalidInputError(f"expected at most {_MAX_PICTURES} references, got {len(pictures)}")
    return tuple(sorted(pictures, key=lambda picture: (picture[0] > 0, abs(picture[0]))))


def _read_references(reader: BitReader, sps: SequenceParameters) -> int:
    """Pass over the reference pictures of a slice and return how many of them it uses."""
    reader.skip(sps.order_count_bits)
    sets = sps.reference_sets
    if not reader.flag():
        chosen = _read_reference_set(reader, sets, is_in_slice=True)
    else:
        index = reader.bits((len(sets) - 1).bit_length()) if len(sets) > 1 else 0
        if index >= len(sets):
            raise InvalidInputError(f"expected one of {len(sets)} reference picture sets, got number {index}")
        chosen = sets[index]
    n_used = sum(is_used for _, is_used in chosen)
    return n_used + (_read_long_term(reader, sps) if sps.has_long_term else 0)


def _read_long_term(reader: BitReader, sps: SequenceParameters) -> int:
    known = sps.long_term_used
    n_listed = reader.unsigned(_MAX_LONG_TERM) if known else 0
    n_written = reader.unsigned(_MAX_LONG_TERM)
    n_used = 0
    for number in range(n_listed + n_written):
        if number < n_listed:
            index = reader.bits((len(known) - 1).bit_length())
            if index >= len(known):
                raise InvalidInputError(f"expected one of {len(known)} long-term references, got number {index}")
            n_used += known[index]
        else:
            reader.skip(sps.order_count_bits)
            n_used += reader.flag()
        _pass_if_flag(reader, 1)
    return n_used


def _pass_prediction(
    reader: BitReader,
    pps: PictureParameters,
    sps: SequenceParameters,
    n_used: int,
    *,
    is_b: bool,
    has_temporal_mvp: bool,
) -> None:
    counts = pps.n_references if is_b else (pps.n_references[0], 0)
    if reader.flag():
        first = reader.unsigned(_MAX_PICTURES - 2) + 1
        counts = first, reader.unsigned(_MAX_PICTURES - 2) + 1 if is_b else 0
    if pps.has_modification and n_used > 1:
        for count in counts if is_b else counts[:1]:
            if reader.flag():
                reader.skip(count * (n_used - 1).bit_length())
    reader.skip((1 if is_b else 0) + (1 if pps.has_cabac_init else 0))
    if has_temporal_mvp:
        is_from_first = not is_b or reader.flag()
        if counts[0 if is_from_first else 1] > 1:
            reader.unsigned(_MAX_PICTURES)
    if pps.is_weighted_b if is_b else pps.is_weighted:
        _pass_weights(reader, counts, has_chroma=sps.has_chroma)
    reader.unsigned(4)  # candidates of merge mode


def _pass_weights(reader: BitReader, counts: tuple[int, int], *, has_chroma: bool) -> None:
    reader.unsigned(7)
    if has_chroma:
        reader.signed()
    for count in counts:
        n_luma = sum(reader.flag() for _ in range(count))
        n_chroma = sum(reader.flag() for _ in range(count)) if has_chroma else 0
        _pass_numbers(reader, 2 * n_luma + 4 * n_chroma)
