import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.demo.rtsp.message import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    InterleavedFrame,
    MalformedRequestError,
    Request,
    RequestParser,
    Response,
)

DESCRIBE = b"DESCRIBE rtsp://host/live/0.stream RTSP/1.0\r\nCSeq: 2\r\nAccept: application/sdp\r\n\r\n"


def parse_all(data: bytes, piece_bytes: int = 1 << 20) -> list[Request | InterleavedFrame]:
    parser = RequestParser()
    found = []
    for start in range(0, len(data), piece_bytes):
        parser.feed(data[start : start + piece_bytes])
        while (message := parser.next_message()) is not None:
            found.append(message)
    return found


def test_reads_a_request() -> None:
    [request] = parse_all(DESCRIBE)
    assert isinstance(request, Request)
    assert (request.method, request.path, request.cseq) == ("DESCRIBE", "/live/0.stream", "2")
    assert request.headers == {"cseq": "2", "accept": "application/sdp"}


@given(piece_bytes=st.integers(1, 60))
def test_how_the_bytes_were_cut_makes_no_difference(piece_bytes: int) -> None:
    with_body = b"SET_PARAMETER rtsp://h/x RTSP/1.0\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nbody"
    stream = DESCRIBE + b"$\x01\x00\x03abc" + b"\r\n" + with_body + DESCRIBE
    assert parse_all(stream, piece_bytes) == parse_all(stream)
    first, frame, second, third = parse_all(stream)
    assert frame == InterleavedFrame(1, b"abc")
    assert isinstance(second, Request)
    assert second.body == b"body"
    assert first == third


def test_accepts_bare_line_feeds_and_joins_repeated_headers() -> None:
    [request] = parse_all(b"options * RTSP/1.0\ncseq : 1\nX-A: 1\nx-a: 2\n\n")
    assert isinstance(request, Request)
    assert (request.method, request.path, request.cseq) == ("OPTIONS", "*", "1")
    assert request.headers["x-a"] == "1, 2"


@pytest.mark.parametrize("value", ["", "abc", "-1", "1.5", "9" * 40, "1\t2"])
def test_a_cseq_that_is_no_number_is_none(value: str) -> None:
    [request] = parse_all(f"OPTIONS * RTSP/1.0\r\nCSeq: {value}\r\n\r\n".encode())
    assert isinstance(request, Request)
    assert request.cseq is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 505),
        (b"DESCRIBE rtsp://h/x RTSP/2.0\r\nCSeq: 1\r\n\r\n", 505),
        (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", 400),
        (b"DESCRIBE\r\n\r\n", 400),
        (b"DESCRIBE  rtsp://h/x RTSP/1.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nno colon here\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\n: nameless\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nContent-Length: -5\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nContent-Length: 1e3\r\n\r\n", 400),
        (f"OPTIONS * RTSP/1.0\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode(), 413),
        (b"OPTIONS * RTSP/1.0\r\n" + b"A: b\r\n" * 65 + b"\r\n", 413),
        (b"A" * MAX_HEAD_BYTES, 413),
        (b"OPTIONS * RTSP/1.0\r\nX: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", 413),
        (b"OPTIONS rtsp://" + b"h" * 3000 + b" RTSP/1.0\r\n\r\n", 400),
    ],
)
def test_refuses_what_is_no_request(data: bytes, status: int) -> None:
    with pytest.raises(MalformedRequestError) as caught:
        parse_all(data)
    assert caught.value.status == status


@given(data=st.binary(max_size=2000), piece_bytes=st.integers(1, 500))
def test_any_bytes_give_messages_or_a_refusal(data: bytes, piece_bytes: int) -> None:
    try:
        outcome: object = parse_all(data, piece_bytes)
    except MalformedRequestError as error:
        outcome = error.status
    assert isinstance(outcome, list) or outcome in {400, 413, 505}


@given(uri=st.text(min_size=1, max_size=50))
def test_the_path_of_any_uri_can_be_asked_for(uri: str) -> None:
    assert isinstance(Request("OPTIONS", uri, {}).path, str)


@given(data=st.binary(max_size=300))
def test_a_request_after_interleaved_frames_is_found(data: bytes) -> None:
    stream = b"$\x00" + len(data).to_bytes(2, "big") + data + DESCRIBE
    assert parse_all(stream) == [InterleavedFrame(0, data), *parse_all(DESCRIBE)]


def test_tells_whether_a_message_is_incomplete() -> None:
    parser = RequestParser()
    parser.feed(DESCRIBE[:10])
    assert parser.next_message() is None
    assert parser.has_partial_message
    parser.feed(DESCRIBE[10:])
    assert parser.next_message() is not None
    assert not parser.has_partial_message


def test_a_response_carries_number_headers_and_length() -> None:
    response = Response(200, {"Content-Type": "application/sdp"}, b"v=0\r\n")
    assert response.to_bytes("7") == (
        b"RTSP/1.0 200 OK\r\nCSeq: 7\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    )
    assert Response(400).to_bytes(None) == b"RTSP/1.0 400 Bad Request\r\n\r\n"
