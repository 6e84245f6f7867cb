"""Write the reference pages of commands and settings and the example file from the command tree and the models.

`--check` writes nothing and fails where a committed page is not what would be written.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import typer.main
from pydantic import BaseModel, JsonValue
from pydantic_core import to_jsonable_python
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from nvr.cli.main import app
from nvr.config import NvrConfig
from nvr.config.diff import made_once
from nvr.config.json_schema import site_schema
from nvr.config.known_settings import nested_model
from nvr.config.overrides import PREFIX
from nvr.config.overrides import sections as own_sections
from nvr.control.parameters import COMMANDS
from nvr.control.refusal import ERROR_MEANINGS
from nvr.events.command import Command as CommandMessage
from nvr.events.command import CommandAck, CommandError
from nvr.events.export import sent_messages
from nvr.events.instance_metrics import (
    CameraMetrics,
    DiskMetrics,
    InstanceMetrics,
    Latency,
    ModelMetrics,
    QueueMetrics,
)
from nvr.events.instance_status import CameraStatus, ChildState, InstanceStatus, ModelState
from nvr.events.message import Message

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
EXAMPLE = Path(__file__).parents[1] / "config" / "nvr.example.yaml"
BEGINS_ANEW = "Begins anew"
GENERATED = "<!-- Written by tools/generate_reference.py: change the code, then run it again. -->"

Command: TypeAlias = TyperCommand | TyperGroup
Parameter: TypeAlias = TyperOption | TyperArgument


def commands() -> Iterator[tuple[str, Command]]:
    """Yield every visible command with its name as typed, parents before children."""
    yield from _below("nvr", typer.main.get_command(app))


def parameters(command: Command) -> list[Parameter]:
    """Return what a command can be told, without what is hidden and what completes the shell."""
    known = [parameter for parameter in command.params if isinstance(parameter, TyperOption | TyperArgument)]
    return [parameter for parameter in known if not parameter.hidden and "completion" not in str(parameter.name)]


def spelling(parameter: Parameter) -> str:
    """Return how a parameter is typed: `--out`, `--tls / --no-tls`, `URIS…`."""
    if isinstance(parameter, TyperOption):
        on, off = ", ".join(parameter.opts), ", ".join(parameter.secondary_opts)
        return f"{on} / {off}" if off else on
    name = (parameter.metavar or str(parameter.name)).upper()
    return f"{name}…" if parameter.nargs == -1 else name


def cli_page() -> str:
    """Return the reference of all commands and options."""
    lines = [GENERATED, "", "# Commands", ""]
    lines += ["`nvr COMMAND --help` says the same in the terminal. Errors are one sentence; the exit status is"]
    lines += ["0 for success, 1 for a failure, 2 for a wrong option or setting, 130 after Ctrl-C.", ""]
    for name, command in commands():
        lines += [f"## `{name}`", "", *_paragraphs(command.help or ""), ""]
        rows = [_row(f"`{spelling(each)}`", _default(each), each.help or "") for each in parameters(command)]
        if rows:
            lines += ["| option | default | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


def configuration_page() -> str:
    """Return the reference of all settings."""
    lines = [GENERATED, "", "# Settings", ""]
    lines += ["What a configuration file (YAML) may hold. Every setting has a default, unknown ones are refused."]
    lines += ["[config/nvr.example.yaml](../../config/nvr.example.yaml) holds every setting with its default, the"]
    lines += ["[guide](../guide/configuration.md) explains the file, secrets and the environment.", ""]
    lines += [
        "A change of the file takes effect in a processor while its cameras run on, and concerns only those cameras"
    ]
    lines += [f"that it is about. At a change of what is marked *{BEGINS_ANEW}* the processor begins anew in the same"]
    lines += ["process, for which all its cameras are away for about two seconds.", ""]
    once = made_once()
    for section, model in sections().items():
        lines += [f"## `{section}`", "", *_about(section), ""]
        lines += ["| setting | value | default | meaning |", "|---|---|---|---|"]
        properties = model.model_json_schema()["properties"]
        for name, field in model.model_fields.items():
            value = "required" if field.is_required() else f"`{_yaml(to_jsonable_python(field.default))}`"
            mark = f" *{BEGINS_ANEW}.*" if f"{section}.{name}" in once else ""
            lines.append(_row(f"`{name}`", _kind(properties[name]), value, f"{field.description or ''}{mark}"))
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def example() -> str:
    """Return a file that holds every setting with its default."""
    lines = ["# Every setting with its default. Copy what you change; what is absent keeps its default.", ""]
    for section, field in NvrConfig.model_fields.items():
        lines.append(f"# {field.description}")
        if section not in own_sections():
            lines += [*(f"# {line}" for line in EXAMPLES[section].splitlines()), f"{section}: []", ""]
            continue
        lines.append(f"{section}:")
        for name, setting in type(field.default).model_fields.items():
            lines += [f"  # {setting.description}", f"  {name}: {_yaml(to_jsonable_python(setting.default))}"]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


EXAMPLES = {
    "cameras": """\
