"""The peer's venv: made on request, used where it is there."""

import subprocess
import sys
import venv
from pathlib import Path

from bench._media_site import FOLDER

from nvr.core.errors import ConfigurationError, UnsupportedError

REQUIREMENT = "streamvision==0.1.4"
SCRIPT = FOLDER / "_media_peer_streamvision.py"
INSTALL_TIMEOUT_S = 1800.0


class PeerVenv:
    """A venv with streamvision, which needs other versions of what we need."""

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing is made or asked yet."""
        self._folder = folder

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self._folder / "bin" / "python"

    def make(self) -> None:
        """Make it and install the peer by the usual index.

        Raises:
            UnsupportedError: It cannot be installed here.
        """
        print(f"media: installing {REQUIREMENT} into {self._folder}", file=sys.stderr, flush=True)
        venv.create(self._folder, with_pip=True)
        command = [str(self.python), "-m", "pip", "install", "--quiet", REQUIREMENT]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise UnsupportedError(f"{REQUIREMENT} cannot be installed: {said[-1] if said else done.returncode}")

    def check(self) -> None:
        """Raise ConfigurationError where the venv is not there or does not hold the peer."""
        if not self.python.exists():
            raise ConfigurationError(f"{self._folder} is no venv: make it with --make-peer-venv")
        probe = [str(self.python), "-c", "import streamvision.stream.pipeline"]
        if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
            raise ConfigurationError(f"{self._folder} does not hold {REQUIREMENT}: make it with --make-peer-venv")

    def command(self, max_fps: float, uris: list[str]) -> list[str]:
        """Return how to run its pipeline with a model that does nothing.

        `max_fps` is of each camera; the pipeline's own is of all together.
        """
        return [str(self.python), str(SCRIPT), "--max-fps", f"{max_fps * len(uris):g}", *uris]
