"""H.264: from parameter sets and the front of a slice to its quantiser.

Source: ISO/IEC 14496-10, 7.3.2.1 (SPS), 7.3.2.2 (PPS), 7.3.3 (slice header), in this order of fields. What comes behind
the last field that is needed is not read.
"""

from dataclasses import dataclass

from nvr.core.errors import InvalidInputError
from nvr.media.bit_reader import BitReader
from nvr.media.slice_qp import SliceQp, SliceType

_TYPES: tuple[SliceType, ...] = ("P", "B", "I", "P", "I")
"""By slice_type modulo 5; SP and SI, of which no camera knows, count as P and I."""
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_MAX_REFERENCES = 32


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """What a slice header needs of an SPS."""

    sps_id: int
    has_separate_planes: bool
    has_chroma: bool
    """ChromaArrayType is not 0."""
    frame_num_bits: int
    order_count_type: int
    order_count_bits: int
    has_order_deltas: bool
    is_frames_only: bool


@dataclass(frozen=True, slots=True)
class PictureParameters:
    """What a slice header needs of a PPS."""

    pps_id: int
    sps_id: int
    is_cabac: bool
    has_order_deltas: bool
    n_references: tuple[int, int]
    """Of lists 0 and 1, unless the slice says otherwise."""
    is_weighted: bool
    weighted_b: int
    init_qp: int
    has_redundant_count: bool


def read_sps(nal: bytes) -> SequenceParameters:
    """Read a sequence parameter set; InvalidInputError where it is cut off or out of range."""
    reader = BitReader(nal, 1)
    profile = reader.bits(8)
    reader.skip(16)  # constraints, level
    sps_id = reader.unsigned(31)
    chroma_format, has_separate_planes = 1, False
    if profile in _HIGH_PROFILES:
        chroma_format = reader.unsigned(3)
        has_separate_planes = chroma_format == 3 and reader.flag()
        reader.unsigned(6)  # bit depth of luma
        reader.unsigned(6)  # and chroma
        reader.skip(1)  # lossless by transform bypass
        if reader.flag():
            _pass_scaling_matrix(reader, 12 if chroma_format == 3 else 8)
    frame_num_bits = reader.unsigned(12) + 4
    order_count_type = reader.unsigned(2)
    order_count_bits, has_order_deltas = 0, False
    if order_count_type == 0:
        order_count_bits = reader.unsigned(12) + 4
    elif order_count_type == 1:
        has_order_deltas = not reader.flag()
        reader.signed()
        reader.signed()
        for _ in range(reader.unsigned(255)):
            reader.signed()
    reader.unsigned(16)  # references
    reader.skip(1)  # gaps in the frame numbers
    reader.unsigned()  # width
    reader.unsigned()  # height
    return SequenceParameters(
        sps_id=sps_id,
        has_separate_planes=has_separate_planes,
        has_chroma=chroma_format != 0 and not has_separate_planes,
        frame_num_bits=frame_num_bits,
        order_count_type=order_count_type,
        order_count_bits=order_count_bits,
        has_order_deltas=has_order_deltas,
        is_frames_only=reader.flag(),
    )


def read_pps(nal: bytes) -> PictureParameters:
    """Read a picture parameter set; InvalidInputError where it is cut off or out of range."""
    reader = BitReader(nal, 1)
    pps_id = reader.unsigned(255)
    sps_id = reader.unsigned(31)
    is_cabac = reader.flag()
    has_order_deltas = reader.flag()
    n_groups = reader.unsigned(7) + 1
    if n_groups > 1:
        _pass_slice_groups(reader, n_groups)
    n_references = reader.unsigned(_MAX_REFERENCES - 1) + 1, reader.unsigned(_MAX_REFERENCES - 1) + 1
    is_weighted = reader.flag()
    weighted_b = reader.bits(2)
    init_qp = 26 + reader.signed()
    reader.signed()  # QP of switching slices
    reader.signed()  # offset of the chroma QP
    reader.skip(2)  # deblocking control, constrained intra prediction
    return PictureParameters(
        pps_id=pps_id,
        sps_id=sps_id,
        is_cabac=is_cabac,
        has_order_deltas=has_order_deltas,
        n_references=n_references,
        is_weighted=is_weighted,
        weighted_b=weighted_b,
        init_qp=init_qp,
        has_redundant_count=reader.flag(),
    )


