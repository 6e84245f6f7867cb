"""TLS towards the broker, with certificates and keys as their files are at each connection."""

import logging
import ssl
from typing import Any

from nvr.config.broker import BrokerConfig
from nvr.core.errors import ConfigurationError

logger = logging.getLogger(__name__)


class TlsContext(ssl.SSLContext):
    """Reads the files anew for each connection, so that who replaces them restarts nothing.

    A connection that stands goes on with what it was made with. Files that cannot be used, as halfway through a
    replacement, are told in the log, and the connection is tried with those of before.
    """

    _broker: BrokerConfig
    _usable: ssl.SSLContext

    @classmethod
    def of(cls, broker: BrokerConfig) -> "TlsContext":
        """Return the context for the connections to a broker.

        Raises:
            ConfigurationError: A file is absent, or none of its kind.
        """
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._broker, context._usable = broker, _load(broker)
        context.check_hostname = not broker.tls_insecure
        return context

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:  # noqa: ANN401 - as the library has it
        """Secure a connection; called in that of the client's thread."""
        try:
            self._usable = _load(self._broker)
        except ConfigurationError as error:
            logger.error("%s; those of before are tried", error)  # noqa: TRY400 - the message says it all
        return self._usable.wrap_socket(*args, **kwargs)


def check_files(broker: BrokerConfig) -> None:
    """Raise ConfigurationError where a connection to the broker could not be made for want of a file."""
    if broker.tls:
        _load(broker)


def _load(broker: BrokerConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=broker.ca_file)
        if broker.cert_file is not None:
            context.load_cert_chain(broker.cert_file, broker.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(file) for file in (broker.ca_file, broker.cert_file, broker.key_file) if file)
        raise ConfigurationError(f"cannot use the TLS files of broker {broker.host} ({files}): {error}") from error
    if broker.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
