"""The media engine's peer, which needs other versions of what we need."""

from bench._media_site import FOLDER
from bench._peer_venv import PeerVenv

SCRIPT = FOLDER / "_media_peer_streamvision.py"


class StreamvisionVenv(PeerVenv):
    """A venv with streamvision."""

    bench = "media"
    requirements = ("streamvision==0.1.4",)
    imports = "streamvision.stream.pipeline"

    def command(self, max_fps: float, uris: list[str]) -> list[str]:
        """Return how to run its pipeline with a model that does nothing.

        `max_fps` is of each camera; the pipeline's own is of all together.
        """
        return [str(self.python), str(SCRIPT), "--max-fps", f"{max_fps * len(uris):g}", *uris]
