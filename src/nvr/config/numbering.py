"""Which number each camera has: kept while a camera is known, never given to another one; pure."""

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import count

from nvr.config.site import NvrConfig, SiteCamera
from nvr.core.masking import mask_credentials

NOTHING_KNOWN: Mapping[str, int] = {}


def number_cameras(
    site: NvrConfig,
    known: Mapping[str, int] = NOTHING_KNOWN,
    *,
    first: int = 0,
    elsewhere: Collection[int] = (),
) -> tuple[NvrConfig, dict[str, int]]:
    """Return the configuration with a `source_id` for each camera, and the numbers by identity to keep for later.

    A number that is written down holds. A camera that is known keeps its number unless that is now written down for
    another one; a new one gets the next that is neither taken nor known, so that a camera that was taken out gets its
    old number back and nobody else does.

    Args:
        site: The configuration; cameras that are not enabled are numbered, too.
        known: What the last call returned.
        first: The lowest number for cameras that have none.
        elsewhere: Numbers of cameras that are not in the file; none of it gets one unless that is written down.
    """
    identities = camera_identities(site.cameras)
    written = {camera.source_id for camera in site.cameras if camera.source_id is not None}
    taken = written.union(known.values(), elsewhere)
    free = (number for number in count(first) if number not in taken)
    numbers: dict[str, int] = {}
    given = set(written)
    for identity, camera in zip(identities, site.cameras, strict=True):
        before = known.get(identity)
        if camera.source_id is not None:
            numbers[identity] = camera.source_id
        elif before is not None and before not in given and before not in elsewhere:
            numbers[identity] = before
        else:
            numbers[identity] = next(free)
        given.add(numbers[identity])
    cameras = tuple(
        camera if camera.source_id is not None else camera.model_copy(update={"source_id": numbers[identity]})
        for identity, camera in zip(identities, site.cameras, strict=True)
    )
    gone = {identity: number for identity, number in known.items() if number not in given}
    return site.model_copy(update={"cameras": cameras}), {**gone, **numbers}


def camera_identities(cameras: tuple[SiteCamera, ...]) -> list[str]:
    """Return by what each camera is known again: its name, else its address without credentials.

    Cameras with one address and no name are told apart by their order.
    """
    seen: Counter[str] = Counter()
    identities = []
    for camera in cameras:
        identity = camera.name or mask_credentials(camera.uri)
        seen[identity] += 1
        identities.append(identity if seen[identity] == 1 else f"{identity} #{seen[identity]}")
    return identities
