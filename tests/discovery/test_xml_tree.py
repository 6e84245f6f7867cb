"""XML of strangers: what an honest answer says, and what any bytes end in."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import MessageError
from nvr.discovery.xml_tree import MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT, Element, parse_xml

BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]><a>&d;</a>"""
FILE_READER = b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><a>&f;</a>'


def test_names_are_found_whatever_the_prefix_or_the_namespace() -> None:
    document = b"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:x="urn:x">
      <s:Body><x:Profiles token="one"><x:Name> Main
      </x:Name></x:Profiles><Profiles xmlns="urn:y" token="two"/></s:Body></s:Envelope>"""
    root = parse_xml(document, "a camera")
    assert root.name == "Envelope"
    assert [profile.attributes["token"] for profile in root.all("Profiles")] == ["one", "two"]
    assert root.text_of("Body", "Profiles", "Name") == "Main"
    assert root.text_of("Body", "Absent", "Name") == ""
    assert root.find("Absent") is None


@pytest.mark.parametrize("document", [BOMB, FILE_READER])
def test_a_document_type_is_refused_before_an_entity_means_anything(document: bytes) -> None:
    with pytest.raises(MessageError, match="a camera sent XML with a document type"):
        parse_xml(document, "a camera")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "no XML"),
        (b"<a>", "no XML"),
        (b"HTTP/1.1 200 OK", "no XML"),
        (b"<html><br></html>", "no XML"),
        (b"<a>&unknown;</a>", "no XML"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "encoding"),
        (b"<a>" * (MAX_DEPTH + 1), "levels"),
        (b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>", "elements"),
    ],
)
def test_what_is_no_honest_answer_is_refused(document: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        parse_xml(document, "a camera")


def test_long_texts_are_cut() -> None:
    long = b"x" * (3 * MAX_TEXT)
    root = parse_xml(b'<a b="' + long + b'">' + long + b"<c/>" + long + b"</a>", "a camera")
    assert len(root.text) == MAX_TEXT
    assert len(root.attributes["b"]) == MAX_TEXT


@given(st.binary(max_size=200) | st.text(alphabet="<>/a!&;[]= '\"?", max_size=60).map(str.encode))
def test_any_bytes_are_a_tree_or_refused(document: bytes) -> None:
    with suppress(MessageError):
        assert isinstance(parse_xml(document, "a camera"), Element)
