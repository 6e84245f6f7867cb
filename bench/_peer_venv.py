"""A venv of a peer, whose libraries do not go together with ours: made on request, used where it is there."""

import subprocess
import sys
import venv
from pathlib import Path
from typing import ClassVar, Self

from nvr.core.errors import ConfigurationError, UnsupportedError

INSTALL_TIMEOUT_S = 1800.0


class PeerVenv:
    """One such venv; the benchmarks' own say what is in it and how it is run."""

    bench: ClassVar[str]
    """Name of the benchmark, for messages."""
    requirements: ClassVar[tuple[str, ...]]
    """What is installed, the peer first."""
    imports: ClassVar[str]
    """Modules that must be there, separated by commas."""

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing is made or asked yet."""
        self._folder = folder

    @classmethod
    def ready(cls, folder: Path | None, *, is_made: bool, without: str) -> Self | None:
        """Return a venv that holds the peer; None, and a sentence with what is missing then, without a folder.

        Args:
            folder: Of the venv.
            is_made: Make it first.
            without: What there will be no figures of.

        Raises:
            ConfigurationError: It does not hold the peer.
            UnsupportedError: It cannot be made here.
        """
        if folder is None:
            print(f"{cls.bench}: no {without}: they need --peer-venv", file=sys.stderr, flush=True)
            return None
        peer = cls(folder)
        if is_made:
            peer.make()
        peer.check()
        return peer

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self._folder / "bin" / "python"

    def make(self) -> None:
        """Make it and install the peer by the usual index.

        Raises:
            UnsupportedError: It cannot be installed here.
        """
        print(
            f"{self.bench}: installing {' '.join(self.requirements)} into {self._folder}", file=sys.stderr, flush=True
        )
        venv.create(self._folder, with_pip=True)
        command = [str(self.python), "-m", "pip", "install", "--quiet", *self.requirements]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise UnsupportedError(
                f"{self.requirements[0]} cannot be installed: {said[-1] if said else done.returncode}"
            )

    def check(self) -> None:
        """Raise ConfigurationError where the venv is not there or does not hold the peer."""
        if not self.python.exists():
            raise ConfigurationError(f"{self._folder} is no venv: make it with --make-peer-venv")
        probe = [str(self.python), "-c", f"import {self.imports}"]
        if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
            raise ConfigurationError(
                f"{self._folder} does not hold {self.requirements[0]}: make it with --make-peer-venv"
            )
