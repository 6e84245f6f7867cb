import io
import logging
import threading

from nvr.core.background_writer import MAX_WAITING, BackgroundWriter
from tests.waiting import DEADLINE_S, wait_until


def test_what_was_written_is_there_in_order() -> None:
    stream = io.StringIO()
    writer = BackgroundWriter(stream)
    writer.put("before the start\n")
    writer.start()
    handler = logging.StreamHandler(writer)
    handler.emit(logging.LogRecord("x", logging.INFO, "x.py", 1, "a record", None, None))
    for number in range(100):
        writer.write(f"{number}\n")
    assert writer.stop(DEADLINE_S)
    assert stream.getvalue() == "before the start\na record\n" + "".join(f"{number}\n" for number in range(100))


class StoppedTerminal(io.StringIO):
    """Takes nothing until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    def write(self, text: str, /) -> int:
        assert self.goes_on.wait(DEADLINE_S)
        return super().write(text)


def test_a_stream_that_takes_nothing_holds_up_nobody_and_is_told_what_it_missed() -> None:
    stream = StoppedTerminal()
    writer = BackgroundWriter(stream)
    writer.start()
    writer.put("taken, and never shown\n")
    wait_until(lambda: not writer._waiting, "the writer hangs")
    for number in range(MAX_WAITING * 2):
        writer.put(f"{number}\n")
    assert writer.dropped == MAX_WAITING
    assert not writer.stop(0.0)
    stream.goes_on.set()
    assert writer.stop(DEADLINE_S)
    assert f"{MAX_WAITING * 2 - 1}\n" in stream.getvalue()
    assert "pieces of the log were too many and are left out" in stream.getvalue()


class BrokenPipe(io.StringIO):
    def write(self, _text: str, /) -> int:
        raise BrokenPipeError


def test_a_reader_that_is_gone_ends_nothing() -> None:
    writer = BackgroundWriter(BrokenPipe())
    writer.start()
    writer.put("nobody reads this\n")
    wait_until(lambda: not writer._waiting, "it was taken")
    writer.put("nor this\n")
    assert writer.stop(DEADLINE_S)
