"""The peer's venv: made on request, used where it is there. It also holds TrackEval, which counts for both."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import cast

from nvr.core.errors import ConfigurationError, UnsupportedError

REQUIREMENTS = ("trackers==2.6.1", "trackeval==1.3.0")
FOLDER = Path(__file__).parent
INSTALL_TIMEOUT_S = 1800.0
RUN_TIMEOUT_S = 600.0


class PeerVenv:
    """A venv with `trackers`, which brings a second OpenCV wheel."""

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
        print(f"tracking: installing {' '.join(REQUIREMENTS)} into {self._folder}", file=sys.stderr, flush=True)
        venv.create(self._folder, with_pip=True)
        command = [str(self.python), "-m", "pip", "install", "--quiet", *REQUIREMENTS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise UnsupportedError(f"{REQUIREMENTS[0]} cannot be installed: {said[-1] if said else done.returncode}")

    def check(self) -> None:
        """Raise ConfigurationError where the venv is not there or does not hold the peer."""
        if not self.python.exists():
            raise ConfigurationError(f"{self._folder} is no venv: make it with --make-peer-venv")
        probe = [str(self.python), "-c", "import trackers, trackeval"]
        if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
            raise ConfigurationError(f"{self._folder} does not hold {REQUIREMENTS[0]}: make it with --make-peer-venv")

    def track(self, detections: Path) -> Path:
        """Run the peer's ByteTrack over saved detections; return the file of its ids and times.

        Raises:
            UnsupportedError: It does not run.
        """
        answer = detections.with_suffix(".peer.npz")
        self._run("_tracking_peer_bytetrack.py", detections, answer)
        return answer

    def score(self, tracked: Path) -> dict[str, float]:
        """Return TrackEval's MOTA, IDF1, HOTA (percent) and id switches for saved truth and tracks.

        Raises:
            UnsupportedError: It does not run.
        """
        return cast("dict[str, float]", json.loads(self._run("_tracking_peer_trackeval.py", tracked)))

    def _run(self, script: str, *paths: Path) -> str:
        command = [str(self.python), "-W", "ignore", str(FOLDER / script), *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise UnsupportedError(f"{script} does not run: {said[-1] if said else done.returncode}")
        return done.stdout
