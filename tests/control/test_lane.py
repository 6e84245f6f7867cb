import threading

from nvr.control.lane import Lane
from tests.waiting import DEADLINE_S, wait_until


def test_no_more_places_than_there_are_and_they_come_back() -> None:
    lane = Lane("lane", n_threads=1, capacity=2)
    lane.start()
    go_on, done = threading.Event(), list[int]()
    assert lane.reserve()
    assert lane.reserve()
    assert not lane.reserve()
    lane.put(lambda: done.append(int(go_on.wait(DEADLINE_S))))
    lane.put(lambda: done.append(2))
    go_on.set()
    wait_until(lambda: done == [1, 2], "both are done, in order")
    wait_until(lane.reserve, "a place is free")
    assert lane.stop(DEADLINE_S)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane-")]


def test_a_job_that_hangs_does_not_hold_up_the_stop() -> None:
    lane = Lane("hanging", n_threads=2, capacity=2)
    lane.start()
    go_on, runs = threading.Event(), threading.Event()

    def hang() -> None:
        runs.set()
        go_on.wait(DEADLINE_S)

    assert lane.reserve()
    lane.put(hang)
    assert runs.wait(DEADLINE_S)
    assert not lane.stop(0.05)
    go_on.set()
    wait_until(lambda: "hanging" not in " ".join(thread.name for thread in threading.enumerate()), "the threads end")


def test_an_unstarted_lane_stops() -> None:
    assert Lane("never", n_threads=2, capacity=2).stop(1)
