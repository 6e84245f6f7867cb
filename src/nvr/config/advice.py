"""What is allowed in a configuration and still worth a word; pure."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from nvr.config.problems import SettingPath
from nvr.config.site import BrokerSection, NvrConfig
from nvr.core.masking import mask_credentials

Remark: TypeAlias = tuple[SettingPath, str]
"""A setting and a sentence about it."""


def remarks(site: NvrConfig, *, is_file: Callable[[Path], bool], is_folder: Callable[[Path], bool]) -> list[Remark]:
    """Return what will probably not do what its writer wants.

    Args:
        site: The configuration.
        is_file: Tells whether a file is there.
        is_folder: Tells whether a folder is there.
    """
    return [
        *_about_cameras(site),
        *_about_the_broker(site.broker),
        *_about_paths(site, is_file, is_folder),
        *_about_the_network(site),
    ]


def holds_passwords(site: NvrConfig) -> bool:
    """Tell whether a password or key stands in the configuration."""
    texts = [uri for camera in site.cameras for uri in (camera.uri, camera.detect_uri) if uri is not None]
    is_keyed = site.broker.password is not None or site.control.key is not None
    return is_keyed or any(mask_credentials(text) != text for text in texts)


def _about_cameras(site: NvrConfig) -> Iterator[Remark]:
    if not any(camera.enabled for camera in site.cameras):
        yield ("cameras",), "there is no camera" if not site.cameras else "no camera is enabled"
    unnumbered = [index for index, camera in enumerate(site.cameras) if camera.source_id is None]
    if unnumbered:
        count = f"{len(unnumbered)} of {len(site.cameras)}"
        said = f"{count} have no source_id: their numbers follow from the order, write them down to keep them"
        yield ("cameras", unnumbered[0]), said
    if not site.broker.enabled and site.processors.jsonl_path is None and site.storage.root is None:
        yield ("broker", "enabled"), "what is seen goes nowhere: no broker, no jsonl_path and no storage.root"
    used = {camera.tenant for camera in site.cameras if camera.enabled}
    for index, tenant in enumerate(site.tenants):
        if tenant.name not in used:
            yield ("tenants", index, "name"), f"tenant {tenant.name} has no camera"
    for index, camera in enumerate(site.cameras):
        if camera.detect_uri == camera.uri:
            yield ("cameras", index, "detect_uri"), "is the main stream: leave it out, so that it is read once"


def _about_the_broker(broker: BrokerSection) -> Iterator[Remark]:
    if broker.tls_insecure:
        yield ("broker", "tls_insecure"), "the broker's certificate is not checked: whoever is in between reads along"
    is_far = broker.host is not None and not _is_local(broker.host)
    if broker.password is not None and is_far and not broker.tls:
        yield ("broker", "password"), "crosses the network as it is: set tls where the broker has it"


def _about_paths(
    site: NvrConfig, is_file: Callable[[Path], bool], is_folder: Callable[[Path], bool]
) -> Iterator[Remark]:
    if site.storage.root is not None and not is_folder(site.storage.root):
        yield ("storage", "root"), f"{site.storage.root} is no folder, and none is made: its disk may not be mounted"
    for name in ("ca_file", "cert_file", "key_file"):
        path = getattr(site.broker, name)
        if path is not None and not is_file(path):
            yield ("broker", name), f"{path} is no file"
    for place, written in (("processors", "jsonl_path"), ("control", "audit_path")):
        path = getattr(getattr(site, place), written)
        if path is not None and not is_folder(path.parent):
            yield (place, written), f"{path.parent} is no folder"
    if site.models.model_id.endswith(".onnx") and not is_file(Path(site.models.model_id)):
        yield ("models", "model_id"), f"{site.models.model_id} is no file"
    for index, camera in enumerate(site.cameras):
        for name in ("uri", "detect_uri"):
            uri = getattr(camera, name)
            if uri is not None and "://" not in uri and not uri.startswith("/dev/") and not is_file(Path(uri)):
                yield ("cameras", index, name), f"{uri[:200]} is neither an address nor a file"


def _about_the_network(site: NvrConfig) -> Iterator[Remark]:
    if site.wall.enabled and site.wall.http_port is not None and not _is_local(site.wall.http_host):
        yield ("wall", "http_host"), "the page has no password: whoever reaches it sees the cameras"
    if site.metrics.http_port is not None and not _is_local(site.metrics.http_host):
        yield ("metrics", "http_host"), "the figures have no password: whoever reaches them reads them"


def _is_local(host: str) -> bool:
    try:
        return ip_address(urlsplit(f"//{host}").hostname or host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
