import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker  # type: ignore[import-untyped] # has none
from pydantic import JsonValue

from nvr.core.errors import ConfigurationError, MessageError
from nvr.events.export import (
    JsonObject,
    SentMessage,
    asyncapi_document,
    exported_files,
    json_schemas,
    outdated_files,
    sent_messages,
    write_export,
)
from nvr.events.protocol import TopicKind, parse_topic
from nvr.events.schema import DetectionEvent

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
GOLDEN = Path(__file__).parent / "golden"


def references(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield str(value["$ref"])
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(document: JsonValue, reference: str) -> JsonValue:
    root, *path = reference.split("/")
    assert root == "#", reference
    for part in path:
        assert isinstance(document, dict), reference
        document = document[part]
    return document


def at(document: JsonValue, *path: str) -> JsonObject:
    value = resolve(document, "/".join(("#", *path)))
    assert isinstance(value, dict)
    return value


def test_the_committed_documents_are_current() -> None:
    assert outdated_files(REFERENCE) == [], "run `nvr schema export`"
    committed = {path.relative_to(REFERENCE).as_posix() for path in (REFERENCE / "schemas").iterdir()}
    assert committed == {str(name) for name in exported_files() if name.parent.name == "schemas"}


def test_every_reference_resolves() -> None:
    documents = [asyncapi_document(), *json_schemas().values()]
    found = [(document, reference) for document in documents for reference in references(document)]
    assert found
    for document, reference in found:
        assert resolve(document, reference) is not None


def test_the_document_reads_back_from_yaml() -> None:
    (text,) = [text for name, text in exported_files().items() if name.name == "asyncapi.yaml"]
    assert yaml.safe_load(text) == asyncapi_document()


def test_the_document_names_the_topics_of_sent_messages_and_no_others() -> None:
    document = asyncapi_document()
    addresses = [str(at(document, "channels", name)["address"]) for name in at(document, "channels")]
    values = {"source_id": "3", "rule_id": "r", "instance_id": "i", "tenant": "acme"}
    parsed = [parse_topic(address.format_map(values)) for address in addresses]
    found = {(topic.tenant, topic.kind) for topic in parsed if topic is not None}
    assert found == {(tenant, message.kind) for tenant in (None, "acme") for message in sent_messages()}
    assert len(addresses) == len(found)


def test_each_channel_describes_the_parameters_of_its_address() -> None:
    document = asyncapi_document()
    for name in at(document, "channels"):
        channel = at(document, "channels", name)
        address, parameters = str(channel["address"]), at(document, "channels", name, "parameters")
        assert address.format_map(dict.fromkeys(parameters, "")).count("{") == 0
        assert all(f"{{{parameter}}}" in address for parameter in parameters)


def test_each_operation_says_how_it_is_sent() -> None:
    document = asyncapi_document()
    assert len(at(document, "operations")) == len(at(document, "channels"))
    for name in at(document, "operations"):
        kind = TopicKind[name.rpartition("_")[2].upper()]
        binding = at(document, "operations", name, "bindings", "mqtt")
        assert (binding["qos"], binding["retain"]) == (kind.qos, kind.is_retained)


def test_schemas_accept_the_golden_events() -> None:
    validator = Draft202012Validator(json_schemas()["DetectionEvent"], format_checker=FormatChecker())
    Draft202012Validator.check_schema(validator.schema)
    paths = sorted(GOLDEN.glob("detection_event_*.json"))
    assert len(paths) >= 5
    for path in paths:
        assert list(validator.iter_errors(json.loads(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("message", sent_messages(), ids=lambda message: message.name)
def test_the_payload_schema_of_the_document_accepts_its_examples(message: SentMessage) -> None:
    document = asyncapi_document()
    schema: JsonObject = {"$ref": f"#/components/schemas/{message.name}", "components": document["components"]}
    validator = Draft7Validator(schema)
    examples = at(document, "components", "messages", message.name)["examples"]
    assert isinstance(examples, list)
    for example in examples:
        assert isinstance(example, dict)
        assert list(validator.iter_errors(example["payload"])) == []
        assert message.model.from_json(json.dumps(example["payload"])) == message.examples[str(example["name"])]
    assert list(validator.iter_errors({"source_id": 1}))


# What JSON Schema cannot say: a version of the future, an instant that only a calendar refuses, no number.
ONLY_THE_READER_REFUSES = {
    "newer_major",
    "timestamp_before_all_time",
    "timestamp_nonsense",
    "confidence_nan",
    "centre_infinite",
}


def test_schemas_refuse_what_the_reader_refuses() -> None:
    validator = Draft202012Validator(json_schemas()["DetectionEvent"])
    accepted = set()
    for path in sorted((GOLDEN / "refused").glob("*.json")):
        message = json.loads(path.read_text(encoding="utf-8"))["message"]
        with pytest.raises(MessageError):
            DetectionEvent.from_json(json.dumps(message))
        if validator.is_valid(message):
            accepted.add(path.stem)
    assert accepted == ONLY_THE_READER_REFUSES


def test_an_export_into_an_empty_folder_is_current(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert set(outdated_files(folder)) == {folder / name for name in exported_files()}
    assert set(write_export(folder)) == {folder / name for name in exported_files()}
    assert outdated_files(folder) == []


def test_a_changed_or_unreadable_file_is_outdated(tmp_path: Path) -> None:
    first, second, *_ = write_export(tmp_path)
    first.write_bytes(b"\xff")
    assert outdated_files(tmp_path) == [first]
    second.unlink()
    second.mkdir()
    assert outdated_files(tmp_path) == [first, second]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot write .*file"):
        write_export(tmp_path / "file")
