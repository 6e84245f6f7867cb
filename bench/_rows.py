"""What every benchmark prints: one row a figure, as a table for people or as JSON lines for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure."""

    name: str
    value: float
    unit: str
    target: str = ""
    """What the figure must be, as a condition, e.g. `< 200`; empty where nothing is promised."""
    peer: float | None = None
    """The same figure of what we compare with."""
    ok: bool | None = None
    """Whether the target is met; None where there is none, or where it holds for another mode only."""


def print_rows(rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            print(json.dumps(asdict(row)), flush=True)
        return
    width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:g}"
        verdict = {True: "ok", False: "MISSED", None: ""}[row.ok]
        print(f"{row.name:<{width}}  {row.value:>9.4g} {row.unit:<6}  {row.target:<16} {peer:>7}  {verdict}".rstrip())


def exit_code(rows: Sequence[Row]) -> int:
    """Return 1 if any row misses its target."""
    return int(any(row.ok is False for row in rows))
