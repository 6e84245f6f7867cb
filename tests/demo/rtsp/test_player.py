from collections.abc import Sequence

from nvr.core.clock import ManualClock
from nvr.demo.rtsp.player import MAX_BACKLOG_BYTES, MAX_STALL_S, Player


class Link:
    """A sink whose backlog the test sets."""

    def __init__(self) -> None:
        self.backlog = 0
        self.is_cut = False

    def send_rtp(self, packets: Sequence[bytes]) -> None:
        self.backlog += sum(map(len, packets))

    def send_rtcp(self, packet: bytes) -> None:
        self.backlog += len(packet)

    def backlog_bytes(self) -> int:
        return self.backlog

    def abort(self) -> None:
        self.is_cut = True


def test_begins_with_a_key_frame() -> None:
    player = Player(Link(), ManualClock())
    assert [player.wants(is_keyframe=key) for key in (False, True, False)] == [False, True, True]


def test_a_slow_client_loses_frames_up_to_the_next_key_frame() -> None:
    link = Link()
    player = Player(link, ManualClock())
    assert player.wants(is_keyframe=True)
    link.backlog = MAX_BACKLOG_BYTES + 1
    assert not player.wants(is_keyframe=True)
    link.backlog = 0
    assert [player.wants(is_keyframe=key) for key in (False, True, False)] == [False, True, True]
    assert player.frames_dropped == 2
    assert not link.is_cut


def test_a_client_that_stalls_for_too_long_is_cut_off() -> None:
    link, clock = Link(), ManualClock()
    player = Player(link, clock)
    link.backlog = MAX_BACKLOG_BYTES + 1
    player.wants(is_keyframe=True)
    clock.advance(MAX_STALL_S)
    player.wants(is_keyframe=True)
    assert not link.is_cut
    clock.advance(0.1)
    player.wants(is_keyframe=True)
    assert link.is_cut


def test_a_stall_that_ends_is_forgotten() -> None:
    link, clock = Link(), ManualClock()
    player = Player(link, clock)
    for _ in range(3):
        link.backlog = MAX_BACKLOG_BYTES + 1
        player.wants(is_keyframe=True)
        clock.advance(MAX_STALL_S * 0.9)
        player.wants(is_keyframe=True)
        link.backlog = 0
        assert player.wants(is_keyframe=True)
    assert not link.is_cut
