"""What tenants, instances, rules and models may be called: names that are safe as one level of a topic."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from nvr.core.errors import ConfigurationError

_SHOWN_AT_MOST = 5

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")

DEFAULT_TENANT_FOLDER = "default"
"""What the default tenant's recordings are kept under; no other tenant may share it."""

RESERVED_WORDS = frozenset(
    {"detections", "tracks", "recordings", "alerts", "status", "metrics", "control", "homeassistant"}
)
"""No tenant may have one of these names: `nvr/status/…` would be read both ways."""


def is_name(text: str) -> bool:
    """Tell whether a text may be one level of a topic: 1 to 63 letters, digits, `_`, `-`, `.`, not first a sign."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str, what: str) -> str:
    """Return `name` if it may be one level of a topic.

    Raises:
        ConfigurationError: It is empty, too long, or holds a wildcard, a slash or other signs.
    """
    if not is_name(name):
        raise ConfigurationError(
            f"{what} {name[:80]!r} is not a valid name: "
            "use 1 to 63 letters, digits, '_', '-' or '.', the first a letter or digit"
        )
    return name


def check_tenant(tenant: str) -> str:
    """Return `tenant` if a tenant may be called so.

    Raises:
        ConfigurationError: It is no valid name or one of the reserved words.
    """
    if tenant == DEFAULT_TENANT_FOLDER:
        raise ConfigurationError(f"tenant {tenant!r} is what the unnamed tenant is called: leave the tenant out")
    if tenant in RESERVED_WORDS:
        raise ConfigurationError(
            f"tenant {tenant!r} is a reserved word; reserved are {', '.join(sorted(RESERVED_WORDS))}"
        )
    return check_name(tenant, "tenant")


def check_known_tenant(tenant: str, known: Iterable[str | None]) -> str:
    """Return `tenant` if it is one of those that are known; None stands for the default one.

    Raises:
        ConfigurationError: It is none; names the nearest.
    """
    check_tenant(tenant)
    names = sorted({name for name in known if name is not None})
    if tenant in names:
        return tenant
    near = get_close_matches(tenant, names, n=1)
    more = ", …" if len(names) > _SHOWN_AT_MOST else ""
    listed = f"there are {', '.join(names[:_SHOWN_AT_MOST])}{more}" if names else "there is only the unnamed one"
    raise ConfigurationError(f"there is no tenant {tenant}, {f'did you mean {near[0]}?' if near else listed}")
