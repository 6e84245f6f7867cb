"""What `nvr config init` does: find, show, ask, write. Standard output is for people, or for one JSON document."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from nvr.app.camera_search import CameraSearch, FoundCamera, SearchOptions, streams_of
from nvr.app.config_init import (
    ConfigText,
    InitPlan,
    Passwords,
    PlannedCamera,
    check_free,
    check_model,
    check_record,
    recordings_folder,
    render,
    write_config,
)
from nvr.cli import config_questions as questions
from nvr.cli.config_init_text import as_json, camera_table, device_list, next_step
from nvr.cli.config_questions import Unanswered
from nvr.core.clock import SystemClock
from nvr.core.errors import ConfigurationError, StreamError
from nvr.discovery.soap import Credentials
from nvr.discovery.ws_discovery import PORT, DiscoveryOptions
from nvr.media.probe import ProbeOptions
from nvr.media.source import SourceOptions

MAX_ROUNDS = 3
"""How often other users are asked for: cameras lock one after a few wrong passwords."""

PIPE_WIDTH = 160
"""Columns of a table that goes into a file."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    uris: tuple[str, ...]
    discover: bool
    out: Path
    force: bool
    storage: Path | None
    record: str | None
    model: str | None
    unanswered: Unanswered
    passwords: Passwords
    asks: bool
    """Whether there is a person to ask."""
    writes: bool
    as_json: bool
    user: str | None
    password_env: str | None


def search_options(
    interfaces: Sequence[str] | None, target: str | None, *, wait_s: float, timeout_s: float
) -> SearchOptions:
    """Return how to look, as the command line says.

    Raises:
        ConfigurationError: The target is no `host` or `host:port`.
    """
    discovery = DiscoveryOptions(interfaces=tuple(interfaces) if interfaces else None, wait_s=wait_s)
    if target is not None:
        host, colon, port = target.partition(":")
        if not host or (colon and not (port.isdecimal() and 0 < int(port) < 65_536)):
            raise ConfigurationError(f"--discover-at: expected HOST or HOST:PORT, got {target!r}")
        discovery = replace(discovery, target=(host, int(port) if port else PORT))
    return SearchOptions(
        discovery=discovery,
        onvif=replace(SearchOptions().onvif, request_timeout_s=timeout_s, device_timeout_s=4 * timeout_s),
        probe=ProbeOptions(SourceOptions("tcp", timeout_s, timeout_s), look_s=timeout_s),
    )


