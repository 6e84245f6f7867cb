"""Documentation that cannot rot: what the code has is explained, what is explained exists."""

import importlib.util
import re
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from nvr.core.names import RESERVED_WORDS
from nvr.events.export import sent_messages
from nvr.events.message import MAX_MESSAGE_BYTES, MessagePart
from nvr.events.protocol import TopicKind
from nvr.events.recording_event import SegmentEvent
from nvr.events.schema import BoundingBox, Detection, DetectionEvent, SourceEvent
from nvr.events.track_event import BestLook, LineCrossing, PathPoint, TrackEvent, ZoneVisit

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
HEADING = re.compile(r"^#+ +(?P<title>.+)$", re.MULTILINE)


def load_tool(name: str) -> ModuleType:
    """Return a script of tools/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate_reference = load_tool("generate_reference")


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    if listed.returncode == 0:
        return sorted(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())
    # An unpacked archive is no repository.
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def links(page: Path) -> list[tuple[Path, str]]:
    """Return path and anchor of every link of a page into this repository."""
    found = []
    for link in LINK.finditer(CODE.sub("", text_of(page))):
        target, _, anchor = link["target"].partition("#")
        if "://" not in target and not target.startswith("mailto:"):
            found.append(((page.parent / target).resolve() if target else page, anchor))
    return found


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = [heading["title"] for heading in HEADING.finditer(text_of(page))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_generated_pages_are_current() -> None:
    assert generate_reference.outdated() == [], "run tools/generate_reference.py"


def test_every_command_and_option_is_explained() -> None:
    page = text_of(DOCS / "reference" / "cli.md")
    for name, command in generate_reference.commands():
        assert f"## `{name}`" in page
        assert command.help, f"{name} has no help"
        for parameter in generate_reference.parameters(command):
            spelling = generate_reference.spelling(parameter)
            assert f"`{spelling}`" in page
            assert parameter.help, f"{name} {spelling} has no help"


def test_every_setting_is_explained() -> None:
    page = text_of(DOCS / "reference" / "configuration.md")
    sections = generate_reference.sections()
    assert set(sections) >= {"broker", "cameras", "cameras.zones", "storage.cameras", "wall"}
    for section, model in sections.items():
        assert f"## `{section}`" in page
        for name, field in model.model_fields.items():
            assert f"| `{name}` |" in page
            assert field.description, f"{section}.{name} has no description"


MESSAGE_PARTS = [
    DetectionEvent,
    Detection,
    BoundingBox,
    TrackEvent,
    BestLook,
    PathPoint,
    ZoneVisit,
    LineCrossing,
    SegmentEvent,
]


def test_settings_for_which_a_processor_begins_anew_are_marked_and_no_others() -> None:
    page = generate_reference.configuration_page()
    marked = [line.split("`")[1] for line in page.splitlines() if line.endswith("*Begins anew.* |")]
    assert {"host", "root", "pre_roll_s", "multiplex", "jsonl_path", "read_timeout_s"} <= set(marked)
    assert not {"model_id", "max_fps", "rtsp_transport", "mode", "level", "uri", "instance_prefix"} & set(marked)


@pytest.mark.parametrize("model", MESSAGE_PARTS, ids=lambda model: model.__name__)
def test_every_field_of_an_event_is_explained_in_its_own_table(model: type[MessagePart]) -> None:
    page = text_of(DOCS / "reference" / "events.md")
    (section,) = re.findall(rf"^##+ {model.__name__}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (yes|no)", section, re.MULTILINE)
    assert dict(rows) == {name: "yes" if field.is_required() else "no" for name, field in model.model_fields.items()}
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name} has no description"


def test_every_topic_is_explained_with_its_qos_and_whether_it_is_sent() -> None:
    page = text_of(DOCS / "reference" / "events.md")
    rows = re.findall(r"^\| `\{root\}/([^`]+)` \|[^|]*\| (\d) \| (yes|no) \| (yes|reserved) \|$", page, re.MULTILINE)
    sent = {message.kind for message in sent_messages()}
    sent |= {kind for kind in TopicKind if kind.is_for_home_assistant}  # whose payload is no message of ours
    assert {topic: tuple(rest) for topic, *rest in rows} == {
        kind.template: (str(kind.qos), "yes" if kind.is_retained else "no", "yes" if kind in sent else "reserved")
        for kind in TopicKind
    }
    assert all(f"`{word}`" in page for word in RESERVED_WORDS)
    assert f"{MAX_MESSAGE_BYTES // 2**20} MiB" in page


def test_the_examples_of_events_are_valid() -> None:
    page = text_of(DOCS / "reference" / "events.md")
    for message in sent_messages():
        if not issubclass(message.model, SourceEvent):
            continue  # the page of the control plane is generated
        (section,) = re.findall(rf"^## {message.name}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        examples = re.findall(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        assert examples
        for example in examples:
            assert message.model.from_json(example).source_id == 3


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), f"{page.relative_to(ROOT)} links to {target}"
        assert target.is_relative_to(ROOT), f"{page.relative_to(ROOT)} links out of the repository to {target}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page.relative_to(ROOT)} links to #{anchor} of {target}"


def test_every_page_is_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [target for target, _ in links(page) if target.is_file()]
    orphans = {path for path in DOCS.rglob("*.md") if path not in reached}
    assert orphans == set()


def test_no_page_names_a_place_of_the_machine_it_was_written_on() -> None:
    for page in pages():
        assert not re.search(r"/(work|root|home/\w+)/|\.\./shared", text_of(page)), page


def test_the_glossary_is_in_order_and_says_each_word_once() -> None:
    words = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", text_of(DOCS / "glossary.md"), re.MULTILINE)
    entries = [word for word in words if word not in {"word", "---"}]
    assert entries == sorted(set(entries), key=str.lower)
    assert len(entries) > 40
