from itertools import pairwise

from nvr.app.site.broker_watch import ASK_AFTER_S, BrokerWatch


def test_a_broker_that_is_away_is_asked_after_a_while_and_again_after_as_long() -> None:
    watch = BrokerWatch()
    asked = [now_s for now_s in range(60) if watch.is_time_to_ask(is_connected=now_s < 5, now_s=float(now_s))]
    assert asked[0] == 5 + ASK_AFTER_S
    assert {later - earlier for earlier, later in pairwise(asked)} == {ASK_AFTER_S}


def test_one_that_came_back_meanwhile_is_not_asked() -> None:
    watch = BrokerWatch()
    assert not watch.is_time_to_ask(is_connected=False, now_s=0.0)
    assert not watch.is_time_to_ask(is_connected=True, now_s=ASK_AFTER_S / 2)
    assert not watch.is_time_to_ask(is_connected=False, now_s=ASK_AFTER_S)
    assert not watch.is_time_to_ask(is_connected=False, now_s=ASK_AFTER_S * 1.5)
