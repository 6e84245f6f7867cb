import hashlib
import hmac
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from nvr.control.signing import canonical, check_key, is_signed, key_of_tenant, signature_of, signed
from nvr.core.errors import ConfigurationError, MessageError
from nvr.events.command import Command
from tests.control.fakes import START

KEY = "0123456789abcdef"

# RFC 8785, appendix B: IEEE 754 bits and what ECMAScript writes
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_are_written_as_in_the_standard(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number).decode() == text


def test_the_example_of_the_standard() -> None:
    # RFC 8785, 3.2.2 and 3.2.3
    given_text = (
        '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        '"string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/", "literals": [null, true, false]}'
    )
    assert canonical(json.loads(given_text)).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf_16() -> None:
    assert canonical({"\U0001f600": 1, "\ufb33": 2, "\u20ac": 3, "1": 4}).decode() == '{"1":4,"€":3,"😀":1,"\ufb33":2}'


json_values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values)
def test_who_reads_it_and_writes_it_again_has_the_same(value: JsonValue) -> None:
    written = canonical(value)
    assert canonical(json.loads(written)) == written
    assert canonical(json.loads(json.dumps(value, indent=2))) == written


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"\ud800": 1}])
def test_what_has_no_json_is_refused(value: JsonValue) -> None:
    with pytest.raises(MessageError):
        canonical(value)


def test_a_known_signature_stays_the_same() -> None:
    command = Command(command="pause", command_id="1", issued_at=START, params={"hang_up": True})
    expected = "4a74d03499808082e422f5fcf05bd78f4b05a5ed022b3a93234e44f0bc2c07c4"
    assert signed(command, KEY).signature == expected


def test_a_signed_command_is_recognised_and_a_changed_one_is_not() -> None:
    command = signed(Command(command="pause", command_id="1", issued_at=START), KEY)
    payload = command.to_json()
    assert is_signed(payload, command.signature, KEY)
    assert is_signed(payload, (command.signature or "").upper(), KEY)
    assert not is_signed(payload, command.signature, "another key of ours")
    assert not is_signed(payload.replace(b"pause", b"stop!"), command.signature, KEY)
    assert not is_signed(payload, None, KEY)
    assert not is_signed(payload, "ä", KEY)
    assert not is_signed(b"[]", command.signature, KEY)
    assert not is_signed(b"[" * 100_000, command.signature, KEY)


def test_each_tenant_has_a_key_of_its_own_and_the_default_one_the_shared_key() -> None:
    assert key_of_tenant(KEY, None) == KEY
    keys = {key_of_tenant(KEY, tenant) for tenant in (None, "acme", "bolt")}
    assert len(keys) == 3
    expected = hmac.new(KEY.encode(), b"acme", hashlib.sha256).hexdigest()
    assert key_of_tenant(KEY, "acme") == expected, "as others are told to make it"


def test_fields_that_we_do_not_know_are_signed_too() -> None:
    message = {"command": "pause", "colour": "red", "target_instances": ["*"]}
    signature = signature_of(json.dumps(message).encode(), KEY)
    pretty = json.dumps({"signature": signature, **message}, indent=4).encode()
    assert is_signed(pretty, signature, KEY)
    assert not is_signed(pretty.replace(b"red", b"blue"), signature, KEY)


def test_a_short_key_is_none() -> None:
    assert check_key(KEY) == KEY
    with pytest.raises(ConfigurationError, match="has 15 characters, at least 16"):
        check_key(KEY[:-1])
