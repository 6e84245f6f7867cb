import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.demo.rtsp.digest import (
    REALM,
    Credentials,
    DigestAlgorithm,
    challenge,
    digest_response,
    is_authorized,
    parse_authorization,
)

URI = "rtsp://127.0.0.1:8554/live/0.stream"
CAMERA = Credentials("admin", 'pa:ss"word')


def answer(password: str, algorithm: DigestAlgorithm = "MD5", **changed: str) -> str:
    parameters = {"username": "admin", "realm": REALM, "nonce": "n1", "uri": URI, **changed}
    parameters["response"] = digest_response(parameters, "DESCRIBE", password, algorithm) or "none"
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())


def is_let_in(header: str, algorithm: DigestAlgorithm = "MD5") -> bool:
    return is_authorized(header, method="DESCRIBE", uri=URI, nonce="n1", credentials=CAMERA, algorithm=algorithm)


def test_gives_the_response_of_the_rfc() -> None:
    # RFC 2617, section 3.5.
    parameters = {
        "username": "Mufasa",
        "realm": "testrealm@host.com",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "uri": "/dir/index.html",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "0a4f113b",
    }
    assert digest_response(parameters, "GET", "Circle Of Life", "MD5") == "6629fae49393a05397450978507c4ef1"


def test_gives_the_sha_256_response_of_the_rfc() -> None:
    # RFC 7616, section 3.9.1.
    parameters = {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "uri": "/dir/index.html",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    }
    assert digest_response(parameters, "GET", "Circle of Life", "SHA-256") == (
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    )


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_lets_in_who_knows_the_password(algorithm: DigestAlgorithm) -> None:
    assert is_let_in(answer(CAMERA.password, algorithm), algorithm)
    with_count = answer(CAMERA.password, algorithm, qop="auth", nc="00000001", cnonce="c")
    assert is_let_in(with_count, algorithm)


@pytest.mark.parametrize(
    "changed",
    [
        {"username": "root"},
        {"nonce": "n2"},
        {"uri": URI + "/trackID=0"},
        {"realm": "other"},
        {"qop": "auth-int", "nc": "00000001", "cnonce": "c"},
        {"qop": "auth", "nc": "1", "cnonce": "c"},
    ],
)
def test_refuses_an_answer_to_another_question(changed: dict[str, str]) -> None:
    assert not is_let_in(answer(CAMERA.password, "MD5", **changed))


@given(password=st.text(max_size=20).filter(lambda text: text != CAMERA.password))
def test_refuses_any_other_password(password: str) -> None:
    assert not is_let_in(answer(password))


@given(header=st.text(max_size=200))
def test_refuses_any_other_header(header: str) -> None:
    assert not is_let_in(header)
    assert not is_let_in(f"Digest {header}")


def test_refuses_basic_even_with_the_right_password() -> None:
    assert parse_authorization("Basic YWRtaW46cGE6c3Mid29yZA==") is None
    assert not is_let_in("Basic YWRtaW46cGE6c3Mid29yZA==")


def test_the_challenge_names_realm_nonce_and_algorithm() -> None:
    assert challenge("abc", "MD5") == f'Digest realm="{REALM}", nonce="abc", algorithm=MD5, qop="auth"'


def test_credentials_do_not_show_themselves() -> None:
    assert "pa:ss" not in repr(CAMERA)
