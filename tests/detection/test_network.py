import logging
from pathlib import Path

import numpy as np
import pytest

from nvr.core.errors import ModelError, UnsupportedError
from nvr.detection.network import MAX_BATCH, Network, open_network
from tests.detection.onnx_graphs import constant_outputs, yolox_like


def images(n: int, size_px: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(3).uniform(0, 1, (n, 3, size_px[1], size_px[0])).astype(np.float32)


def assert_same_answers(network: Network, other: Network, n: int, tolerance: float = 1e-4) -> None:
    batch = images(n, network.size_px)
    together, apart = network.run(batch), [other.run(batch[i : i + 1])[0] for i in range(n)]
    assert len(together) == n
    for got, expected in zip(together, apart, strict=True):
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_a_frozen_batch_is_freed_and_answers_the_same(tmp_path: Path) -> None:
    path = yolox_like(tmp_path / "tiny.onnx")
    network, original = open_network(path, batching="always"), open_network(path)
    assert (network.has_real_batches, network.is_freed) == (True, True)
    assert (original.has_real_batches, original.is_freed) == (False, False)
    assert_same_answers(network, original, 5)


def test_a_frozen_size_is_freed(tmp_path: Path) -> None:
    path = yolox_like(tmp_path / "tiny.onnx", size_px=(64, 32))
    network = open_network(path, (128, 96))
    assert (network.is_freed, network.has_real_batches, network.size_px) == (True, False, (128, 96))
    same_size = yolox_like(tmp_path / "large.onnx", size_px=(128, 96))
    assert_same_answers(network, open_network(same_size), 2)


def test_the_file_stays_as_it_was(tmp_path: Path) -> None:
    path = yolox_like(tmp_path / "tiny.onnx")
    before = path.read_bytes()
    open_network(path, (128, 96), batching="always")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_graph_that_mixes_its_batch_goes_image_by_image(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = yolox_like(tmp_path / "mixer.onnx", keeps_batch=False)
    network = open_network(path, batching="always")
    assert (network.has_real_batches, network.is_freed) == (False, False)
    assert "mixer.onnx keeps its batch of one" in caplog.text
    assert_same_answers(network, open_network(path), 3)


def test_a_graph_that_cannot_change_its_size_says_so(tmp_path: Path) -> None:
    path = constant_outputs(tmp_path / "fixed.onnx", {"output": np.zeros((1, 84, 8), np.float32)})
    with pytest.raises(ModelError, match=r"fixed\.onnx: it is made for 64x64 and cannot run at 128x64"):
        open_network(path, (128, 64))


def test_more_images_than_one_run_takes_are_split(tmp_path: Path) -> None:
    path = yolox_like(tmp_path / "tiny.onnx")
    assert_same_answers(open_network(path, batching="always"), open_network(path), MAX_BATCH + 3)


def test_no_images_are_no_answers(tmp_path: Path) -> None:
    assert open_network(yolox_like(tmp_path / "tiny.onnx")).run(images(0, (64, 32))) == []


def test_one_line_says_what_runs_where(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "nvr.detection")
    open_network(yolox_like(tmp_path / "tiny.onnx"), providers=["cpu"])
    assert caplog.messages == ["tiny.onnx runs on CPUExecutionProvider at 64x32, image by image"]


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x08\x07\x12\x04", b"<html>404</html>" * 100, b"\x00" * 4096], ids=range(5)
)
def test_a_file_that_is_no_onnx_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        open_network(path)


def test_a_cut_off_file_is_named(tmp_path: Path) -> None:
    path = yolox_like(tmp_path / "tiny.onnx")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"tiny\.onnx"):
        open_network(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ModelError, match=f"model {path}: there is no such file"):
            open_network(path)


def test_an_input_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    network = open_network(yolox_like(tmp_path / "tiny.onnx"))
    with pytest.raises(ModelError, match="cannot be run"):
        network.run(images(1, (8, 8)))


def test_a_provider_that_is_not_installed_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="the installed onnxruntime has only"):
        open_network(yolox_like(tmp_path / "tiny.onnx"), providers=["tensorrt"])


@pytest.mark.assets
@pytest.mark.parametrize(
    ("file", "size_px"),
    [
        ("yolox_nano_416", None),
        ("yolox_nano_416", (416, 256)),
        ("yolox_nano_416", (640, 384)),
        ("picodet_xs_320", None),
        ("deimv2_atto_320", None),
    ],
)
def test_real_networks_answer_in_batches_as_alone(assets_dir: Path, file: str, size_px: tuple[int, int] | None) -> None:
    path = assets_dir / "models" / f"{file}.onnx"
    network = open_network(path, size_px, batching="always")
    assert network.has_real_batches
    alone = open_network(path, size_px)
    batch = images(3, network.size_px)
    for got, single in zip(network.run(batch), [alone.run(batch[i : i + 1])[0] for i in range(3)], strict=True):
        for a, b in zip(got, single, strict=True):
            # DETR's order of equal scores may differ: compare what the strongest hold.
            np.testing.assert_allclose(np.sort(a.ravel())[-20:], np.sort(b.ravel())[-20:], rtol=1e-2, atol=1e-2)
