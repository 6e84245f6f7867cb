"""How `nvr ctl` sends a command and tells what came of it."""

import getpass
import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from nvr.cli.broker_options import Asked, explains_guess, find_broker
from nvr.cli.ctl_text import cameras_text, lines_of, sources_of, to_json
from nvr.core.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from nvr.control.client import ControlClient, Reply

EXIT_FAILED = 1
MORE_THAN_THE_MODEL_S = 5.0


@dataclass(frozen=True, slots=True)
class Site:
    """Whom to talk to."""

    asked: Asked
    tenant: str | None
    as_json: bool
    """`--json` stood before the command, where some look for it."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is meant, and how the answer is wanted."""

    instances: Sequence[str] = ()
    source_ids: Sequence[int] | None = None
    timeout_s: float = 10.0
    as_json: bool = False


def run(
    site: Site,
    audience: Audience,
    command: str,
    params: "Mapping[str, JsonValue] | None" = None,
    *,
    needs_one: bool = False,
) -> None:
    """Send a command, print what came of it, and end with status 1 where it was not done everywhere.

    Args:
        site: Whom to talk to.
        audience: Who is meant.
        command: Its name.
        params: Its parameters.
        needs_one: It is for one instance: who has only one need not name it.
    """
    from nvr.control.client import ControlClient

    found = find_broker(site.asked, site.tenant)
    told = dict(params or {})
    talks = ControlClient(found.broker, tenant=site.tenant, key=found.key, issuer=_issuer())
    with explains_guess(found), talks as client:
        targets = audience.instances or (_only_instance(client) if needs_one else ("*",))
        replies = client.send(
            command, told, targets=targets, source_ids=audience.source_ids, timeout_s=audience.timeout_s
        )
    missing = _missing(replies, audience.source_ids)
    if audience.as_json or site.as_json:
        typer.echo(to_json(command, replies, missing))
    else:
        where = f"broker {found.broker.host}:{found.broker.port}" + (f", tenant {site.tenant}" if site.tenant else "")
        _print(replies, command, told, missing, where)
    if missing or not replies or not all(reply.is_ok for reply in replies):
        raise typer.Exit(EXIT_FAILED)


def read_values(given: Sequence[str]) -> "dict[str, JsonValue]":
    """Return what `KEY=VALUE` options say; a value that is no JSON is a text.

    Raises:
        ConfigurationError: There is no `=`.
    """
    values: dict[str, JsonValue] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigurationError(f"expected KEY=VALUE, got {text[:80]!r}")
        try:
            values[key] = json.loads(value)
        except (ValueError, RecursionError):
            values[key] = value
    return values


def _only_instance(client: "ControlClient") -> tuple[str, ...]:
    client.settle()
    names = [
        known.instance_id
        for known in client.registry.instances()
        if known.status.kind == "processor" and known.takes_commands
    ]
    if len(names) > 1:
        raise ConfigurationError(f"this is for one instance: say which with --instance, there are {', '.join(names)}")
    if not names:
        raise ConfigurationError("this is for one instance, and none is there; name it with --instance")
    return (names[0],)


def _missing(replies: "Sequence[Reply]", source_ids: Sequence[int] | None) -> list[int]:
    """Return the cameras that were meant and that no instance speaks of, where all have answered well."""
    if not source_ids or not replies or not all(reply.is_ok for reply in replies):
        return []
    known = set[int]().union(*(sources_of(reply.result) for reply in replies))
    return sorted(set(source_ids) - known)


def _print(
    replies: "Sequence[Reply]",
    command: str,
    params: "Mapping[str, JsonValue]",
    missing: Sequence[int],
    where: str,
) -> None:
    for reply in replies:
        # with "*" every instance answers, those too that have none of the cameras
        if (
            reply.is_ok
            and (missing or len(replies) > 1)
            and sources_of(reply.result) == set()
            and _is_about_cameras(reply)
        ):
            continue
        colour = None if reply.is_ok else typer.colors.RED
        for line in lines_of(reply, command, params):
            typer.secho(line, fg=colour)
    if missing:
        typer.secho(f"no instance has {cameras_text(missing)}", fg=typer.colors.RED)
    if not replies:
        typer.secho(f"nobody is there to answer ({where})", fg=typer.colors.RED)


def _is_about_cameras(reply: "Reply") -> bool:
    return isinstance(reply.result, dict) and set(reply.result) in ({"source_ids"}, {"cameras"})


def _issuer() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = str(os.getuid())
    return f"nvr ctl, {user}@{socket.gethostname()}"[:200]
