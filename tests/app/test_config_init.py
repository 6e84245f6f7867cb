"""What is written is read again as it was meant, holds passwords only where they belong, and replaces nothing."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.app.camera_search import FoundCamera
from nvr.app.config_init import (
    InitPlan,
    PlannedCamera,
    check_free,
    check_model,
    check_record,
    recordings_folder,
    render,
    write_config,
)
from nvr.config.file import load_config
from nvr.core.errors import ConfigurationError, ModelError
from nvr.media.probe import ProbeResult

SECRET = "p%40ss$word"
MAIN = f"rtsp://viewer:{SECRET}@192.0.2.10/main"
SUB = f"rtsp://viewer:{SECRET}@192.0.2.10/sub"


def stream(uri: str, width_px: int, height_px: int) -> ProbeResult:
    return ProbeResult(uri, "h264", width_px, height_px, 25.0, "aac", 1.0, 0.4)


DOOR = FoundCamera(
    "Front Door",
    "192.0.2.10",
    uri=MAIN,
    detect_uri=SUB,
    main=stream(MAIN, 3840, 2160),
    detect=stream(SUB, 640, 360),
    make="Acme Dome",
    hints=("its clock is 2 h ahead",),
)
GATE = FoundCamera("gate", "192.0.2.11", uri="rtsp://192.0.2.11/a", problem="does not answer in time")
CAMERAS = (PlannedCamera(DOOR, "Front Door"), PlannedCamera(GATE, "gate", enabled=False))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_file_is_read_again_as_it_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    plan = InitPlan(CAMERAS, storage=tmp_path, record="events", model_id="yolox-s")
    write_config(render(plan, path.name), path)
    config = load_config(path)
    door, gate = config.cameras
    assert (door.name, door.source_id, door.uri, door.detect_uri, door.enabled) == ("Front Door", 0, MAIN, SUB, True)
    assert (gate.name, gate.source_id, gate.uri, gate.detect_uri, gate.enabled) == ("gate", 1, GATE.uri, None, False)
    assert (config.storage.root, config.storage.mode) == (tmp_path, "events")
    assert config.models.model_id == "yolox-s"


def test_passwords_are_in_files_of_their_own_that_only_their_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    write_config(render(InitPlan(CAMERAS), path.name), path)
    text = path.read_text(encoding="utf-8")
    assert SECRET not in text
    assert "# rtsp://***@192.0.2.10/main" in text
    secrets = sorted((tmp_path / "nvr.secrets").iterdir())
    assert [secret.name for secret in secrets] == ["0-front-door-detect.txt", "0-front-door.txt"]
    assert {mode_of(secret) for secret in secrets} == {0o600}
    assert (mode_of(tmp_path / "nvr.secrets"), mode_of(path)) == (0o700, 0o600)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["nvr.secrets", "nvr.yaml"]


def test_passwords_in_the_file_make_it_secret(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    write_config(render(InitPlan(CAMERAS, passwords="inline"), path.name), path)
    assert mode_of(path) == 0o600
    assert not (tmp_path / "nvr.secrets").exists()
    assert load_config(path).cameras[0].uri == MAIN


def test_a_reader_is_told_what_each_camera_is() -> None:
    text = render(InitPlan(CAMERAS), "nvr.yaml").text
    assert (
        "# Acme Dome; h264 3840x2160 25 fps, sound aac, a key frame every 1 s; looked at: h264 640x360 25 fps" in text
    )
    assert "# its clock is 2 h ahead" in text
    assert "# did not answer: does not answer in time" in text
    assert "enabled: false" in text


def test_nothing_is_replaced_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"nvr\.yaml exists: .*--force"):
        write_config(render(InitPlan(CAMERAS), path.name), path)
    assert path.read_text(encoding="utf-8") == "mine"
    assert list(tmp_path.iterdir()) == [path]
    write_config(render(InitPlan(CAMERAS), path.name), path, force=True)
    assert len(load_config(path).cameras) == 2


def test_a_secret_of_another_configuration_is_not_replaced(tmp_path: Path) -> None:
    path, secret = tmp_path / "nvr.yaml", tmp_path / "nvr.secrets" / "0-front-door.txt"
    secret.parent.mkdir()
    secret.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"0-front-door\.txt exists"):
        write_config(render(InitPlan(CAMERAS), path.name), path)
    assert secret.read_text(encoding="utf-8") == "mine"
    assert not path.exists()


def test_what_would_not_load_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    broken = FoundCamera("a", "h", uri="rtsp://")
    with pytest.raises(ConfigurationError) as caught:
        write_config(render(InitPlan((PlannedCamera(broken, "a"),)), path.name), path)
    assert str(path) in str(caught.value)
    assert ".nvr-init-" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written_are_told_before_anybody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder: name a file in it"):
        check_free(tmp_path, force=True)
    with pytest.raises(ConfigurationError, match="absent is no folder"):
        check_free(tmp_path / "absent" / "nvr.yaml", force=False)


@given(
    name=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60),
    password=st.text(st.sampled_from("aé$%{}'\"\\#:!&*- "), max_size=12),
)
def test_any_name_and_password_survive(name: str, password: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    uri = f"rtsp://viewer:{password.replace(' ', '%20').replace('#', '%23')}x@192.0.2.10/a"
    camera = PlannedCamera(FoundCamera(name, "192.0.2.10", uri=uri), name)
    for passwords in ("files", "inline"):
        path = folder / f"{passwords}.yaml"
        plan = InitPlan((camera,), passwords="files" if passwords == "files" else "inline")
        write_config(render(plan, path.name), path)
        (read,) = load_config(path).cameras
        assert (read.name, read.uri) == (name, uri)


def test_the_folder_of_recordings_must_be_there_and_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rec").mkdir()
    assert recordings_folder(Path("rec")) == tmp_path / "rec"
    with pytest.raises(ConfigurationError, match=r"mkdir -p .*/absent"):
        recordings_folder(Path("absent"))


@pytest.mark.parametrize("text", ["yolox-nano", "motion", "roboflow:coco/3", "own/model.onnx"])
def test_models_that_mean_something_are_taken(text: str) -> None:
    assert check_model(text) == text


def test_a_model_that_means_nothing_is_refused_with_what_is_near() -> None:
    with pytest.raises(ModelError, match="yolox-nano"):
        check_model("yolox-nanno")


def test_a_mode_of_recording_is_checked() -> None:
    assert check_record("events+continuous") == "events+continuous"
    with pytest.raises(ConfigurationError, match="got 'always'"):
        check_record("always")
