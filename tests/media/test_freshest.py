import threading
from dataclasses import replace

from nvr.media.freshest import FreshestFrames
from tests.media.frames import make_frame


def test_a_newer_frame_replaces_the_older_of_the_same_camera_only() -> None:
    frames = FreshestFrames()
    frames.put(make_frame(source_id=0, frame_id=1))
    frames.put(make_frame(source_id=1, frame_id=7))
    frames.put(make_frame(source_id=0, frame_id=2))
    taken = {frame.source_id: frame.frame_id for frame in frames.take(10, 0)}
    assert taken == {0: 2, 1: 7}
    assert (frames.replaced(0), frames.replaced(1)) == (1, 0)


def test_what_had_no_room_goes_first_next_time() -> None:
    frames = FreshestFrames()
    for source_id in range(3):
        frames.put(make_frame(source_id=source_id, received_s=source_id))
    assert [frame.source_id for frame in frames.take(2, 0)] == [0, 1]
    frames.put(make_frame(source_id=0, received_s=10))
    assert [frame.source_id for frame in frames.take(2, 0)] == [2, 0]


def test_a_camera_keeps_its_turn_when_a_newer_frame_replaces_its_waiting_one() -> None:
    frames = FreshestFrames()
    frames.put(make_frame(source_id=0, received_s=0))
    frames.put(make_frame(source_id=1, received_s=1))
    taken = []
    for turn in range(2, 8):
        taken += [frame.source_id for frame in frames.take(1, 0)]
        frames.put(make_frame(source_id=0, received_s=10 * turn))
        frames.put(make_frame(source_id=1, received_s=10 * turn + 1))
    assert taken == [0, 1, 0, 1, 0, 1]


def test_take_wakes_when_a_frame_comes_and_when_it_is_closed() -> None:
    frames = FreshestFrames()
    threading.Timer(0.05, frames.put, [make_frame()]).start()
    assert len(frames.take(1, 30)) == 1
    threading.Timer(0.05, frames.close).start()
    assert frames.take(1, 30) == []
    assert frames.is_closed


def test_the_ranked_go_first() -> None:
    frames = FreshestFrames()
    for source_id in range(4):
        frames.put(make_frame(source_id=source_id))
    taken = frames.take(2, 0, rank=lambda source_id, _: -source_id)
    assert [frame.source_id for frame in taken] == [3, 2]
    assert [frame.source_id for frame in frames.take(9, 0)] == [0, 1]


def test_gathering_waits_for_the_cameras_that_gave_frames_lately() -> None:
    frames = FreshestFrames()
    for source_id in (0, 1):
        frames.put(make_frame(source_id=source_id))
    assert len(frames.take(9, 0, gather_s=3600)) == 2, "all who are expected are there"
    frames.put(make_frame(source_id=0))
    threading.Timer(0.05, frames.put, [make_frame(source_id=1)]).start()
    assert len(frames.take(9, 0, gather_s=0.4)) == 2


def test_gathering_ends_by_time_and_holds_up_no_frame_of_the_past() -> None:
    frames = FreshestFrames()
    for source_id in (0, 1):
        frames.put(make_frame(source_id=source_id))
    frames.take(9, 0)
    frames.put(make_frame(source_id=0))
    assert len(frames.take(9, 0, gather_s=0.02)) == 1, "the other one does not come"
    frames.put(replace(make_frame(source_id=0), is_replayed=True))
    assert len(frames.take(9, 0, gather_s=3600)) == 1


def test_a_camera_that_is_gone_is_not_waited_for() -> None:
    frames = FreshestFrames()
    for source_id in (0, 1):
        frames.put(make_frame(source_id=source_id))
    frames.take(9, 0)
    frames.forget(1)
    frames.put(make_frame(source_id=0))
    assert len(frames.take(9, 0, gather_s=3600)) == 1


def test_what_waits_and_what_gave_way_is_counted_over_all_cameras() -> None:
    frames = FreshestFrames()
    for frame_id in range(3):
        frames.put(make_frame(source_id=1, frame_id=frame_id))
    frames.put(make_frame(source_id=2))
    assert (frames.n_waiting, frames.n_places, frames.n_replaced) == (2, 2, 2)
    frames.forget(1)
    assert (frames.n_waiting, frames.n_places, frames.n_replaced) == (1, 1, 2), "what was lost stays lost"
