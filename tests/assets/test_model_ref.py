from pathlib import Path

import pytest

from nvr.assets.model_ref import resolve_model
from nvr.assets.spec import ModelSpec
from nvr.assets.store import AssetStore
from nvr.core.errors import ModelError, OfflineError, TransientError
from tests.assets.entries import catalogue_of, entry_for
from tests.assets.onnx_bytes import onnx_bytes
from tests.assets.web import serve

DATA = onnx_bytes(1000)


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    return AssetStore(None, tmp_path / "cache", is_offline=True)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.onnx"
    path.write_bytes(DATA)
    return path


def test_a_catalogue_name_is_fetched_and_comes_with_its_description(tmp_path: Path) -> None:
    with serve(DATA) as site:
        entry = entry_for(site.url, DATA)
        store = AssetStore(None, tmp_path / "cache")
        model = resolve_model("tiny", store, catalogue=catalogue_of(entry))
    assert (model.kind, model.model_id, model.spec) == ("onnx", "tiny", entry.spec)
    assert model.path is not None
    assert model.path.read_bytes() == DATA


def test_a_fetch_can_be_cancelled(tmp_path: Path) -> None:
    with serve(DATA) as site:
        store, catalogue = AssetStore(None, tmp_path / "cache"), catalogue_of(entry_for(site.url, DATA))
        with pytest.raises(TransientError, match="was cancelled"):
            resolve_model("tiny", store, catalogue=catalogue, is_cancelled=lambda: True)
        assert resolve_model("tiny", store, catalogue=catalogue, is_cancelled=lambda: False).path is not None


def test_a_missing_file_offline_is_told_apart_from_a_wrong_name(store: AssetStore) -> None:
    with pytest.raises(OfflineError, match="yolox-nano is not here and NVR_OFFLINE is set"):
        resolve_model("yolox-nano", store)
    with pytest.raises(ModelError, match="expected a catalogue name"):
        resolve_model("yolox-mini", store)


def test_a_file_without_sidecar_is_to_be_recognised(own: Path, store: AssetStore) -> None:
    model = resolve_model(str(own), store)
    assert (model.kind, model.model_id, model.path, model.spec) == ("onnx", "own", own, None)


def test_a_sidecar_describes_the_file_beside_it(own: Path, store: AssetStore) -> None:
    own.with_suffix(".toml").write_text(
        'head = "yolox"\ninput_width_px = 640\ninput_height_px = 384\nclass_names = ["cat", "dog"]\nnms_iou = "off"\n'
    )
    assert resolve_model(str(own), store).spec == ModelSpec(
        head="yolox",
        input_width_px=640,
        input_height_px=384,
        resize="letterbox_top_left",
        colour="bgr",
        scale=1.0,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        nms_iou=None,
        class_names=("cat", "dog"),
    )


def test_a_sidecar_may_say_everything(own: Path, store: AssetStore) -> None:
    own.with_suffix(".toml").write_text(
        'head = "ultralytics"\ninput_width_px = 64\ninput_height_px = 32\nresize = "stretch"\ncolour = "bgr"\n'
        'scale = 0.5\nmean = [1, 2, 3]\nstd = [4.0, 5, 6]\nnms_iou = 1\nclass_names = "coco80"\nfill = 0\n'
    )
    spec = resolve_model(str(own), store).spec
    assert spec is not None
    assert (spec.head, spec.resize, spec.colour, spec.scale) == ("ultralytics", "stretch", "bgr", 0.5)
    assert (spec.mean, spec.std, spec.nms_iou, spec.fill) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 1.0, 0)
    assert (spec.class_names[0], spec.class_names[79]) == ("person", "toothbrush")


SMALL = 'head = "detr"\ninput_width_px = 640\ninput_height_px = 640\nclass_names = ["a"]\n'


