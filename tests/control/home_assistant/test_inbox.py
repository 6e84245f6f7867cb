import threading

from nvr.config.operations import HomeAssistantConfig
from nvr.control.home_assistant.inbox import MAX_EVENTS, MAX_MESSAGES, Inbox, Work
from nvr.core.clock import ManualClock
from tests.control.home_assistant.events import event


def test_everything_that_waits_is_taken_once_and_in_order() -> None:
    inbox = Inbox(ManualClock())
    events = [event(frame_id=number) for number in range(3)]
    for each in events:
        inbox.put_event(each)
    inbox.put_heard("a", b"1")
    inbox.put_config(HomeAssistantConfig(enabled=True))
    inbox.ask_for_renewal()
    work = inbox.take(0.0)
    assert work is not None
    assert work.events == tuple(events)
    assert [(heard.topic, heard.payload) for heard in work.heard] == [("a", b"1")]
    assert (work.config, work.wants_renewal, work.wants_look) == (HomeAssistantConfig(enabled=True), True, True)
    assert inbox.take(0.0) == Work()


def test_of_too_much_the_oldest_goes_and_is_counted() -> None:
    inbox = Inbox(ManualClock())
    for number in range(MAX_EVENTS + 5):
        inbox.put_event(event(frame_id=number))
    for number in range(MAX_MESSAGES + 7):
        inbox.put_heard(str(number), b"")
    work = inbox.take(0.0)
    assert work is not None
    assert (len(work.events), len(work.heard), inbox.dropped) == (MAX_EVENTS, MAX_MESSAGES, 12)
    assert work.heard[0].topic == "7"


def test_a_wish_wakes_who_waits() -> None:
    inbox = Inbox(ManualClock())
    taken: list[Work | None] = []
    taker = threading.Thread(target=lambda: taken.append(inbox.take(60.0)), name="taker")
    taker.start()
    inbox.ask_for_look()
    taker.join(30.0)
    assert taken == [Work(wants_look=True)]


def test_nothing_comes_out_of_a_closed_one() -> None:
    inbox = Inbox(ManualClock())
    inbox.put_event(event())
    inbox.close()
    inbox.put_event(event())
    assert inbox.take(60.0) is None
    assert inbox.dropped == 0
