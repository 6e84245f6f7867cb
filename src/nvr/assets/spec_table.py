"""A `ModelSpec` from a TOML table: `[entry.spec]` of the catalogue, or the sidecar file of a user's own model."""

from collections.abc import Mapping
from dataclasses import fields, replace

from nvr.assets.spec import ColourOrder, Head, ModelSpec, Resize, default_spec
from nvr.assets.tables import Table, shorten
from nvr.core.errors import ModelError

ClassLists = Mapping[str, tuple[str, ...]]
"""Lists of class names that a spec may call by name, such as `coco80`."""

MAX_SIDE_PX = 8192
_KEYS = tuple(field.name for field in fields(ModelSpec))


def parse_spec(table: Table, class_lists: ClassLists) -> ModelSpec:
    """Check every key of a table; what it leaves out is as usual for its `head`.

    Raises:
        ModelError: A key is unknown, missing, of the wrong type or out of its range; the message names it.
    """
    table.refuse_unknown(_KEYS)
    head: Head = table.choice("head", Head)
    usual = default_spec(
        head,
        table.integer("input_width_px", 1, MAX_SIDE_PX),
        table.integer("input_height_px", 1, MAX_SIDE_PX),
        _class_names(table, head, class_lists),
    )
    std = table.triple("std", usual.std)
    if min(std) <= 0:
        raise ModelError(f"{table.where}: std: expected three numbers above 0, got {list(std)}")
    scale = table.number("scale", usual.scale)
    if scale <= 0:
        raise ModelError(f"{table.where}: scale: expected a number above 0, got {scale}")
    return replace(
        usual,
        resize=table.choice("resize", Resize, usual.resize),
        colour=table.choice("colour", ColourOrder, usual.colour),
        scale=scale,
        mean=table.triple("mean", usual.mean),
        std=std,
        nms_iou=_nms_iou(table, usual.nms_iou),
        fill=table.integer("fill", 0, 255, usual.fill),
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
