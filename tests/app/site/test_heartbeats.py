from nvr.app.site.heartbeats import LEAST_SILENCE_S, MISSED_HEARTBEATS, Heartbeats

HEARTBEAT_S = 5.0
SILENT_S = MISSED_HEARTBEATS * HEARTBEAT_S


def listening(since_s: float = 0.0) -> Heartbeats:
    heartbeats = Heartbeats()
    heartbeats.note_broker(is_connected=True, now_s=since_s)
    return heartbeats


def test_one_that_was_heard_and_falls_silent_hangs() -> None:
    heartbeats = listening()
    heartbeats.note("a", 10.0, HEARTBEAT_S)
    heartbeats.note("b", 30.0, HEARTBEAT_S)
    assert heartbeats.silent({"a": 0.0, "b": 0.0}, 9.0 + SILENT_S) == {}
    assert heartbeats.silent({"a": 0.0, "b": 0.0}, 10.0 + SILENT_S) == {"a": SILENT_S}


def test_one_that_was_never_heard_is_left_alone() -> None:
    assert listening().silent({"a": 5.0}, 5.0 + 100 * SILENT_S) == {}


def test_what_was_heard_of_a_former_run_does_not_count() -> None:
    heartbeats = listening()
    heartbeats.note("a", 10.0, HEARTBEAT_S)
    assert not heartbeats.has_answered("a", 20.0)
    assert heartbeats.silent({"a": 20.0}, 20.0 + SILENT_S) == {}
    heartbeats.note("a", 21.0, HEARTBEAT_S)
    assert heartbeats.has_answered("a", 20.0)


def test_nobody_hangs_while_the_broker_is_away_or_has_just_come_back() -> None:
    heartbeats = listening()
    heartbeats.note("a", 1.0, HEARTBEAT_S)
    heartbeats.note_broker(is_connected=False, now_s=2.0)
    assert heartbeats.silent({"a": 0.0}, 1000.0) == {}
    heartbeats.note_broker(is_connected=True, now_s=1000.0)
    assert heartbeats.silent({"a": 0.0}, 1000.0 + SILENT_S - 1) == {}
    assert heartbeats.silent({"a": 0.0}, 1000.0 + SILENT_S) == {"a": SILENT_S}


def test_one_that_is_to_be_heard_rarely_is_waited_for_longer() -> None:
    heartbeats = listening()
    heartbeats.note("a", 1.0, 300.0)
    assert heartbeats.silent({"a": 0.0}, 1.0 + MISSED_HEARTBEATS * 300.0 - 1) == {}
    assert heartbeats.silent({"a": 0.0}, 1.0 + MISSED_HEARTBEATS * 300.0) != {}
    heartbeats.note("a", 1.0, 1.0)
    assert heartbeats.silent({"a": 0.0}, 1.0 + LEAST_SILENCE_S - 1) == {}


def test_those_that_are_gone_are_forgotten() -> None:
    heartbeats = listening()
    heartbeats.note("a", 1.0, HEARTBEAT_S)
    heartbeats.forget_others(["b"])
    assert not heartbeats.has_answered("a", 0.0)


def test_nobody_hangs_after_a_pause_of_our_own_process() -> None:
    heartbeats = listening()
    heartbeats.note("a", 1.0, HEARTBEAT_S)
    resumed_s = 1000.0
    heartbeats.note_broker(is_connected=True, now_s=resumed_s)
    assert heartbeats.silent({"a": 0.0}, resumed_s) == {}
    for second in range(int(SILENT_S) + 1):
        heartbeats.note_broker(is_connected=True, now_s=resumed_s + second)
    assert heartbeats.silent({"a": 0.0}, resumed_s + SILENT_S) == {"a": SILENT_S}
