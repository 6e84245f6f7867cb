"""`${NAME}` in the texts of a configuration file, and what must not be shown of them; pure."""

import re
from collections.abc import Iterable, Mapping

from nvr.core.masking import MASK

_PLACEHOLDER = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<or>:-(?P<default>[^}]*))?\}|\$\{")
_WITHIN = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^{}\r\n]*)?\}")
_SIGNS_OF_YAML = "{}[],:#"
_STAND_INS = "".join(chr(0xE000 + n) for n in range(len(_SIGNS_OF_YAML)))
_TO_STAND_INS = str.maketrans(_SIGNS_OF_YAML, _STAND_INS)
_FROM_STAND_INS = str.maketrans(_STAND_INS, _SIGNS_OF_YAML)

_SECRET_NAME = re.compile(r"pass|pwd|psw|secret|token|key|auth|credential", re.IGNORECASE)

_KNOWN_BY = 8
"""Signs of a secret by which it is found in a message, which may quote its beginning only."""


def fill_in(text: str, environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return a text with each `${NAME}` or `${NAME:-default}` filled in, and the pieces that are secrets by their name.

    `$$` stands for one `$`; a `$` before anything but `{` is only that. A variable that is set to nothing counts as
    missing, as in a shell.

    Raises:
        ValueError: A variable is missing and has no default, or a `${` is no placeholder; names the variable.
    """
    secrets: list[str] = []

    def fill(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name = found["name"]
        if name is None:
            raise ValueError("${ begins no ${NAME} or ${NAME:-default}: write $${ for these signs themselves")
        value = environment.get(name, "")
        if not value and found["or"] is None:
            raise ValueError(f"the environment variable {name} is not set")
        if value and _SECRET_NAME.search(name):
            secrets.append(value)
        return value or found["default"]

    return (_PLACEHOLDER.sub(fill, text), tuple(secrets)) if "$" in text else (text, ())


def hide_signs(document: str) -> str:
    """Return a YAML document in which placeholders hold no sign of YAML, so that `{host: ${HOST}}` is read as meant.

    Each sign has another one, for private use, in its place until `show_signs`; lines and columns stay. A document that
    has such signs of its own stays as it is.
    """
    if not set(_STAND_INS).isdisjoint(document):
        return document
    return _WITHIN.sub(lambda found: found[0].translate(_TO_STAND_INS), document)


def show_signs(text: str) -> str:
    """Return a piece of a document as it was before `hide_signs`."""
    return text.translate(_FROM_STAND_INS)


def escape(text: str) -> str:
    """Return what is written into a file so that it is read as `text`."""
    return text.replace("$", "$$")


def scrub(message: str, secrets: Iterable[str]) -> str:
    """Return a message without any of the secrets, also where it quotes or cuts them."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        for spelling in {secret, repr(secret)[1:-1]}:
            message = _without(message, spelling)
    return message


def _without(message: str, secret: str) -> str:
    if not secret.strip():
        return message
    if len(secret) < _KNOWN_BY // 2:  # a sign or two would be found in every word
        return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, message)
    start = message.find(secret[:_KNOWN_BY])
    while start >= 0:
        end = start
        while end < len(message) and end - start < len(secret) and message[end] == secret[end - start]:
            end += 1
        message = f"{message[:start]}{MASK}{message[end:]}"
        start = message.find(secret[:_KNOWN_BY], start + len(MASK))
    return message
