"""Lets these tests share the data sets and the measure of `bench/accuracy.py`, however pytest is started."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)
