"""The protocol for those who do not read Python: JSON Schemas and an AsyncAPI 3 document, from the models.

Only messages that this version sends or takes are exported; a topic that is merely reserved is not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

import yaml
from pydantic import JsonValue
from pydantic.json_schema import models_json_schema

from nvr.core.errors import ConfigurationError
from nvr.events.control_examples import (
    example_command,
    example_completed,
    example_error,
    example_metrics,
    example_offline,
    example_received,
    example_status,
    example_supervisor_status,
)
from nvr.events.examples import (
    example_detection_event,
    example_segment_event,
    example_snapshot_event,
    example_track_end,
    example_track_start,
)
from nvr.events.message import SCHEMA_VERSION, Message
from nvr.events.protocol import ROOT, TopicKind

JsonObject: TypeAlias = dict[str, JsonValue]

ASYNCAPI_VERSION = "3.0.0"
MQTT_BINDING_VERSION = "0.2.0"
JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_PARAMETERS = {
    "tenant": ("Name of the tenant; the default tenant has no such level.", "acme"),
    "source_id": ("Number of the camera.", "3"),
    "rule_id": ("Name of the rule.", "after-hours"),
    "instance_id": ("Name of the instance.", "gate-house"),
}


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that this version sends or takes, with where and examples."""

    kind: TopicKind
    summary: str
    examples: Mapping[str, Message]
    """By what each shows; all of one model."""
    action: Literal["send", "receive"] = "send"
    """What an instance does with it."""

    @property
    def model(self) -> type[Message]:
        """What the message is read with."""
        return type(next(iter(self.examples.values())))

    @property
    def name(self) -> str:
        """Name of the message: that of its model."""
        return self.model.__name__


def sent_messages() -> tuple[SentMessage, ...]:
    """Return every kind of message that this version sends or takes."""
    return (
        SentMessage(
            TopicKind.DETECTIONS,
            "What a model saw in one analysed frame of one camera; sent also when it saw nothing.",
            {"every field set": example_detection_event()},
        ),
        SentMessage(
            TopicKind.TRACKS,
            "One object that is followed from frame to frame: it appeared, goes on, or is gone.",
            {"a start": example_track_start(), "an end": example_track_end()},
        ),
        SentMessage(
            TopicKind.RECORDINGS,
            "A finished segment or a snapshot of one camera; the file is safely on the disk.",
            {"a segment whose kind has risen": example_segment_event(), "a snapshot": example_snapshot_event()},
        ),
        SentMessage(
            TopicKind.STATUS,
            "How an instance and its cameras do; the broker says `offline` for one that has vanished.",
            {
                "a processor": example_status(),
                "a supervisor": example_supervisor_status(),
                "the last will": example_offline(),
            },
        ),
        SentMessage(TopicKind.METRICS, "Counters of an instance since its start.", {"one camera": example_metrics()}),
        SentMessage(
            TopicKind.COMMANDS,
            "What is asked of one, some or all instances.",
            {"every field set": example_command()},
            action="receive",
        ),
        SentMessage(
            TopicKind.ACK,
            "An instance's answer to a command: `received` at once, then `completed` or `error`.",
            {"the first": example_received(), "done": example_completed(), "not done": example_error()},
        ),
    )


def json_schemas() -> dict[str, JsonObject]:
    """Return a self-contained JSON Schema (2020-12) for each message, by the message's name."""
    return {
        message.name: {
            "$schema": JSON_SCHEMA_DIALECT,
            "$id": f"urn:nvr-multiplexer:{message.name}:{SCHEMA_VERSION}",
            **message.model.model_json_schema(mode="validation"),
        }
        for message in sent_messages()
    }


def asyncapi_document() -> JsonObject:
    """Return the AsyncAPI document: each channel for the default and for a named tenant, one operation each."""
    channels: JsonObject = {}
    operations: JsonObject = {}
    messages: JsonObject = {}
    for message in sent_messages():
        messages[message.name] = _message(message)
        for prefix, root, whose in (("", ROOT, "the default tenant"), ("tenant_", f"{ROOT}/{{tenant}}", "a tenant")):
            channel_id = prefix + message.kind.name.lower()
            channels[channel_id] = _channel(message, root, whose)
            verb = "publish" if message.action == "send" else "take"
            operations[f"{verb}_{channel_id}"] = _operation(message, channel_id)
    schemas: JsonObject = models_json_schema(
        [(message.model, "validation") for message in sent_messages()],
        ref_template="#/components/schemas/{model}",
    )[1]["$defs"]
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "NVR multiplexer events",
            "version": SCHEMA_VERSION,
            "description": (
                "What the instances of the NVR multiplexer publish and take over MQTT. A reader accepts fields that it "
                "does not know and refuses a higher major `schema_version`."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "localhost:1883",
                "protocol": "mqtt",
                "protocolVersion": "3.1.1",
                "description": "Any MQTT 3.1.1 broker; this one stands for yours.",
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def exported_files() -> dict[PurePosixPath, str]:
    """Return the text of every exported file by its path below the export's folder."""
    document = yaml.safe_dump(asyncapi_document(), sort_keys=False, allow_unicode=True, width=100)
    files = {PurePosixPath("asyncapi.yaml"): document}
    for name, schema in json_schemas().items():
        files[PurePosixPath("schemas", f"{name}.json")] = json.dumps(schema, indent=2) + "\n"
    return files


def write_export(folder: Path) -> list[Path]:
    """Write the exported files and return their paths.

    Raises:
        ConfigurationError: The folder cannot be written.
    """
    paths = []
    for name, text in exported_files().items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
        paths.append(path)
    return paths


def outdated_files(folder: Path) -> list[Path]:
    """Return the exported files that are missing, unreadable or different in a folder."""
    return [folder / name for name, text in exported_files().items() if _read(folder / name) != text]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return None


def _message(message: SentMessage) -> JsonObject:
    return {
        "name": message.name,
        "title": message.name,
        "summary": message.summary,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{message.name}"},
        "examples": [
            {"name": name, "payload": json.loads(example.to_json())} for name, example in message.examples.items()
        ],
    }


def _channel(message: SentMessage, root: str, whose: str) -> JsonObject:
    address = f"{root}/{message.kind.template}"
    return {
        "address": address,
        "title": f"{message.kind.name.capitalize()} of {whose}",
        "messages": {message.name: {"$ref": f"#/components/messages/{message.name}"}},
        "parameters": {
            name: {"description": description, "examples": [example]}
            for name, (description, example) in _PARAMETERS.items()
            if f"{{{name}}}" in address
        },
    }


def _operation(message: SentMessage, channel_id: str) -> JsonObject:
    return {
        "action": message.action,
        "channel": {"$ref": f"#/channels/{channel_id}"},
        "summary": message.summary,
        "messages": [{"$ref": f"#/channels/{channel_id}/messages/{message.name}"}],
        "bindings": {
            "mqtt": {
                "qos": message.kind.qos,
                "retain": message.kind.is_retained,
                "bindingVersion": MQTT_BINDING_VERSION,
            }
        },
    }