class H264Headers:
    """Remembers parameter sets and reads slices with them."""

    SLICE_TYPES = frozenset({1, 2, 5})
    """NAL unit types whose slice header is understood."""
    SPS_TYPE = 7
    PPS_TYPE = 8

    def __init__(self) -> None:
        self._sequences: dict[int, SequenceParameters] = {}
        self._pictures: dict[int, PictureParameters] = {}

    @staticmethod
    def nal_type(nal: bytes) -> int:
        """Return the type of a NAL unit that is not empty."""
        return nal[0] & 0x1F

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
            None where its parameter sets are not known.

        Raises:
            InvalidInputError: it is cut off or out of range.
        """
        reader = BitReader(nal, 1)
        reader.unsigned()  # first macroblock
        kind = _TYPES[reader.unsigned(9) % 5]
        pps = self._pictures.get(reader.unsigned(255))
        sps = None if pps is None else self._sequences.get(pps.sps_id)
        if pps is None or sps is None:
            return None
        is_reference, is_idr = nal[0] & 0x60 != 0, nal[0] & 0x1F == 5
        _pass_place(reader, pps, sps, is_idr=is_idr)
        if kind == "B":
            reader.skip(1)  # direct prediction
        if kind != "I":
            _pass_references(reader, pps, sps, is_b=kind == "B")
        if is_reference:
            _pass_marking(reader, is_idr=is_idr)
        if pps.is_cabac and kind != "I":
            reader.unsigned(2)  # which table CABAC starts with
        return SliceQp(pps.init_qp + reader.signed(), kind, is_reference)


def _pass_scaling_matrix(reader: BitReader, n_lists: int) -> None:
    for index in range(n_lists):
        if reader.flag():
            last = following = 8
            for _ in range(16 if index < 6 else 64):
                if following:
                    following = (last + reader.signed()) % 256
                last = following or last


def _pass_slice_groups(reader: BitReader, n_groups: int) -> None:
    map_type = reader.unsigned(6)
    if map_type == 0:
        for _ in range(n_groups):
            reader.unsigned()
    elif map_type == 2:
        for _ in range(2 * (n_groups - 1)):
            reader.unsigned()
    elif map_type in {3, 4, 5}:
        reader.skip(1)
        reader.unsigned()
    elif map_type == 6:
        n_units = reader.unsigned() + 1
        reader.skip(n_units * (n_groups - 1).bit_length())


def _pass_place(reader: BitReader, pps: PictureParameters, sps: SequenceParameters, *, is_idr: bool) -> None:
    reader.skip(sps.frame_num_bits + (2 if sps.has_separate_planes else 0))
    is_field = not sps.is_frames_only and reader.flag()
    if is_field:
        reader.skip(1)  # top or bottom
    if is_idr:
        reader.unsigned()  # number of the IDR picture
    has_bottom = pps.has_order_deltas and not is_field
    if sps.order_count_type == 0:
        reader.skip(sps.order_count_bits)
        if has_bottom:
            reader.signed()
    elif sps.has_order_deltas:
        reader.signed()
        if has_bottom:
            reader.signed()
    if pps.has_redundant_count:
        reader.unsigned(127)


def _pass_references(reader: BitReader, pps: PictureParameters, sps: SequenceParameters, *, is_b: bool) -> None:
    counts = pps.n_references
    if reader.flag():
        first = reader.unsigned(_MAX_REFERENCES - 1) + 1
        counts = (first, reader.unsigned(_MAX_REFERENCES - 1) + 1 if is_b else 0)
    for _ in range(2 if is_b else 1):
        _pass_modification(reader)
    if pps.weighted_b == 1 if is_b else pps.is_weighted:
        _pass_weights(reader, counts if is_b else counts[:1], has_chroma=sps.has_chroma)


def _pass_modification(reader: BitReader) -> None:
    if reader.flag():
        for _ in range(2 * _MAX_REFERENCES + 2):
            if reader.unsigned(5) == 3:
                return
            reader.unsigned()
        raise InvalidInputError(f"expected at most {2 * _MAX_REFERENCES + 1} changes of the reference list, got more")


def _pass_weights(reader: BitReader, counts: tuple[int, ...], *, has_chroma: bool) -> None:
    reader.unsigned(7)
    if has_chroma:
        reader.unsigned(7)
    for _ in range(sum(counts)):
        for n_values in (2, 4) if has_chroma else (2,):
            if reader.flag():
                for _ in range(n_values):
                    reader.signed()


def _pass_marking(reader: BitReader, *, is_idr: bool) -> None:
    if is_idr:
        reader.skip(2)
    elif reader.flag():
        for _ in range(2 * _MAX_REFERENCES + 2):
            operation = reader.unsigned(6)
            if operation == 0:
                return
            if operation != 5:
                reader.unsigned()
            if operation == 3:
                reader.unsigned()
        raise InvalidInputError(f"expected at most {2 * _MAX_REFERENCES + 1} markings of references, got more")
