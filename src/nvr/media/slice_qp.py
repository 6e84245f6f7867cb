"""What the front of a slice tells about its picture."""

from dataclasses import dataclass
from typing import Literal

from nvr.core.errors import InvalidInputError

SliceType = Literal["P", "B", "I"]

_LEAST_QP = -48
_MOST_QP = 51


@dataclass(frozen=True, slots=True)
class SliceQp:
    """The quantiser and kind of the first slice of a picture."""

    qp: int
    """Quantiser at the first block: -48 (16 bit per sample; 0 for 8 bit) to 51; 6 more double the step."""
    slice_type: SliceType
    is_reference: bool
    """Whether other pictures may be predicted from this one."""

    def __post_init__(self) -> None:
        if not _LEAST_QP <= self.qp <= _MOST_QP:
            raise InvalidInputError(f"expected a QP of {_LEAST_QP} to {_MOST_QP}, got {self.qp}")
