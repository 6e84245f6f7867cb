from nvr.media.live_edge import LiveEdge


def test_a_reader_that_waits_for_each_packet_is_never_behind() -> None:
    edge = LiveEdge()
    assert [edge.lag_s(i * 0.04, 100 + i * 0.05, waited_s=0.02) for i in range(50)] == [0.0] * 50


def test_a_reader_slower_than_its_camera_falls_behind() -> None:
    edge = LiveEdge()
    edge.lag_s(0.0, 100.0, waited_s=0.04)
    # each packet takes 60 ms where 40 ms of video pass: the next one is always there already
    lags = [edge.lag_s(i * 0.04, 100 + i * 0.06, waited_s=0.0) for i in range(1, 26)]
    assert abs(lags[-1] - 25 * 0.02) < 1e-9
    assert lags == sorted(lags)


def test_a_pause_of_the_media_time_heals_with_the_next_wait() -> None:
    edge = LiveEdge()
    edge.lag_s(0.0, 100.0, waited_s=0.04)
    assert edge.lag_s(0.04, 105.0, waited_s=5.0) == 0.0
    assert edge.lag_s(0.08, 105.0, waited_s=0.0) == 0.0


def test_a_burst_after_a_pause_is_not_mistaken_for_lag() -> None:
    edge = LiveEdge()
    edge.lag_s(10.0, 100.0, waited_s=0.04)
    # the network held 1 s back: the first packet waited, the rest follow at once
    lags = [edge.lag_s(10.04 + i * 0.04, 101.0, waited_s=1.0 if i == 0 else 0.0) for i in range(25)]
    assert max(lags) == 0.0
