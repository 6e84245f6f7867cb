"""`nvr config init`: the options; what it does is in `config_wizard`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

_FIND, _WRITE = "Finding cameras", "What is written"

Uris = Annotated[
    list[str] | None,
    typer.Argument(help="Cameras: rtsp://…, http://…, /dev/video0, a file, or onvif://host to ask for its streams."),
]
Discover = Annotated[
    bool, typer.Option("--discover", help="Look for ONVIF cameras on the network.", rich_help_panel=_FIND)
]
Interface = Annotated[
    list[str] | None,
    typer.Option(
        help="IPv4 address of this machine to ask from; may be repeated; by default all.", rich_help_panel=_FIND
    ),
]
DiscoverAt = Annotated[
    str | None,
    typer.Option(
        metavar="HOST[:PORT]",
        help="Ask this address instead of the whole network: a device that multicast does not reach.",
        rich_help_panel=_FIND,
    ),
]
Wait = Annotated[
    float, typer.Option(min=0.1, max=60, help="Seconds to wait for answers of the network.", rich_help_panel=_FIND)
]
Timeout = Annotated[
    float, typer.Option(min=0.1, max=60, help="Seconds that a camera may stay silent.", rich_help_panel=_FIND)
]
User = Annotated[
    str | None,
    typer.Option(help="User name for cameras that are found, and for addresses that hold none.", rich_help_panel=_FIND),
]
PasswordEnv = Annotated[
    str | None,
    typer.Option(
        metavar="VARIABLE",
        help="Environment variable with that user's password; without it you are asked.",
        rich_help_panel=_FIND,
    ),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write.", rich_help_panel=_WRITE)]
Force = Annotated[bool, typer.Option("--force", help="Replace the file.", rich_help_panel=_WRITE)]
Storage = Annotated[
    Path | None,
    typer.Option(
        help="Folder to record into, which must be there; without it nothing is recorded.", rich_help_panel=_WRITE
    ),
]
Record = Annotated[
    str | None,
    typer.Option(
        help="What is recorded: some of continuous, events and on_demand joined by +; by default continuous+events.",
        rich_help_panel=_WRITE,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="Model that looks at them, see `nvr models list`; `motion` needs none; by default yolox-nano.",
        rich_help_panel=_WRITE,
    ),
]
Unanswered = Annotated[
    Literal["disabled", "enabled", "skip"],
    typer.Option(help="How cameras are written that did not answer.", rich_help_panel=_WRITE),
]
InlinePasswords = Annotated[
    bool,
    typer.Option(
        "--inline-passwords",
        help="Write passwords into the file itself, not into files of their own beside it.",
        rich_help_panel=_WRITE,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take every camera that answers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Say what was found as JSON; without --yes nothing is written.")]


def init(
    uris: Uris = None,
    discover: Discover = False,
    interface: Interface = None,
    discover_at: DiscoverAt = None,
    wait: Wait = 3.0,
    timeout: Timeout = 5.0,
    user: User = None,
    password_env: PasswordEnv = None,
    out: Out = Path("nvr.yaml"),
    force: Force = False,
    storage: Storage = None,
    record: Record = None,
    model: Model = None,
    unanswered: Unanswered = "disabled",
    inline_passwords: InlinePasswords = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Find cameras, show what they are, and write a configuration for them.

    Passwords go into files of their own beside it, which only their owner can read.
    """
    from nvr.cli.config_wizard import Request, Wizard, search_options

    Wizard(
        Request(
            uris=tuple(uris or ()),
            discover=discover or discover_at is not None,
            out=out,
            force=force,
            storage=storage,
            record=record,
            model=model,
            unanswered=unanswered,
            passwords="inline" if inline_passwords else "files",
            asks=not yes and not as_json,
            writes=yes or not as_json,
            as_json=as_json,
            user=user,
            password_env=password_env,
        ),
        search_options(interface, discover_at, wait_s=wait, timeout_s=timeout),
    ).run()
