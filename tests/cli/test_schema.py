from pathlib import Path

from typer.testing import CliRunner

from nvr.cli.main import app

runner = CliRunner()


def test_export_writes_the_documents_and_check_finds_them_current(tmp_path: Path) -> None:
    written = runner.invoke(app, ["schema", "export", "--out", str(tmp_path)])
    assert written.exit_code == 0, written.output
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [
        "Command.json",
        "CommandAck.json",
        "DetectionEvent.json",
        "InstanceMetrics.json",
        "InstanceStatus.json",
        "SegmentEvent.json",
        "TrackEvent.json",
        "asyncapi.yaml",
    ]
    assert set(written.output.split()) == {str(path) for path in tmp_path.rglob("*.*")}
    checked = runner.invoke(app, ["schema", "export", "--out", str(tmp_path), "--check"])
    assert (checked.exit_code, checked.output) == (0, f"current: {tmp_path}\n")


def test_check_names_what_is_outdated_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "asyncapi.yaml").write_text("asyncapi: 2.0.0\n")
    checked = runner.invoke(app, ["schema", "export", "--out", str(tmp_path), "--check"])
    assert checked.exit_code == 1
    told = [Path(line.removeprefix("outdated: ")) for line in checked.output.splitlines()]
    assert tmp_path / "asyncapi.yaml" in told
    assert tmp_path / "schemas" / "TrackEvent.json" in told
    assert len(told) == 8
    assert [path.name for path in tmp_path.iterdir()] == ["asyncapi.yaml"]
