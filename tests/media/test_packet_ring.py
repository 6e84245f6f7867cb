"""The ring of a camera's newest packets, and its readers."""

import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from tests.media.packets import EPOCH, gops, make_packet
from tests.waiting import wait_until


def sequences(packets: list[MediaPacket]) -> list[int]:
    return [packet.sequence for packet in packets]


def test_a_new_reader_starts_at_the_last_key_frame() -> None:
    ring = PacketRing()
    for packet in gops(3, 10):
        ring.append(packet)
    assert sequences(ring.reader().read(0)) == list(range(20, 30))


def test_a_reader_of_an_empty_ring_gets_what_comes() -> None:
    ring = PacketRing()
    reader = ring.reader()
    assert reader.read(0) == []
    ring.append(make_packet(0, is_keyframe=True))
    assert sequences(reader.read(0)) == [0]


def test_every_reader_gets_every_packet_in_order() -> None:
    ring = PacketRing()
    readers = [ring.reader() for _ in range(3)]
    seen: list[list[int]] = [[], [], []]
    for packet in gops(20, 10):
        ring.append(packet)
        seen[0] += sequences(readers[0].read(0))
        if packet.sequence % 7 == 0:
            seen[1] += sequences(readers[1].read(0, limit=5))
    for index, reader in enumerate(readers):
        while packets := reader.read(0):
            seen[index] += sequences(packets)
    assert seen == [list(range(200))] * 3
    assert [reader.lost for reader in readers] == [0, 0, 0]


def test_whole_gops_leave_once_the_rest_reaches_back_far_enough() -> None:
    ring = PacketRing(max_seconds=2)
    for packet in gops(10, 25):
        ring.append(packet)
    oldest = ring.gop_start_at(EPOCH)
    assert oldest is not None
    assert oldest % 25 == 0
    assert 2.0 <= (249 - oldest) / 25 < 3.0, "at least two seconds, and less than a GOP more"


def test_a_reader_that_was_overtaken_goes_on_with_a_key_frame_and_counts_what_it_lost() -> None:
    ring = PacketRing(max_seconds=1)
    reader = ring.reader()
    for packet in gops(10, 10):
        ring.append(packet)
    packets = reader.read(0)
    assert packets[0].is_keyframe
    assert packets[0].sequence == reader.lost
    assert packets[-1].sequence == 99


def test_bytes_are_bounded_even_within_one_endless_gop() -> None:
    ring = PacketRing(max_seconds=10, max_bytes=20_000)
    reader = ring.reader()
    for packet in gops(1, 500):
        ring.append(packet)
        assert ring.size_bytes <= 20_000
    assert ring.newest_gop_start is None
    assert reader.read(0) == [], "between two key frames nothing can be decoded"
    ring.append(make_packet(500, is_keyframe=True))
    assert sequences(reader.read(0)) == [500]
    assert reader.lost == 500


def test_one_packet_larger_than_the_bound_is_held_all_the_same() -> None:
    ring = PacketRing(max_bytes=10)
    ring.append(make_packet(0, is_keyframe=True, size_bytes=5000))
    assert len(ring) == 1


def test_a_cursor_can_be_set_back_to_a_gop_of_the_past() -> None:
    ring = PacketRing()
    for packet in gops(4, 25):
        ring.append(packet)
    reader = ring.reader()
    reader.read(0)
    start = ring.gop_start_at(EPOCH + timedelta(seconds=1.5))
    assert start == 25
    reader.seek(start)
    assert sequences(reader.read(0)) == list(range(25, 100))
    assert reader.lost == 0


def test_a_time_before_all_that_is_held_gives_the_oldest_gop() -> None:
    ring = PacketRing()
    assert ring.gop_start_at(EPOCH) is None
    for packet in gops(2, 5, first=40):
        ring.append(packet)
    assert ring.gop_start_at(EPOCH - timedelta(days=1)) == 40


def test_the_gop_before_a_packet_is_the_one_to_replay() -> None:
    ring = PacketRing()
    for packet in gops(3, 10):
        ring.append(packet)
    assert ring.gop_start_before(20) == 10
    assert ring.gop_start_before(25) == 20
    assert ring.gop_start_before(0) is None


