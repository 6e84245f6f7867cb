"""The class names of COCO, which models without names of their own are trained on."""

from nvr.assets.catalogue import load_catalogue

_N_CATEGORY_IDS = 91
_UNUSED_IDS = frozenset({0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83})


def coco_classes() -> tuple[str, ...]:
    """Return the 80 classes in the order of their category ids, without the gaps."""
    return load_catalogue().class_lists["coco80"]


def coco_categories() -> tuple[str, ...]:
    """Return the same by category id 0..90, for networks that answer with those; unused ids are named so."""
    names = iter(coco_classes())
    return tuple(f"unused {i}" if i in _UNUSED_IDS else next(names) for i in range(_N_CATEGORY_IDS))
