"""What runs beside a processor, kept over all changes of its settings: whatever does not work leaves what did."""

import logging
from collections.abc import Callable
from dataclasses import replace

from nvr.app.instance.services import ProcessorServices
from nvr.app.ports import is_free
from nvr.config.derive import ProcessorSettings
from nvr.core.errors import ConfigurationError, NvrError, TransientError
from nvr.core.masking import mask_credentials

logger = logging.getLogger(__name__)


class KeptServices:
    """`open`, `follow` and `close` belong to one thread, all else to any."""

    def __init__(self, make: Callable[[ProcessorSettings], ProcessorServices], settings: ProcessorSettings) -> None:
        """Open nothing yet.

        Args:
            make: Makes services that go by some settings, and starts nothing.
            settings: What they will be opened with.
        """
        self._make = make
        self._served = settings
        self._services: ProcessorServices | None = None

    @property
    def current(self) -> ProcessorServices | None:
        """Those that run; None before the first, after the last and while they are made anew."""
        return self._services

    @property
    def served(self) -> ProcessorSettings:
        """What they go by."""
        return self._served

    def require(self) -> ProcessorServices:
        """Return those that run; raises TransientError where there are none."""
        services = self._services
        if services is None:
            raise TransientError("the program has not begun yet")
        return services

    def look(self) -> None:
        """Tell at once how the processor is, not with the next heartbeat."""
        services = self._services
        if services is not None:
            services.look()

    def open(self, settings: ProcessorSettings) -> None:
        """Start them; raises NvrError where that fails, and what has begun is there to be closed."""
        self._served = settings
        self._services = self._make(settings)
        self._services.start()

    def close(self, reason: str) -> None:
        """End them; the last status says why."""
        services = self._services
        if services is not None:
            services.stop(reason)
        self._services = None

    def follow(self, new: ProcessorSettings) -> ProcessorSettings:
        """Go by other settings, or as before where they do not work; returns the settings that hold then."""
        before = self._served
        failure: NvrError | None = None
        try:
            self._serve(new)
        except NvrError as error:
            failure = error
        if failure is None:
            return new
        logger.error("control and metrics go on as they were: %s", mask_credentials(str(failure)))
        kept = replace(new, control=before.control, metrics=before.metrics)
        self._serve(kept)
        return kept

    def _serve(self, settings: ProcessorSettings) -> None:
        services, before = self._services, self._served
        if services is not None and not need_other_connection(before, settings):
            services.reconfigure(settings)
            self._served = settings
            return
        self.close("it goes on with other settings")
        try:
            self.open(settings)
        except NvrError:
            self.close("it goes on as it was")
            raise


def services_differ(old: ProcessorSettings, new: ProcessorSettings) -> bool:
    """Tell whether what runs beside a processor has to go by other settings."""
    if (old.control, old.metrics, old.home_assistant) != (new.control, new.metrics, new.home_assistant):
        return True
    return old.stream.broker != new.stream.broker or need_other_connection(old, new)


def need_other_connection(old: ProcessorSettings, new: ProcessorSettings) -> bool:
    """Tell whether there is another kind of connection, or one more or less, which is made anew with all upon it."""
    return (old.stream.tenant, old.stream.mqtt_enabled) != (new.stream.tenant, new.stream.mqtt_enabled)


def check_endpoint(old: ProcessorSettings, new: ProcessorSettings) -> None:
    """Raise ConfigurationError where another address of the metrics cannot be had, before anything is changed."""
    host, port = new.metrics.http_host, new.metrics.http_port
    if port and (host, port) != (old.metrics.http_host, old.metrics.http_port) and not is_free(host, port):
        raise ConfigurationError(f"metrics: nothing can listen on {host} port {port}, it may be taken")
