"""Write a configuration for cameras that were found: readable, with passwords beside it, checked before it counts."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from nvr.app.camera_search import FoundCamera
from nvr.assets.catalogue import load_catalogue
from nvr.assets.model_ref import MOTION, ROBOFLOW_PREFIX
from nvr.config.file import load_config
from nvr.config.placeholders import escape
from nvr.config.recording import RecordingConfig
from nvr.core.errors import ConfigurationError, ModelError
from nvr.core.masking import mask_credentials
from nvr.media.probe import ProbeResult
from nvr.media.source import display_name

Passwords = Literal["files", "inline"]
"""`files`: each address with a password in a file of its own; `inline`: in the configuration, which then is secret."""

_SLUG = re.compile(r"[^a-z0-9]+")
_MAX_SLUG = 40


@dataclass(frozen=True, slots=True)
class PlannedCamera:
    """A camera that is to be written."""

    found: FoundCamera
    name: str
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class InitPlan:
    """What is to be written."""

    cameras: tuple[PlannedCamera, ...]
    storage: Path | None = None
    """Folder of the recordings; None records nothing."""
    record: str = "continuous+events"
    """What is recorded, where there is a folder."""
    model_id: str = "yolox-nano"
    passwords: Passwords = "files"


@dataclass(frozen=True, slots=True)
class ConfigText:
    """A configuration as text, with the secrets that it refers to."""

    text: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    """Content by path, relative to the configuration's folder."""
    is_secret: bool
    """Whether the text itself holds a password."""


def render(plan: InitPlan, file_name: str) -> ConfigText:
    """Return the configuration that a plan means; pure.

    Args:
        plan: Its cameras get their places as `source_id`.
        file_name: Of the configuration: the folder of its secrets is called after it.
    """
    secrets: dict[str, str] = {}
    folder = f"{Path(file_name).stem or 'nvr'}.secrets"
    cameras: list[str] = []
    is_secret = False
    for source_id, camera in enumerate(plan.cameras):
        lines = [*_about(camera), f"  - name: {_quoted(camera.name)}", f"    source_id: {source_id}"]
        if not camera.enabled:
            lines += ["    enabled: false  # delete this line once it answers"]
        for setting, uri in (("uri", camera.found.uri), ("detect_uri", camera.found.detect_uri)):
            if uri is None:
                continue
            has_password = mask_credentials(uri) != uri
            if has_password and plan.passwords == "files":
                path = f"{folder}/{source_id}-{_slug(camera.name)}{'-detect' if setting == 'detect_uri' else ''}.txt"
                secrets[path] = f"{uri}\n"
                lines += [f"    {setting}: !secret {_quoted(path)}  # {printable_line(display_name(uri))}"]
            else:
                is_secret = is_secret or has_password
                lines += [f"    {setting}: {_quoted(uri)}"]
        cameras += [*lines, ""]
    text = "\n".join([*_head(folder if secrets else None), *_storage(plan), *_models(plan), *_cameras(cameras)])
    return ConfigText(text.rstrip("\n") + "\n", secrets, is_secret)


def write_config(config: ConfigText, path: Path, *, force: bool = False) -> None:
    """Write a configuration and its secrets, if it loads.

    It is made in a folder of its own beside `path`, read as every command reads it, and only then moved: what is
    refused leaves nothing behind. Files with a password are for their owner only from the moment they exist.

    Args:
        config: Of `render`.
        path: Where it is to be.
        force: Replace what is there.

    Raises:
        ConfigurationError: There is such a file and no `force`, the folder cannot be written, or a setting is wrong.
    """
    check_free(path, force=force)
    try:
        with _workshop(path) as folder:
            draft = folder / path.name
            _write(draft, config.text, 0o600 if config.is_secret or config.secrets else 0o644)
            for name, content in config.secrets.items():
                (folder / name).parent.mkdir(mode=0o700, exist_ok=True)
                _write(folder / name, content, 0o600)
            _check(draft, path)
            for name in config.secrets:
                (path.parent / name).parent.mkdir(mode=0o700, exist_ok=True)
                _move(folder / name, path.parent / name, force=force)
            _move(draft, path, force=force)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {error.filename2 or error.filename or path}: {error.strerror}"
        ) from error


