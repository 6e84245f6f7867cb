"""The settings of a program that runs: read anew whenever it wants, with the files that they come from."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from nvr.config.file import read_config
from nvr.config.overrides import Override, from_environment
from nvr.config.site import NvrConfig
from nvr.config.watch import Stamp, stamp_of


class ConfigSource:
    """Options over `NVR_…` variables over a file over defaults. One thread reads at a time, any may ask for `files`."""

    def __init__(self, path: Path | None, environment: Mapping[str, str], overrides: Iterable[Override] = ()) -> None:
        """Remember where the settings are; nothing is read yet.

        Args:
            path: The configuration file; None for none.
            environment: Fills in `${NAME}`, and has settings of its own.
            overrides: Those of the command line.
        """
        self._path = path
        self._environment = dict(environment)
        self._fallbacks = tuple(each for each in overrides if each.is_fallback)
        self._wins = tuple(each for each in overrides if not each.is_fallback)
        self._files: dict[Path, Stamp | None] = {}

    def __call__(self) -> NvrConfig:
        """Read the settings as they are now.

        Raises:
            ConfigurationError: The file, a secret file, a variable or an option is wrong.
        """
        met: dict[Path, Stamp | None] = {}
        overrides = (*self._fallbacks, *from_environment(self._environment), *self._wins)
        try:
            read = read_config(
                self._path,
                self._environment,
                overrides=overrides,
                on_file=lambda path: met.update({path: stamp_of(path)}),
            )
        except BaseException:
            # what was not reached this time may be what has to change
            self._files = {**self._files, **met}
            raise
        self._files = met
        return read.config

    def files(self) -> Mapping[Path, Stamp | None]:
        """Return what the settings were read from, each with its stamp from just before; for a `FileWatch`."""
        return self._files
