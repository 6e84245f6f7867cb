"""Signatures of commands: HMAC-SHA256 over the canonical JSON of all else, as RFC 8785 writes it.

A signature is made over the message as it is sent, whatever fields it has, so that other languages and newer versions
may sign. Only the standard library is needed to check one.
"""

import hashlib
import hmac
import json
from decimal import Decimal

from pydantic import JsonValue

from nvr.core.errors import ConfigurationError, MessageError
from nvr.events.command import Command

MIN_KEY_SIGNS = 16


def check_key(key: str) -> str:
    """Return a shared key.

    Raises:
        ConfigurationError: It is too short to be one.
    """
    if len(key) < MIN_KEY_SIGNS:
        raise ConfigurationError(f"control.key has {len(key)} characters, at least {MIN_KEY_SIGNS} make a key")
    return key


def key_of_tenant(key: str, tenant: str | None) -> str:
    """Return the key that commands of a tenant are signed with: a recording of one is worth nothing at another tenant.

    The default tenant's is the shared key itself; each other's is the HMAC-SHA256 of its name with it, in hexadecimal.
    """
    return key if tenant is None else hmac.new(key.encode(), tenant.encode(), hashlib.sha256).hexdigest()


def signed(command: Command, key: str) -> Command:
    """Return a command with its signature; it should have `command_id` and `issued_at`, which receivers ask for."""
    unsigned = command.model_copy(update={"signature": None})
    return unsigned.model_copy(update={"signature": signature_of(unsigned.to_json(), key)})


def signature_of(payload: bytes, key: str) -> str:
    """Return the signature of a message as it is sent, in hexadecimal; one that it has already does not count.

    Raises:
        MessageError: It is no JSON object.
    """
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"cannot be signed: it is no JSON: {error}") from error
    if not isinstance(message, dict):
        raise MessageError(f"cannot be signed: expected a JSON object, got {type(message).__name__}")
    message.pop("signature", None)
    return hmac.new(key.encode(), canonical(message), hashlib.sha256).hexdigest()


def is_signed(payload: bytes, signature: str | None, key: str) -> bool:
    """Tell whether a message as it came bears the right signature; takes the same time for all wrong ones."""
    try:
        expected = signature_of(payload, key)
    except MessageError:
        return False
    return hmac.compare_digest(expected.encode(), (signature or "").lower().encode(errors="replace"))


def canonical(value: JsonValue) -> bytes:
    """Return JSON as RFC 8785 writes it: no spaces, sorted keys, shortest numbers.

    Integers are written as they are, also those above 2⁵³, which JavaScript would round.

    Raises:
        MessageError: It holds NaN, an infinity or half a surrogate pair.
    """
    try:
        return _text(value).encode()
    except (UnicodeError, RecursionError) as error:
        raise MessageError(f"has no canonical JSON: {error}") from error


def _text(value: JsonValue) -> str:
    match value:
        case bool() | None | str():
            return json.dumps(value, ensure_ascii=False)
        case int():
            return str(value)
        case float():
            return _number(value)
        case list():
            return f"[{','.join(_text(each) for each in value)}]"
        case dict():
            ordered = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
            return f"{{{','.join(f'{_text(key)}:{_text(each)}' for key, each in ordered)}}}"
    raise MessageError(f"has no canonical JSON: {type(value).__name__}")


def _number(value: float) -> str:
    """Return a number as ECMAScript writes it (ECMA-262, Number::toString); digits are those of Python's repr."""
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN is what differs from itself
        raise MessageError(f"has no canonical JSON: {value}")
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - a letter stands for NaN and infinities only
    figures = "".join(map(str, digits))
    point = len(figures) + exponent
    if 0 < point <= 21:
        text = figures[:point].ljust(point, "0") + (f".{figures[point:]}" if len(figures) > point else "")
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{figures}"
    else:
        fraction = f".{figures[1:]}" if len(figures) > 1 else ""
        text = f"{figures[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return f"-{text}" if sign else text