def check_free(path: Path, *, force: bool) -> None:
    """Refuse a place where something is already; called before anybody is asked anything.

    Raises:
        ConfigurationError: `path` exists and `force` is not set, it is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder: name a file in it, such as {path / 'nvr.yaml'}")
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path.parent} is no folder: make it first")
    if path.exists() and not force:
        raise ConfigurationError(f"{path} exists: take another name with --out, or replace it with --force")


def recordings_folder(path: Path) -> Path:
    """Return the folder of the recordings as it is written down: whole, as commands may be started elsewhere.

    Raises:
        ConfigurationError: It is not there; the recorder never makes it, as its disk may not be mounted yet.
    """
    folder = path.expanduser().resolve()
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder for recordings: make it first (mkdir -p {folder})")
    return folder


def check_record(text: str) -> str:
    """Return what is to be recorded, if it can be.

    Raises:
        ConfigurationError: It is no mode of recording.
    """
    try:
        return RecordingConfig(mode=text).mode
    except ValidationError as error:
        raise ConfigurationError(
            f"expected off, or some of continuous, events and on_demand joined by +, got {text[:80]!r}"
        ) from error


def check_model(text: str) -> str:
    """Return a model as it was named, if the name means one.

    Raises:
        ModelError: The catalogue has no such model, or it does not detect.
    """
    if text == MOTION or text.startswith(ROBOFLOW_PREFIX) or text.lower().endswith(".onnx"):
        return text
    entry = load_catalogue().find(text)
    if entry.task != "detect":
        raise ModelError(f"{text} is for {entry.task or entry.kind}, and cameras need one that detects")
    return text


@contextmanager
def _workshop(path: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".nvr-init-", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, content: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _move(draft: Path, path: Path, *, force: bool) -> None:
    if force:
        draft.replace(path)
        return
    try:
        path.hardlink_to(draft)  # unlike a rename, refuses to replace what came there meanwhile
    except OSError as error:
        if path.exists():
            raise ConfigurationError(f"{path} exists: remove it, or replace it with --force") from error
        draft.replace(path)  # a file system without hard links


def _check(draft: Path, path: Path) -> None:
    try:
        load_config(draft)
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace(str(draft.parent), str(path.parent))) from error


def _head(folder: str | None) -> list[str]:
    lines = ["# Written by `nvr config init`. Change what you like: `nvr config check` tells whether it is right,"]
    lines += ["# docs/reference/configuration.md has every setting."]
    if folder is not None:
        lines += [f"# Addresses with passwords are in {folder}/, a file each; only their owner can read them."]
    return [*lines, ""]


def _storage(plan: InitPlan) -> list[str]:
    if plan.storage is None:
        return [
            "# Nothing is recorded. To change that, name a folder that is there:",
            "# storage:",
            "#   root: /srv/recordings",
            "#   mode: continuous+events",
            "",
        ]
    return [
        "storage:",
        f"  root: {_quoted(str(plan.storage))}",
        f"  mode: {plan.record}  # off, or some of continuous, events and on_demand joined by +",
        "",
    ]


def _models(plan: InitPlan) -> list[str]:
    return ["models:", f"  model_id: {_quoted(plan.model_id)}  # `nvr models list` has others", ""]


def _cameras(lines: Sequence[str]) -> list[str]:
    if not lines:
        return ["cameras: []"]
    return [
        "# `source_id` is the number of a camera in events and recordings: it stays when others come and go.",
        "cameras:",
        *lines,
    ]


def _about(camera: PlannedCamera) -> list[str]:
    found = camera.found
    what = [found.make] if found.make else []
    if found.main is not None:
        what += [describe(found.main), *([f"looked at: {describe(found.detect)}"] if found.detect is not None else [])]
    if found.problem:
        what += [f"did not answer: {found.problem}"]
    return [f"  # {printable_line(text)}" for text in (*(["; ".join(what)] if what else []), *found.hints)]


def describe(stream: ProbeResult) -> str:
    """Return what a stream carries in a few words."""
    size = f" {stream.width_px}x{stream.height_px}" if stream.pixels else ""
    fps = f" {stream.fps:.3g} fps" if stream.fps is not None else ""
    sound = f", sound {stream.audio_codec}" if stream.audio_codec else ""
    gop = f", a key frame every {stream.gop_s:.2g} s" if stream.gop_s else ""
    return f"{stream.codec}{size}{fps}{sound}{gop}"


def printable_line(text: str) -> str:
    """Return a text as it may stand in a comment or a table: one line, no control characters, no credentials."""
    return "".join(sign if sign.isprintable() else " " for sign in mask_credentials(text))[:300]


def _quoted(text: str) -> str:
    """Return a text as YAML reads it again, whatever is in it."""
    return json.dumps(escape(text), ensure_ascii=False)


def _slug(name: str) -> str:
    return _SLUG.sub("-", name.lower()).strip("-")[:_MAX_SLUG] or "camera"
