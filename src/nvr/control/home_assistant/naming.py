"""Ids and names as Home Assistant wants them; pure.

Ids never change while a camera keeps its tenant and number: Home Assistant keeps names, areas and history by them.
"""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from nvr.core.names import DEFAULT_TENANT_FOLDER

MAX_DEVICE_NAME = 100

_PLAIN_LEVEL = re.compile(r"[A-Za-z0-9-]+")
_PLAIN_CLASS = re.compile(r"[a-z0-9]+( [a-z0-9]+)*")
_CAMERA = re.compile(r"nvr_[A-Za-z0-9-]+_(?P<source_id>0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """A class of objects that gets entities of its own."""

    name: str
    """As detections say it."""
    key: str
    """The same of `a-z`, `0-9` and `_` only, fit for ids and templates."""

    @property
    def title(self) -> str:
        """As people read it."""
        return self.name[:1].upper() + self.name[1:]


def object_classes(names: Iterable[str]) -> tuple[ObjectClass, ...]:
    """Return the classes of a setting in their order, each once."""
    return tuple(ObjectClass(name, class_key(name)) for name in dict.fromkeys(names) if name)


def class_key(name: str) -> str:
    """Return a class name of letters, digits and `_`; different names have different keys."""
    if _PLAIN_CLASS.fullmatch(name):
        return name.replace(" ", "_")
    # `Car` is not `car`, and names without a Latin letter have nothing left to tell them apart
    return f"{_reduced(name.lower(), '_')}_{zlib.crc32(name.encode()):08x}".lstrip("_")


def camera_object_id(tenant: str | None, source_id: int) -> str:
    """Return the id of a camera's device."""
    return f"{_tenant_prefix(tenant)}_{source_id}"


def instance_object_id(tenant: str | None, instance_id: str) -> str:
    """Return the id of an instance's device; never that of a camera."""
    return f"{_tenant_prefix(tenant)}_instance_{_plain(instance_id)}"


def source_id_of(tenant: str | None, object_id: str) -> int | None:
    """Return the camera whose device has an id; None where it is none of the tenant's."""
    match = _CAMERA.fullmatch(object_id)
    if match is None or not object_id.startswith(f"{_tenant_prefix(tenant)}_"):
        return None
    return int(match["source_id"])


def device_name(name: str, source_id: int) -> str:
    """Return what a camera's device is called: its name, or its number where the name is an address."""
    is_address = not name.strip() or "://" in name or name.startswith(("/", "."))
    return f"Camera {source_id}" if is_address else name.strip()[:MAX_DEVICE_NAME]


def _tenant_prefix(tenant: str | None) -> str:
    # no tenant may be called as the folder of the unnamed one, so that the two never share an id
    return f"nvr_{DEFAULT_TENANT_FOLDER if tenant is None else _plain(tenant)}"


def _plain(level: str) -> str:
    if _PLAIN_LEVEL.fullmatch(level):
        return level
    return f"{_reduced(level, '-')}-{zlib.crc32(level.encode()):08x}".lstrip("-")


def _reduced(text: str, filler: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", filler, text).strip(filler)[:60]
