"""Areas and lines of a camera's picture, and which objects count: what a user draws.

All coordinates are shares of the picture, 0..1 from its left and top edge, so that they hold for the main and the sub
stream and survive a change of resolution.
"""

from typing import Annotated, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from nvr.config.polygon import Point, check_polygon
from nvr.core.errors import ConfigurationError
from nvr.core.names import check_name
from nvr.core.validation import first_problem

MAX_POINTS = 128
"""Of one polygon. More is a drawing gone wrong, and each point costs time with each frame."""

MAX_SHAPES = 64
"""Of one sort and camera."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
ClassNames = Annotated[tuple[str, ...], Field(max_length=1000)]


def _open(points: tuple[Point, ...]) -> tuple[Point, ...]:
    # many drawing programs repeat the first point at the end
    outline = points[:-1] if len(points) > 1 and points[0] == points[-1] else points
    check_polygon(outline)
    return outline


Polygon = Annotated[tuple[tuple[Share, Share], ...], Field(max_length=MAX_POINTS), AfterValidator(_open)]
"""At least three points; its edges neither cross nor touch, and the last point is joined to the first."""


class _Named(BaseModel):
    """What has a name; errors within it say the name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    what: ClassVar[str] = "shape"

    name: str = Field(description="Its name: 1 to 63 letters, digits, `_`, `-` or `.`, the first a letter or digit.")

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_problem(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, dict):
            return handler(value)
        try:
            shape = handler(value)
            check_name(shape.name, cls.what)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        except ValidationError as error:
            name = value.get("name")
            whose = f"{cls.what} {name[:80]!r}: " if isinstance(name, str) else f"{cls.what}: "
            raise ValueError(whose + first_problem(error)) from error
        return shape


class ZoneConfig(_Named):
    """A named area; an object is in it while its foot point, the bottom centre of its box, is."""

    what = "zone"

    polygon: Polygon = Field(
        description="Its corners in order as [x, y], shares of the picture's width and height, 0..1."
    )
    classes: ClassNames = Field(default=(), description="Class names that count in it; empty: all.")


class LineConfig(_Named):
    """A named line that objects cross with their foot point."""

    what = "line"

    start: tuple[Share, Share] = Field(description="Where it begins: [x, y], shares of the picture, 0..1.")
    end: tuple[Share, Share] = Field(
        description="Where it ends. For one who walks from start to end, `in` leads from the left hand to the right."
    )
    classes: ClassNames = Field(default=(), description="Class names that count on it; empty: all.")

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if (length := max(abs(self.end[0] - self.start[0]), abs(self.end[1] - self.start[1]))) < 1e-3:
            raise ValueError(
                f"line {self.name!r}: start {list(self.start)} and end {list(self.end)} are only {length:.2g} apart"
            )
        return self


class MotionMaskConfig(_Named):
    """A named area whose motion is no reason to look: a tree, a road, the camera's own clock."""

    what = "motion mask"

    polygon: Polygon = Field(description="Its corners in order as [x, y], shares of the picture, 0..1.")


class ObjectMaskConfig(_Named):
    """A named area where objects are not believed: what has its foot point in it is dropped."""

    what = "object mask"

    polygon: Polygon = Field(description="Its corners in order as [x, y], shares of the picture, 0..1.")
    classes: ClassNames = Field(default=(), description="Class names that it drops; empty: all.")


class ObjectFilterConfig(BaseModel):
    """What an object must be like to count; one that breaks any filter for its class is dropped before tracking."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    classes: ClassNames = Field(default=(), description="Class names that it is for; empty: all.")
    min_confidence: Share = Field(default=0.0, description="Least confidence, 0..1.")
    min_area: Share = Field(default=0.0, description="Least area of the box, as a share of the picture, 0..1.")
    max_area: Share = Field(default=1.0, description="Largest area of the box, as a share of the picture, 0..1.")
    min_ratio: Ratio | None = Field(
        default=None, description="Least width of the box in pixels divided by its height; none: any."
    )
    max_ratio: Ratio | None = Field(
        default=None, description="Largest width of the box in pixels divided by its height; none: any."
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        whose = f"filter of {', '.join(self.classes)[:80] or 'all classes'}"
        if self.min_area > self.max_area:
            raise ValueError(f"{whose}: min_area {self.min_area:g} is above max_area {self.max_area:g}")
        if self.min_ratio is not None and self.max_ratio is not None and self.min_ratio > self.max_ratio:
            raise ValueError(f"{whose}: min_ratio {self.min_ratio:g} is above max_ratio {self.max_ratio:g}")
        return self
