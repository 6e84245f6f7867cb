"""What settings of different sections must say together; pure."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from nvr.core.masking import mask_credentials

if TYPE_CHECKING:
    from nvr.config.site import NvrConfig

Mistake: TypeAlias = tuple[tuple[str | int, ...], str, object]
"""Path of the setting, what is wrong with it, and the value that is shown, `NO_VALUE` for none."""

NO_VALUE: dict[str, object] = {}


def mistakes(site: "NvrConfig") -> Iterator[Mistake]:
    """Yield everything in a configuration that does not fit together."""
    yield from _twice((("tenants", i, "name"), tenant.name) for i, tenant in enumerate(site.tenants))
    yield from _twice((("cameras", i, "name"), camera.name) for i, camera in enumerate(site.cameras))
    yield from _twice((("cameras", i, "source_id"), camera.source_id) for i, camera in enumerate(site.cameras))
    declared = {tenant.name for tenant in site.tenants}
    for i, camera in enumerate(site.cameras):
        if camera.tenant is not None and camera.tenant not in declared:
            known = ", ".join(sorted(declared)[:5]) or "none"
            yield ("cameras", i, "tenant"), f"is none of the tenants ({known})", camera.tenant
    yield from _unplaced_recordings(site)
    yield from _publishes_nothing(site)
    if site.wall.http_port is not None and site.wall.http_port + len(site.tenants) > 65_535:
        said = f"the walls of {len(site.tenants)} tenants take the ports after it, and 65535 is the last one"
        yield ("wall", "http_port"), said, site.wall.http_port


def _twice(values: Iterable[tuple[tuple[str | int, ...], object]]) -> Iterator[Mistake]:
    first: dict[object, tuple[str | int, ...]] = {}
    for path, value in values:
        if value is None:
            continue
        if (before := first.setdefault(value, path)) is not path:
            yield path, f"is given twice, first as {'.'.join(map(str, before))}", value


def _unplaced_recordings(site: "NvrConfig") -> Iterator[Mistake]:
    if site.storage.root is not None:
        return
    for i, camera in enumerate(site.cameras):
        if camera.enabled and (camera.record or site.storage.mode) != "off":
            path = ("storage", "mode") if camera.record is None else ("cameras", i, "record")
            whose = mask_credentials(camera.name or camera.uri)[:80]
            yield path, f"{whose} is to be recorded, and storage.root names no folder for it", NO_VALUE
            return


def _publishes_nothing(site: "NvrConfig") -> Iterator[Mistake]:
    if not site.broker.enabled and site.home_assistant.enabled:
        yield (
            ("home_assistant", "enabled"),
            "Home Assistant is told over the broker, and broker.enabled is false",
            NO_VALUE,
        )
