import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.masking import MASK, mask_credentials

PRINTABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Z", "C"]).filter(lambda sign: not sign.isspace()), min_size=1
)
PLAIN = st.text(string.ascii_letters + string.digits, min_size=1)


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
        ("rtsp://us/er:secret@host/1", "rtsp://***@host/1"),
        ("rtsp://user:se://cret@host/1", "rtsp://***@host/1"),
        ("1rtsp://user:secret@host/1", "1rtsp://***@host/1"),
        ("['rtsp://h/1','rtsp://u:p@b/2']", "['rtsp://***@b/2']"),
        ("http://[::1]:80/a?user=x&password=secret&n=1", "http://[::1]:80/a?user=x&password=***&n=1"),
        ("http://host/a?access_token=secret#top", "http://host/a?access_token=***#top"),
        # as some recorders and cameras want it
        ("rtsp://h/user=admin_password=tlJwpbo6_channel=1_stream=0", "rtsp://h/user=admin_password=***"),
        ("http://h/v?loginuse=admin&loginpas=888888", "http://h/v?loginuse=admin&loginpas=***"),
        ("http://h/v?usr=admin&psw=secret&key=1", "http://h/v?usr=admin&psw=***&key=***"),
        ("http://host/mail@example", "http://host/mail@example"),
        ("cannot open 'rtsp://u:p@a/1' nor rtsp://u:p@b/2", "cannot open 'rtsp://***@a/1' nor rtsp://***@b/2"),
        ("no uri, mail me@example.org", "no uri, mail me@example.org"),
    ],
)
def test_hides_what_is_secret_and_nothing_else(text: str, shown: str) -> None:
    assert mask_credentials(text) == shown


@given(before=st.text(), user=PRINTABLE, password=PRINTABLE, host=PLAIN, after=st.text())
def test_a_password_never_survives(before: str, user: str, password: str, host: str, after: str) -> None:
    # Marked, so that it cannot stand by chance in what surrounds it.
    secret = f"\u2603{password}\u2603"
    masked = mask_credentials(f"{before}rtsp://{user}:{secret}@{host}/live {after}")
    assert secret not in masked
    assert f"{MASK}@" in masked


@given(name=st.sampled_from(["password", "pwd", "access_token", "apiKey", "api_key", "X-Auth-Id"]), value=PLAIN)
def test_a_secret_parameter_never_survives(name: str, value: str) -> None:
    masked = mask_credentials(f"http://host/stream?n=1&{name}=-{value}-&m=2")
    assert masked == f"http://host/stream?n=1&{name}={MASK}&m=2"


@given(st.text().filter(lambda text: not {"://", "="} & {text[i : i + n] for i in range(len(text)) for n in (1, 3)}))
def test_a_text_without_uri_and_parameter_stays_as_it_is(text: str) -> None:
    assert mask_credentials(text) == text


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", ["a", "a://", "a://:x", "?pass", "?", "pass", "@", "a://x@", ":", "://:"])
def test_a_long_hostile_text_takes_no_long_time(part: str) -> None:
    # With a pattern that backtracks over it, a megabyte takes hours.
    assert mask_credentials("?" + part * (1_000_000 // len(part)))
