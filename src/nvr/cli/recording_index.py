"""How the commands of `nvr recordings` find a folder of recordings and open its index."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import typer

from nvr.cli.settings import site_reader
from nvr.config.recording import RecordingConfig
from nvr.core.errors import ConfigurationError, StorageError
from nvr.core.names import check_known_tenant
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import DEFAULT_TENANT, INDEX_NAME
from nvr.recording.policy import RetentionPolicy
from nvr.recording.reindex import reindex
from nvr.recording.tree import cameras_of


def folder_of(root: Path | None, config: Path | None, tenant: str | None = None) -> tuple[Path, RecordingConfig]:
    """Return the folder that the options name and the settings that hold for it.

    Args:
        root: As given on the command line.
        config: As given on the command line.
        tenant: As given on the command line; one of the configuration, or with recordings in the folder.

    Raises:
        ConfigurationError: None is named, it is not there, or there is no such tenant.
    """
    site = site_reader(config)()
    folder = root or site.storage.root
    if folder is None:
        raise ConfigurationError("no folder of recordings: give --root, or --config with storage.root")
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder of recordings")
    if tenant not in {None, DEFAULT_TENANT}:
        recorded = (camera.tenant for camera in cameras_of(folder, lambda _: None))
        check_known_tenant(str(tenant), {*(each.name for each in site.tenants), *recorded} - {DEFAULT_TENANT})
    return folder, site.storage


@contextlib.contextmanager
def open_for_reading(
    root: Path | None, config: Path | None, tenant: str | None = None, *, is_completed: bool = True
) -> Iterator[tuple[SegmentIndex, RetentionPolicy]]:
    """Open an index without making one in the folder: where there is none to use, the names of the files are read.

    Args:
        root: As given on the command line.
        config: As given on the command line.
        tenant: As for `folder_of`.
        is_completed: Read an index in that was begun anew; else only say so.

    Raises:
        ConfigurationError: No folder is named, it is not there, or there is no such tenant.
        StorageError: The folder cannot be read.
    """
    folder, settings = folder_of(root, config, tenant)
    with contextlib.ExitStack() as stack:
        index = _existing(folder)
        if index is None:
            temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="nvr-"))
            index = SegmentIndex(folder, path=Path(temporary) / INDEX_NAME)
            is_completed = True
        stack.enter_context(contextlib.closing(index))
        if not index.is_complete:
            if is_completed:
                reindex(index)
            else:
                _notice("the index is not complete: `nvr recordings reindex` completes it")
        yield index, RetentionPolicy.from_config(settings, DEFAULT_TENANT)


@contextlib.contextmanager
def open_for_writing(root: Path | None, config: Path | None, tenant: str | None = None) -> Iterator[SegmentIndex]:
    """Open the index of a folder, completing it where it was begun anew.

    Raises:
        ConfigurationError: No folder is named, it is not there, or there is no such tenant.
        StorageError: The index cannot be written.
    """
    with contextlib.closing(SegmentIndex(folder_of(root, config, tenant)[0])) as index:
        if not index.is_complete:
            reindex(index)
        yield index


def _existing(folder: Path) -> SegmentIndex | None:
    if not (folder / INDEX_NAME).exists():
        _notice(f"{folder} has no index: reading the names of the files")
        return None
    try:
        return SegmentIndex(folder)
    except StorageError as error:
        _notice(f"the index cannot be used ({error}): reading the names of the files")
        return None


def _notice(sentence: str) -> None:
    typer.echo(f"nvr: {sentence}", err=True)
