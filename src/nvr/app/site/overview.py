"""What a person is told when everything has been started; pure."""

from collections.abc import Mapping, Sequence

from nvr.app.site.plan import SitePlan
from nvr.config.site import NvrConfig
from nvr.core.masking import mask_credentials
from nvr.core.names import DEFAULT_TENANT_FOLDER
from nvr.events.protocol import Topics

SHOWN_CAMERAS = 16


def overview(
    site: NvrConfig, plan: SitePlan, *, broker: str, wall_urls: Mapping[str, str], config_path: str | None
) -> list[str]:
    """Return the lines.

    Args:
        site: The configuration, each camera with its number.
        plan: What runs.
        broker: Where the events go, in words; empty for nowhere.
        wall_urls: Address of each wall by its name.
        config_path: Where the settings come from.
    """
    lines = [""]
    lines += [f"  {_title(name, wall_urls)} {url}" for name, url in wall_urls.items()]
    if broker:
        host, _, port = broker.rpartition(":")
        lines.append(f"  Events   mosquitto_sub -h {host.strip('[]')} -p {port} -t '{Topics().root}/#'")
    lines += _cameras(site, plan)
    if site.storage.root is not None:
        lines.append(f"  Records  {site.storage.root}")
    if config_path is not None:
        lines.append(f"  Settings {config_path}; a change takes effect when the file is saved")
    return [*lines, "", "`nvr status` tells how all are, Ctrl-C ends everything."]


def _title(name: str, walls: Mapping[str, str]) -> str:
    return "Wall    " if len(walls) == 1 else f"Wall     {name.rpartition('/')[0] or DEFAULT_TENANT_FOLDER}:"


def _cameras(site: NvrConfig, plan: SitePlan) -> Sequence[str]:
    running = [camera for camera in site.cameras if camera.source_id in plan.placed]
    if not running:
        return ["  Cameras  none yet"]
    n_instances = len({(each.tenant, each.instance_id) for each in plan.instances})
    names = {source_id: each.name for each in plan.instances for source_id in each.source_ids}
    lines = [f"  Cameras  {len(running)}, in {n_instances} processor{'' if n_instances == 1 else 's'}"]
    for camera in running[:SHOWN_CAMERAS]:
        name = mask_credentials(camera.name or camera.uri)
        lines.append(f"           {camera.source_id}: {name[:80]} ({names[camera.source_id or 0]})")
    if len(running) > SHOWN_CAMERAS:
        lines.append(f"           and {len(running) - SHOWN_CAMERAS} more")
    return lines
