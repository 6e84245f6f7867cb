"""Catalogue entries that point at a test's own server."""

import hashlib
from pathlib import PurePosixPath

from nvr.assets.catalogue import AssetEntry, Catalogue, load_catalogue


def entry_for(url: str, data: bytes | None, name: str = "tiny") -> AssetEntry:
    """Return a model entry for `data`; None makes it one that is trusted on first use."""
    return AssetEntry(
        name=name,
        kind="model",
        task="detect",
        description="a model of the tests",
        path=PurePosixPath(f"models/{name}.onnx"),
        url=url,
        licence="Apache-2.0",
        size_bytes=None if data is None else len(data),
        sha256=None if data is None else hashlib.sha256(data).hexdigest(),
        spec=load_catalogue().find("yolox-nano").spec,
    )


def catalogue_of(*entries: AssetEntry) -> Catalogue:
    """Return a catalogue with the package's class lists and other entries."""
    return Catalogue(entries, load_catalogue().class_lists)
