"""Servers that refuse, hang, circle, drip, flood and break off: each ends in a sentence, in time, and harms nobody."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from nvr.core.errors import CredentialsError, NvrError, StreamError
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.health import HealthState
from nvr.media.source import SourceOptions, open_source
from nvr.media.stream import IngestSettings, StreamState
from tests.media.watched import SECRET, bounded_memory, watched

OPTIONS = SourceOptions("tcp", open_timeout_s=0.5, read_timeout_s=0.5)
REPOSITORY = Path(__file__).parents[2]

NO_ANSWER = "does not answer in time"
NO_VIDEO = "sends what is no video, or nothing at all"
NOT_ALLOWED = "leads to a protocol or format that is not allowed"

Ports = dict[str, int]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of video, a key frame each five."""
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    pictures = (np.full((96, 160, 3), 8 * i, np.uint8) for i in range(25))
    encode_pictures(pictures, path, EncoderSettings(160, 96, Fraction(25), gop_s=0.2))
    return path


@pytest.fixture(scope="module")
def ports(clip: Path) -> Iterator[Ports]:
    """The ports of all hostile servers, by what they do."""
    command = [sys.executable, "-m", "tests.servers.hostile_scripts", str(clip)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate(timeout=60)


def refusal(address: str, shown: str) -> NvrError:
    """Return what opening an address raises, in a sentence without the password."""
    with bounded_memory(), pytest.raises(NvrError) as caught:
        open_source(address, OPTIONS)
    message = str(caught.value)
    assert message.startswith(f"{shown} ")
    assert SECRET not in message
    assert "\n" not in message
    return caught.value


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("says nothing", NO_ANSWER),
        ("hangs up", "hung up before it sent all"),
        ("http error", "its server answers with an error"),
        ("http refuses", "is refused by its server"),
        ("http not found", "is not known to its server"),
        ("http redirect to itself", "redirects without end"),
        ("http redirect to a file", NOT_ALLOWED),
        ("http redirect to nothing", NO_VIDEO),
        ("http dripping header", NO_ANSWER),
        ("http dripping headers", NO_ANSWER),
        ("http dripping body", NO_ANSWER),
        ("http flood of headers", NO_ANSWER),
        ("http flood in a header", NO_ANSWER),
        ("http flood of bytes", ""),
        ("http flood of zeros", NO_VIDEO),
        ("http flood of a playlist", NOT_ALLOWED),
        ("http web page", NO_VIDEO),
        ("http letters", ""),
        ("http nothing", NO_VIDEO),
        ("http another language", "hung up before it sent all"),
    ],
)
def test_what_an_http_server_does_ends_in_a_sentence(ports: Ports, name: str, sentence: str) -> None:
    address = f"http://user:{SECRET}@127.0.0.1:{ports[name]}/live?password={SECRET}"
    error = refusal(address, f"http://***@127.0.0.1:{ports[name]}/live?password=***")
    assert isinstance(error, StreamError)
    assert sentence in str(error)


@pytest.mark.parametrize("name", ["http wrong password, digest", "http wrong password, basic", "http forbidden"])
def test_a_wrong_password_over_http_is_for_a_person_to_mend(ports: Ports, name: str) -> None:
    error = refusal(f"http://user:{SECRET}@127.0.0.1:{ports[name]}/1", f"http://***@127.0.0.1:{ports[name]}/1")
    assert isinstance(error, CredentialsError)
    assert "refused the user name and password" in str(error)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("says nothing", NO_VIDEO),
        ("rtsp error", "its server answers with an error"),
        ("rtsp refuses", "is refused by its server"),
        ("rtsp speaks http", NO_VIDEO),
        ("rtsp redirect to itself", ""),
        ("rtsp redirect to a file", NOT_ALLOWED),
        ("rtsp redirect to http", NO_VIDEO),
        ("rtsp dripping header", NO_VIDEO),
        ("rtsp dripping headers", NO_VIDEO),
        ("rtsp flood of headers", NO_VIDEO),
        ("rtsp flood in a header", NO_VIDEO),
        ("rtsp flood of bytes", NO_VIDEO),
        ("rtsp description of 2 GB", NO_VIDEO),
        ("rtsp description of -5 bytes", NO_VIDEO),
        ("rtsp ten thousand tracks", NO_VIDEO),
    ],
)
def test_what_an_rtsp_server_does_ends_in_a_sentence(ports: Ports, name: str, sentence: str) -> None:
    error = refusal(f"rtsp://user:{SECRET}@127.0.0.1:{ports[name]}/1", f"rtsp://***@127.0.0.1:{ports[name]}/1")
    assert isinstance(error, StreamError)
    assert sentence in str(error)


