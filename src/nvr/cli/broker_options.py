"""The options of commands that only talk over the broker, and which broker that is."""

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nvr.cli import options, settings
from nvr.core.errors import BrokerError
from nvr.core.names import check_known_tenant

if TYPE_CHECKING:
    from pydantic import SecretStr

    from nvr.config.broker import BrokerConfig
    from nvr.config.overrides import Override


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person said about the broker."""

    config: Path | None
    overrides: "tuple[Override, ...]"


@dataclass(frozen=True, slots=True)
class Found:
    """Whom to talk to."""

    broker: "BrokerConfig"
    key: "SecretStr | None"
    """What signs commands."""
    tenants: Sequence[str | None]
    """Whose instances there may be; None is the default tenant."""
    is_guess: bool
    """Nothing names a broker and no `nvr up` runs here: it is the usual one."""


def with_broker_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command of typer the options about the broker for its parameter `asked`."""
    own = inspect.signature(command, eval_str=True).parameters
    shared = inspect.signature(_asked, eval_str=True).parameters
    taken = [*(each for name, each in own.items() if name != "asked"), *shared.values()]

    @functools.wraps(command)
    def run(**given: object) -> None:
        broker = {name: given.pop(name) for name in shared}
        command(asked=_asked(**broker), **given)  # type: ignore[arg-type] # as typer has checked

    run.__annotations__ = {each.name: each.annotation for each in taken}
    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in taken]
    run.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined] # what typer reads
    return run


def _asked(
    config: options.ConfigFile = None,
    mqtt_host: options.MqttHost = None,
    mqtt_port: options.MqttPort = None,
    mqtt_username: options.MqttUsername = None,
    mqtt_password: options.MqttPassword = None,
    mqtt_tls: options.MqttTls = None,
    mqtt_ca_file: options.MqttCaFile = None,
    mqtt_cert_file: options.MqttCertFile = None,
    mqtt_key_file: options.MqttKeyFile = None,
) -> Asked:
    overrides = settings.from_broker_flags(
        host=mqtt_host,
        port=mqtt_port,
        username=mqtt_username,
        password=mqtt_password,
        tls=mqtt_tls,
        ca_file=mqtt_ca_file,
        cert_file=mqtt_cert_file,
        key_file=mqtt_key_file,
    )
    return Asked(config, overrides)


def find_broker(asked: Asked, tenant: str | None) -> Found:
    """Return the broker of the options, of the file, of the `nvr up` that runs here, or the usual one.

    Args:
        asked: The options.
        tenant: The only one that is meant, None where none was named.

    Raises:
        ConfigurationError: The file, a variable or an option is wrong, or it is known that there is no such tenant.
    """
    from nvr.app.site.plan import tenants_of
    from nvr.app.site.running_file import find_running
    from nvr.config.derive import broker_config

    site = settings.site_reader(asked.config, asked.overrides)()
    broker = broker_config(site.broker)
    running = find_running(os.environ) if site.broker.host is None else None
    tenants = tenants_of(site)
    if running is not None:
        broker = broker.model_copy(update={"host": running.broker_host, "port": running.broker_port})
        tenants = tuple(dict.fromkeys((*tenants, *running.tenants)))
    # on another broker there may be more than one file tells of
    if tenant is not None and (asked.config is not None or (running is not None and running.is_private_broker)):
        check_known_tenant(tenant, {*tenants, *(each.name for each in site.tenants)})
    return Found(broker, site.control.key, tenants, is_guess=running is None and site.broker.host is None)


@contextmanager
def explains_guess(found: Found) -> Iterator[None]:
    """Where a broker that nobody named does not answer, say what else there is not, and what to do."""
    try:
        yield
    except BrokerError as error:
        if not found.is_guess:
            raise
        raise BrokerError(
            f"{error}, and no `nvr up` runs here: start it, or name a broker with --mqtt-host or the --config that does"
        ) from error