@pytest.mark.parametrize(
    ("sidecar", "message"),
    [
        ("", "the key 'head' is missing"),
        ("head = ", "own.toml: "),
        (SMALL + 'color = "rgb"', "unknown key 'color'; did you mean 'colour'"),
        (SMALL.replace("detr", "detre"), "head: expected one of yolox, .*, got 'detre'; did you mean 'detr'"),
        (SMALL.replace("640", "-1", 1), "input_width_px: expected a whole number from 1 to 8192, got '-1'"),
        (SMALL.replace("640", "99999", 1), "input_width_px"),
        (SMALL.replace("640", "true", 1), "input_width_px"),
        (SMALL + "mean = [0, 0]", "mean: expected three numbers"),
        (SMALL + "mean = [0, 0, nan]", "mean: expected three numbers"),
        (SMALL + "std = [1, 0, 1]", "std: expected three numbers above 0"),
        (SMALL + "scale = 0", "scale: expected a number above 0"),
        (SMALL + "scale = inf", "scale: expected a number"),
        (SMALL + "nms_iou = 1.5", "nms_iou: expected a number above 0 and up to 1"),
        (SMALL + "fill = 256", "fill"),
        (SMALL + 'resize = "crop"', "resize: expected one of"),
        (SMALL.replace('["a"]', "[]"), "class_names: expected at least one"),
        (SMALL.replace('["a"]', "[1]"), "class_names: expected a list of texts"),
        (SMALL.replace("detr", "embedding"), "class_names: an embedding has no classes"),
        ("x = 1\n" * 60_000, "at most 262144 bytes"),
        ("\x00", "own.toml: "),
        ("x = " + "[" * 100_000, "own.toml: its lists or tables are nested too deeply"),
        ("x = " + "{a=" * 50_000, "own.toml: its lists or tables are nested too deeply"),
        (SMALL + "scale = " + "9" * 5000, r"own.toml: .*digits"),
        (SMALL + "scale = " + "9" * 400, "scale: expected a number, got '9999"),
        (SMALL + "mean = [0, 0, " + "9" * 400 + "]", "mean: expected three numbers"),
        (SMALL + "scale = 0x" + "f" * 5000, "scale: expected a number, got 'int too large to show'"),
        (SMALL + "fill = 0x" + "f" * 5000, "fill: expected a whole number from 0 to 255, got 'int too"),
        (SMALL + "mean." + "a." * 3000 + "a = 1", "mean: expected three numbers, got 'dict too large to show'"),
    ],
)
def test_a_wrong_sidecar_is_refused_with_the_key(own: Path, store: AssetStore, sidecar: str, message: str) -> None:
    own.with_suffix(".toml").write_text(sidecar)
    with pytest.raises(ModelError, match=message) as caught:
        resolve_model(str(own), store)
    assert "\n" not in str(caught.value)


def test_motion_needs_no_file(store: AssetStore) -> None:
    model = resolve_model("motion", store)
    assert (model.kind, model.model_id, model.path, model.spec) == ("motion", "motion", None, None)


@pytest.mark.parametrize("model_id", ["yolov8n-640", "rfdetr-base", "my-project/2", "space/project/3"])
def test_a_roboflow_id_is_passed_on(store: AssetStore, model_id: str) -> None:
    model = resolve_model(f"roboflow:{model_id}", store)
    assert (model.kind, model.model_id) == ("roboflow", model_id)


def test_a_roboflow_folder_must_exist(store: AssetStore, tmp_path: Path) -> None:
    assert resolve_model(f"roboflow:{tmp_path}", store).model_id == str(tmp_path)
    with pytest.raises(ModelError, match="no such folder"):
        resolve_model("roboflow:/does/not/exist", store)


@pytest.mark.parametrize("model_id", ["", "a/../b", "a b", "a/b/c/d", "-x", "a//b", "http://x/y", "x" * 500])
def test_a_hostile_roboflow_id_is_refused(store: AssetStore, model_id: str) -> None:
    with pytest.raises(ModelError):
        resolve_model(f"roboflow:{model_id}", store)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 1 to 1024 printable characters, got 0"),
        ("   ", "printable"),
        ("x" * 100_000, "got 100000"),
        ("yolox-nano\0", "printable"),
        ("yolox\nnano", "printable"),
        ("../../etc/passwd", "expected a catalogue name, a path to .onnx or roboflow:ID, got '../../etc/passwd'"),
        ("/etc/passwd", "expected a catalogue name"),
        ("yolo-nano", "did you mean 'yolox-nano'"),
        ("YOLOX-NANO", "expected a catalogue name"),
        ("quite else", "the catalogue has yolox-nano"),
        ("osnet-x0.25", "osnet-x0.25 is for reid, expected a model for detect"),
        ("car-detection", "car-detection is for watching, expected a model for detect"),
        ("missing.onnx", "no such file"),
        ("~nobodyhere/x.onnx", "nobodyhere"),
        (f"{'x' * 300}.onnx", "x.onnx"),
    ],
)
def test_what_means_no_model_is_refused(store: AssetStore, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        resolve_model(text, store)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh", DATA[:-1]])
def test_a_file_that_is_no_onnx_is_refused(own: Path, store: AssetStore, content: bytes) -> None:
    own.write_bytes(content)
    with pytest.raises(ModelError, match=f"model: {own}: it "):
        resolve_model(str(own), store)


def test_a_folder_named_like_a_model_is_refused(store: AssetStore, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ModelError, match="no such file"):
        resolve_model(str(tmp_path / "folder.onnx"), store)


@pytest.mark.assets
def test_every_real_detector_resolves(assets_dir: Path, tmp_path: Path) -> None:
    store = AssetStore(assets_dir, tmp_path, is_offline=True)
    for name in ("yolox-nano", "picodet-xs", "deimv2-atto", "deimv2-femto"):
        model = resolve_model(name, store)
        assert model.path is not None
        assert model.path.parent == assets_dir / "models"
    assert resolve_model("osnet-x0.25", store, task="reid").spec is not None
