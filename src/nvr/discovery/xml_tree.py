"""Read XML of strangers: small, shallow, and without a document type, which is where entities would come from."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from nvr.core.errors import MessageError

MAX_DEPTH = 40
MAX_ELEMENTS = 20_000
"""A recorder with 64 channels describes its profiles in 15,000."""
MAX_TEXT = 10_000
"""Characters of one element that are kept."""

_SEPARATOR = " "


@dataclass(slots=True)
class Element:
    """An element by its local name: makers disagree about prefixes, and now and then about namespaces."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[Element]" = field(default_factory=list)
    text: str = ""
    """What stands directly in it, without spaces around."""

    def all(self, name: str) -> Iterator["Element"]:
        """Yield all elements of this name below this one, in the order of the document."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.all(name)

    def find(self, *path: str) -> "Element | None":
        """Return the first element that is reached by these names, each anywhere below the one before."""
        found: Element | None = self
        for name in path:
            found = None if found is None else next(found.all(name), None)
        return found

    def text_of(self, *path: str) -> str:
        """Return the text of the first element of `find`; empty where there is none."""
        found = self.find(*path)
        return "" if found is None else found.text


def parse_xml(document: bytes, origin: str) -> Element:
    """Read a document.

    Args:
        document: Of a size that the caller has limited.
        origin: Who sent it, for the error.

    Raises:
        MessageError: It is not XML, has a document type, or is deeper or larger than any honest answer.
    """
    builder = _Builder(origin)
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.refuse_document_type
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.add_text
    try:
        parser.Parse(document, True)  # noqa: FBT003 - takes no names
    except expat.ExpatError as error:
        raise MessageError(f"{origin} sent no XML: {expat.ErrorString(error.code)}") from error
    except (ValueError, LookupError) as error:
        raise MessageError(f"{origin} sent XML in an encoding that is not known here") from error
    return builder.root


class _Builder:
    def __init__(self, origin: str) -> None:
        self.root = Element("")
        self._origin = origin
        self._open: list[Element] = []
        self._n_elements = 0

    def refuse_document_type(self, *_: object) -> None:
        raise MessageError(f"{self._origin} sent XML with a document type, which no honest answer has")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._n_elements += 1
        if self._n_elements > MAX_ELEMENTS:
            raise MessageError(f"{self._origin} sent more than {MAX_ELEMENTS} elements of XML")
        if len(self._open) == MAX_DEPTH:
            raise MessageError(f"{self._origin} sent XML of more than {MAX_DEPTH} levels")
        element = Element(_local(name), {_local(key): value[:MAX_TEXT] for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        element = self._open.pop()
        element.text = element.text.strip()

    def add_text(self, text: str) -> None:
        element = self._open[-1]
        if len(element.text) < MAX_TEXT:
            element.text += text[: MAX_TEXT - len(element.text)]


def _local(name: str) -> str:
    return name.rpartition(_SEPARATOR)[2]
