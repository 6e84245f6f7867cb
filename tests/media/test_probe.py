"""A look at real streams of the simulator, at files, and at servers that refuse or say nothing."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from nvr.core.errors import CancelledError, ConfigurationError, CredentialsError, StreamError, UnsupportedError
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.probe import MAX_PARALLEL, ProbeOptions, ProbeResult, probe, probe_all
from nvr.media.source import SourceOptions
from tests.servers.hostile import HostileServer, Peer, accept_and_say_nothing, rtp_packets, rtsp_camera
from tests.waiting import wait_until

OPTIONS = ProbeOptions(SourceOptions("tcp", open_timeout_s=5, read_timeout_s=5), look_s=10)
HASTY = ProbeOptions(SourceOptions("tcp", open_timeout_s=0.5, read_timeout_s=0.5), look_s=1)
SECRET = "hunter2"  # pragma: allowlist secret


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """Two cameras of 320x180 and 12 fps with a key frame each half second, that let in `viewer`."""
    config = SimulatorConfig(
        n_cameras=2,
        width_px=320,
        height_px=180,
        fps=12,
        gop_s=0.5,
        scene_s=2,
        credentials=("viewer", SECRET),
        cache_dir=tmp_path_factory.mktemp("loops"),
    )
    with Simulator(config) as simulator:
        yield simulator


def address(cameras: Simulator, camera: int = 0, password: str = SECRET) -> str:
    return cameras.uri(camera).replace("rtsp://", f"rtsp://viewer:{password}@")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of video of 25 fps, one key frame at its start."""
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    pictures = (np.full((96, 160, 3), 8 * i, np.uint8) for i in range(25))
    encode_pictures(pictures, path, EncoderSettings(160, 96, Fraction(25), gop_s=1.0))
    return path


@pytest.mark.camera
def test_tells_what_a_camera_sends_and_how_often(cameras: Simulator) -> None:
    seen = probe(address(cameras), OPTIONS)
    assert (seen.codec, seen.width_px, seen.height_px, seen.audio_codec) == ("h264", 320, 180, None)
    assert seen.fps == pytest.approx(12, rel=0.05)
    assert seen.gop_s == pytest.approx(0.5, abs=0.01)
    assert seen.first_key_frame_s is not None
    assert seen.first_key_frame_s > 0
    assert SECRET not in repr(seen)


@pytest.mark.camera
def test_many_are_looked_at_and_each_has_its_own_outcome_in_order(cameras: Simulator) -> None:
    done: list[None] = []
    uris = [
        address(cameras, 0),
        address(cameras, 0, "wrong"),
        f"{cameras.stream_server}/nothing".replace("rtsp://", f"rtsp://viewer:{SECRET}@"),
        f"rtsp://viewer:{SECRET}@127.0.0.1:1/refused",
        address(cameras, 1),
    ]
    first, wrong, absent, refused, last = probe_all(uris, OPTIONS, on_done=lambda: done.append(None))
    assert isinstance(first, ProbeResult)
    assert isinstance(last, ProbeResult)
    assert (first.uri, last.uri) == (uris[0], uris[4])
    assert isinstance(wrong, CredentialsError)
    assert isinstance(absent, StreamError)
    assert "404" in str(absent)
    assert isinstance(refused, StreamError)
    assert "refuses the connection" in str(refused)
    assert not any(SECRET in str(error) for error in (wrong, absent, refused))
    assert len(done) == len(uris)


def test_a_file_tells_its_sound_and_its_length_of_a_gop(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"g": "10", "bf": "2", "sc_threshold": "0"})
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        sound = container.add_stream("aac", rate=8000, layout="mono")
        for index in range(30):
            picture = av.VideoFrame.from_ndarray(np.full((96, 160, 3), index, np.uint8), "rgb24")
            picture.pts = index
            container.mux(video.encode(picture))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    seen = probe(str(path), OPTIONS)
    assert (seen.codec, seen.audio_codec, seen.pixels) == ("h264", "aac", 160 * 96)
    assert seen.gop_s == pytest.approx(0.4, abs=0.01)
    assert seen.fps == pytest.approx(25, rel=0.2)


