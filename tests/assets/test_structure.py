from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.assets.structure import structure_trouble
from tests.assets.onnx_bytes import onnx_bytes


def trouble(tmp_path: Path, data: bytes, name: str = "x.onnx") -> str | None:
    (tmp_path / name).write_bytes(data)
    return structure_trouble(tmp_path / name)


def test_takes_an_onnx_structure(tmp_path: Path) -> None:
    assert trouble(tmp_path, onnx_bytes(1000)) is None


@pytest.mark.parametrize("length", [1, 2, 3, 4, 500, 1003])
def test_sees_every_cut(tmp_path: Path, length: int) -> None:
    assert trouble(tmp_path, onnx_bytes(1000)[:length]) is not None


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html>", "no ONNX file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no ONNX file"),
        (b"\x08\x08\x3b", "broken"),
        (b"\x08\x08", "no ONNX graph"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, data: bytes, word: str) -> None:
    assert word in str(trouble(tmp_path, data))


def test_knows_the_beginning_of_an_mp4(tmp_path: Path) -> None:
    assert trouble(tmp_path, b"\0\0\0\x20ftypisom", "x.mp4") is None
    assert trouble(tmp_path, b"<!DOCTYPE html>", "x.mp4") is not None


@given(data=st.binary(max_size=200))
def test_never_fails_on_any_bytes(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    answer = trouble(tmp_path_factory.getbasetemp(), data)
    assert answer is None or answer


@pytest.mark.assets
def test_takes_every_real_model(assets_dir: Path) -> None:
    models = sorted((assets_dir / "models").glob("*.onnx"))
    assert models
    assert {path.name: structure_trouble(path) for path in models} == {path.name: None for path in models}
