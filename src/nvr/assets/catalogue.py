"""What the package knows to fetch: the entries of `catalogue.toml`, checked and typed."""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from typing import Literal

from nvr.assets.spec import ModelSpec
from nvr.assets.spec_table import ClassLists, parse_spec
from nvr.assets.tables import Table, near_matches, shorten
from nvr.core.errors import ModelError

Kind = Literal["model", "video"]
Task = Literal["detect", "reid"]
Trust = Literal["pinned", "first-use"]

DEFAULT_MODEL = "yolox-nano"

_KEYS = ("name", "kind", "task", "description", "path", "url", "size_bytes", "sha256", "trust", "licence", "spec")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SUFFIX: Mapping[Kind, str] = {"model": ".onnx", "video": ".mp4"}
_MAX_SIZE_BYTES = 1 << 34


@dataclass(frozen=True, slots=True)
class AssetEntry:
    """One file that can be fetched, and what is known of it."""

    name: str
    """Unique; what the command line takes."""
    kind: Kind
    task: Task | None
    """None for videos."""
    description: str
    path: PurePosixPath
    """Where it lies inside an assets folder or the cache, such as `models/yolox_nano_416.onnx`."""
    url: str
    """Pinned to a commit or a release."""
    licence: str
    size_bytes: int | None
    """None where nobody has measured it yet."""
    sha256: str | None
    """Lower-case hex; None means trust on first use."""
    spec: ModelSpec | None
    """None for videos."""

    @property
    def trust(self) -> Trust:
        """Whether the checksum comes with the package or from the first download."""
        return "first-use" if self.sha256 is None else "pinned"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entries, in the order of the file."""

    entries: tuple[AssetEntry, ...]
    class_lists: ClassLists

    def find(self, name: str, kind: Kind | None = None) -> AssetEntry:
        """Return the entry of that name.

        Raises:
            ModelError: There is none, or it is of another kind; the message lists near names.
        """
        names = [entry.name for entry in self.entries if kind in {None, entry.kind}]
        for entry in self.entries:
            if entry.name == name and entry.name in names:
                return entry
        hint = near_matches(name, names) or f"; known are {', '.join(names)}"
        raise ModelError(f"the catalogue has no {kind or 'asset'} {shorten(name)}{hint}")


@functools.cache
def load_catalogue() -> Catalogue:
    """Read the catalogue of the package."""
    return parse_catalogue((resources.files("nvr.assets") / "catalogue.toml").read_text(encoding="utf-8"))


def parse_catalogue(text: str) -> Catalogue:
    """Check a catalogue file.

    Raises:
        ModelError: It is no TOML, or an entry breaks a rule; the message names the entry and the key.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"catalogue: {error}") from error
    Table(document, "catalogue").refuse_unknown(("class_lists", "entry"))
    class_lists = _class_lists(document.get("class_lists", {}))
    tables = document.get("entry", [])
    if not isinstance(tables, list):
        raise ModelError("catalogue: entry: expected [[entry]] tables")
    entries = tuple(_entry(number, table, class_lists) for number, table in enumerate(tables, start=1))
    for seen in ("name", "path", "url"):
        values = [getattr(entry, seen) for entry in entries]
        for value in values:
            if values.count(value) > 1:
                raise ModelError(f"catalogue: {seen} {str(value)!r} stands in two entries")
    return Catalogue(entries, class_lists)


def _class_lists(table: object) -> ClassLists:
    if not isinstance(table, dict):
        raise ModelError("catalogue: class_lists: expected a table")
    lists = Table(table, "catalogue: class_lists")
    return {name: lists.texts(name) for name in table}


def _entry(number: int, values: object, class_lists: ClassLists) -> AssetEntry:
    if not isinstance(values, dict):
        raise ModelError(f"catalogue: entry {number}: expected a table")
    table = Table(values, f"catalogue: entry {number} ({shorten(str(values.get('name', 'without a name')))})")
    table.refuse_unknown(_KEYS)
    name = table.text("name")
    if not _NAME.fullmatch(name):
        raise ModelError(f"{table.where}: name: expected lower-case letters, digits, '.', '_', '-', got {name!r}")
    kind: Kind = table.choice("kind", Kind)
    sha256 = _sha256(table)
    return AssetEntry(
        name=name,
        kind=kind,
        task=_task(table, kind),
        description=table.text("description"),
        path=_path(table, kind),
        url=_url(table, is_pinned=sha256 is not None),
        licence=table.text("licence"),
        size_bytes=table.integer("size_bytes", 1, _MAX_SIZE_BYTES) if sha256 else None,
        sha256=sha256,
        spec=_spec(table, kind, class_lists),
    )


def _task(table: Table, kind: Kind) -> Task | None:
    if kind == "model":
        task: Task = table.choice("task", Task)
        return task
    if "task" in table.values:
        raise ModelError(f"{table.where}: task: only a model has one")
    return None


def _path(table: Table, kind: Kind) -> PurePosixPath:
    path = PurePosixPath(table.text("path"))
    if path.is_absolute() or ".." in path.parts or "\\" in str(path) or path.suffix != _SUFFIX[kind]:
        raise ModelError(f"{table.where}: path: expected a relative path to a {_SUFFIX[kind]} file, got {str(path)!r}")
    return path


def _url(table: Table, *, is_pinned: bool) -> str:
    url = table.text("url")
    if not url.startswith(("https://", "http://") if is_pinned else "https://"):
        expected = "https://… (or http://… with a sha256)"
        raise ModelError(f"{table.where}: url: expected {expected}, got {shorten(url)}")
    return url


def _sha256(table: Table) -> str | None:
    if "trust" in table.values:
        if table.values["trust"] != "first-use" or "sha256" in table.values or "size_bytes" in table.values:
            raise ModelError(f'{table.where}: expected either sha256 and size_bytes, or trust = "first-use"')
        return None
    sha256 = table.text("sha256")
    if not _SHA256.fullmatch(sha256):
        raise ModelError(f"{table.where}: sha256: expected 64 lower-case hex digits, got {shorten(sha256)}")
    return sha256


def _spec(table: Table, kind: Kind, class_lists: ClassLists) -> ModelSpec | None:
    values = table.values.get("spec")
    if kind == "video":
        if values is not None:
            raise ModelError(f"{table.where}: spec: only a model has one")
        return None
    if not isinstance(values, dict):
        raise ModelError(f"{table.where}: the table [entry.spec] is missing")
    return parse_spec(Table(values, f"{table.where}: spec"), class_lists)
