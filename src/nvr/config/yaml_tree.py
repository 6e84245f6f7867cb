"""YAML as a tree that remembers where each setting stands.

Composed here from PyYAML's events, as its own composer recurses without limit, takes a key that is given twice, and
forgets lines and columns. Plain scalars are read as YAML 1.2 says (`off`, `1:30` and dates are text); what needs
another type is converted by the models.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

import yaml

from nvr.config.placeholders import hide_signs, show_signs
from nvr.config.problems import Problem, SettingPath, SettingsError

MAX_DEPTH = 32
MAX_VALUES = 300_000
"""Of a file once its aliases are unfolded."""

ReadText: TypeAlias = Callable[[str], tuple[str, tuple[str, ...]]]
"""Takes a text of the file; returns what it stands for, and the secrets in that. Raises ValueError."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former where PyYAML was built with libyaml

_SECRET_TAG = "!secret"  # noqa: S105  # a tag of YAML
_YAML_TAG = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset({"!", *(_YAML_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))})
_TEXT_TAGS = frozenset({"!", _YAML_TAG + "str"})

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,4})?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_QUOTATION = re.compile(r"'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"")


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value: None, bool, int, float or str."""

    place: str
    value: object
    secrets: tuple[str, ...] = ()
    """Pieces of it that must not be shown."""


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    place: str
    items: "list[Node]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Settings by name, in the order of the file."""

    place: str
    nodes: "dict[str | int, Node]" = field(default_factory=dict)
    key_places: dict[str | int, str] = field(default_factory=dict)


Node: TypeAlias = ScalarNode | ListNode | MappingNode


def compose(text: str, origin: str, *, read_text: ReadText, read_secret: ReadText) -> Node | None:
    """Return the tree of one YAML document; None for an empty one.

    Args:
        text: The document.
        origin: What places begin with, such as the path of the file.
        read_text: Called with each text that is a value.
        read_secret: Called with what follows `!secret`.

    Raises:
        SettingsError: It is no YAML, names a key twice, or a text stands for nothing; holds all of the latter.
    """
    hidden = hide_signs(text)
    composer = _Composer(origin, read_text, read_secret, show_signs if hidden != text else str)
    try:
        node = composer.document(yaml.parse(hidden, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        problem = _QUOTATION.sub(_unquoted, " ".join(str(error.problem or error.context).split()))
        if _sign_at(hidden, error.problem_mark) == "\t":
            problem = "a tab stands where only spaces may"
        raise SettingsError([Problem((), f"is not YAML: {problem}", _place(origin, error.problem_mark))]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError([Problem((), f"is not YAML: {' '.join(str(error).split())}", origin)]) from None
    if composer.problems:
        raise SettingsError(composer.problems)
    return node


class _Composer:
    def __init__(
        self, origin: str, read_text: ReadText, read_secret: ReadText, as_written: Callable[[str], str]
    ) -> None:
        self.problems: list[Problem] = []
        self._origin = origin
        self._read_text = read_text
        self._read_secret = read_secret
        self._as_written = as_written
        self._anchors: dict[str, Node] = {}

    def place(self, event: yaml.Event) -> str:
        return _place(self._origin, event.start_mark)

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        root: Node | None = None
        n_documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                n_documents += 1
                if n_documents > 1:
                    self._fail("holds more than one document: leave out the line ---", event)
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, ())
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: SettingPath) -> Node:
        if len(path) > MAX_DEPTH:
            self._fail(f"is nested more than {MAX_DEPTH} levels deep", event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                self._fail("is not YAML: an alias (*…) without its anchor; quote a text that begins with *", event)
            return self._anchors[event.anchor]
        node: Node
        match event:
            case yaml.ScalarEvent():
                node = self._scalar(event, path)
            case yaml.SequenceStartEvent():
                self._check_tag(event)
                node = self._list(event, events, path)
            case yaml.MappingStartEvent():
                self._check_tag(event)
                node = self._mapping(event, events, path)
            case _:
                self._fail("is not YAML: it ends too early", event)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _list(self, start: yaml.Event, events: Iterator[yaml.Event], path: SettingPath) -> ListNode:
        node = ListNode(self.place(start))
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            node.items.append(self._node(event, events, (*path, len(node.items))))
        return node

    def _mapping(self, start: yaml.Event, events: Iterator[yaml.Event], path: SettingPath) -> MappingNode:
        node = MappingNode(self.place(start))
        merged: list[Node] = []
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key, is_merge = self._key(event)
            value = self._node(next(events), events, (*path, key))
            if is_merge:
                merged.append(value)
                continue
            place = self.place(event)
            if key in node.nodes:
                message = f"is given twice, first at {node.key_places[key]}"
                self.problems.append(Problem((*path, key), message, place))
            node.nodes[key], node.key_places[key] = value, place
        for value in merged:
            self._merge(node, value, path)
        return node

    def _key(self, event: yaml.Event) -> tuple[str | int, bool]:
        if not isinstance(event, yaml.ScalarEvent):
            self._fail("is not YAML: the name of a setting is a list, a section or an alias", event)
        name = self._as_written(event.value)
        if not event.implicit[0]:
            return name, False
        key = _plain(name)
        if isinstance(key, int) and not isinstance(key, bool):
            return key, False
        return name, name == "<<"

    def _merge(self, node: MappingNode, merged: Node, path: SettingPath) -> None:
        for each in merged.items if isinstance(merged, ListNode) else [merged]:
            if not isinstance(each, MappingNode):
                self.problems.append(Problem((*path, "<<"), "names no section to merge", each.place))
                continue
            for key, value in each.nodes.items():
                if key not in node.nodes:
                    node.nodes[key], node.key_places[key] = value, each.key_places[key]

    def _scalar(self, event: yaml.ScalarEvent, path: SettingPath) -> ScalarNode:
        place, text = self.place(event), self._as_written(event.value)
        if event.tag == _SECRET_TAG:
            return self._text(self._read_secret, text, path, place)
        self._check_tag(event)
        value = _plain(text) if event.implicit[0] and event.tag not in _TEXT_TAGS else text
        return self._text(self._read_text, value, path, place) if isinstance(value, str) else ScalarNode(place, value)

    def _text(self, read: ReadText, text: str, path: SettingPath, place: str) -> ScalarNode:
        try:
            value, secrets = read(text)
        except ValueError as error:
            self.problems.append(Problem(path, str(error), place))
            return ScalarNode(place, "")
        return ScalarNode(place, value, secrets)

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None and event.tag not in _KNOWN_TAGS:
            self._fail("is not YAML: an unknown tag (!…), only !secret is; quote a text that begins with !", event)

    def _fail(self, message: str, event: yaml.Event) -> NoReturn:
        raise SettingsError([Problem((), message, self.place(event)), *self.problems])


def _unquoted(quotation: re.Match[str]) -> str:
    # longer pieces of the file may be those of a password; `<block end>` is a word of the parser
    quoted = quotation["single"] or quotation["double"] or ""
    return quotation[0] if len(quoted) < 2 or quoted.startswith("<") else "…"


def _sign_at(text: str, mark: object) -> str:
    line, column = getattr(mark, "line", 0), getattr(mark, "column", 0)
    return "".join(text.splitlines()[line : line + 1])[column : column + 1]


def _place(origin: str, mark: object) -> str:
    # both of PyYAML's sorts of marks count from 0
    line, column = getattr(mark, "line", None), getattr(mark, "column", None)
    return f"{origin}:{line + 1}:{column + 1}" if isinstance(line, int) and isinstance(column, int) else origin


def _plain(text: str) -> object:
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if _INT.fullmatch(text):
        return int(text, 0 if text[:2] in {"0o", "0x"} else 10)
    if _NO_NUMBER.fullmatch(text):
        return float(text.replace(".", "", 1))
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def content_of(root: Node | None, origin: str) -> object:
    """Return a tree as dicts, lists and values.

    Raises:
        SettingsError: A few lines with aliases unfold to more than can be meant.
    """
    left = MAX_VALUES

    def unfold(node: Node, depth: int) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise SettingsError([Problem((), f"unfolds to more than {MAX_VALUES} values", origin)])
        if depth > MAX_DEPTH:
            raise SettingsError([Problem((), f"is nested more than {MAX_DEPTH} levels deep", node.place)])
        match node:
            case ScalarNode():
                return node.value
            case ListNode():
                return [unfold(item, depth + 1) for item in node.items]
            case MappingNode():
                return {key: unfold(value, depth + 1) for key, value in node.nodes.items()}

    return None if root is None else unfold(root, 0)


def steps(root: Node | None, path: SettingPath) -> list[Node]:
    """Return the nodes along a path, the root first, as far as they are there."""
    nodes: list[Node] = [] if root is None else [root]
    for step in path:
        node = nodes[-1] if nodes else None
        if isinstance(node, MappingNode) and step in node.nodes:
            nodes.append(node.nodes[step])
        elif isinstance(node, ListNode) and isinstance(step, int) and 0 <= step < len(node.items):
            nodes.append(node.items[step])
        else:
            break
    return nodes


def key_place(root: Node | None, path: SettingPath) -> str | None:
    """Return where the name of a setting stands; None where it was not written down."""
    nodes = steps(root, path[:-1])
    if len(nodes) != len(path) or not path:
        return None
    node = nodes[-1]
    return node.key_places.get(path[-1]) if isinstance(node, MappingNode) else None


def secret_texts(node: Node | None) -> Iterator[str]:
    """Yield every secret of a tree, each node once however often it is referred to."""
    waiting, seen = [] if node is None else [node], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        match each:
            case ScalarNode():
                yield from each.secrets
            case ListNode():
                waiting += each.items
            case MappingNode():
                waiting += each.nodes.values()
