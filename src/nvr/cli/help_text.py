"""Let the help of commands flow to the width of the terminal, however its source is wrapped."""

import inspect

import typer


def let_help_flow(app: typer.Typer) -> None:
    """Give each command below `app` its docstring as help, a paragraph a line.

    Typer joins the lines of the first paragraph only, and breaks those of the others a second time where the terminal
    is narrower than the source.
    """
    for command in app.registered_commands:
        if command.callback is not None:
            command.help = flowing(command.help or command.callback.__doc__ or "")
    group = app.registered_callback
    if group is not None and group.callback is not None and not isinstance(app.info.help, str):
        group.help = flowing(group.callback.__doc__ or "")
    for nested in app.registered_groups:
        if nested.typer_instance is not None:
            let_help_flow(nested.typer_instance)


def flowing(text: str) -> str:
    """Return a text with each of its paragraphs on one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))
