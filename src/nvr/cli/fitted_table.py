"""Tables that leave out what matters least where the terminal is narrow; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_GAP = 1
_WRAPPED_AT_LEAST = 20
"""Columns that a text gets that is wrapped."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    title: str
    is_number: bool = False
    wraps: bool = False
    """Its texts may take several lines."""
    rank: int | None = None
    """In this order columns are left out; None for one that always stays."""


@dataclass(frozen=True)
class FittedTable:
    """Rows of texts, each as long as `columns`."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a table that fits, for Rich."""
        del console
        shown = fitting(self.columns, self._widths(), options.max_width)
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for index in shown:
            column = self.columns[index]
            table.add_column(
                column.title,
                justify="right" if column.is_number else "left",
                no_wrap=not column.wraps,
                min_width=cell_len(column.title) if column.is_number else None,
            )
        for row in self.rows:
            table.add_row(*(Text(cell) if isinstance(cell := row[index], str) else cell for index in shown))
        yield table

    def _widths(self) -> list[int]:
        return [
            max([cell_len(column.title), *(cell_len(str(row[index])) for row in self.rows)])
            for index, column in enumerate(self.columns)
        ]


def fitting(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """Return which columns are shown: all, or without those of the lowest ranks, as few as possible.

    Args:
        columns: All of them.
        widths: Of their longest cells, titles included.
        width: Of the terminal.
    """
    shown = list(range(len(columns)))
    leaving = sorted((column.rank, index) for index, column in enumerate(columns) if column.rank is not None)
    for _, index in leaving:
        if sum(_needed(columns[each], widths[each]) for each in shown) <= width:
            break
        shown.remove(index)
    return shown


def _needed(column: Column, width: int) -> int:
    return _GAP + (min(width, _WRAPPED_AT_LEAST) if column.wraps else width)
