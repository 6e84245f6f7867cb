"""The questions of `nvr config init`, each with a default that is right for most."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import typer

from nvr.app.camera_search import FoundCamera, own_name
from nvr.app.config_init import PlannedCamera, check_model, check_record, recordings_folder
from nvr.assets.catalogue import load_catalogue
from nvr.core.errors import ConfigurationError
from nvr.discovery.probe_match import printable
from nvr.discovery.soap import Credentials

Unanswered = Literal["disabled", "enabled", "skip"]

_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


def wants_discovery() -> bool:
    """Ask whether to look for cameras on the network."""
    return typer.confirm("No addresses were given. Look for ONVIF cameras on the network?", default=True)


def password(user: str) -> str:
    """Ask for a password, which is not shown."""
    return str(typer.prompt(f"Password of {user}", hide_input=True, default="", show_default=False))


def credentials(whose: str, without: str = "none") -> Credentials | None:
    """Ask for user and password; None where no user is given, which means `without`."""
    user = str(typer.prompt(f"User name of {whose} (empty: {without})", default="", show_default=False)).strip()
    return Credentials(user, password(user)) if user else None


def other_credentials(refused: Sequence[FoundCamera]) -> Credentials | None:
    """Tell which cameras refused, and ask for others; None leaves them."""
    for camera in refused:
        typer.echo(f"{camera.name} ({camera.host}) {camera.problem}")
    whose = "this camera" if len(refused) == 1 else f"these {len(refused)} cameras"
    return credentials(whose, "leave it" if len(refused) == 1 else "leave them")


def which(cameras: Sequence[FoundCamera]) -> list[FoundCamera]:
    """Ask which cameras to write, of those that can be: they have numbers in the table."""
    writable = [camera for camera in cameras if camera.uri]
    if not writable:
        return []
    while True:
        text = str(typer.prompt("Which of them? Numbers as in 1,3-5, all, or none", default="all"))
        try:
            return [writable[i] for i in parse_choice(text, len(writable))]
        except ValueError as error:
            typer.echo(f"{error}")


def parse_choice(text: str, n: int) -> list[int]:
    """Return the places, from 0, that a choice such as `1,3-5` names; pure.

    Raises:
        ValueError: It is none, or names what is not there.
    """
    words = text.replace(",", " ").split()
    if [word.lower() for word in words] == ["all"]:
        return list(range(n))
    if [word.lower() for word in words] == ["none"]:
        return []
    chosen: list[int] = []
    for word in words:
        found = _RANGE.fullmatch(word)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= n:
            raise ValueError(f"expected numbers from 1 to {n}, all, or none, got {word!r}")
        chosen += [i - 1 for i in range(first, last + 1)]
    if not words:
        raise ValueError(f"expected numbers from 1 to {n}, all, or none")
    return list(dict.fromkeys(chosen))


def how_unanswered(n: int, default: Unanswered) -> Unanswered:
    """Ask what to do with cameras that did not answer."""
    words: dict[str, Unanswered] = {"disabled": "disabled", "enabled": "enabled", "skip": "skip"}
    subject = "One of them did not answer" if n == 1 else f"{n} of them did not answer"
    while True:
        text = str(typer.prompt(f"{subject}: write as disabled, enabled, or skip", default=default))
        if text.strip().lower() in words:
            return words[text.strip().lower()]
        typer.echo(f"expected {', '.join(words)}, got {text!r}")


def names(cameras: Sequence[PlannedCamera]) -> tuple[PlannedCamera, ...]:
    """Ask what the cameras are to be called, if their names are not right."""
    listed = ", ".join(camera.name for camera in cameras)
    if not typer.confirm(f"Other names than {listed}?", default=False):
        return tuple(cameras)
    taken: set[str] = set()
    named = []
    for camera in cameras:
        text = str(typer.prompt(f"Name of {camera.found.shown_uri}", default=camera.name))
        wanted = printable(text) or camera.name
        name = own_name(wanted, taken)
        if name != wanted:
            typer.echo(f"{wanted} is taken: this one is called {name}")
        taken.add(name)
        named.append(replace(camera, name=name))
    return tuple(named)


def storage() -> Path | None:
    """Ask where to record; None for not at all."""
    while True:
        text = str(
            typer.prompt("Folder to record into (empty: record nothing)", default="", show_default=False)
        ).strip()
        if not text:
            return None
        folder = Path(text).expanduser()
        try:
            if not folder.exists() and typer.confirm(f"{folder} is not there. Make it?", default=True):
                folder.mkdir(parents=True)
            return recordings_folder(folder)
        except OSError as error:
            typer.echo(f"cannot make {folder}: {error.strerror}")
        except ConfigurationError as error:
            typer.echo(str(error))


def record(default: str) -> str:
    """Ask what is recorded."""
    while True:
        text = str(typer.prompt("What to record: continuous, events, on_demand, joined by +", default=default)).strip()
        try:
            return check_record(text)
        except ConfigurationError as error:
            typer.echo(str(error))


def model(default: str) -> str:
    """Ask which model looks at the cameras."""
    entries = [entry for entry in load_catalogue().entries if entry.task == "detect"]
    typer.echo(f"Models: {', '.join(entry.name for entry in entries)}, or motion (needs none)")
    while True:
        text = str(typer.prompt("Model that looks at them", default=default)).strip()
        try:
            return check_model(text)
        except ConfigurationError as error:
            typer.echo(str(error))
