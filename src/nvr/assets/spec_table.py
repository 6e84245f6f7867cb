"""A `ModelSpec` from a TOML table: `[entry.spec]` of the catalogue, or the sidecar file of a user's own model."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from nvr.assets.spec import ColourOrder, Head, ModelSpec, Resize
from nvr.assets.tables import Table, shorten
from nvr.core.errors import ModelError

ClassLists = Mapping[str, tuple[str, ...]]
"""Lists of class names that a spec may call by name, such as `coco80`."""

MAX_SIDE_PX = 8192
_KEYS = tuple(field.name for field in fields(ModelSpec))
_ZERO = (0.0, 0.0, 0.0)
_ONE = (1.0, 1.0, 1.0)
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class _Habit:
    """How the projects that train one head feed it, so that a sidecar need not repeat it."""

    resize: Resize
    colour: ColourOrder
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    nms_iou: float | None


def _habit(head: Head) -> _Habit:
    match head:
        case "yolox":
            return _Habit("letterbox_top_left", "bgr", 1.0, _ZERO, _ONE, 0.45)
        case "picodet":
            return _Habit("stretch", "rgb", 1 / 255, _IMAGENET_MEAN, _IMAGENET_STD, 0.5)
        case "detr":
            return _Habit("stretch", "rgb", 1 / 255, _ZERO, _ONE, 0.7)
        case "ultralytics":
            return _Habit("letterbox_centre", "rgb", 1 / 255, _ZERO, _ONE, 0.45)
        case "embedding":
            return _Habit("stretch", "rgb", 1 / 255, _IMAGENET_MEAN, _IMAGENET_STD, None)


def parse_spec(table: Table, class_lists: ClassLists) -> ModelSpec:
    """Check every key of a table; what it leaves out is as usual for its `head`.

    Raises:
        ModelError: A key is unknown, missing, of the wrong type or out of its range; the message names it.
    """
    table.refuse_unknown(_KEYS)
    head: Head = table.choice("head", Head)
    habit = _habit(head)
    std = table.triple("std", habit.std)
    if min(std) <= 0:
        raise ModelError(f"{table.where}: std: expected three numbers above 0, got {list(std)}")
    scale = table.number("scale", habit.scale)
    if scale <= 0:
        raise ModelError(f"{table.where}: scale: expected a number above 0, got {scale}")
    return ModelSpec(
        head=head,
        input_width_px=table.integer("input_width_px", 1, MAX_SIDE_PX),
        input_height_px=table.integer("input_height_px", 1, MAX_SIDE_PX),
        resize=table.choice("resize", Resize, habit.resize),
        colour=table.choice("colour", ColourOrder, habit.colour),
        scale=scale,
        mean=table.triple("mean", habit.mean),
        std=std,
        nms_iou=_nms_iou(table, habit.nms_iou),
        class_names=_class_names(table, head, class_lists),
        fill=table.integer("fill", 0, 255, 114),
    )


def _nms_iou(table: Table, default: float | None) -> float | None:
    if "nms_iou" not in table.values:
        return default
    if table.values["nms_iou"] == "off":
        return None
    overlap = table.number("nms_iou", 0.0)
    if not 0 < overlap <= 1:
        raise ModelError(f'{table.where}: nms_iou: expected a number above 0 and up to 1, or "off", got {overlap}')
    return overlap


def _class_names(table: Table, head: Head, class_lists: ClassLists) -> tuple[str, ...]:
    if head == "embedding":
        if "class_names" in table.values:
            raise ModelError(f"{table.where}: class_names: an embedding has no classes")
        return ()
    name = table.values.get("class_names")
    if isinstance(name, str):
        if name not in class_lists:
            known = ", ".join(class_lists)
            raise ModelError(
                f"{table.where}: class_names: expected a list of texts or one of {known}, got {shorten(name)}"
            )
        return class_lists[name]
    names = table.texts("class_names")
    if not names:
        raise ModelError(f"{table.where}: class_names: expected at least one text, got an empty list")
    return names
