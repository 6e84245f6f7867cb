"""Which broker `nvr status` and `nvr top` ask: that of the options, of a file, of what runs here, or the usual one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nvr.cli import settings

if TYPE_CHECKING:
    from nvr.config.broker import BrokerConfig


def find_site(
    config: Path | None, tenant: str | None, flags: dict[str, tuple[str, object]]
) -> "tuple[BrokerConfig, Sequence[str | None]]":
    """Return the broker and the tenants to look at.

    Args:
        config: Configuration file that was named.
        tenant: The only tenant to look at; None for all that are known.
        flags: Options by their setting, as for `settings.from_flags`.

    Raises:
        ConfigurationError: The file, a variable or an option is wrong.
    """
    from nvr.app.site.plan import tenants_of
    from nvr.app.site.running_file import find_running
    from nvr.config.derive import processor_settings

    site = settings.site_reader(config, settings.from_flags(flags))()
    broker = processor_settings(site.model_copy(update={"cameras": (), "tenants": ()})).stream.broker
    tenants: Sequence[str | None] = tenants_of(site)
    running = find_running(os.environ)
    if running is not None and site.broker.host is None:
        broker = broker.model_copy(update={"host": running.broker_host, "port": running.broker_port})
        tenants = tuple(dict.fromkeys((*tenants, *running.tenants)))
    return broker, tenants if tenant is None else (tenant,)
