"""A processor in waiting: `python -m nvr.cli.spare_processor PIPE` loads what takes long, then waits to be told which.

What it is told through the named pipe is the list of arguments of `nvr`, as JSON; from then on it is that command.
Half of the time until a killed processor serves its cameras again would else be spent on loading libraries.
"""

import contextlib
import importlib
import json
import sys
from pathlib import Path

LOADED = (
    "nvr.app.instance.program",
    "nvr.cli.processor",
    "nvr.processor.model",
    "nvr.detection.load",
    "nvr.detection.canvas_detector",
    "nvr.detection.motion",
    "onnxruntime",
    "onnx",
)
"""Those of extras may be absent."""


def main() -> None:
    """Load, wait, and become what one is told to be."""
    pipe = Path(sys.argv[1])
    for name in LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    told = pipe.read_text(encoding="utf-8")  # waits until somebody opens the other end
    if not told:
        return
    sys.argv = ["nvr", *json.loads(told)]
    from nvr.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
