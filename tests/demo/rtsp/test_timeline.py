from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nvr.demo.rtsp.timeline import PacketizedLoop, Timeline
from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.packet_file import read_loop
from tests.demo.rtsp.loops import make_loop

timelines = st.builds(
    lambda n_units, gop: Timeline(
        PacketizedLoop(make_loop(n_units, gop)), first_sequence=60_000, first_timestamp=4_000_000_000
    ),
    st.integers(1, 30),
    st.integers(1, 10),
)


@given(timeline=timelines, position=st.integers(0, 1000))
def test_numbers_and_times_go_on_over_the_seam(timeline: Timeline, position: int) -> None:
    this, following = timeline.at(position), timeline.at(position + 1)
    assert following.sequence == this.sequence + len(this.payloads)
    assert following.rtp_timestamp == this.rtp_timestamp + 3600
    assert abs(following.media_s - this.media_s - 0.04) < 1e-6


@given(timeline=timelines, position=st.integers(0, 1000))
def test_the_frame_of_a_time_is_the_one_shown_then(timeline: Timeline, position: int) -> None:
    assert timeline.position_at(timeline.at(position).media_s + 0.02) == position


@given(timeline=timelines, position=st.integers(0, 1000))
def test_the_next_key_frame_is_one_and_not_in_the_past(timeline: Timeline, position: int) -> None:
    found = timeline.next_keyframe(position)
    assert found.is_keyframe
    assert found.position >= position
    assert not any(timeline.at(between).is_keyframe for between in range(position, found.position))


def test_cameras_that_show_one_loop_share_its_payloads() -> None:
    packets = PacketizedLoop(make_loop(10, 5))
    one, other = Timeline(packets, first_sequence=7), Timeline(packets, first_sequence=9)
    assert all(one.at(position).payloads is other.at(position).payloads for position in range(20))
    assert one.at(3).sequence == other.at(3).sequence - 2


def test_with_b_frames_no_frame_is_sent_before_it_is_captured_and_numbers_are_in_showing_order(tmp_path: Path) -> None:
    path = tmp_path / "loop.mp4"
    pictures = [np.full((48, 64, 3), 4 * number, np.uint8) for number in range(24)]
    encode_pictures(pictures, path, EncoderSettings(64, 48, Fraction(25), 0.48, b_frames=2))
    timeline = Timeline(PacketizedLoop(read_loop(path, may_have_b_frames=True)))
    moments = [timeline.at(position) for position in range(60)]
    assert [moment.unit_index for moment in moments[:4]] == [0, 3, 1, 2]
    assert all(moment.sent_s >= moment.media_s for moment in moments)
    assert all(abs(later.sent_s - earlier.sent_s - 0.04) < 1e-6 for earlier, later in pairwise(moments))
    assert sorted(moment.media_s for moment in moments[:24]) == [number * 3600 / 90_000 for number in range(24)]
    assert timeline.position_at(moments[30].sent_s + 0.02) == 30
    assert timeline.position_at(0.0) == 0
