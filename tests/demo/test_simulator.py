"""The simulator as its users see it: real clients, faults while it runs, starting and stopping."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from nvr.core.clock import SystemClock
from nvr.core.errors import ConfigurationError
from nvr.demo.frame_code import draw_frame_code, read_frame_code
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.demo.truth import FrameTruth
from nvr.media.encode import EncoderSettings, encode_pictures
from tests.demo.conftest import StartSimulator
from tests.demo.rtsp.client import RawClient, play_interleaved
from tests.waiting import wait_until

pytestmark = pytest.mark.camera

N_FRAMES = 100
"""Frames of the small scenes' loop."""
NEVER = datetime.min.replace(tzinfo=UTC)


@contextmanager
def opened(uri: str, transport: str = "tcp", timeout_s: float = 20.0) -> Iterator[av.container.InputContainer]:
    # Half a second is enough to learn the size; guessing the frame rate would take one and a half more each time.
    options = {"rtsp_transport": transport, "analyzeduration": "500000", "fpsprobesize": "0"}
    with av.open(uri, options=options, timeout=timeout_s) as container:
        yield container


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    return frame.to_ndarray(format="gray").astype(np.uint8, copy=False)


def numbered_picture(number: int) -> NDArray[np.uint8]:
    image = np.full((180, 320, 3), 90, np.uint8)
    draw_frame_code(image, number)
    return image


def read_frame_numbers(uri: str, count: int, transport: str = "tcp") -> list[int | None]:
    numbers: list[int | None] = []
    with opened(uri, transport) as container:
        for frame in container.decode(video=0):
            numbers.append(read_frame_code(luma(frame)))
            if len(numbers) == count:
                break
    return numbers


def are_consecutive(numbers: list[int | None]) -> bool:
    known = [number for number in numbers if number is not None]
    return len(known) == len(numbers) and all((b - a) % N_FRAMES == 1 for a, b in pairwise(known))


class PlayingClient:
    """Decodes nothing, counts packets, in a thread of its own."""

    def __init__(self, uri: str) -> None:
        self.packets = 0
        self.has_ended = False
        self._stop = threading.Event()
        self._uri = uri
        self._thread = threading.Thread(target=self._run, name="playing-client")
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with opened(self._uri) as container:
                for packet in container.demux(video=0):
                    self.packets += bool(packet.size)
                    if self._stop.is_set():
                        break
        except av.FFmpegError:
            pass
        self.has_ended = True


@contextmanager
def playing(uri: str) -> Iterator[PlayingClient]:
    client = PlayingClient(uri)
    try:
        wait_until(lambda: client.packets > 0 or client.has_ended, "the client gets packets")
        yield client
    finally:
        client.stop()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frame_numbers_follow_each_other_over_the_seam(simulator: Simulator, transport: str) -> None:
    numbers = read_frame_numbers(simulator.uri(0), N_FRAMES + 30, transport)
    assert are_consecutive(numbers)


def test_the_wall_time_of_sender_reports_is_the_capture_time_of_the_truth(
    small_config: SimulatorConfig,
) -> None:
    truths: dict[int, FrameTruth] = {}
    seen: list[tuple[int, datetime]] = []

    def remember(truth: FrameTruth) -> None:
        truths.setdefault(truth.frame_number, truth)

    with (
        Simulator(small_config, on_frame=remember) as simulator,
        opened(simulator.uri(0)) as container,
    ):
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            captured_at = wall_time(packet)
            for frame in packet.decode():
                number = read_frame_code(luma(frame))
                if captured_at is not None and number is not None:
                    seen.append((number, captured_at))
            if len(seen) >= 20:
                break
    errors = [abs(captured_at - truths[number].captured_at) for number, captured_at in seen]
    assert max(errors) < timedelta(milliseconds=2)


def wall_time(packet: "av.Packet[VideoStream]") -> datetime | None:
    data = next((bytes(side) for side in packet.iter_sidedata() if side.data_type == "prft"), None)
    if data is None:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int.from_bytes(data[:8], "little"))


