import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvr.assets.catalogue import load_catalogue
from nvr.assets.download import DownloadLimits, HttpDownloader
from nvr.assets.files import locked
from nvr.assets.store import AssetStore
from nvr.core.backoff import Backoff
from nvr.core.clock import SystemClock
from nvr.core.errors import ConfigurationError, DownloadError, ModelError, OfflineError, TransientError
from tests.assets.entries import entry_for
from tests.assets.onnx_bytes import onnx_bytes
from tests.assets.web import Site, serve

DATA = onnx_bytes()
OTHER = onnx_bytes(seed=2)
DEADLINE_S = 60.0


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(DATA) as running:
        yield running


def make_store(tmp_path: Path, assets_dir: Path | None = None, *, is_offline: bool = False) -> AssetStore:
    downloader = HttpDownloader(DownloadLimits(tries=2), backoff=Backoff(0.001, 0.002))
    return AssetStore(assets_dir, tmp_path / "cache", is_offline=is_offline, downloader=downloader)


def put(folder: Path, data: bytes) -> Path:
    path = folder / "models" / "tiny.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def leftovers(cache: Path) -> list[str]:
    """Every file in the cache but lock files, which are empty."""
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file() and path.stat().st_size)


def test_fetches_once_and_finds_it_afterwards(site: Site, tmp_path: Path) -> None:
    store, entry = make_store(tmp_path), entry_for(site.url, DATA)
    assert store.find(entry) is None
    path = store.get(entry)
    assert path == tmp_path / "cache" / "models" / "tiny.onnx"
    assert path.read_bytes() == DATA
    assert store.get(entry) == store.find(entry) == path
    assert len(site.requests) == 1
    assert leftovers(tmp_path / "cache") == ["models/tiny.onnx"]


def test_takes_the_assets_folder_before_the_cache_and_the_network(site: Site, tmp_path: Path) -> None:
    put(tmp_path / "cache", DATA)
    mine = put(tmp_path / "mine", DATA)
    store, entry = make_store(tmp_path, tmp_path / "mine"), entry_for(site.url, DATA)
    assert store.get(entry) == mine
    located = store.locate(entry)
    assert located is not None
    assert (located.path, located.origin) == (mine, "assets dir")
    assert site.requests == []


def test_a_wrong_file_in_the_assets_folder_is_refused_with_both_checksums(site: Site, tmp_path: Path) -> None:
    put(tmp_path / "mine", OTHER)
    entry = entry_for(site.url, DATA)
    with pytest.raises(ModelError) as caught:
        make_store(tmp_path, tmp_path / "mine").get(entry)
    assert hashlib.sha256(OTHER).hexdigest() in str(caught.value)
    assert str(entry.sha256) in str(caught.value)
    assert site.requests == []


@pytest.mark.parametrize("damaged", [DATA[:-1], DATA[:-1] + b"\0", b""], ids=["cut", "one byte", "empty"])
def test_a_damaged_file_in_the_cache_is_fetched_anew(
    site: Site, tmp_path: Path, damaged: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path / "cache", damaged)
    assert make_store(tmp_path).get(entry_for(site.url, DATA)).read_bytes() == DATA
    assert "fetching it anew" in caplog.text


def test_a_damaged_file_in_the_cache_is_refused_offline(site: Site, tmp_path: Path) -> None:
    put(tmp_path / "cache", DATA[:-1])
    with pytest.raises(ModelError, match="cut short"):
        make_store(tmp_path, is_offline=True).get(entry_for(site.url, DATA))


def test_a_corrupted_download_leaves_nothing(site: Site, tmp_path: Path) -> None:
    site.data = OTHER
    entry = entry_for(site.url, DATA)
    with pytest.raises(DownloadError) as caught:
        make_store(tmp_path).get(entry)
    assert hashlib.sha256(OTHER).hexdigest() in str(caught.value)
    assert str(entry.sha256) in str(caught.value)
    assert leftovers(tmp_path / "cache") == []


