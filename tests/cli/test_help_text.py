"""Help fits the terminal."""

import typer
from typer.testing import CliRunner

from nvr.cli.help_text import flowing, let_help_flow
from nvr.cli.main import app


def test_a_paragraph_is_one_line() -> None:
    assert (
        flowing("""First.

    One that goes on
    and on.
    """)
        == "First.\n\nOne that goes on and on."
    )
    assert flowing("") == ""


def test_lines_are_broken_by_the_terminal_only() -> None:
    told = CliRunner().invoke(app, ["processor", "--help"], env={"COLUMNS": "80", "TERM": "dumb"}).output
    paragraph = told.split("Cameras are given as URIs")[1].split("\n\n")[0].split("╭")[0]
    *lines, _last = [line.strip() for line in paragraph.strip().splitlines()]
    assert all(len(line) > 60 for line in lines[1:]), told


def test_a_group_is_explained_by_its_docstring_and_one_with_a_help_by_that() -> None:
    explained, told = typer.Typer(name="a"), typer.Typer(name="b", help="By this.")

    for group in (explained, told):

        @group.callback()
        def _root() -> None:
            """By its

            doc
            string.
            """

        let_help_flow(group)
    assert explained.registered_callback is not None
    assert explained.registered_callback.help == "By its\n\ndoc string."
    assert told.registered_callback is not None
    assert not isinstance(told.registered_callback.help, str)


def test_the_help_of_ctl_says_where_the_broker_and_the_key_come_from() -> None:
    told = " ".join(CliRunner().invoke(app, ["ctl", "--help"]).output.split())
    assert "NVR_CONTROL__KEY" in told
    assert "Options for the broker stand before the command" in told
