from hypothesis import given
from hypothesis import strategies as st

from nvr.app.supervision.child_output import BURST_LINES, KEPT_LINES, MAX_LINE_BYTES, ChildOutput


def test_lines_are_whole_whatever_the_pieces_are() -> None:
    output = ChildOutput()
    assert output.take(b"one\ntw", 0.0).lines == ("one",)
    assert output.take(b"o\n", 0.0).lines == ("two",)
    assert output.take(b"rest", 0.0).lines == ()
    assert output.close(0.0).lines == ("rest",)
    assert output.last_words == "rest"


def test_a_line_without_end_is_cut() -> None:
    output = ChildOutput()
    for _ in range(100):
        assert output.take(b"x" * MAX_LINE_BYTES, 0.0).lines == ()
    [line] = output.take(b"\n", 0.0).lines
    assert len(line) == MAX_LINE_BYTES + 1
    assert line.endswith("…")
    assert output.take(b"next\n", 0.0).lines == ("next",)


def test_a_flood_is_counted_instead_of_shown() -> None:
    output = ChildOutput()
    flood = output.take(b"again\n" * 1000, 0.0)
    assert len(flood.lines) == BURST_LINES
    assert output.dropped == 1000 - BURST_LINES
    later = output.take(b"calm\n", 10.0)
    assert later.lines == ("calm",)
    assert later.left_out == 1000 - BURST_LINES
    assert output.take(b"calm\n", 10.1).left_out == 0


def test_the_last_lines_are_kept_even_of_a_flood() -> None:
    output = ChildOutput()
    output.take(b"noise\n" * 1000 + b"the reason\n\n", 0.0)
    assert output.last_words == "the reason"
    assert len(output.last_lines) == KEPT_LINES


def test_news_are_no_last_words() -> None:
    output = ChildOutput()
    news = b'16:12:42 INFO    nvr.a: all is well\n{"timestamp": "2026", "level": "debug", "message": "ERROR"}\n'
    output.take(news, 0.0)
    assert output.last_words == ""
    output.take(b"16:12:42 WARNING nvr.a: camera 3 is offline\n", 0.0)
    assert output.last_words == ""
    output.take(b"16:12:42 ERROR   nvr.a: the disk is full\n" + news, 0.0)
    assert output.last_words == "16:12:42 ERROR   nvr.a: the disk is full"


def test_credentials_are_hidden() -> None:
    assert ChildOutput().take(b"cannot open rtsp://me:secret@host/1\n", 0.0).lines == ("cannot open rtsp://***@host/1",)


@given(st.lists(st.binary(max_size=50), max_size=30))
def test_nothing_is_lost_below_the_bounds(pieces: list[bytes]) -> None:
    output = ChildOutput()
    shown = [line for piece in pieces for line in output.take(piece, 0.0).lines]
    shown += output.close(0.0).lines
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    if len(expected) <= BURST_LINES:
        assert len(shown) == len(expected)
