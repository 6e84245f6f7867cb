"""How to reach the MQTT broker."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nvr.core.errors import ConfigurationError
from nvr.core.names import check_tenant


def _check_host(host: str) -> str:
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"not a host name: {error}") from None
    if any(sign.isspace() for sign in host):
        raise ValueError("a host name must not hold spaces")
    return host


HostName = Annotated[str, AfterValidator(_check_host)]
Port = Annotated[int, Field(ge=1, le=65535)]


class BrokerConfig(BaseModel):
    """Address, credentials and TLS of a broker; what a connection needs and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "localhost"
    port: Port = 1883
    username: str | None = None
    password: SecretStr | None = None
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    tls_insecure: bool = False


class MqttSettings(BaseModel):
    """The settings that everything on the event stream shares, under the names that users write."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    mqtt_host: HostName = Field(default="localhost", min_length=1, description="Name or address of the MQTT broker.")
    mqtt_port: Port = Field(default=1883, description="Port of the broker; 8883 is usual with TLS.")
    mqtt_username: str | None = Field(default=None, description="User name at the broker; none for anonymous access.")
    mqtt_password: SecretStr | None = Field(default=None, description="Password at the broker; never shown or logged.")
    mqtt_tls: bool = Field(default=False, description="Encrypt the connection and verify the broker's certificate.")
    mqtt_ca_file: Path | None = Field(
        default=None, description="PEM file of the authority that signed the broker's certificate; none: the system's."
    )
    mqtt_cert_file: Path | None = Field(
        default=None, description="PEM file of the client certificate, where one is asked for."
    )
    mqtt_key_file: Path | None = Field(default=None, description="PEM file of the key of the client certificate.")
    mqtt_tls_insecure: bool = Field(
        default=False, description="Accept any certificate of the broker; only for a test, the traffic can be read."
    )
    mqtt_topic_prefix: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=r"^[^+#\x00]+$",
        description="Topic of detections without the source id; none: `nvr/detections`, or `nvr/{tenant}/detections`.",
    )
    tenant: str | None = Field(
        default=None, description="Name of the tenant whose topics are used; none: the default one."
    )

    @model_validator(mode="after")
    def _check_tls_and_tenant(self) -> Self:
        if not self.mqtt_tls and (self.mqtt_ca_file or self.mqtt_cert_file or self.mqtt_tls_insecure):
            raise ValueError("mqtt_ca_file, mqtt_cert_file and mqtt_tls_insecure mean nothing without mqtt_tls: true")
        if self.mqtt_password is not None and self.mqtt_username is None:
            raise ValueError("mqtt_password means nothing without mqtt_username")
        if (self.mqtt_cert_file is None) != (self.mqtt_key_file is None):
            raise ValueError("mqtt_cert_file and mqtt_key_file go together, only one is given")
        if self.tenant is not None:
            try:
                check_tenant(self.tenant)
            except ConfigurationError as error:
                raise ValueError(str(error)) from error
        return self

    @property
    def broker(self) -> BrokerConfig:
        """The part that a connection needs."""
        return BrokerConfig(
            host=self.mqtt_host,
            port=self.mqtt_port,
            username=self.mqtt_username,
            password=self.mqtt_password,
            tls=self.mqtt_tls,
            ca_file=self.mqtt_ca_file,
            cert_file=self.mqtt_cert_file,
            key_file=self.mqtt_key_file,
            tls_insecure=self.mqtt_tls_insecure,
        )
