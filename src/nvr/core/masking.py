"""Hide credentials in whatever a person or a log may see.

Takes time in proportion to the text, whatever it holds: error messages quote what strangers send.
"""

import re

MASK = "***"

_WORD = re.compile(r"\S+")
_PARAMETER = re.compile(r"(?P<key>[?&;](?P<name>[\w.-]+)=)[^&;#\s'\"]*")
_IN_PATH = re.compile(r"(?P<key>[/_](?:password|passwd|pass|pwd|psw)=)[^/?&;#\s'\"]+", re.IGNORECASE)
"""As in rtsp://host/user=admin_password=secret_channel=1, which some recorders want."""
_SECRET_NAME = re.compile(r"pass|pwd|psw|pas$|token|secret|key$|auth|signature", re.IGNORECASE)


def mask_credentials(text: str) -> str:
    """Replace user and password of every URI in a text, and secret query parameters, by `***`.

    The text may be a URI or any message that holds some; what is no URI stays as it is. URIs with nothing but
    commas or quotes between them are hidden as one, up to the last that has credentials.
    """
    masked = _WORD.sub(_mask_userinfo, text) if "://" in text else text
    return _IN_PATH.sub(rf"\g<key>{MASK}", _PARAMETER.sub(_mask_parameter, masked))


def _mask_userinfo(word: re.Match[str]) -> str:
    # Cameras have passwords with unescaped "@", "/", "://" or quotes. Whatever stands between "://" and a later "@"
    # may be one as soon as there is a colon; hiding a host too many is better than showing a password.
    before, separator, rest = word[0].partition("://")
    userinfo, at, host = rest.rpartition("@")
    if not at or (":" not in userinfo and not {"/", "?", "#"}.isdisjoint(userinfo)):
        return word[0]
    return f"{before}{separator}{MASK}@{host}"


def _mask_parameter(parameter: re.Match[str]) -> str:
    return f"{parameter['key']}{MASK}" if _SECRET_NAME.search(parameter["name"]) else parameter[0]
