import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nvr.assets.download import DownloadLimits, HttpDownloader
from nvr.core.backoff import Backoff
from nvr.core.clock import ManualClock
from nvr.core.errors import DownloadError, TransientError
from tests.assets.onnx_bytes import onnx_bytes
from tests.assets.web import Site, serve

DATA = onnx_bytes(400_000)
QUICK = DownloadLimits(connect_timeout_s=5, read_timeout_s=20, tries=3)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(DATA) as running:
        yield running


def fetch(
    site: Site,
    part: Path,
    limits: DownloadLimits = QUICK,
    *,
    size_bytes: int | None = len(DATA),
    max_bytes: int = 1_000_000,
    progress: list[tuple[int, int | None]] | None = None,
) -> None:
    backoff = Backoff(initial_s=0.001, max_s=0.002, rng=random.Random(1))
    told = [] if progress is None else progress
    HttpDownloader(limits, backoff=backoff).download(
        site.url,
        part,
        size_bytes=size_bytes,
        max_bytes=max_bytes,
        progress=lambda done, total: told.append((done, total)),
    )


def test_writes_what_the_server_serves_and_tells_the_progress(site: Site, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    fetch(site, tmp_path / "part", progress=told)
    assert (tmp_path / "part").read_bytes() == DATA
    assert told[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_overwrites_what_an_earlier_run_left(site: Site, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"old" * 500_000)
    fetch(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_goes_on_where_the_connection_broke(site: Site, tmp_path: Path) -> None:
    site.cut_after = [100_000, 250_000, 399_000]
    fetch(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert [request.get("range") for request in site.requests] == [
        None,
        "bytes=100000-",
        "bytes=250000-",
        "bytes=399000-",
    ]
    assert site.requests[1]["if-range"] == '"v1"'


def test_gets_a_file_in_more_broken_tries_than_it_may_fail_in_a_row(site: Site, tmp_path: Path) -> None:
    site.cut_after = list(range(50_000, 400_000, 50_000))
    fetch(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert len(site.requests) > QUICK.tries


def test_starts_anew_where_the_server_ignores_ranges(site: Site, tmp_path: Path) -> None:
    site.has_ranges = False
    site.cut_after = [300_000]
    fetch(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert site.requests[1]["range"] == "bytes=300000-"


def test_never_joins_the_halves_of_two_files(site: Site, tmp_path: Path) -> None:
    other = onnx_bytes(400_000, seed=2)
    site.cut_after = [200_000]

    def swap(done: int, _total: int | None) -> None:
        if done >= 200_000 and site.data is DATA:
            site.data, site.etag = other, '"v2"'

    HttpDownloader(QUICK, backoff=Backoff(0.001, 0.002)).download(
        site.url, tmp_path / "part", size_bytes=None, max_bytes=1_000_000, progress=swap
    )
    assert (tmp_path / "part").read_bytes() == other


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_does_not_resume_a_file_that_nothing_identifies(site: Site, tmp_path: Path, etag: str | None) -> None:
    site.etag = etag
    site.cut_after = [200_000]
    fetch(site, tmp_path / "part", size_bytes=None)
    assert (tmp_path / "part").read_bytes() == DATA
    assert all("range" not in request for request in site.requests)


def test_tries_again_after_a_server_error(site: Site, tmp_path: Path) -> None:
    site.statuses = [500, 429]
    fetch(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_starts_anew_when_the_server_refuses_the_range(site: Site, tmp_path: Path) -> None:
    site.cut_after = [200_000]

    def refuse_next(done: int, _total: int | None) -> None:
        if done == 200_000 and len(site.requests) == 1:
            site.statuses = [416]

    HttpDownloader(QUICK, backoff=Backoff(0.001, 0.002)).download(
        site.url, tmp_path / "part", size_bytes=len(DATA), max_bytes=1_000_000, progress=refuse_next
    )
    assert (tmp_path / "part").read_bytes() == DATA
    assert [request.get("range") for request in site.requests] == [None, "bytes=200000-", None]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_gives_up_at_once_on_a_final_answer(site: Site, tmp_path: Path, status: int) -> None:
    site.statuses = [status] * 5
    with pytest.raises(DownloadError, match=f"{site.url}: the server answers {status}"):
        fetch(site, tmp_path / "part")
    assert len(site.requests) == 1


def test_gives_up_after_so_many_server_errors(site: Site, tmp_path: Path) -> None:
    site.statuses = [503] * 10
    with pytest.raises(DownloadError, match="the server answers 503 Service Unavailable"):
        fetch(site, tmp_path / "part")
    assert len(site.requests) == QUICK.tries


def test_reads_no_more_than_the_limit_from_an_endless_server(site: Site, tmp_path: Path) -> None:
    site.is_endless = True
    with pytest.raises(DownloadError, match="expected at most 1000000 bytes, the server sends more"):
        fetch(site, tmp_path / "part", size_bytes=None)
    assert (tmp_path / "part").stat().st_size <= 1_000_000


def test_refuses_an_announced_length_other_than_the_known_one(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"expected 77 bytes, the server announces {len(DATA)}"):
        fetch(site, tmp_path / "part", size_bytes=77)


def test_refuses_an_announced_length_over_the_limit(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"expected at most 1000 bytes, the server announces {len(DATA)}"):
        fetch(site, tmp_path / "part", size_bytes=None, max_bytes=1000)


def test_a_file_that_ends_early_without_an_announced_length_is_not_taken_for_whole(site: Site, tmp_path: Path) -> None:
    site.has_length = False
    site.has_ranges = False
    site.cut_after = [1000] * 5
    with pytest.raises(DownloadError, match=f"the connection ended after 1000 of {len(DATA)} bytes"):
        fetch(site, tmp_path / "part")


def test_ends_a_redirect_loop(site: Site, tmp_path: Path) -> None:
    site.redirect = site.url
    with pytest.raises(DownloadError, match="redirect"):
        fetch(site, tmp_path / "part")
    assert len(site.requests) == QUICK.max_redirects + 1


def test_follows_a_redirect(site: Site, tmp_path: Path) -> None:
    with serve(b"elsewhere") as front:
        front.redirect = site.url
        fetch(front, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_does_not_follow_a_redirect_to_something_that_is_not_http(site: Site, tmp_path: Path) -> None:
    site.redirect = "file:///etc/passwd"
    with pytest.raises(DownloadError, match="file://"):
        fetch(site, tmp_path / "part")


def test_a_server_that_falls_silent_is_left(site: Site, tmp_path: Path) -> None:
    site.stalls_after = 131_072
    with pytest.raises(DownloadError, match="the server does not answer"):
        fetch(site, tmp_path / "part", DownloadLimits(read_timeout_s=0.2, tries=2))
    assert len(site.requests) >= 2


def test_a_server_that_trickles_is_cut_and_asked_again(site: Site, tmp_path: Path) -> None:
    clock = ManualClock()
    site.block_bytes = 10_000

    def crawl(done: int, _total: int | None) -> None:
        if len(site.requests) == 1 and done > 100_000:
            clock.advance(1000.0)

    HttpDownloader(QUICK, clock=clock, backoff=Backoff(0.001, 0.002)).download(
        site.url, tmp_path / "part", size_bytes=len(DATA), max_bytes=1_000_000, progress=crawl
    )
    assert (tmp_path / "part").read_bytes() == DATA
    assert len(site.requests) == 2


def test_nobody_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    with serve(DATA) as gone:
        pass
    with pytest.raises(DownloadError, match=f"{gone.url}: no connection"):
        fetch(gone, tmp_path / "part")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "https://", "nonsense"])
def test_a_url_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError):
        fetch(Site(b"", url=url), tmp_path / "part")


PATIENT = DownloadLimits(connect_timeout_s=600, read_timeout_s=600)


def cancel_fetch(url: str, part: Path, is_cancelled: Callable[[], bool], backoff: Backoff | None = None) -> None:
    """Fail unless the download ends by the cancellation, which is not an error of the network."""
    downloader = HttpDownloader(PATIENT, backoff=backoff or Backoff(600.0, 600.0))
    with pytest.raises(TransientError, match=f"the download of {url} was cancelled") as caught:
        downloader.download(
            url,
            part,
            size_bytes=len(DATA),
            max_bytes=len(DATA),
            progress=lambda _done, _total: None,
            is_cancelled=is_cancelled,
        )
    assert not isinstance(caught.value, DownloadError)


def download_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("the download of")]


def test_is_cancelled_between_two_chunks(site: Site, tmp_path: Path) -> None:
    site.block_bytes, site.pause_s = 4000, 0.02
    part = tmp_path / "part"
    cancel_fetch(site.url, part, lambda: part.exists() and part.stat().st_size > 0)
    assert part.stat().st_size < len(DATA)
    assert download_threads() == []


def test_is_cancelled_while_the_server_is_silent(site: Site, tmp_path: Path) -> None:
    site.stalls_after = 131_072
    cancel_fetch(site.url, tmp_path / "part", lambda: len(site.requests) > 0)


def test_is_cancelled_while_the_server_does_not_even_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/x.onnx"
        part = tmp_path / "part"
        cancel_fetch(url, part, part.exists)


def test_is_cancelled_in_the_pause_between_two_tries(site: Site, tmp_path: Path) -> None:
    site.statuses = [503] * 10
    cancel_fetch(site.url, tmp_path / "part", lambda: len(site.requests) > 0)
    assert len(site.requests) == 1
    assert download_threads() == []


def test_what_was_cancelled_before_asks_nobody(site: Site, tmp_path: Path) -> None:
    cancel_fetch(site.url, tmp_path / "part", lambda: True)
    assert site.requests == []
    assert download_threads() == []


def test_what_nobody_cancels_is_fetched_and_fails_as_without_the_question(site: Site, tmp_path: Path) -> None:
    told: list[int] = []
    downloader = HttpDownloader(QUICK, backoff=Backoff(0.001, 0.002))
    options = {"size_bytes": len(DATA), "max_bytes": len(DATA)}
    downloader.download(
        site.url, tmp_path / "part", progress=lambda n, _: told.append(n), is_cancelled=lambda: False, **options
    )
    assert (tmp_path / "part").read_bytes() == DATA
    assert told[-1] == len(DATA)
    site.statuses = [404]
    with pytest.raises(DownloadError, match="the server answers 404"):
        downloader.download(
            site.url, tmp_path / "part", progress=lambda _done, _: None, is_cancelled=lambda: False, **options
        )
