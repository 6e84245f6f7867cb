"""Whatever stands in a file, the answer is a configuration or one sentence, soon and without a trace."""

from collections.abc import Callable

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nvr.config.file import parse_config
from nvr.config.site import NvrConfig
from nvr.config.yaml_tree import compose, content_of
from nvr.core.errors import ConfigurationError


def content(text: str) -> object:
    return content_of(compose(text, "x", read_text=lambda text: (text, ()), read_secret=lambda text: (text, ())), "x")


def refusal_of(source: object) -> str:
    """Return why a configuration is refused; nothing where it is taken."""
    try:
        parse_config(source, "nvr.yaml")
    except ConfigurationError as error:
        return str(error)
    return ""


def answer(source: object) -> None:
    said = refusal_of(source)
    assert "\n" not in said
    assert len(said) < 2000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-0x1f", "-0x1f"),
        ("0x1f", 31),
        ("0o17", 15),
        ("007", 7),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("off", "off"),
        ("True", True),
        ("~", None),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("9" * 41, "9" * 41),
        ("{3: a, '3': b}", {3: "a", "3": "b"}),
        ("{true: a, ~: b}", {"true": "a", "~": "b"}),
        ("{<<: {a: 1, b: 2}, b: 3}", {"b": 3, "a": 1}),
        ("{'<<': 1}", {"<<": 1}),
        ("[a, [b]]", ["a", ["b"]]),
    ],
)
def test_values_are_read_as_yaml_1_2(text: str, value: object) -> None:
    assert content(text) == value
    assert type(content(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: ${X}}", {"a": "${X}"}),
        ("{a: ${X}, b: [${Y}, x${Z}y]}", {"a": "${X}", "b": ["${Y}", "x${Z}y"]}),
        ("{a: ${X:-1, 2: [3] #4}}", {"a": "${X:-1, 2: [3] #4}"}),
        ("a: ${X:-b: c #d}", {"a": "${X:-b: c #d}"}),
        ("{a: $${X}}", {"a": "$${X}"}),
        ("{${X}: 1}", {"${X}": 1}),
        ("{a: !secret ${X}.txt}", {"a": "${X}.txt"}),
        ("""{a: '${X:-it''s}', b: "${X:-\\"}"}""", {"a": "${X:-it's}", "b": '${X:-"}'}),
        ("a: |\n  ${X}\n", {"a": "${X}\n"}),
        ("a: ${X # {b: 1}", {"a": "${X"}),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
        ("a: \ue000${X}", {"a": "\ue000${X}"}),
    ],
)
def test_a_placeholder_needs_no_quotes(text: str, value: object) -> None:
    assert content(text) == value


def test_reads_what_pyyaml_reads_of_an_ordinary_file() -> None:
    text = "a: &x [1, two, {three: 3.5}]\nb: *x\nc: |\n  text\n  of lines\nd:\n- - e\n- f: null\n"
    assert content(text) == yaml.safe_load(text)


structures: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(structures)
def test_reads_whatever_pyyaml_has_written_without_a_trace(structure: object) -> None:
    answer(yaml.safe_dump(structure))


section_names = st.sampled_from([*NvrConfig.model_fields, "camera", "processor", "recording"])
setting_names = st.sampled_from(
    ["uri", "name", "zones", "polygon", "max_fps", "cameras", "host", "password", "root", "mode", "count", "key", "3"]
)
settings_of_any_kind = st.recursive(
    structures,
    lambda inner: st.dictionaries(setting_names, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(section_names, settings_of_any_kind, max_size=4))
def test_settings_of_any_kind_are_a_configuration_or_one_sentence(structure: object) -> None:
    answer(yaml.safe_dump(structure))
    answer(structure)


SIGNS = st.sampled_from(
    [*"&*!|>%@`'\"{}[]:,-?#<~$\n \t\\=a1.0", "<<", "!secret ", "${A}", "${A:-", "---", "...", "cameras:"]
)


@settings(max_examples=200)
@given(st.lists(SIGNS, max_size=40).map("".join))
def test_signs_of_yaml_in_any_order_leave_no_trace(text: str) -> None:
    answer(text)


@given(st.text(max_size=100) | st.text(st.characters(categories=["Cs", "Cc", "Cn"]), max_size=5))
def test_any_text_leaves_no_trace(text: str) -> None:
    answer(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "[" * n,
        lambda n: "{a: " * n,
        lambda n: "- " * n + "a",
        lambda n: "".join(" " * i + "a:\n" for i in range(min(n, 1400))),
        lambda n: "a: &a\n" + "- *a\n" * (n // 5),
        lambda n: "[" + "a," * (n // 2) + "]",
        lambda n: "a: " + "x" * n,
        lambda n: "a: " + "${" * (n // 2),
        lambda n: "a: " + "${a:-" * (n // 5),
        lambda n: "cameras: [" + "{uri: 'u'}," * (n // 11) + "]",
        lambda n: "wall: {" + "".join(f"k{i}: 1, " for i in range(n // 10)) + "}",
        lambda n: "cameras:\n" + "- {uri: u, zones: [{name: a, polygon: [[0,0],[1,0],[1,1]]}]}\n" * (n // 60),
        lambda n: "x: !secret " + "x" * n,
        lambda n: "a: *" + "b" * n,
        lambda n: "&" * n,
    ],
)
def test_much_of_anything_is_answered(make: Callable[[int], str]) -> None:
    answer(make(300_000))