def test_a_gop_longer_than_the_look_is_not_guessed(clip: Path) -> None:
    seen = probe(str(clip), OPTIONS)
    assert seen.gop_s is None
    assert seen.fps == pytest.approx(25, rel=0.01)


def test_too_few_pictures_tell_the_rate_that_is_declared(tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    pictures = (np.full((96, 160, 3), 8 * i, np.uint8) for i in range(4))
    encode_pictures(pictures, path, EncoderSettings(160, 96, Fraction(10), gop_s=1.0))
    assert probe(str(path), OPTIONS).fps == pytest.approx(10)


def test_a_camera_that_answers_and_then_says_nothing_is_told() -> None:
    with HostileServer(accept_and_say_nothing) as server, pytest.raises(StreamError) as caught:
        probe(f"rtsp://viewer:{SECRET}@127.0.0.1:{server.port}/1", HASTY)
    assert SECRET not in str(caught.value)


def test_a_camera_that_hangs_up_after_its_description_sent_no_picture() -> None:
    def hang_up(peer: Peer) -> None:
        peer.reset()

    with HostileServer(rtsp_camera(hang_up)) as server, pytest.raises(StreamError):
        probe(f"rtsp://127.0.0.1:{server.port}/1", HASTY)


def test_a_camera_that_falls_silent_is_told_by_what_came_before(clip: Path) -> None:
    packets = list(rtp_packets(clip))

    def send_a_second(peer: Peer) -> None:
        for packet in packets:
            peer.send(packet)

    with HostileServer(rtsp_camera(send_a_second)) as server:
        seen = probe(f"rtsp://127.0.0.1:{server.port}/1", replace(HASTY, look_s=60))
    assert (seen.codec, seen.width_px, seen.height_px) == ("h264", 160, 96)


def test_sound_alone_is_no_camera(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
    with pytest.raises(UnsupportedError, match="has no video"):
        probe(str(path), OPTIONS)


def test_a_file_that_is_not_there_is_a_setting_to_change() -> None:
    (outcome,) = probe_all(["/no/such/file.mp4"], OPTIONS)
    assert isinstance(outcome, ConfigurationError)


def test_nothing_to_look_at_is_no_work() -> None:
    assert probe_all([], OPTIONS) == ()


def test_a_look_that_is_called_off_connects_to_nobody() -> None:
    ended = threading.Event()
    ended.set()
    with HostileServer(accept_and_say_nothing) as server:
        outcomes = probe_all([f"rtsp://127.0.0.1:{server.port}/1"] * 3, OPTIONS, ended=ended)
        assert server.n_connections == 0
    assert all(isinstance(outcome, CancelledError) for outcome in outcomes)


def test_an_interrupted_caller_waits_for_no_camera_and_the_looks_end() -> None:
    """As with Ctrl-C: what waits raises, the cameras still hang, and their threads leave by their own timeouts."""
    has_begun = threading.Event()

    def hang(peer: Peer) -> None:
        has_begun.set()
        peer.wait()

    code = """
import sys
from nvr.media.probe import ProbeOptions, probe_all
from nvr.media.source import SourceOptions
try:
    probe_all([sys.argv[1]] * 2, ProbeOptions(SourceOptions("tcp", 60, 60)))
except KeyboardInterrupt:
    print("interrupted")
"""
    with (
        HostileServer(hang) as server,
        subprocess.Popen(
            [sys.executable, "-c", code, f"rtsp://127.0.0.1:{server.port}/1"], stdout=subprocess.PIPE, text=True
        ) as program,
    ):
        wait_until(has_begun.is_set, "a look has begun")
        program.send_signal(signal.SIGINT)
        shown, _ = program.communicate(timeout=30)  # the looks alone would take twice 60 s
    assert shown.strip() == "interrupted"


def test_no_more_than_so_many_are_looked_at_together(clip: Path) -> None:
    names: set[str] = set()

    def note() -> None:
        names.add(threading.current_thread().name)

    probe_all([str(clip)] * 40, replace(OPTIONS, n_parallel=1000), on_done=note)
    assert 1 <= len(names) <= MAX_PARALLEL
    assert all(name.startswith("probe") for name in names)
    assert not any(thread.name in names for thread in threading.enumerate())
