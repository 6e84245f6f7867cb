import pytest

from nvr.core.masking import mask_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://host:8554/live/0.stream", "rtsp://host:8554/live/0.stream"),
        ("rtsp://user:secret@host/1", "rtsp://***@host/1"),
        ("rtsp://user@host/1", "rtsp://***@host/1"),
        ("rtsp://:secret@host/1", "rtsp://***@host/1"),
        # an "@" or "/" that nobody escaped
        ("rtsp://user:se@cret@host/1", "rtsp://***@host/1"),
        ("rtsp://user:se/cr@et@host/1", "rtsp://***@host/1"),
        ("rtsp://user:12/34@host/1", "rtsp://***@host/1"),
        ("http://[::1]:80/a?user=x&password=secret&n=1", "http://[::1]:80/a?user=x&password=***&n=1"),
        ("http://host/a?access_token=secret#top", "http://host/a?access_token=***#top"),
        ("http://host/mail@example", "http://host/mail@example"),
        ("cannot open 'rtsp://u:p@a/1' nor rtsp://u:p@b/2", "cannot open 'rtsp://***@a/1' nor rtsp://***@b/2"),
        ("no uri, mail me@example.org", "no uri, mail me@example.org"),
    ],
)
def test_hides_what_is_secret_and_nothing_else(text: str, shown: str) -> None:
    assert mask_credentials(text) == shown