@pytest.mark.camera
def test_a_wrong_password_is_tried_rarely_and_told(tmp_path: Path) -> None:
    config = SimulatorConfig(1, credentials=("user", "right"), width_px=160, height_px=96, cache_dir=tmp_path)
    patient = IngestSettings(open_timeout_s=5, read_timeout_s=5, reconnect_max_s=3600)
    with Simulator(config) as simulator:
        uri = simulator.uri(0).replace("rtsp://", f"rtsp://user:{SECRET}@")
        with watched(uri, patient) as camera:
            event = camera.wait_for(HealthState.OFFLINE)
            assert event.reason.endswith("refused the user name and password")
            assert event.reason.startswith("rtsp://***@127.0.0.1:")
            assert camera.stream.state is StreamState.OFFLINE
            assert camera.stream.stats.failures == 1


PLAYS = {
    "plays nothing": NO_ANSWER,
    "plays and cuts mid-frame": "",
    "plays an unknown codec": "has a codec that this build does not know",
    "plays no track": "has no video",
    "plays sound only": "has no video",
    "plays under a name in Latin-1": NO_ANSWER,
}


@pytest.mark.parametrize("name", PLAYS)
def test_what_a_camera_does_after_play_is_told_and_tried_again(ports: Ports, name: str) -> None:
    address = f"rtsp://user:{SECRET}@127.0.0.1:{ports[name]}/live"
    with bounded_memory(), watched(address) as camera:
        event = camera.wait_for(HealthState.OFFLINE)
        assert event.reason.startswith(f"rtsp://***@127.0.0.1:{ports[name]}/live")
        assert PLAYS[name] in event.reason
        assert "Error" not in event.reason, "a sentence, not the name of a class"
        camera.wait_for_failures(2)


@pytest.mark.parametrize("name", ["plays noise", "plays lengths that lie", "plays broken packets"])
def test_a_camera_that_sends_garbage_is_given_up_or_told_broken(ports: Ports, name: str) -> None:
    with bounded_memory(), watched(f"rtsp://127.0.0.1:{ports[name]}/live") as camera:
        camera.wait(
            lambda: camera.stream.stats.failures > 0 or camera.stream.stats.broken_packets > 100, "trouble is noticed"
        )
        assert camera.stream.stats.frames == 0


@pytest.mark.camera
def test_one_good_camera_among_bad_ones_loses_nothing(ports: Ports, tmp_path: Path) -> None:
    names = [*PLAYS, "plays noise", "plays lengths that lie", "says nothing", "rtsp flood of bytes"]
    config = SimulatorConfig(1, width_px=160, height_px=96, cache_dir=tmp_path)
    with ExitStack() as stack:
        stack.enter_context(bounded_memory(128 << 20))
        simulator = stack.enter_context(Simulator(config))
        good = stack.enter_context(watched(simulator.uri(0), IngestSettings(), source_id=99))
        good.wait_for(HealthState.RUNNING)
        bad = [
            stack.enter_context(watched(f"rtsp://127.0.0.1:{ports[name]}/live", source_id=i))
            for i, name in enumerate(names)
        ]
        for camera in bad:
            camera.wait_for_failures(3)
        frames = good.stream.stats.frames
        good.wait(lambda: good.stream.stats.frames >= frames + 25, "frames of the good camera")
        stats = good.stream.stats
        assert (stats.failures, stats.broken_packets, stats.skipped_packets) == (0, 0, 0)


@pytest.mark.parametrize("name", ["rtsp dripping header", "rtsp flood of headers", "plays nothing"])
def test_a_stream_is_stopped_while_a_server_holds_it_up(ports: Ports, name: str) -> None:
    slow = IngestSettings(open_timeout_s=2, read_timeout_s=2)
    with watched(f"rtsp://127.0.0.1:{ports[name]}/live", slow) as camera:
        camera.look()


def test_a_film_that_breaks_off_is_told(ports: Ports) -> None:
    with watched(f"http://127.0.0.1:{ports['http breaks off']}/a.mp4") as camera:
        camera.wait_for(HealthState.OFFLINE)


@pytest.fixture
def playlists(clip: Path, tmp_path: Path) -> Iterator[str]:
    """The address of playlists of one segment each, served by Python's own server."""
    with av.open(str(clip)) as source, av.open(str(tmp_path / "a.ts"), "w", format="mpegts") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    for name, entry in (("good", "a.ts"), ("file", f"file://{tmp_path}/a.ts"), ("concat", "concat:a.ts|a.ts")):
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", entry, "#EXT-X-ENDLIST", ""]
        (tmp_path / f"{name}.m3u8").write_text("\n".join(lines))
    handler = partial(_QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="http-server")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_playlist_that_was_asked_for_is_played(playlists: str) -> None:
    with open_source(f"{playlists}/good.m3u8?token=x", SourceOptions("tcp", 5, 5)) as container:
        assert len([packet for packet in container.demux(video=0) if packet.size]) == 25


@pytest.mark.parametrize("name", ["file", "concat"])
def test_a_playlist_leads_to_no_file_of_this_machine(playlists: str, name: str) -> None:
    with pytest.raises(StreamError):
        open_source(f"{playlists}/{name}.m3u8", SourceOptions("tcp", 5, 5))
