from hypothesis import given
from hypothesis import strategies as st

from nvr.demo.rtsp.timeline import PacketizedLoop, Timeline
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