class Wizard:
    """Leads from nothing to a configuration; one run."""

    def __init__(self, request: Request, options: SearchOptions) -> None:
        """Prepare; nothing is asked or sent before `run`."""
        self._request = request
        self._options = options
        self._console = Console(
            stderr=request.as_json, highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH
        )

    def run(self) -> None:
        """Find, show, ask and write.

        Raises:
            ConfigurationError: An option is wrong, nobody is there to ask, or the file exists.
            StreamError: No camera was found, or none of those is wanted.
        """
        request = self._request
        should_discover = request.discover or self._wants_discovery()
        if request.writes:
            check_free(request.out, force=request.force)
        settings = self._settings()
        credentials = self._given_credentials()
        search = CameraSearch(replace(self._options, credentials=credentials), SystemClock())
        cameras = self._find(search, credentials, should_discover=should_discover)
        if not request.as_json:
            self._console.print(camera_table(cameras) if cameras else "No camera was found.")
        config: ConfigText | None = None
        left_out = list[FoundCamera]()
        if request.writes and cameras:
            plan = self._ask_plan(cameras, settings) if request.asks else unasked_plan(cameras, settings, request)
            if not plan.cameras:
                raise StreamError("no camera to write: nothing was written")
            written = [each.found for each in plan.cameras]
            left_out = [each for each in cameras if each.uri and not each.answers and each not in written]
            config = render(plan, request.out.name)
            write_config(config, request.out, force=request.force)
        if request.as_json:
            typer.echo(as_json(cameras, None if config is None else request.out, config))
        elif config is not None:
            self._console.print(next_step(request.out, config, left_out))
        if not cameras:
            raise StreamError("no camera was found: give an address, such as rtsp://192.0.2.10/stream1")

    def _wants_discovery(self) -> bool:
        request = self._request
        if request.asks and not sys.stdin.isatty():
            raise ConfigurationError(
                "there is no terminal to ask in: give --yes to take every camera that answers, or --json to only look"
            )
        if request.uris:
            return False
        if not request.asks:
            raise ConfigurationError("name cameras by their addresses, or look for them with --discover")
        return questions.wants_discovery()

    def _settings(self) -> InitPlan:
        """Return what is the same for all cameras, as far as it was said."""
        request = self._request
        if request.storage is None and request.record is not None:
            raise ConfigurationError("--record needs --storage: a folder to record into")
        plan = InitPlan((), passwords=request.passwords)
        return replace(
            plan,
            storage=None if request.storage is None else recordings_folder(request.storage),
            record=plan.record if request.record is None else check_record(request.record),
            model_id=plan.model_id if request.model is None else check_model(request.model),
        )

    def _given_credentials(self) -> Credentials | None:
        user, variable = self._request.user, self._request.password_env
        if user is None:
            if variable is not None:
                raise ConfigurationError("--password-env needs --user")
            return None
        if variable is not None:
            if variable not in os.environ:
                raise ConfigurationError(f"--password-env: there is no environment variable {variable}")
            return Credentials(user, os.environ[variable])
        if not self._request.asks:
            raise ConfigurationError("--user needs --password-env where nobody can be asked")
        return Credentials(user, questions.password(user))

    def _find(
        self, search: CameraSearch, credentials: Credentials | None, *, should_discover: bool
    ) -> list[FoundCamera]:
        cameras = search.given(self._request.uris)
        if should_discover:
            with self._console.status(f"asking the network, {self._options.discovery.wait_s:g} s …"):
                devices = search.discover()
            if devices and credentials is None and self._request.asks:
                self._console.print(device_list(devices))
                credentials = questions.credentials("these cameras")
            with self._console.status("asking cameras for their streams …"):
                cameras += search.ask(devices, credentials)
        cameras = self._look(search, cameras)
        for _ in range(MAX_ROUNDS if self._request.asks else 0):
            refused = [camera for camera in cameras if camera.wants_credentials]
            other = questions.other_credentials(refused) if refused else None
            if other is None:
                break
            with self._console.status("asking again …"):
                again = search.again(refused, other)
            cameras = self._look(search, [*(each for each in cameras if not each.wants_credentials), *again])
        return sorted(cameras, key=lambda camera: not camera.uri)  # what can be chosen comes first

    def _look(self, search: CameraSearch, cameras: Sequence[FoundCamera]) -> list[FoundCamera]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bars:
            bar = bars.add_task("looking at streams", total=len(list(streams_of(cameras))))
            return search.look(cameras, lambda: bars.advance(bar))

    def _ask_plan(self, cameras: Sequence[FoundCamera], settings: InitPlan) -> InitPlan:
        request = self._request
        chosen = questions.which(cameras)
        silent = sum(not camera.answers for camera in chosen)
        unanswered = questions.how_unanswered(silent, request.unanswered) if silent else request.unanswered
        planned = planned_cameras(chosen, unanswered)
        planned = questions.names(planned) if planned else ()
        if request.storage is None and planned:
            settings = replace(settings, storage=questions.storage())
        if settings.storage is not None and request.record is None:
            settings = replace(settings, record=questions.record(settings.record))
        if request.model is None and planned:
            settings = replace(settings, model_id=questions.model(settings.model_id))
        return replace(settings, cameras=planned)


def unasked_plan(cameras: Sequence[FoundCamera], settings: InitPlan, request: Request) -> InitPlan:
    """Return what is written where nobody is asked."""
    return replace(settings, cameras=planned_cameras(cameras, request.unanswered))


def planned_cameras(cameras: Sequence[FoundCamera], unanswered: Unanswered) -> tuple[PlannedCamera, ...]:
    """Return the cameras that can be written: those with an address, and of the silent ones as `unanswered` says."""
    return tuple(
        PlannedCamera(camera, camera.name, enabled=camera.answers or unanswered == "enabled")
        for camera in cameras
        if camera.uri and (camera.answers or unanswered != "skip")
    )
