import pytest

from nvr.assets.catalogue import DEFAULT_MODEL, load_catalogue, parse_catalogue
from nvr.core.errors import ModelError

ENTRY = """
[class_lists]
two = ["a", "b"]
[[entry]]
name = "m"
kind = "model"
task = "detect"
description = "d"
path = "models/m.onnx"
url = "https://example.org/m.onnx"
size_bytes = 3
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
licence = "MIT"
[entry.spec]
head = "yolox"
input_width_px = 416
input_height_px = 416
class_names = "two"
"""


def test_the_package_has_a_default_model_and_two_videos() -> None:
    catalogue = load_catalogue()
    default = catalogue.find(DEFAULT_MODEL, "model")
    assert default.spec is not None
    assert (default.spec.head, default.spec.input_width_px, len(default.spec.class_names)) == ("yolox", 416, 80)
    assert [entry.name for entry in catalogue.entries if entry.kind == "video"] == [
        "car-detection",
        "one-by-one-person-detection",
    ]


def test_every_source_is_pinned_to_a_commit_or_a_release() -> None:
    for entry in load_catalogue().entries:
        parts = entry.url.split("/")
        is_commit = parts[2] == "raw.githubusercontent.com" and len(parts[5]) == 40
        assert is_commit or "/releases/download/" in entry.url, entry.name
        assert (entry.sha256 is None) == (entry.size_bytes is None) == (entry.trust == "first-use")


def test_takes_a_small_catalogue() -> None:
    entry = parse_catalogue(ENTRY).find("m")
    assert entry.spec is not None
    assert entry.spec.class_names == ("a", "b")
    assert entry.spec.resize == "letterbox_top_left"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('licence = "MIT"', "", "licence.* is missing"),
        ('licence = "MIT"', 'license = "MIT"', "unknown key 'license'; did you mean 'licence'"),
        ('licence = "MIT"', "licence = 3", "licence: expected a text, got '3'"),
        ('kind = "model"', 'kind = "modle"', "kind: expected one of model, video, got 'modle'; did you mean 'model'"),
        ("size_bytes = 3", "size_bytes = true", "size_bytes: expected a whole number"),
        ("size_bytes = 3", "size_bytes = 0", "size_bytes: expected a whole number"),
        ('sha256 = "00', 'sha256 = "0g', "sha256: expected 64"),
        ('licence = "MIT"', 'licence = "MIT"\ntrust = "first-use"', "either sha256 and size_bytes, or trust"),
        ('"models/m.onnx"', '"../m.onnx"', "path: expected a relative path"),
        ('"models/m.onnx"', '"/m.onnx"', "path: expected a relative path"),
        ('"models/m.onnx"', '"models/m.exe"', "path: expected a relative path to a .onnx file"),
        ('"https://example.org/m.onnx"', '"file:///etc/passwd"', "url: expected https"),
        ('name = "m"', 'name = "../m"', "name: expected"),
        ('class_names = "two"', 'class_names = "tow"', "class_names: expected a list of texts or one of two"),
        ('two = ["a", "b"]', 'two = "a"', "two: expected a list of texts"),
        ("[[entry]]", "[entry]", "expected .*entry"),
        ("[[entry]]", "[[", "catalogue: "),
    ],
)
def test_names_the_key_that_is_wrong(old: str, new: str, message: str) -> None:
    assert old in ENTRY
    with pytest.raises(ModelError, match=message):
        parse_catalogue(ENTRY.replace(old, new))


def test_refuses_two_entries_of_one_name() -> None:
    twice = ENTRY + ENTRY[ENTRY.index("[[entry]]") :]
    with pytest.raises(ModelError, match="name 'm' stands in two entries"):
        parse_catalogue(twice)


def test_http_is_enough_only_where_a_checksum_guards_the_file() -> None:
    plain = ENTRY.replace("https://", "http://")
    assert parse_catalogue(plain).find("m").url.startswith("http://")
    pinned = '"0000000000000000000000000000000000000000000000000000000000000000"'
    unpinned = plain.replace("size_bytes = 3\n", "").replace(f"sha256 = {pinned}", 'trust = "first-use"')
    with pytest.raises(ModelError, match="url: expected https"):
        parse_catalogue(unpinned)


def test_an_unknown_name_lists_near_ones() -> None:
    with pytest.raises(ModelError, match="no asset 'yolox-nona'; did you mean 'yolox-nano'"):
        load_catalogue().find("yolox-nona")
    with pytest.raises(ModelError, match="no model 'car-detection'"):
        load_catalogue().find("car-detection", "model")
