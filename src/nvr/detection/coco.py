"""The class names of COCO, which models without names of their own are trained on."""

_NAMES = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,"
    "snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,"
    "fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)

COCO_CLASSES: tuple[str, ...] = tuple(_NAMES.split(","))
"""The 80 classes in the order of their category ids, without the gaps."""

_UNUSED_IDS = frozenset({0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83})


def _by_category_id() -> tuple[str, ...]:
    names = iter(COCO_CLASSES)
    return tuple(f"unused {i}" if i in _UNUSED_IDS else next(names) for i in range(91))


COCO_CATEGORIES: tuple[str, ...] = _by_category_id()
"""The same by category id 0..90, for networks that answer with those; ids that COCO never used are named so."""
