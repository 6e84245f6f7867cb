"""The protocol seen from a socket: sessions, states, login, hostile input."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvr.demo.rtsp.connection import Limits
from nvr.demo.simulator import Simulator
from tests.demo.conftest import StartSimulator
from tests.demo.rtsp.client import RawClient, digest_header, play_interleaved
from tests.demo.rtsp.loops import RtpPacket, parse_rtp
from tests.waiting import wait_until

pytestmark = pytest.mark.camera

TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


def read_report(packet: bytes) -> tuple[float, int]:
    """Return Unix time and RTP timestamp of a sender report."""
    _, kind, _, _, seconds, fraction, rtp_timestamp = struct.unpack("!BBHIIII", packet[:20])
    assert kind == 200
    return seconds - 2_208_988_800 + fraction / (1 << 32), rtp_timestamp


@contextmanager
def udp_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket(type=socket.SOCK_DGRAM) as rtp, socket.socket(type=socket.SOCK_DGRAM) as rtcp:
        for end in (rtp, rtcp):
            end.bind(("127.0.0.1", 0))
            end.settimeout(30)
        yield rtp, rtcp


def udp_transport(rtp: socket.socket, rtcp: socket.socket) -> str:
    return f"RTP/AVP;unicast;client_port={rtp.getsockname()[1]}-{rtcp.getsockname()[1]}"


def receiver_report(ssrc: int) -> bytes:
    """Return a receiver report with one block, RFC 3550 section 6.4.2."""
    return struct.pack("!BBHIIIIIII", 0x81, 201, 7, 0x5EED, ssrc, 0, 0, 0, 0, 0)


def test_plays_from_the_announced_packet_after_a_sender_report(simulator: Simulator) -> None:
    uri = simulator.uri(0)
    with RawClient(simulator.port) as client:
        assert client.ask("OPTIONS", uri).headers["public"].startswith("OPTIONS, DESCRIBE")
        described = client.ask("DESCRIBE", uri, Accept="application/sdp")
        assert described.headers["content-base"] == uri + "/"
        assert b"H264/90000" in described.body
        setup = client.ask("SETUP", f"{uri}/trackID=0", Transport=TCP)
        session = setup.headers["session"].partition(";")[0]
        play = client.ask("PLAY", uri, Session=session)
        info = dict(part.split("=", 1) for part in play.headers["rtp-info"].split(";"))
        channel, report = client.read_frame()
        assert channel == 1
        channel, packet = client.read_frame()
        first = parse_rtp(packet)
        assert channel == 0
        assert (first.sequence, first.timestamp) == (int(info["seq"]), int(info["rtptime"]))
        assert first.payload[0] & 0x1F == 7
        captured_s, rtp_timestamp = read_report(report)
        assert rtp_timestamp == first.timestamp
        assert abs(datetime.fromtimestamp(captured_s, UTC) - datetime.now(UTC)) < timedelta(seconds=30)


def test_sequence_numbers_have_no_gap_over_the_seam_of_the_loop(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(n_cameras=1, scene_s=1.0)
    with RawClient(simulator.port) as client:
        play_interleaved(client, simulator.uri(0))
        packets: list[RtpPacket] = []
        while len({packet.timestamp for packet in packets}) < 60:
            channel, data = client.read_frame()
            if channel == 0:
                packets.append(parse_rtp(data))
    first = packets[0].sequence
    assert [packet.sequence for packet in packets] == [(first + index) % 65536 for index in range(len(packets))]
    steps = {(b.timestamp - a.timestamp) % (1 << 32) for a, b in pairwise(packets)}
    assert steps == {0, 3600}


def test_pause_stops_and_play_goes_on_with_a_key_frame(simulator: Simulator) -> None:
    uri = simulator.uri(1)
    with RawClient(simulator.port) as client:
        session = play_interleaved(client, uri)
        client.read_frame()
        assert client.ask("PAUSE", uri, Session=session).status == 200
        assert simulator.clients(1) == 0
        client.frames.clear()
        assert client.ask("PLAY", uri, Session=session).status == 200
        assert simulator.clients(1) == 1
        channel, packet = client.read_frame()
        assert channel == 0
        assert parse_rtp(packet).payload[0] & 0x1F == 7
        assert client.ask("TEARDOWN", uri, Session=session).status == 200
        assert client.is_closed_by_server()
    assert simulator.clients(1) == 0


def test_every_wrong_request_has_its_answer(simulator: Simulator) -> None:
    uri = simulator.uri(0)
    with RawClient(simulator.port) as client:
        assert client.ask("DESCRIBE", f"{simulator.stream_server}/live/9.stream").status == 404
        assert client.ask("DESCRIBE", f"{simulator.stream_server}/../../etc/passwd").status == 404
        assert client.ask("RECORD", uri).status == 405
        assert client.ask("FLY", uri).status == 501
        assert client.ask("PLAY", uri).status == 455
        assert client.ask("PAUSE", uri).status == 455
        assert client.ask("TEARDOWN", uri, Session="none").status == 454
        assert client.ask("SETUP", uri, Transport="RTP/AVP;multicast").status == 461
        assert client.ask("SETUP", uri).status == 461
        session = play_interleaved(client, uri)
        assert client.ask("SETUP", uri, Transport=TCP, Session=session).status == 455
        assert client.ask("PLAY", simulator.uri(1), Session=session).status == 454
        for method in ("PLAY", "PAUSE", "TEARDOWN"):
            assert client.ask(method, simulator.uri(1)).status == 454
        assert client.ask("GET_PARAMETER", uri, Session=session).status == 200
        assert client.ask("SET_PARAMETER", uri).status == 200
        assert client.ask("PLAY", uri, Session=session).status == 200


def test_a_session_cannot_be_led_into_a_second_camera(simulator: Simulator) -> None:
    with RawClient(simulator.port) as client, udp_pair() as (rtp, rtcp):
        assert client.ask("SETUP", simulator.uri(0), Transport=udp_transport(rtp, rtcp)).status == 200
        assert client.ask("PLAY", simulator.uri(1)).status == 454
        assert simulator.clients(1) == 0
        assert client.ask("PLAY", simulator.uri(0)).status == 200
        assert client.ask("PAUSE", simulator.uri(1)).status == 454
        assert simulator.clients(0) == 1
    wait_until(lambda: simulator.clients(0) == 0, "the session ended with its connection")


def test_an_extension_that_is_required_is_refused_by_name(simulator: Simulator) -> None:
    with RawClient(simulator.port) as client:
        for method in ("OPTIONS", "DESCRIBE", "PLAY"):
            refused = client.ask(method, simulator.uri(0), Require="onvif-replay")
            assert (refused.status, refused.headers["unsupported"]) == (551, "onvif-replay")


def test_play_while_it_plays_announces_no_packet(simulator: Simulator) -> None:
    uri = simulator.uri(0)
    with RawClient(simulator.port) as client:
        session = play_interleaved(client, uri)
        again = client.ask("PLAY", uri, Session=session)
        assert again.status == 200
        assert "rtp-info" not in again.headers
        assert simulator.clients(0) == 1


def test_a_request_without_a_number_is_refused(simulator: Simulator) -> None:
    with RawClient(simulator.port) as client:
        client.send(b"OPTIONS * RTSP/1.0\r\nCSeq: abc\r\n\r\n")
        assert client.read_answer().status == 400
        assert client.ask("OPTIONS", "*").status == 200


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_only_the_right_password_opens_a_camera(start_simulator: StartSimulator, algorithm: str) -> None:
    simulator = start_simulator(credentials=("admin", "s3cret"), digest_algorithm=algorithm)
    uri = simulator.uri(0)
    with RawClient(simulator.port) as client:
        refused = client.ask("DESCRIBE", uri)
        assert refused.status == 401
        asked = refused.headers["www-authenticate"]
        assert "s3cret" not in asked
        wrong = digest_header(asked, "admin", "guess", "DESCRIBE", uri)
        assert client.ask("DESCRIBE", uri, Authorization=wrong).status == 401
        assert client.ask("DESCRIBE", uri, Authorization="Basic YWRtaW46czNjcmV0").status == 401
        right = digest_header(asked, "admin", "s3cret", "DESCRIBE", uri)
        assert client.ask("DESCRIBE", uri, Authorization=right).status == 200
        assert client.ask("SETUP", uri, Transport=TCP, Authorization=right).status == 401


def test_guessing_passwords_ends_the_connection(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(credentials=("admin", "s3cret"))
    with RawClient(simulator.port) as client:
        for _ in range(8):
            assert client.ask("DESCRIBE", simulator.uri(0)).status == 401
        assert client.is_closed_by_server()


def test_a_camera_may_ask_for_credentials_of_its_own(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(faults=("1:credentials=other:password",))
    with RawClient(simulator.port) as client:
        assert client.ask("DESCRIBE", simulator.uri(0)).status == 200
        refused = client.ask("DESCRIBE", simulator.uri(1))
        assert refused.status == 401
        header = digest_header(refused.headers["www-authenticate"], "other", "password", "DESCRIBE", simulator.uri(1))
        assert client.ask("DESCRIBE", simulator.uri(1), Authorization=header).status == 200


@pytest.mark.parametrize(
    ("junk", "status"),
    [
        (b"A" * 100_000, 413),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 505),
        (b"SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"OPTIONS * RTSP/1.0\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 413),
    ],
)
def test_junk_is_answered_and_the_connection_closed(simulator: Simulator, junk: bytes, status: int) -> None:
    with RawClient(simulator.port) as client:
        client.send(junk)
        assert client.read_answer().status == status
        assert client.is_closed_by_server()


@given(junk=st.binary(min_size=1, max_size=300))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_junk_the_next_client_is_served(simulator: Simulator, junk: bytes) -> None:
    with RawClient(simulator.port) as client:
        client.send(junk)
    with RawClient(simulator.port) as client:
        assert client.ask("OPTIONS", "*").status == 200


def test_a_request_that_never_ends_is_cut_off(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(limits=Limits(request_timeout_s=0.3))
    with RawClient(simulator.port) as client:
        client.send(b"OPTIONS * RTSP/1.0\r\n")
        assert client.is_closed_by_server()


def test_an_idle_connection_is_closed(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(limits=Limits(idle_timeout_s=0.3))
    with RawClient(simulator.port) as client:
        assert client.is_closed_by_server()


def test_one_client_too_many_is_told_so(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(limits=Limits(max_connections=1))
    with RawClient(simulator.port) as first:
        assert first.ask("OPTIONS", "*").status == 200
        with RawClient(simulator.port) as second:
            assert second.read_answer().status == 503
            assert second.is_closed_by_server()
        assert first.ask("OPTIONS", "*").status == 200


def test_a_udp_session_lives_as_long_as_reports_come(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(limits=Limits(session_timeout_s=2.0))
    uri = simulator.uri(0)
    with RawClient(simulator.port) as client, udp_pair() as (rtp, rtcp):
        setup = client.ask("SETUP", uri, Transport=udp_transport(rtp, rtcp))
        server_rtcp = int(setup.headers["transport"].partition("server_port=")[2].partition(";")[0].partition("-")[2])
        assert setup.headers["session"].endswith("timeout=2")
        assert client.ask("PLAY", uri).status == 200
        first = parse_rtp(rtp.recv(2000))
        assert first.payload[0] & 0x1F == 7
        played_s = 0.0
        while played_s < 5:  # of media, which takes as long: without the reports it would have ended in between
            rtcp.sendto(receiver_report(first.ssrc), ("127.0.0.1", server_rtcp))
            played_s = (parse_rtp(rtp.recv(2000)).timestamp - first.timestamp) % (1 << 32) / 90_000
        assert simulator.clients(0) == 1
        wait_until(lambda: simulator.clients(0) == 0, "the session ended when the reports did")
        assert client.is_closed_by_server()


def test_reports_of_a_stranger_keep_no_udp_session_alive(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(limits=Limits(session_timeout_s=0.5))
    uri = simulator.uri(0)
    with RawClient(simulator.port) as client, udp_pair() as (rtp, rtcp), udp_pair() as (stranger, _):
        setup = client.ask("SETUP", uri, Transport=udp_transport(rtp, rtcp))
        server_rtcp = int(setup.headers["transport"].partition("server_port=")[2].partition(";")[0].partition("-")[2])
        assert client.ask("PLAY", uri).status == 200

        def has_ended() -> bool:
            stranger.sendto(receiver_report(1), ("127.0.0.1", server_rtcp))
            return simulator.clients(0) == 0

        wait_until(has_ended, "the silent session ended")


def test_a_udp_pair_belongs_to_one_session(simulator: Simulator) -> None:
    uri = simulator.uri(0)
    with RawClient(simulator.port) as first, udp_pair() as (rtp, rtcp):
        wanted = udp_transport(rtp, rtcp)
        assert first.ask("SETUP", uri, Transport=wanted).status == 200
        assert first.ask("SETUP", uri, Transport=wanted).status == 200  # its own it may have again
        with RawClient(simulator.port) as second:
            assert second.ask("SETUP", uri, Transport=wanted).status == 461
            assert second.ask("SETUP", uri, Transport=TCP).status == 200
        assert first.ask("PLAY", uri).status == 200
        assert first.ask("TEARDOWN", uri).status == 200
        assert first.is_closed_by_server()
        with RawClient(simulator.port) as third:
            assert third.ask("SETUP", uri, Transport=wanted).status == 200


def test_a_mute_camera_accepts_and_never_answers(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(faults=("0:mute",))
    with RawClient(simulator.port) as client:
        client.send(f"DESCRIBE {simulator.uri(0)} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.socket.recv(100)
    with RawClient(simulator.port) as client:
        assert client.ask("DESCRIBE", simulator.uri(1)).status == 200


def test_a_client_that_does_not_read_delays_no_other(start_simulator: StartSimulator) -> None:
    simulator = start_simulator(n_cameras=1, width_px=640, height_px=360, bitrate_bps=8_000_000, noise=12.0)
    with (
        RawClient(simulator.port, receive_buffer_bytes=4096) as stuck,
        RawClient(simulator.port) as reader,
    ):
        play_interleaved(stuck, simulator.uri(0))
        play_interleaved(reader, simulator.uri(0))
        timestamps: set[int] = set()
        sequences = []
        while len(timestamps) < 120:
            channel, data = reader.read_frame()
            if channel == 0:
                packet = parse_rtp(data)
                timestamps.add(packet.timestamp)
                sequences.append(packet.sequence)
        assert sequences == [(sequences[0] + index) % 65536 for index in range(len(sequences))]
        assert simulator.clients(0) == 2
