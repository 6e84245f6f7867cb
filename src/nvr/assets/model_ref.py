"""What `--model` means: a name of the catalogue, an ONNX file, `motion`, or `roboflow:<model id>`."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nvr.assets.cancelling import IsCancelled
from nvr.assets.catalogue import AssetEntry, Catalogue, Task, load_catalogue
from nvr.assets.spec import ModelSpec
from nvr.assets.spec_table import ClassLists, parse_spec
from nvr.assets.store import AssetStore, Progress
from nvr.assets.structure import structure_trouble
from nvr.assets.tables import Table, near_matches, shorten
from nvr.core.errors import ModelError

MOTION = "motion"
ROBOFLOW_PREFIX = "roboflow:"

_MAX_TEXT = 1024
_MAX_SIDECAR_BYTES = 1 << 18
_ROBOFLOW_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,99}(?:/[A-Za-z0-9][\w.-]{0,99}){0,2}", re.ASCII)
_FOLDER_STARTS = ("/", "./", "../", "~")


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that was asked for, made definite."""

    kind: Literal["onnx", "motion", "roboflow"]
    model_id: str
    """The name that events carry: catalogue name, file name without its suffix, `motion`, or Roboflow's id."""
    path: Path | None
    """The ONNX file; None for the other kinds."""
    spec: ModelSpec | None
    """How to feed it; None where it has to be recognised from the network itself."""


def resolve_model(
    text: str,
    store: AssetStore,
    *,
    task: Task = "detect",
    catalogue: Catalogue | None = None,
    progress: Progress | None = None,
    is_cancelled: IsCancelled | None = None,
) -> ResolvedModel:
    """Find out what a model reference means and have its file at hand, fetching it where needed.

    Args:
        text: What the user wrote.
        store: Where catalogue models are.
        task: What the model is for; a model of another task is refused.
        catalogue: Another than the package's own.
        progress: Told of a download.
        is_cancelled: Asked while something is fetched, see `AssetStore.get`.

    Raises:
        ModelError: It means nothing, the file is no ONNX file, or its sidecar is wrong.
        DownloadError: A catalogue model could not be fetched.
        TransientError: The download was cancelled.
        OfflineError: A catalogue model is not here and the network is off.
    """
    known = catalogue or load_catalogue()
    if not text.strip() or len(text) > _MAX_TEXT or not text.isprintable():
        raise ModelError(f"model: expected 1 to {_MAX_TEXT} printable characters, got {len(text)}: {shorten(text)}")
    if text == MOTION:
        return ResolvedModel("motion", MOTION, None, None)
    if text.startswith(ROBOFLOW_PREFIX):
        return ResolvedModel("roboflow", _roboflow_id(text.removeprefix(ROBOFLOW_PREFIX)), None, None)
    if text.lower().endswith(".onnx"):
        return _from_file(Path(text), known.class_lists)
    entry = _entry(text, task, known)
    return ResolvedModel("onnx", entry.name, store.get(entry, progress, is_cancelled), entry.spec)


def _roboflow_id(model_id: str) -> str:
    if model_id.startswith(_FOLDER_STARTS):
        folder = Path(model_id).expanduser()
        if not folder.is_dir():
            raise ModelError(f"model: {shorten(model_id)}: no such folder")
        return str(folder)
    if not _ROBOFLOW_ID.fullmatch(model_id):
        raise ModelError(
            f"model: expected roboflow:NAME, roboflow:PROJECT/VERSION or roboflow:/FOLDER, got roboflow:{model_id[:80]}"
        )
    return model_id


def _from_file(path: Path, class_lists: ClassLists) -> ResolvedModel:
    try:
        path = path.expanduser()
        if not path.is_file():
            raise ModelError(f"model: {shorten(str(path))}: no such file")
        trouble = structure_trouble(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: "~name" of a user that does not exist
        raise ModelError(f"model: {shorten(str(path))}: {error}") from error
    if trouble is not None:
        raise ModelError(f"model: {path}: {trouble}")
    return ResolvedModel("onnx", path.stem, path, read_sidecar(path.with_suffix(".toml"), class_lists))


def read_sidecar(path: Path, class_lists: ClassLists) -> ModelSpec | None:
    """Return the description beside a model file, None where there is none.

    Raises:
        ModelError: It cannot be read, is no TOML, or a key is wrong.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIDECAR_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    if len(data) > _MAX_SIDECAR_BYTES:
        raise ModelError(f"{path}: expected at most {_MAX_SIDECAR_BYTES} bytes")
    try:
        values = tomllib.loads(data.decode())
    except ValueError as error:  # no TOML, no UTF-8, or a number of more digits than Python reads
        raise ModelError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ModelError(f"{path}: its lists or tables are nested too deeply") from error
    return parse_spec(Table(values, str(path)), class_lists)


def _entry(text: str, task: Task, catalogue: Catalogue) -> AssetEntry:
    names = [entry.name for entry in catalogue.entries if entry.kind == "model" and entry.task == task]
    if all(entry.name != text for entry in catalogue.entries):
        hint = near_matches(text, [*names, MOTION]) or f"; the catalogue has {', '.join(names)}"
        raise ModelError(f"model: expected a catalogue name, a path to .onnx or roboflow:ID, got {shorten(text)}{hint}")
    entry = catalogue.find(text)
    if entry.task != task:
        raise ModelError(f"model: {text} is for {entry.task or 'watching'}, expected a model for {task}")
    return entry
