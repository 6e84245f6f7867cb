"""What a table shows in a terminal of any width."""

import io

import pytest
from rich.console import Console

from nvr.app.site.view import CameraRow, InstanceRow, SiteView, Verdict
from nvr.cli.fitted_table import Column, FittedTable, fitting
from nvr.cli.site_tables import status_tables, top_tables

COLUMNS = [Column("Id"), Column("Model", rank=1), Column("Instance", rank=2), Column("Why", wraps=True)]


@pytest.mark.parametrize(
    ("width", "shown"),
    [(200, [0, 1, 2, 3]), (54, [0, 1, 2, 3]), (53, [0, 2, 3]), (43, [0, 2, 3]), (42, [0, 3]), (1, [0, 3])],
)
def test_what_matters_least_is_left_out_first_and_no_more_than_must_be(width: int, shown: list[int]) -> None:
    assert fitting(COLUMNS, [9, 10, 11, 300], width) == shown


def shown_at(width: int, renderable: object) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_names_of_strangers_are_no_markup_and_long_reasons_take_lines() -> None:
    lines = shown_at(40, FittedTable(COLUMNS, [["1", "m", "[red]a[/red]", "word " * 12]]))
    assert "[red]a[/red]" in lines[1]
    assert len(lines) > 3
    assert max(map(len, lines)) <= 40


def camera(number: int, reason: str = "") -> CameraRow:
    return CameraRow(
        instance="processor-1", source_id=number, name=f"Camera {number} yard", state="running", reason=reason,
        fps=25.0, analysed_fps=5.0, lost_frames=1234, p50_ms=120.0, p95_ms=480.0, cpu_percent=12.0,
        recording="continuous", model_id="yolox-nano", is_well=not reason,
    )  # fmt: skip


def instance() -> InstanceRow:
    return InstanceRow(
        name="processor-1", kind="processor", state="running", reason="", n_cameras=2, cpu_percent=120.0,
        rss_bytes=2**28, events_lost=0, models="yolox-nano, motion", is_well=True,
    )  # fmt: skip


VIEW = SiteView(
    instances=(instance(),), cameras=(camera(0), camera(11, "refuses the connection")), disks=(), verdict=Verdict.UNWELL
)


def test_top_reads_well_in_80_columns_and_shows_all_where_there_is_room() -> None:
    narrow = shown_at(80, top_tables(VIEW, "127.0.0.1:1883"))
    assert max(len(line.rstrip()) for line in narrow) <= 80
    assert not any("…" in line for line in narrow)
    cameras = next(line for line in narrow if line.lstrip().startswith("Id"))
    assert cameras.split() == ["Id", "Camera", "State", "fps", "Analysed", "Lost", "p95", "ms", "CPU", "%", "Why"]
    [row] = [line for line in narrow if "Camera 11" in line]
    assert "1234" in row
    assert "refuses" in row
    wide = "\n".join(shown_at(160, top_tables(VIEW, "127.0.0.1:1883")))
    for title in ("Kind", "Models", "Events lost", "Instance", "p50 ms", "Recording", "Model", "Why"):
        assert title in wide


def test_status_reads_well_in_80_columns() -> None:
    lines = shown_at(80, status_tables(VIEW, "127.0.0.1:1883"))
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert not any("…" in line for line in lines)
    assert any("refuses" in line for line in lines)
