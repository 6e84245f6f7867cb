"""The tracker's peer, and TrackEval, which counts for both."""

import json
import subprocess
from pathlib import Path
from typing import cast

from bench._peer_venv import PeerVenv

from nvr.core.errors import UnsupportedError

FOLDER = Path(__file__).parent
RUN_TIMEOUT_S = 600.0


class TrackersVenv(PeerVenv):
    """A venv with `trackers`, which brings a second OpenCV wheel."""

    bench = "tracking"
    requirements = ("trackers==2.6.1", "trackeval==1.3.0")
    imports = "trackers, trackeval"

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
