"""What all messages share: their version, how they travel, and the types of their fields.

A reader accepts fields that it does not know and refuses a higher major `schema_version`. Fields are only
ever added, and additions are optional. What comes over the wire is read strictly: a number is a JSON number,
neither a string nor a boolean. A caller in Python may hand over what converts without loss, such as numpy scalars.
"""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticSerializationError

from nvr.core.errors import MessageError
from nvr.core.validation import first_problem

SCHEMA_VERSION = "1.0"
_SCHEMA_MAJOR = int(SCHEMA_VERSION.partition(".")[0])

MAX_MESSAGE_BYTES = 4 * 2**20
"""More is refused unread: 4 MiB hold some 25,000 detections, and a reader's memory is not the sender's to fill."""

MAX_INT64 = 2**63 - 1
"""Stores and other languages keep these integers in 64 bits."""


def to_aware_utc(value: datetime) -> datetime:
    """Return the same instant as aware UTC; a naive value is taken as local time.

    Roboflow's `VideoFrame.frame_timestamp` is naive local time, and so were the events of older publishers. In the
    hour that a clock repeats in autumn, the first pass is meant unless `fold` says otherwise.

    Raises:
        ValueError: The instant falls outside the years 1 to 9999 of UTC.
    """
    try:
        return value.astimezone(UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise ValueError(f"{value.isoformat()} is outside the years 1 to 9999 of UTC") from error


AwareUtc = Annotated[datetime, AfterValidator(to_aware_utc)]
Int64 = Annotated[int, Field(ge=-MAX_INT64 - 1, le=MAX_INT64)]
SourceId = Annotated[int, Field(ge=0, le=MAX_INT64)]
Count = Annotated[int, Field(ge=0, le=MAX_INT64)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class MessagePart(BaseModel):
    """What messages are made of: frozen, and open to fields of the future."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Message(MessagePart):
    """A whole message as it travels over the broker."""

    schema_version: str = Field(
        default=SCHEMA_VERSION,
        pattern=r"^[0-9]{1,6}\.[0-9]{1,6}$",
        description="Version of this message: a reader refuses a higher major one.",
    )

    @field_validator("schema_version")
    @classmethod
    def _refuse_higher_major(cls, value: str) -> str:
        major = int(value.partition(".")[0])
        if major > _SCHEMA_MAJOR:
            raise ValueError(f"version {value} is newer than this reader, which knows {_SCHEMA_MAJOR}.x")
        return value

    @property
    def subject(self) -> str:
        """What the message is about, for errors."""
        return "unknown origin"

    def to_json(self) -> bytes:
        """Return the message as it travels: UTF-8 JSON without the optional fields that are unset.

        Raises:
            MessageError: A name holds half a surrogate pair, which has no UTF-8.
        """
        try:
            return self.model_dump_json(exclude_none=True).encode()
        except (PydanticSerializationError, UnicodeError) as error:
            raise MessageError(f"{type(self).__name__} of {self.subject} has no JSON: {error}") from error

    @classmethod
    def from_json(cls, payload: bytes | str) -> Self:
        """Read a message as it travels; of a key that stands twice, the last counts.

        Raises:
            MessageError: It is no JSON, too large, breaks the schema or has a higher major version; names
                field and value.
        """
        if len(payload) > MAX_MESSAGE_BYTES:
            raise MessageError(f"not a {cls.__name__}: {len(payload)} bytes, at most {MAX_MESSAGE_BYTES}")
        try:
            return cls.model_validate_json(payload, strict=True)
        except ValidationError as error:
            raise MessageError(f"not a {cls.__name__}: {first_problem(error)}") from error
