"""The benchmarks are scripts, not part of the package: `pytest` started by its own name does not find them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