def test_a_skewed_clock_shows_in_the_reports_only(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(faults=("0:skew=-3600",))
    with opened(simulator.uri(0)) as container:
        times = (wall_time(packet) for packet in container.demux(container.streams.video[0]))
        captured_at = next(time for time in times if time is not None)
    assert timedelta(minutes=59) < datetime.now(UTC) - captured_at < timedelta(minutes=61)


def test_without_reports_nobody_knows_the_time(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(faults=("0:no-sr",))
    with opened(simulator.uri(0)) as container:
        packets = container.demux(container.streams.video[0])
        assert [wall_time(next(packets)) for _ in range(30)] == [None] * 30


def test_several_clients_of_several_cameras_play_at_once(simulator: Simulator) -> None:
    with (
        playing(simulator.uri(0)) as first,
        playing(simulator.uri(0)) as second,
        playing(simulator.uri(1)) as third,
    ):
        wait_until(lambda: min(c.packets for c in (first, second, third)) > 20, "all three play")
        assert (simulator.clients(0), simulator.clients(1)) == (2, 1)
    wait_until(lambda: simulator.clients(0) + simulator.clients(1) == 0, "all have left")


def test_a_frozen_camera_sends_nothing_until_it_thaws_and_keeps_its_clients(simulator: Simulator) -> None:
    with playing(simulator.uri(0)) as frozen, playing(simulator.uri(1)) as other:
        simulator.freeze(0)
        sent, seen = simulator.frames_sent(0), other.packets
        wait_until(lambda: other.packets > seen + 30, "the other camera goes on")
        assert simulator.frames_sent(0) == sent
        assert simulator.clients(0) == 1
        simulator.thaw(0)
        seen = frozen.packets
        wait_until(lambda: frozen.packets > seen + 10, "the camera sends again to the same client")
        assert not frozen.has_ended


def test_a_planned_freeze_begins_and_ends(small_config: SimulatorConfig) -> None:
    captured_at: dict[int, list[datetime]] = {0: [], 1: []}

    def longest_gap(camera: int) -> tuple[timedelta, datetime]:
        times = tuple(captured_at[camera])
        return max(((later - earlier, earlier) for earlier, later in pairwise(times)), default=(timedelta(), NEVER))

    def remember(truth: FrameTruth) -> None:
        captured_at[truth.camera].append(truth.captured_at)

    config = replace(small_config, faults=("0:freeze=4/3",))
    with (
        Simulator(config, on_frame=remember) as simulator,
        RawClient(simulator.port) as frozen,
        RawClient(simulator.port) as other,
    ):
        play_interleaved(frozen, simulator.uri(0))
        play_interleaved(other, simulator.uri(1))
        wait_until(lambda: simulator.frames_sent(0) > 0, "the camera sends before the freeze")
        wait_until(lambda: longest_gap(0)[0] > timedelta(seconds=2), "the camera sends after the freeze")
        assert simulator.clients(0) == 1
    gap, begins_at = longest_gap(0)
    assert timedelta(seconds=2.8) < gap < timedelta(seconds=6)  # from its begin to the key frame after its end
    meanwhile = [time for time in captured_at[1] if begins_at < time < begins_at + gap]
    assert len(meanwhile) > 25


def test_cameras_that_share_a_file_show_different_parts_of_it(small_config: SimulatorConfig, tmp_path: Path) -> None:
    file = tmp_path / "numbers.mp4"
    encode_pictures(map(numbered_picture, range(N_FRAMES)), file, EncoderSettings(320, 180, Fraction(25), gop_s=0.4))
    truths: dict[int, FrameTruth] = {}

    def remember(truth: FrameTruth) -> None:
        truths[truth.camera] = truth

    with (
        Simulator(replace(small_config, files=(file,)), on_frame=remember) as simulator,
        RawClient(simulator.port) as first,
        RawClient(simulator.port) as second,
    ):
        play_interleaved(first, simulator.uri(0))
        play_interleaved(second, simulator.uri(1))
        wait_until(lambda: len(truths) == 2, "both cameras send")
    elapsed_s = (truths[1].captured_at - truths[0].captured_at).total_seconds()
    ahead_frames = (truths[1].frame_number - truths[0].frame_number - elapsed_s * 25) % N_FRAMES
    assert 49 <= ahead_frames <= 51  # half the file of 100 frames, but for the half frame that cameras are out of step


def test_a_dropped_client_ends_and_may_come_back(simulator: Simulator) -> None:
    with playing(simulator.uri(0)) as dropped, playing(simulator.uri(1)) as other:
        simulator.drop(0)
        wait_until(lambda: dropped.has_ended, "the client noticed")
        assert simulator.clients(0) == 0
        assert not other.has_ended
    assert are_consecutive(read_frame_numbers(simulator.uri(0), 5))


def test_a_planned_drop_happens(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(faults=("0:drop=1",))
    with playing(simulator.uri(0)) as client:
        wait_until(lambda: client.has_ended, "the client was dropped")


def test_a_paused_server_refuses_and_comes_back_on_its_port(simulator: Simulator) -> None:
    port = simulator.port
    with playing(simulator.uri(0)) as client:
        simulator.pause_server()
        wait_until(lambda: client.has_ended, "the client noticed")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    simulator.resume_server()
    assert simulator.port == port
    assert are_consecutive(read_frame_numbers(simulator.uri(0), 5))


def test_a_planned_restart_comes_back(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(faults=("restart=1.5/0.1",))
    with playing(simulator.uri(0)) as client:
        wait_until(lambda: client.has_ended, "the server went away")

    def plays_again() -> bool:
        with playing(simulator.uri(0)) as client:
            return client.packets > 0

    wait_until(plays_again, "the server is back")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_lost_packets_are_missing_to_the_client(start_simulator: StartSimulator, transport: str) -> None:
    simulator = start_simulator(n_cameras=1, faults=("0:loss=0.3",))
    numbers = read_frame_numbers(simulator.uri(0), 60, transport)
    assert not are_consecutive(numbers)


def test_jitter_loses_and_swaps_nothing(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(faults=("0:jitter=60",))
    assert are_consecutive(read_frame_numbers(simulator.uri(0), 60))


def test_the_truth_file_has_a_line_for_each_frame_sent(start_simulator: StartSimulator, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    simulator = start_simulator(n_cameras=1, truth=path)
    seen = read_frame_numbers(simulator.uri(0), N_FRAMES + 10)
    sent = simulator.frames_sent(0)
    simulator.stop()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) >= sent >= len(seen)
    assert [line["frame_number"] for line in lines[: len(seen)]] == seen
    times = [datetime.fromisoformat(line["captured_at"]) for line in lines]
    assert all(later - earlier == timedelta(milliseconds=40) for earlier, later in pairwise(times))
    assert {(b["rtp_timestamp"] - a["rtp_timestamp"]) % (1 << 32) for a, b in pairwise(lines)} == {3600}
    things = [thing for line in lines for thing in line["objects"]]
    assert {thing["class_name"] for thing in things} == {"person", "car"}


def test_digest_login_lets_pyav_in_and_keeps_strangers_out(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(credentials=("admin", "s3cret"))
    uri = simulator.uri(0)
    assert are_consecutive(read_frame_numbers(uri.replace("rtsp://", "rtsp://admin:s3cret@"), 5))
    for wrong in (uri, uri.replace("rtsp://", "rtsp://admin:guess@")):
        with pytest.raises(av.error.HTTPUnauthorizedError):
            read_frame_numbers(wrong, 1)
    assert "s3cret" not in repr(simulator.config)


def test_a_file_is_played_and_nothing_is_claimed_about_it(start_simulator: StartSimulator, tmp_path: Path) -> None:
    file = tmp_path / "numbers.mp4"
    encode_pictures(map(numbered_picture, range(N_FRAMES)), file, EncoderSettings(320, 180, Fraction(25), gop_s=0.4))
    path = tmp_path / "truth.jsonl"
    simulator = start_simulator(files=(file,), truth=path)
    assert are_consecutive(read_frame_numbers(simulator.uri(1), 20))
    simulator.stop()
    first = json.loads(path.read_text().splitlines()[0])
    assert (first["camera"], first["objects"]) == (1, [])


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_an_h265_file_is_played_as_it_is(start_simulator: StartSimulator, tmp_path: Path, transport: str) -> None:
    file = tmp_path / "h265.mp4"
    settings = EncoderSettings(320, 180, Fraction(25), gop_s=0.4, codec="hevc")
    encode_pictures(map(numbered_picture, range(N_FRAMES)), file, settings)
    simulator = start_simulator(n_cameras=1, files=(file,))
    with opened(simulator.uri(0), transport) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
    assert are_consecutive(read_frame_numbers(simulator.uri(0), 20, transport))


def test_a_taken_port_is_one_clear_sentence(simulator: Simulator, start_simulator: StartSimulator) -> None:
    with pytest.raises(ConfigurationError, match=f"port {simulator.port} on 127.0.0.1 is taken"):
        start_simulator(port=simulator.port)


def test_an_address_of_another_machine_is_refused(start_simulator: StartSimulator) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot listen on 192\.0\.2\.1"):
        start_simulator(host="192.0.2.1")


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".local"])
def test_an_address_that_cannot_be_one_is_refused(start_simulator: StartSimulator, host: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        start_simulator(host=host)


class BrokenClock(SystemClock):
    """Fails as a fault of the program would."""

    def monotonic(self) -> float:
        raise ZeroDivisionError


def test_whatever_prevents_the_start_is_raised_by_it(small_config: SimulatorConfig) -> None:
    with pytest.raises(ZeroDivisionError), Simulator(small_config, clock=BrokenClock()):
        pytest.fail("it said that it started")
    assert "nvr-simulator" not in {thread.name for thread in threading.enumerate()}


def test_a_missing_file_is_named(start_simulator: StartSimulator, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.mp4: no such video file"):
        start_simulator(files=(tmp_path / "none.mp4",))


def test_stopping_ends_the_thread_and_frees_the_port(small_config: SimulatorConfig) -> None:
    simulator = Simulator(small_config)
    simulator.start()
    port = simulator.port
    with playing(simulator.uri(0)) as client:
        simulator.stop()
        wait_until(lambda: client.has_ended, "the client noticed")
    assert not simulator.is_running
    assert "nvr-simulator" not in {thread.name for thread in threading.enumerate()}
    with socket.create_server(("127.0.0.1", port)):
        pass
    simulator.stop()
    with pytest.raises(ConfigurationError, match="not running"):
        simulator.freeze(0)


def test_before_the_start_there_is_nothing_to_ask(small_config: SimulatorConfig) -> None:
    simulator = Simulator(small_config)
    with pytest.raises(ConfigurationError, match="not started"):
        simulator.uri(0)
    simulator.stop()


def test_a_camera_that_is_not_there_is_refused(simulator: Simulator) -> None:
    with pytest.raises(ConfigurationError, match="expected a camera from 0 to 1, got 2"):
        simulator.uri(2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_cameras": 0}, "expected 1 to 256 cameras, got 0"),
        ({"port": 70000}, "expected a port from 0 to 65535, got 70000"),
        ({"fps": 0}, "expected 0 < fps"),
        ({"faults": ("nonsense",)}, "fault 'nonsense' is unknown"),
    ],
)
def test_what_cannot_be_simulated_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SimulatorConfig(**changes)  # type: ignore[arg-type]  # the names are checked by the dataclass


def test_cameras_take_turns_in_what_goes_on(start_simulator: StartSimulator, tmp_path: Path) -> None:
    simulator = start_simulator(
        n_cameras=3,
        activities=("sparse", "quiet"),
        scene_s=40.0,
        fps=5,
        gop_s=2.0,
        rate_control="vbr",
        events=tmp_path / "events.jsonl",
    )
    first, second, third = (simulator.events(camera) for camera in range(3))
    assert first
    assert second == ()
    assert third
    assert third != first
    written = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(line["camera"], line["start_frame"], line["end_frame"]) for line in written] == [
        (camera, event.start_frame, event.end_frame) for camera, events in ((0, first), (2, third)) for event in events
    ]


def test_says_where_events_cannot_be_written(small_config: SimulatorConfig, tmp_path: Path) -> None:
    simulator = Simulator(replace(small_config, events=tmp_path / "none" / "events.jsonl"))
    with pytest.raises(ConfigurationError, match="the events cannot be written there: No such file"):
        simulator.start()


@pytest.mark.parametrize("has_open_gops", [False, True])
def test_b_frames_travel_in_decoding_order_and_are_shown_in_theirs(
    start_simulator: StartSimulator, has_open_gops: bool
) -> None:
    truths: list[FrameTruth] = []
    config = replace(start_simulator().config, b_frames=2, has_open_gops=has_open_gops, gop_s=0.48)
    with Simulator(config, truths.append) as simulator, opened(simulator.uri(0)) as container:
        pts: list[int] = []
        numbers: list[int | None] = []
        for frame in container.decode(video=0):
            numbers.append(read_frame_code(luma(frame)))
            pts.append(frame.pts or 0)  # FFmpeg has none for the first packet of a session
            if len(numbers) == 130:  # one round and a bit
                break
    # an open GOP cannot show its first two frames to who begins with it
    assert are_consecutive(numbers[3:])
    assert pts == sorted(pts)
    assert {truth.frame_number for truth in truths} == set(range(N_FRAMES))
    order = [truth.captured_at for truth in truths if truth.camera == 0]
    assert order != sorted(order)
    by_number = {truth.frame_number: truth for truth in truths[:N_FRAMES]}
    assert (by_number[60].captured_at - by_number[50].captured_at) == timedelta(seconds=0.4)