All settings of a camera are in docs/reference/configuration.md, what is drawn into its picture in docs/guide/zones.md.
  - name: gate
    uri: rtsp://viewer:${GATE_PASSWORD}@10.0.0.7/main
    detect_uri: rtsp://viewer:${GATE_PASSWORD}@10.0.0.7/sub
    record: continuous+events
    zones: [{name: yard, polygon: [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]}]
  - name: hall
    uri: !secret hall-uri.txt""",
    "tenants": """\
  - name: acme""",
}


def sections() -> dict[str, type[BaseModel]]:
    """Return the model of each section of a configuration file, outer before inner; of a list, that of one entry."""
    return dict(_sections_of(NvrConfig, ""))


def _sections_of(outer: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in outer.model_fields.items():
        if (nested := nested_model(field.annotation)) is not None:
            yield prefix + name, nested[1]
            yield from _sections_of(nested[1], f"{prefix}{name}.")


def _about(section: str) -> list[str]:
    outer, _, inner = section.rpartition(".")
    if outer:
        doc = (sections()[section].__doc__ or "").strip().splitlines()[0]
        return [f"One entry of `{inner}` in `{outer}`. {doc}"]
    about = NvrConfig.model_fields[inner].description or ""
    if inner not in own_sections():
        return [f"{about} A list; these are the settings of one entry."]
    return [about, f"In the environment: `{PREFIX}{inner.upper()}__` and the setting in capitals."]


CONTROL_MESSAGES: Mapping[type[BaseModel], tuple[type[BaseModel], ...]] = {
    CommandMessage: (),
    CommandAck: (CommandError,),
    InstanceStatus: (CameraStatus, ModelState, ChildState),
    InstanceMetrics: (CameraMetrics, ModelMetrics, QueueMetrics, DiskMetrics, Latency),
}
"""Messages of the control plane, each with what it is made of."""


def control_page() -> str:
    """Return the reference of commands and of the messages of the control plane."""
    lines = [GENERATED, "", "# Control", ""]
    lines += ["What instances can be asked, and what they say of themselves. The [guide](../guide/control.md) tells"]
    lines += ["how to use it, [Events](events.md#topics) on which topics; as files for other languages: JSON"]
    lines += ["Schemas of [Command](schemas/Command.json), [CommandAck](schemas/CommandAck.json),"]
    lines += ["[InstanceStatus](schemas/InstanceStatus.json) and [InstanceMetrics](schemas/InstanceMetrics.json).", ""]
    lines += ["## Commands", "", "| command | cameras | what it does |", "|---|---|---|"]
    sources = {"none": "no", "optional": "some or all", "required": "must be named"}
    lines += [_row(f"[`{name}`](#{name})", sources[spec.sources], spec.summary) for name, spec in COMMANDS.items()]
    lines += ["", "`cameras`: whether `source_ids` may name cameras.", ""]
    for name, spec in COMMANDS.items():
        lines += [f"### {name}", "", spec.summary, ""]
        if spec.parameters.model_fields:
            lines += [*_fields(spec.parameters, "parameter"), ""]
    lines += ["## Types of errors", "", "| type | meaning |", "|---|---|"]
    lines += [_row(f"`{name}`", meaning) for name, meaning in ERROR_MEANINGS.items()]
    examples: dict[type[BaseModel], Mapping[str, Message]] = {each.model: each.examples for each in sent_messages()}
    for model, parts in CONTROL_MESSAGES.items():
        lines += ["", f"## {model.__name__}", "", _first_line(model), "", *_fields(model, "field")]
        for part in parts:
            lines += ["", f"### {part.__name__}", "", _first_line(part), "", *_fields(part, "field")]
        for shows, message in examples[model].items():
            text = json.dumps(json.loads(message.to_json()), indent=2, ensure_ascii=False)
            lines += ["", f"Example, {shows}:", "", "```json", text, "```"]
    return "\n".join(lines).rstrip() + "\n"


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _fields(model: type[BaseModel], what: str) -> list[str]:
    lines = [f"| {what} | value | default | meaning |", "|---|---|---|---|"]
    properties = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else f"`{_yaml(to_jsonable_python(field.default))}`"
        lines.append(_row(f"`{name}`", _message_kind(properties[name]), default, field.description or ""))
    return lines


def _message_kind(schema: JsonValue) -> str:
    """Return what values a field of a message takes, from its JSON Schema; parts are links to their tables."""
    match schema:
        case {"$ref": str(reference)}:
            return _part(reference.rpartition("/")[2])
        case {"anyOf": [*choices]}:
            return " or ".join(_message_kind(choice) for choice in choices)
        case {"items": items}:
            return f"list of {_message_kind(items)}"
        case {"type": "object", "additionalProperties": values}:
            return "object" if values is True else f"object of {_message_kind(values)}"
        case {"type": _} | {"enum": _}:
            return _kind(schema)
    return "any JSON"


def _part(name: str) -> str:
    known = {"CameraConfig": "[camera](configuration.md#cameras)", "JsonValue": "any JSON"}
    return known.get(name, f"[{name}](#{name.lower()})")


def pages() -> dict[Path, str]:
    """Return the generated pages by their path."""
    return {
        REFERENCE / "control.md": control_page(),
        REFERENCE / "cli.md": cli_page(),
        REFERENCE / "configuration.md": configuration_page(),
        REFERENCE / "nvr.schema.json": json.dumps(site_schema(), indent=2, ensure_ascii=False) + "\n",
        EXAMPLE: example(),
    }


def outdated() -> list[Path]:
    """Return the pages that are missing or not what the code says."""
    return [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def _below(name: str, command: object) -> Iterator[tuple[str, Command]]:
    if not isinstance(command, TyperCommand | TyperGroup) or command.hidden:
        return
    yield name, command
    if isinstance(command, TyperGroup):
        for child_name, child in sorted(command.commands.items()):
            yield from _below(f"{name} {child_name}", child)


def _paragraphs(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\b", "").strip().splitlines()]


def _row(*cells: str) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    if parameter.default is None or callable(parameter.default):
        return "none"
    return f"`{_yaml(parameter.default)}`"


def _yaml(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return f"{{{', '.join(f'{key}: {_yaml(each)}' for key, each in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(_yaml(each) for each in value)}]"
        case _:
            return str(value)


_TYPE_WORDS = {"string": "text", "boolean": "true or false"}
_FORMAT_WORDS = {"date-time": "date and time", "path": "path", "file-path": "path", "password": "secret text"}


def _kind(schema: JsonValue) -> str:
    """Return what values a setting takes, from its JSON Schema."""
    match schema:
        case {"anyOf": [*choices]}:
            return " or ".join(_kind(choice) for choice in choices)
        case {"enum": [*allowed]}:
            return " or ".join(f"`{_yaml(each)}`" for each in allowed)
        case {"type": "array"}:
            return _list_kind(schema)
        case {"type": "object", "additionalProperties": values} if _is_section(values):
            return "section by number, see below"
        case {"type": str(name), **rest}:
            word = _FORMAT_WORDS.get(str(rest.get("format"))) or _TYPE_WORDS.get(name, name)
            return word + _bounds(rest)
        case _:
            return "see there"


def _list_kind(schema: JsonValue) -> str:
    match schema:
        case {"prefixItems": [*items]}:
            return f"[{', '.join(_kind(item) for item in items)}]"
        case {"items": items}:
            return "list of sections, see below" if _is_section(items) else f"list of {_kind(items)}"
        case _:
            return "list"


def _is_section(schema: JsonValue) -> bool:
    return isinstance(schema, dict) and "$ref" in schema


def _bounds(schema: Mapping[object, object]) -> str:
    words = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    bounds = [f"{sign} {schema[word]:g}" for word, sign in words.items() if isinstance(schema.get(word), int | float)]
    return f" {', '.join(bounds)}" if bounds else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a page is outdated")
    if parser.parse_args().check:
        for path in outdated():
            print(f"outdated: {path}")
        sys.exit(1 if outdated() else 0)
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