def test_audio_between_the_pictures_starts_no_gop() -> None:
    ring = PacketRing()
    ring.append(make_packet(0, is_keyframe=True))
    ring.append(make_packet(1, kind="audio"))
    assert ring.newest_gop_start == 0
    assert sequences(ring.reader().read(0)) == [0, 1]


def test_a_reader_wakes_for_what_it_wants_only() -> None:
    ring = PacketRing()
    reader = ring.reader(wakes_on=lambda packet: packet.is_keyframe)
    ring.append(make_packet(0, is_keyframe=True))
    reader.read(0)
    woken: list[list[int]] = []
    thread = threading.Thread(target=lambda: woken.append(sequences(reader.read(30))), name="test-reader")
    thread.start()
    for sequence in (1, 2):
        ring.append(make_packet(sequence))
    ring.append(make_packet(3, is_keyframe=True))
    thread.join(30)
    assert woken in ([[1, 2, 3]], [[1]], [[1, 2]]), "what is there already needs no waking"


def test_closing_wakes_a_reader_which_still_gets_the_rest() -> None:
    ring = PacketRing()
    reader = ring.reader()
    ended = threading.Event()

    def read() -> None:
        while not reader.is_at_end:
            reader.read(30)
        ended.set()

    thread = threading.Thread(target=read, name="test-reader")
    thread.start()
    ring.append(make_packet(0, is_keyframe=True))
    ring.close()
    assert ended.wait(30)
    thread.join(30)
    assert reader.position == 1


def test_a_source_can_wait_until_everything_was_read() -> None:
    ring = PacketRing()
    reader = ring.reader()
    assert ring.wait_for_room(0)
    ring.append(make_packet(0, is_keyframe=True))
    assert not ring.wait_for_room(0)
    reader.read(0)
    assert ring.wait_for_room(0)
    ring.append(make_packet(1))
    thread = threading.Thread(target=reader.close, name="test-closer")
    thread.start()
    assert ring.wait_for_room(30), "a reader that has left is not waited for"
    thread.join(30)


def test_appending_wakes_nobody_who_left() -> None:
    ring = PacketRing()
    reader = ring.reader(wakes_on=lambda _packet: pytest.fail("it has left"))
    reader.close()
    ring.append(make_packet(0, is_keyframe=True))


def test_readers_in_other_threads_miss_nothing_while_packets_come() -> None:
    ring = PacketRing(max_seconds=1000)
    readers = [ring.reader() for _ in range(4)]
    seen: list[list[int]] = [[] for _ in readers]

    def read(index: int) -> None:
        while not readers[index].is_at_end:
            seen[index] += sequences(readers[index].read(1, limit=3))

    threads = [threading.Thread(target=read, args=(index,), name=f"test-reader-{index}") for index in range(4)]
    for thread in threads:
        thread.start()
    for packet in gops(40, 25):
        ring.append(packet)
    ring.close()
    wait_until(lambda: not any(thread.is_alive() for thread in threads), "all readers are done")
    assert seen == [list(range(1000))] * 4


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=20),
    max_seconds=st.floats(0, 5),
    max_bytes=st.integers(1, 50_000),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=20),
)
def test_whatever_comes_the_bounds_hold_and_readers_go_forward(
    lengths: list[int], max_seconds: float, max_bytes: int, sizes: list[int]
) -> None:
    ring = PacketRing(max_seconds=max_seconds, max_bytes=max_bytes)
    reader = ring.reader()
    sequence, read = 0, []
    for length in lengths:
        for index in range(length):
            ring.append(make_packet(sequence, is_keyframe=index == 0, size_bytes=sizes[sequence % len(sizes)]))
            sequence += 1
            assert ring.size_bytes <= max_bytes or len(ring) == 1
            if sequence % 11 == 0:
                read += sequences(reader.read(0))
    read += sequences(reader.read(0))
    assert read == sorted(set(read))
    assert len(read) + reader.lost == reader.position
