from bench._media_events import Event, judge_events, share_noticed

FRAME_S = 0.04


def event(start_s: float, end_s: float) -> Event:
    return Event(start_s, end_s, "person", 1000)


def at_five_a_second(start_s: float, end_s: float) -> list[float]:
    return [start_s + 0.2 * step for step in range(1 + round((end_s - start_s) / 0.2))]


def test_an_event_is_noticed_where_its_frames_are_analysed_from_half_a_second_on_to_its_end() -> None:
    [verdict] = judge_events([event(10, 13)], at_five_a_second(10.4, 14), FRAME_S)
    assert verdict.is_noticed
    assert verdict.is_long
    assert verdict.delay_s is not None
    assert abs(verdict.delay_s - 0.4) < 1e-9


def test_it_is_missed_where_the_first_frame_comes_late() -> None:
    [verdict] = judge_events([event(10, 13)], at_five_a_second(10.6, 14), FRAME_S)
    assert not verdict.is_noticed


def test_one_key_frame_by_chance_is_not_enough_for_an_event_that_goes_on() -> None:
    [verdict] = judge_events([event(10, 13)], [8.2, 10.2, 12.2, 14.2], FRAME_S)
    assert verdict.delay_s is not None
    assert verdict.gap_s > 1.9
    assert not verdict.is_noticed


def test_a_frame_before_or_after_the_event_says_nothing_of_it() -> None:
    [verdict] = judge_events([event(10, 10.3)], [9.9, 10.4], FRAME_S)
    assert verdict.delay_s is None
    assert not verdict.is_noticed
    assert not verdict.is_long


def test_times_may_be_off_by_less_than_half_a_frame() -> None:
    [verdict] = judge_events([event(10, 10.0)], [9.985], FRAME_S)
    assert verdict.delay_s == 0.0
    assert verdict.is_noticed


def test_an_event_of_exactly_a_second_is_a_long_one() -> None:
    [verdict] = judge_events([event(10, 10.96)], [], FRAME_S)
    assert verdict.is_long


def test_the_share_is_in_percent_and_all_of_none() -> None:
    verdicts = judge_events([event(10, 10.2), event(20, 20.2)], [10.1], FRAME_S)
    assert share_noticed(verdicts) == 50.0
    assert share_noticed([]) == 100.0
