"""Hide credentials in whatever a person or a log may see."""

import re

MASK = "***"

# Cameras have passwords with unescaped "@", "/" or quotes. Whatever stands between "://" and a later "@" may be one
# as soon as there is a colon before the path; hiding a host too many is better than showing a password.
_USERINFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)"
    r"(?:[^\s/?#:@]*:(?:(?!://)\S)*@|[^\s/?#]*@)"
)
_SECRET_PARAMETER = re.compile(
    r"(?P<key>[?&;](?:[\w.-]*(?:passw(?:or)?d|passwd|pwd|pass|token|secret|api_?key|auth|signature)[\w.-]*)=)[^&;#\s'\"]*",
    re.IGNORECASE,
)


def mask_credentials(text: str) -> str:
    """Replace user and password of every URI in a text, and secret query parameters, by `***`.

    The text may be a URI or any message that holds some; what is no URI stays as it is.
    """
    masked = _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
    return _SECRET_PARAMETER.sub(rf"\g<key>{MASK}", masked)
