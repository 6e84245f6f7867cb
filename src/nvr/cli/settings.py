"""How options, environment, file and defaults become the settings of a command: the former win."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nvr.cli import options
from nvr.cli.named_paths import check_recordings, check_sources

if TYPE_CHECKING:
    from nvr.config.overrides import Override
    from nvr.config.source import ConfigSource

DEFAULT_FILE = Path("nvr.yaml")
"""Of commands that are about the configuration file and are given none."""

DEFAULT_MODE = "continuous+events"
"""Of who names a folder to record into and nothing else."""


def site_reader(config: Path | None, overrides: "tuple[Override, ...]" = ()) -> "ConfigSource":
    """Return what reads the settings of a command, anew at each call: options over `NVR_…` variables over the file.

    It raises ConfigurationError where the file, a variable or an option is wrong.
    """
    from nvr.config.source import ConfigSource

    return ConfigSource(config, os.environ, overrides)


def from_flags(flags: Mapping[str, tuple[str, object]]) -> "tuple[Override, ...]":
    """Return the settings that options give: by setting, such as `broker.host`, the option and its value or None."""
    from nvr.config.overrides import Override

    return tuple(
        Override(tuple(setting.split(".")), value, flag)
        for setting, (flag, value) in flags.items()
        if value is not None
    )


def from_broker_flags(**given: object) -> "tuple[Override, ...]":
    """Return the settings that options about the broker give: by setting, such as `host` for `--mqtt-host`."""
    flags = {"enabled": "--no-mqtt", "topic_prefix": "--topic-prefix"}
    return from_flags(
        {
            f"broker.{setting}": (flags.get(setting, f"--mqtt-{setting.replace('_', '-')}"), value)
            for setting, value in given.items()
        }
    )


def from_uris(
    uris: list[str] | None,
    n: int | None,
    stream_server: str | None,
    *,
    first_source_id: int | None,
    tenant: str | None,
) -> "tuple[Override, ...]":
    """Return the cameras that the command line names, in place of those of the file; nothing where it names none.

    Raises:
        ConfigurationError: URIs and a stream server are both given, or a number without a server, or a file that is
            named is not there.
    """
    from nvr.config.overrides import Override

    check_sources(uris or [])
    named = options.stream_uris(uris, n, stream_server)
    if named is None:
        return ()
    cameras = [
        {"uri": uri, "source_id": number, "tenant": tenant} for number, uri in enumerate(named, first_source_id or 0)
    ]
    tenants = () if tenant is None else (Override(("tenants",), [{"name": tenant}], "--tenant"),)
    return (Override(("cameras",), cameras, "command line"), *tenants)


def logs(level: str | None, log_format: str | None, *, is_verbose: bool) -> "tuple[Override, ...]":
    """Return the settings of `--log-level`, `--log-format` and `--verbose`."""
    wanted = ("--verbose", "debug") if is_verbose else ("--log-level", level)
    return from_flags({"log.level": wanted, "log.format": ("--log-format", log_format)})


def max_fps(rate: float | None) -> "tuple[Override, ...]":
    """Return the setting of `--max-fps`, where 0 means no limit."""
    from nvr.config.overrides import Override

    return () if rate is None else (Override(("streams", "max_fps"), rate or None, "--max-fps"),)


def recording(root: Path | None, mode: str | None) -> "tuple[Override, ...]":
    """Return the settings of `--recordings` and `--record`; who names only a folder wants something in it.

    Raises:
        ConfigurationError: The folder is not there.
    """
    from nvr.config.overrides import Override

    if root is not None:
        check_recordings(root)
    given = from_flags({"storage.root": ("--recordings", root), "storage.mode": ("--record", mode)})
    if root is None or mode is not None:
        return given
    return (*given, Override(("storage", "mode"), DEFAULT_MODE, "--recordings", is_fallback=True))
