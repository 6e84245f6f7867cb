import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nvr.cli.main import app
from nvr.core.clock import SystemClock
from nvr.core.errors import ConfigurationError, InvalidInputError, StorageError
from nvr.media.fragment_writer import FragmentWriter
from nvr.media.mp4_repair import check
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import SegmentOrigin
from nvr.recording.segment import Segment, SegmentKind
from tests.cli.conftest import Nvr
from tests.media.coded_media import Recipe, make_video, read_media
from tests.recording.disks import TinyDisk, tiny_disk  # noqa: F401 - a fixture
from tests.recording.segments import START

PLACES = 5
FROM, TO = START.isoformat(), (START + timedelta(seconds=10)).isoformat()


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds as a recorder writes them."""
    packets = read_media(make_video(tmp_path_factory.mktemp("media") / "a.mp4", Recipe(seconds=2)))
    file = io.BytesIO()
    writer = FragmentWriter(file, packets.video)
    for packet in packets.packets:
        writer.write(packet)
    writer.close()
    return file.getvalue()


@pytest.fixture
def root(tmp_path: Path, media: bytes) -> Path:
    """Ten seconds of camera 3 in five segments, and one of an event of camera 4."""
    root = tmp_path / "recordings"
    root.mkdir()
    index = SegmentIndex(root)
    for place in range(PLACES):
        put(index, media, START + timedelta(seconds=2 * place))
    put(index, media, START, kind=SegmentKind.EVENT, source_id=4)
    index.mark_complete()
    index.close()
    return root


def put(
    index: SegmentIndex,
    media: bytes,
    start: datetime,
    *,
    kind: SegmentKind = SegmentKind.CONTINUOUS,
    source_id: int = 3,
    tenant: str = "default",
) -> Segment:
    segment = Segment(tenant, source_id, start, 2000, kind, len(media))
    path = index.root / segment.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(media)
    index.add(segment)
    return segment


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["recordings", *(str(argument) for argument in arguments)])


def output(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def file_at(root: Path, place: int) -> Path:
    (path,) = root.glob(f"default/3/*/*/*/*/{SegmentOrigin('default', 3, START + timedelta(seconds=2 * place)).stem}*")
    return path


def test_ls_shows_recordings_and_sums_them_up(root: Path, media: bytes) -> None:
    text = output("ls", "--root", root)
    lines = text.splitlines()
    assert len(lines) == 7
    assert "default/3/2026/11/20/09/20261120T090000.000000Z_2000_continuous.mp4" in text
    assert lines[-1].startswith(f"6 segments, 0:00:12, {6 * len(media) / 1e3:.1f} kB, from ")


def test_ls_takes_only_what_was_asked_for(root: Path) -> None:
    def found(*arguments: str) -> int:
        return int(json.loads(output("ls", "--root", root, "--json", *arguments))["summary"]["segments"])

    assert found() == 6
    assert found("--camera", "4") == 1
    assert found("--camera", "9") == 0
    assert found("--kind", "event") == 1
    assert found("--kind", "event", "--kind", "continuous") == 6
    assert found("--tenant", "default") == 6
    assert found("--camera", "3", "--from", FROM, "--to", (START + timedelta(seconds=3)).isoformat()) == 2
    assert found("--from", "-1s") == found("--to", "-99999d") == 0


def test_a_tenant_without_recordings_is_an_error_unless_the_file_names_it(root: Path, media: bytes) -> None:
    put(SegmentIndex(root), media, START, tenant="acme")
    assert json.loads(output("ls", "--root", root, "--json", "--tenant", "acme"))["summary"]["segments"] == 1
    span = ("--camera", "3", "--from", FROM, "--to", TO, "--root", root, "--tenant", "acmee")
    for command in (
        ("ls", *span),
        ("verify", *span),
        ("export", *span, "--out", root / "a.mp4"),
        ("protect", *span),
        ("unprotect", *span),
    ):
        error = run(*command).exception
        assert isinstance(error, ConfigurationError)
        assert str(error) == "there is no tenant acmee, did you mean acme?"
    file = root / "nvr.yaml"
    file.write_text("tenants: [{name: acmee}]\n", encoding="utf-8")
    assert output("ls", "--root", root, "--config", file, "--tenant", "acmee").startswith("nothing")


def test_ls_gives_programs_everything_as_json(root: Path, media: bytes) -> None:
    document = json.loads(output("ls", "--root", root, "--json", "--camera", "4"))
    assert document["segments"] == [
        {
            "tenant": "default",
            "source_id": 4,
            "start": "2026-11-20T09:00:00+00:00",
            "end": "2026-11-20T09:00:02+00:00",
            "duration_ms": 2000,
            "kind": "event",
            "size_bytes": len(media),
            "path": "default/4/2026/11/20/09/20261120T090000.000000Z_2000_event.mp4",
        }
    ]
    assert document["summary"]["kinds"] == {"event": {"segments": 1, "duration_ms": 2000, "size_bytes": len(media)}}
    assert "forecast" in document


def test_ls_shows_the_newest_and_says_that_there_are_more(root: Path) -> None:
    lines = output("ls", "--root", root, "--limit", "2").splitlines()
    assert "T090006.000000Z" in lines[0]
    assert "T090008.000000Z" in lines[1]
    assert lines[2] == "the newest 2 of 6; --limit shows more"
    assert len(output("ls", "--root", root, "--limit", "0").splitlines()) == 1


def test_ls_tells_how_many_days_fit(root: Path, media: bytes) -> None:
    index = SegmentIndex(root)
    now = SystemClock().now()
    for hours in (20, 10):
        put(index, media, now - timedelta(hours=hours))
    index.close()
    assert "all recordings: at this rate (" in output("ls", "--root", root)


def test_ls_of_an_empty_folder_says_so_and_leaves_nothing_there(tmp_path: Path) -> None:
    result = run("ls", "--root", tmp_path)
    assert result.exit_code == 0
    assert result.stdout == "nothing was recorded\n"
    assert "no index" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_folder_may_come_from_the_configuration(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "nvr.yaml"
    config.write_text(f"storage: {{root: {root}}}\n")
    assert "6 segments" in output("ls", "--config", config)


def test_a_folder_that_is_not_named_or_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    nameless = run("ls")
    assert isinstance(nameless.exception, ConfigurationError)
    assert "give --root" in str(nameless.exception)
    missing = run("ls", "--root", tmp_path / "not mounted")
    assert isinstance(missing.exception, ConfigurationError)
    assert not (tmp_path / "not mounted").exists()


def test_a_read_only_disk_can_be_listed(
    tiny_disk: Callable[[str], TinyDisk],  # noqa: F811 - the fixture
    media: bytes,
) -> None:
    disk = tiny_disk("2m")
    index = SegmentIndex(disk.root)
    put(index, media, START)
    index.close()
    disk.turn_read_only()
    result = run("ls", "--root", disk.root)
    assert result.exit_code == 0
    assert "1 segment," in result.stdout
    assert "reading the names of the files" in result.stderr
    assert isinstance(run("reindex", "--root", disk.root).exception, StorageError)


def test_verify_finds_nothing_wrong(root: Path) -> None:
    for option in ((), ("--deep",), ("--names-only",), ("--camera", "4")):
        assert output("verify", "--root", root, *option).endswith(": all right\n")


def test_verify_names_everything_that_is_wrong_and_changes_nothing(root: Path, media: bytes) -> None:
    file_at(root, 0).unlink()
    file_at(root, 1).write_bytes(media[:-300])
    file_at(root, 2).write_bytes(b"\0" * len(media))
    file_at(root, 3).rename(file_at(root, 3).with_name("20261120T090006.000000Z_9999_continuous.mp4"))
    folder = file_at(root, 4).parent
    (folder / "20261120T090030.000000Z.recording").write_bytes(media)
    (folder / "20261120T090040.000000Z.broken").write_bytes(b"x")
    (folder / "holiday\x1b[31m.mp4").write_bytes(b"x")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())
    result = run("verify", "--root", root)
    assert result.exit_code == 1
    text = result.stdout
    assert "missing: default/3/2026/11/20/09/20261120T090000.000000Z_2000_continuous.mp4" in text
    assert f"expected {len(media)} bytes as in the index, got {len(media) - 300}" in text
    assert "unplayable: default/3/2026/11/20/09/20261120T090004.000000Z_2000_continuous.mp4" in text
    assert "unknown: default/3/2026/11/20/09/20261120T090006.000000Z_9999_continuous.mp4" in text
    assert "expected 9999 ms as in its name, got 2000 ms" in text
    assert "unfinished: default/3/2026/11/20/09/20261120T090030.000000Z.recording" in text
    assert "set aside earlier: default/3/2026/11/20/09/20261120T090040.000000Z.broken" in text
    assert r"not a recording: 'default/3/2026/11/20/09/holiday\x1b[31m.mp4'" in text
    assert "problems found" in text
    assert sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()) == before
    assert run("verify", "--root", root, "--camera", "4").exit_code == 0


def test_verify_looks_only_into_the_hours_that_were_asked_for(root: Path) -> None:
    file_at(root, 0).write_bytes(b"x")
    assert run("verify", "--root", root, "--from", "2026-11-20T10:00:00Z").exit_code == 0
    assert run("verify", "--root", root, "--to", "2026-11-20T09:00:00Z").exit_code == 0
    assert run("verify", "--root", root, "--from", FROM, "--to", TO).exit_code == 1


def test_reindex_mends_what_verify_finds_wrong(root: Path, media: bytes) -> None:
    file_at(root, 0).unlink()
    file_at(root, 1).rename(file_at(root, 1).with_name("20261120T090002.000000Z_2000_event.mp4"))
    folder = file_at(root, 4).parent
    (folder / "20261120T090030.000000Z.recording").write_bytes(media[:-300])
    (folder / "20261120T090040.000000Z.recording").write_bytes(b"x")
    assert run("verify", "--root", root).exit_code == 1
    text = output("reindex", "--root", root)
    assert "5 segments on the disk; the index lacked 1, held 2 that are gone and 0 of another size" in text
    assert "repaired: default/3/2026/11/20/09/20261120T090030.000000Z_" in text
    assert "set aside, nothing in it plays: default/3/2026/11/20/09/20261120T090040.000000Z.broken" in text
    assert run("verify", "--root", root).exit_code == 0


def test_reindex_begins_an_index_where_there_is_none(root: Path) -> None:
    for path in root.glob("index.*"):
        path.unlink()
    assert "the index lacked 6" in output("reindex", "--root", root)
    assert "6 segments" in output("ls", "--root", root)


def test_export_makes_one_clip_of_several_recordings(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    text = output("export", "--root", root, "--camera", "3", "--from", FROM, "--to", TO, "--out", out)
    found = check(out, deep=True)
    assert (found.problem, found.video_frames) == (None, 250)
    assert text.startswith(f"{out}: 10.0 s")
    assert "not recorded" not in text


def test_export_can_cut_exactly_and_says_what_was_not_recorded(root: Path, tmp_path: Path) -> None:
    file_at(root, 2).unlink()
    output("reindex", "--root", root)
    start, end = START + timedelta(seconds=1.5), START + timedelta(seconds=8.5)
    times = ("--from", start.isoformat(), "--to", end.isoformat())
    text = output("export", "--root", root, "--camera", "3", *times, "--out", tmp_path / "clip.mp4", "--exact")
    assert "clip.mp4: 5.0 s" in text
    assert text.count("not recorded: ") == 1


def test_export_replaces_a_clip_only_when_told_to(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    out.write_bytes(b"precious")
    arguments = ("export", "--root", root, "--camera", "3", "--from", FROM, "--to", TO, "--out", out)
    assert isinstance(run(*arguments).exception, ConfigurationError)
    assert out.read_bytes() == b"precious"
    output(*arguments, "--force")
    assert check(out).is_playable


def test_export_of_what_was_not_recorded_is_refused(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    nothing = run("export", "--root", root, "--camera", "3", "--from", "-2h", "--to", "now", "--out", out)
    assert isinstance(nothing.exception, InvalidInputError)
    assert "nothing was recorded of camera 3" in str(nothing.exception)
    backwards = run("export", "--root", root, "--camera", "3", "--from", TO, "--to", FROM, "--out", out)
    assert isinstance(backwards.exception, ConfigurationError)
    assert not out.exists()


def test_protect_and_unprotect_change_names_and_index_together(root: Path) -> None:
    end = (START + timedelta(seconds=4)).isoformat()
    arguments = ("--root", root, "--camera", "3", "--from", FROM, "--to", end)
    assert "2 segments of camera 3 protected now" in output("protect", *arguments)
    assert len(list(root.rglob("*_protected.mp4"))) == 2
    assert "2 segments," in output("ls", "--root", root, "--kind", "protected")
    assert isinstance(run("protect", *arguments).exception, InvalidInputError)
    assert "2 segments of camera 3 no longer" in output("unprotect", *arguments, "--as", "continuous")
    assert list(root.rglob("*_protected.mp4")) == []
    assert output("verify", "--root", root).endswith("all right\n")


def test_protect_finds_a_file_gone_and_leaves_its_row_out(root: Path) -> None:
    file_at(root, 0).unlink()
    assert "4 segments" in output("protect", "--root", root, "--camera", "3", "--from", FROM, "--to", TO)
    assert run("verify", "--root", root).exit_code == 0


def test_protect_does_not_overwrite_a_file_of_the_new_name(root: Path) -> None:
    there = file_at(root, 0).with_name("20261120T090000.000000Z_2000_protected.mp4")
    there.write_bytes(b"precious")
    end = (START + timedelta(seconds=1)).isoformat()
    refused = run("protect", "--root", root, "--camera", "3", "--from", FROM, "--to", end)
    assert isinstance(refused.exception, InvalidInputError)
    assert there.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("ls", "--from", "yesterday"), 2, "'yesterday' is no time"),
        (("ls", "--root", "/nowhere"), 2, "/nowhere is no folder of recordings"),
    ],
)
def test_an_error_is_one_sentence(
    nvr: Nvr, tmp_path: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    given = arguments if "--root" in arguments else (*arguments, "--root", str(tmp_path))
    result = nvr("recordings", *given)
    assert result.returncode == status
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