def test_a_broken_download_leaves_nothing_and_says_what_to_do(site: Site, tmp_path: Path) -> None:
    site.cut_after = [100_000] * 9
    site.has_ranges = False
    with pytest.raises(DownloadError, match=r"by hand and put it at .*/models/tiny\.onnx") as caught:
        make_store(tmp_path).get(entry_for(site.url, DATA))
    assert "tiny could not be fetched: 127.0.0.1: peer closed connection" in str(caught.value)
    assert site.url not in str(caught.value), "each start of each processor tells it: it is to be short"
    assert leftovers(tmp_path / "cache") == []


def test_an_interrupted_download_leaves_nothing(site: Site, tmp_path: Path) -> None:
    def interrupt(_received: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_store(tmp_path).get(entry_for(site.url, DATA), interrupt)
    assert leftovers(tmp_path / "cache") == []
    assert make_store(tmp_path).get(entry_for(site.url, DATA)).read_bytes() == DATA


def test_a_cancelled_download_leaves_nothing(site: Site, tmp_path: Path) -> None:
    site.stalls_after = 131_072
    part = tmp_path / "cache" / ".partial" / "tiny.part"
    store, entry = make_store(tmp_path), entry_for(site.url, DATA)
    with pytest.raises(TransientError, match="was cancelled") as caught:
        store.get(entry, is_cancelled=lambda: part.is_file() and part.stat().st_size > 0)
    assert not isinstance(caught.value, DownloadError)
    assert leftovers(tmp_path / "cache") == []
    assert not part.exists()
    site.stalls_after = None
    assert store.get(entry, is_cancelled=lambda: False).read_bytes() == DATA


def test_waiting_for_another_process_can_be_cancelled(site: Site, tmp_path: Path) -> None:
    lock = tmp_path / "cache" / ".partial" / "tiny.lock"
    with (
        locked(lock, SystemClock(), 1.0),
        pytest.raises(TransientError, match=r"tiny\.lock: waiting for another process was cancelled"),
    ):
        make_store(tmp_path).get(entry_for(site.url, DATA), is_cancelled=lambda: True)
    assert site.requests == []


CHILD = """
import sys
from pathlib import Path
from tests.assets.entries import entry_for
from nvr.assets.store import AssetStore
url, cache, data = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).read_bytes()
print(AssetStore(None, cache).get(entry_for(url, data)))
"""


def start_child(site: Site, tmp_path: Path) -> "subprocess.Popen[str]":
    data = tmp_path / "data"
    data.write_bytes(DATA)
    arguments = [sys.executable, "-c", CHILD, site.url, str(tmp_path / "cache"), str(data)]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )


def wait_until(condition: "threading.Event | None", probe: Path, size_bytes: int = 1) -> None:
    give_up_s = time.monotonic() + DEADLINE_S
    pause = condition or threading.Event()
    while not (probe.is_file() and probe.stat().st_size >= size_bytes):
        assert time.monotonic() < give_up_s, f"{probe} did not appear"
        pause.wait(0.02)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_leaves_nothing_that_passes_for_the_model(
    site: Site, tmp_path: Path, signal_number: signal.Signals
) -> None:
    site.stalls_after = 131_072
    with start_child(site, tmp_path) as child:
        wait_until(None, tmp_path / "cache" / ".partial" / "tiny.part")
        child.send_signal(signal_number)
        child.communicate(timeout=DEADLINE_S)
        assert child.returncode != 0
    entry, store = entry_for(site.url, DATA), make_store(tmp_path)
    assert store.find(entry) is None
    assert not list((tmp_path / "cache").rglob("*.onnx"))
    site.stalls_after = None
    assert store.get(entry).read_bytes() == DATA
    assert leftovers(tmp_path / "cache") == ["models/tiny.onnx"]


