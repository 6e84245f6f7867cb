import threading

import pytest

from nvr.core.clock import ManualClock
from nvr.wall.detection_cache import QUIET_TTL_S, DetectionCache
from tests.wall.fakes import event_of


def test_gives_the_newest_event_of_a_source_and_of_no_other() -> None:
    cache = DetectionCache(1.0, clock=ManualClock())
    newest = event_of(3, later_s=0.2)
    cache.put(event_of(3))
    assert cache.put(newest)
    assert cache.get(3) is newest
    assert cache.get(4) is None


def test_an_event_is_alive_for_exactly_its_ttl_after_arrival() -> None:
    clock = ManualClock()
    cache = DetectionCache(0.75, clock=clock)
    cache.put(event_of(0, later_s=-3600))  # its own timestamp, by another machine's clock, does not count
    clock.advance(0.75)
    assert cache.get(0) is not None
    clock.advance(0.01)
    assert cache.get(0) is None


def test_what_a_quiet_camera_shows_holds_until_its_next_key_frame() -> None:
    clock = ManualClock()
    cache = DetectionCache(0.75, clock=clock)
    cache.put(event_of(0).model_copy(update={"quiet": True}))
    clock.advance(QUIET_TTL_S)
    assert cache.get(0) is not None
    clock.advance(0.01)
    assert cache.get(0) is None


def test_a_replayed_event_belongs_on_no_live_picture() -> None:
    cache = DetectionCache(1.0, clock=ManualClock())
    assert not cache.put(event_of(0).model_copy(update={"replayed": True}))
    assert cache.get(0) is None


def test_a_later_event_starts_the_ttl_anew() -> None:
    clock = ManualClock()
    cache = DetectionCache(1.0, clock=clock)
    cache.put(event_of(0))
    clock.advance(0.9)
    cache.put(event_of(0, later_s=0.9))
    clock.advance(0.9)
    assert cache.get(0) is not None


def test_an_older_capture_that_arrives_late_is_ignored_and_counted() -> None:
    cache = DetectionCache(1.0, clock=ManualClock())
    newest = event_of(0, later_s=1)
    cache.put(newest)
    assert not cache.put(event_of(0))
    assert cache.get(0) is newest
    assert cache.n_outdated == 1


def test_a_processor_whose_clock_was_set_back_is_shown_again_after_the_ttl() -> None:
    clock = ManualClock()
    cache = DetectionCache(1.0, clock=clock)
    cache.put(event_of(0, later_s=3600))
    clock.advance(1.1)
    back = event_of(0)
    assert cache.put(back)
    assert cache.get(0) is back


def test_the_source_that_was_silent_longest_makes_room() -> None:
    clock = ManualClock()
    cache = DetectionCache(60.0, max_sources=2, clock=clock)
    for source_id in (1, 2):
        cache.put(event_of(source_id))
        clock.advance(0.1)
    cache.put(event_of(1, later_s=1))
    cache.put(event_of(3))
    assert len(cache) == 2
    assert (cache.get(1) is not None, cache.get(2) is not None, cache.get(3) is not None) == (True, False, True)


def test_tells_how_long_a_source_has_been_silent_also_after_expiry() -> None:
    clock = ManualClock()
    cache = DetectionCache(1.0, clock=clock)
    assert cache.silence_s(0) is None
    cache.put(event_of(0))
    clock.advance(7)
    assert cache.silence_s(0) == 7


@pytest.mark.parametrize(("ttl", "sources"), [(0, 1), (-1, 1), (1, 0)])
def test_refuses_limits_that_keep_nothing(ttl: float, sources: int) -> None:
    with pytest.raises(ValueError, match="positive ttl and at least one source"):
        DetectionCache(ttl, max_sources=sources)


def test_writers_and_readers_of_many_threads_never_see_an_older_event_after_a_newer() -> None:
    cache = DetectionCache(60.0)
    went_back = threading.Event()

    def write(offset: int) -> None:
        for i in range(300):
            cache.put(event_of(0, later_s=i + offset / 10))

    def read() -> None:
        last = None
        for _ in range(1500):
            event = cache.get(0)
            if last is not None and (event is None or event.timestamp < last):
                went_back.set()
            last = None if event is None else event.timestamp

    threads = [threading.Thread(target=write, args=(k,), name=f"writer-{k}") for k in range(3)]
    threads += [threading.Thread(target=read, name=f"reader-{k}") for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert not went_back.is_set()
