"""Names of tenants: valid ones, and those that are known."""

import pytest

from nvr.core.errors import ConfigurationError
from nvr.core.names import check_known_tenant

KNOWN = ["gamma", None, "acme", "beta", "acme"]


def test_a_known_tenant_is_taken() -> None:
    assert check_known_tenant("beta", KNOWN) == "beta"


@pytest.mark.parametrize(
    ("tenant", "known", "said"),
    [
        ("acne", KNOWN, "there is no tenant acne, did you mean acme?"),
        ("other", KNOWN, "there is no tenant other, there are acme, beta, gamma"),
        ("other", "abcdefg", "there is no tenant other, there are a, b, c, d, e, …"),
        ("other", [None], "there is no tenant other, there is only the unnamed one"),
        ("default", KNOWN, "tenant 'default' is what the unnamed tenant is called: leave the tenant out"),
        ("a\x1b[2J" * 1000, KNOWN, "is not a valid name"),
    ],
)
def test_one_that_is_not_known_is_refused_with_those_that_are(tenant: str, known: list[str | None], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_known_tenant(tenant, known)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()