def test_two_processes_that_want_the_same_file_fetch_it_once(site: Site, tmp_path: Path) -> None:
    site.pause_s = 0.1
    with start_child(site, tmp_path) as first, start_child(site, tmp_path) as second:
        outputs = [child.communicate(timeout=DEADLINE_S) for child in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert len(site.requests) == 1
    assert (tmp_path / "cache" / "models" / "tiny.onnx").read_bytes() == DATA


def test_the_first_download_of_an_unpinned_model_is_the_one_that_counts(site: Site, tmp_path: Path) -> None:
    store, entry = make_store(tmp_path), entry_for(site.url, None)
    path = store.get(entry)
    assert store.is_recorded(entry)
    path.unlink()
    site.data, site.etag = OTHER, '"v2"'
    with pytest.raises(ModelError) as caught:
        store.get(entry)
    assert hashlib.sha256(DATA).hexdigest() in str(caught.value)
    assert hashlib.sha256(OTHER).hexdigest() in str(caught.value)
    assert leftovers(tmp_path / "cache") == ["models.lock"]
    site.data = DATA
    assert store.get(entry).read_bytes() == DATA


def test_an_unpinned_model_that_changed_on_disk_is_refused(site: Site, tmp_path: Path) -> None:
    store, entry = make_store(tmp_path), entry_for(site.url, None)
    store.get(entry).write_bytes(OTHER)
    with pytest.raises(ModelError, match="as first seen here"):
        store.get(entry)


def test_checking_does_not_make_a_file_trusted(site: Site, tmp_path: Path) -> None:
    mine = put(tmp_path / "mine", DATA)
    store, entry = make_store(tmp_path, tmp_path / "mine"), entry_for(site.url, None)
    store.verify(entry, mine, should_record=False)
    assert not store.is_recorded(entry)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Sign in</title>" * 99, b"\x08\x08" * 50, DATA[:9999]])
def test_what_is_no_model_is_never_trusted_on_first_use(site: Site, tmp_path: Path, page: bytes) -> None:
    site.data = page
    store, entry = make_store(tmp_path), entry_for(site.url, None)
    with pytest.raises(DownloadError, match="was removed"):
        store.get(entry)
    assert not store.is_recorded(entry)
    assert leftovers(tmp_path / "cache") == []


def test_offline_says_in_one_sentence_what_to_do(site: Site, tmp_path: Path) -> None:
    with pytest.raises(OfflineError) as caught:
        make_store(tmp_path, is_offline=True).get(entry_for(site.url, DATA))
    sentence = str(caught.value)
    for part in ("tiny", "NVR_OFFLINE", site.url, str(tmp_path / "cache" / "models" / "tiny.onnx"), "NVR_ASSETS_DIR"):
        assert part in sentence
    assert "\n" not in sentence
    assert site.requests == []


def test_offline_takes_what_is_here(site: Site, tmp_path: Path) -> None:
    mine = put(tmp_path / "mine", DATA)
    assert make_store(tmp_path, tmp_path / "mine", is_offline=True).get(entry_for(site.url, DATA)) == mine


def test_a_cache_that_cannot_be_made_is_told_with_its_path(site: Site, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match=str(tmp_path / "cache")):
        make_store(tmp_path).get(entry_for(site.url, DATA))


def test_reads_its_settings_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mine = put(tmp_path / "mine", DATA)
    store = AssetStore.from_environment({"NVR_ASSETS_DIR": str(tmp_path / "mine"), "NVR_OFFLINE": "yes"})
    assert store.find(entry_for("https://example.org/x", DATA)) == mine
    assert store.cache_dir == tmp_path / "nvr"
    with pytest.raises(OfflineError, match="NVR_OFFLINE is set"):
        store.get(load_catalogue().find("yolox-s"))


@pytest.mark.parametrize(
    ("environment", "word"),
    [({"NVR_ASSETS_DIR": "/does/not/exist"}, "NVR_ASSETS_DIR"), ({"NVR_OFFLINE": "perhaps"}, "NVR_OFFLINE")],
)
def test_an_environment_that_means_nothing_is_refused(environment: dict[str, str], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        AssetStore.from_environment(environment)


@pytest.mark.assets
def test_the_real_files_are_what_the_catalogue_says(assets_dir: Path, tmp_path: Path) -> None:
    store = AssetStore(assets_dir, tmp_path, is_offline=True)
    pinned = [entry for entry in load_catalogue().entries if entry.trust == "pinned"]
    for entry in pinned:
        path = store.get(entry)
        assert os.stat(path).st_size == entry.size_bytes  # noqa: PTH116 - the size as the system tells it
    assert len(pinned) == 7
