"""What each component gets of a configuration; pure."""

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import ValidationError

from nvr.config.broker import BrokerConfig
from nvr.config.camera import CameraConfig
from nvr.config.numbering import number_cameras
from nvr.config.operations import ControlConfig, HomeAssistantConfig, LogConfig, MetricsConfig
from nvr.config.processor import StreamProcessorConfig
from nvr.config.recording import RecordingConfig
from nvr.config.site import BrokerSection, NvrConfig, SiteCamera, TenantConfig
from nvr.config.wall import VideoWallConfig, WallCamera
from nvr.core.errors import ConfigurationError
from nvr.core.names import check_known_tenant
from nvr.core.validation import first_problem

_BROKER_SETTINGS = (
    "port",
    "username",
    "password",
    "tls",
    "ca_file",
    "cert_file",
    "key_file",
    "tls_insecure",
    "topic_prefix",
)
_DEFAULT_HOST = "localhost"


@dataclass(frozen=True, slots=True)
class ProcessorSettings:
    """Everything that one processor instance is told."""

    stream: StreamProcessorConfig
    """Its cameras have a `source_id` each; `stream_uris` is empty."""
    recording: RecordingConfig
    control: ControlConfig
    metrics: MetricsConfig
    home_assistant: HomeAssistantConfig
    log: LogConfig


def processor_settings(
    site: NvrConfig,
    *,
    instance_id: str | None = None,
    tenant: str | None = None,
    source_ids: Collection[int] | None = None,
) -> ProcessorSettings:
    """Return what a processor instance is told.

    Args:
        site: The configuration; cameras without a number get the next free one, in order.
        instance_id: Its name among all on the broker; None for `processors.instance_prefix`.
        tenant: Whose cameras and topics; None for the default tenant.
        source_ids: Which of these cameras; None for all. What is not enabled is left out in any case.

    Raises:
        ConfigurationError: `instance_id` is no valid name, or `tenant` none of the tenants.
    """
    _check_tenant(site, tenant)
    try:
        stream = StreamProcessorConfig.model_validate(
            {
                **_of(site.streams, StreamProcessorConfig),
                **_of(site.models, StreamProcessorConfig),
                **_of(site.processors, StreamProcessorConfig),
                **_broker(site.broker),
                "mqtt_enabled": site.broker.enabled,
                "mqtt_qos": site.broker.qos,
                "tenant": tenant,
                "instance_id": site.processors.instance_prefix if instance_id is None else instance_id,
                "cameras": tuple(map(camera_config, cameras_of(site, tenant=tenant, source_ids=source_ids))),
            }
        )
    except ValidationError as error:
        raise ConfigurationError(first_problem(error)) from error
    return ProcessorSettings(stream, site.storage, site.control, site.metrics, site.home_assistant, site.log)


def broker_config(section: BrokerSection) -> BrokerConfig:
    """Return what a connection to the broker needs."""
    settings = {name: getattr(section, name) for name in BrokerConfig.model_fields}
    return BrokerConfig.model_validate({**settings, "host": section.host or _DEFAULT_HOST})


def wall_settings(site: NvrConfig, tenant: str | None = None) -> VideoWallConfig:
    """Return what the wall of a tenant is told: it shows the smaller stream of each camera that has one.

    The first port is that of the default tenant, each further tenant has the next one.

    Raises:
        ConfigurationError: `tenant` is none of the tenants.
    """
    _check_tenant(site, tenant)
    port = site.wall.http_port
    names = [each.name for each in site.tenants]
    if port and tenant in names:
        port += 1 + names.index(tenant)
    cameras = [
        WallCamera(
            source_id=camera.source_id or 0,  # which cameras_of has given
            uri=camera.detect_uri or camera.uri,
            name=camera.name,
            rtsp_transport=camera.rtsp_transport,
        )
        for camera in cameras_of(site, tenant=tenant)
    ]
    try:
        return VideoWallConfig.model_validate(
            {
                **_of(site.streams, VideoWallConfig),
                **_of(site.wall, VideoWallConfig),
                **_broker(site.broker),
                "tenant": tenant,
                "http_port": port,
                "cameras": tuple(cameras),
            }
        )
    except ValidationError as error:
        raise ConfigurationError(first_problem(error)) from error


def site_for_instance(
    site: NvrConfig,
    *,
    source_ids: Collection[int] | None = None,
    tenant: str | None = None,
    broker: BrokerSection | None = None,
) -> NvrConfig:
    """Return the configuration of one instance, complete in itself: its cameras with their numbers, and its broker.

    Args:
        site: The configuration of all.
        source_ids: The cameras of this instance; None for all of the tenant.
        tenant: As for `processor_settings`, which gives the same for both configurations.
        broker: The broker that was started for it; None for that of `site`.
    """
    cameras = cameras_of(site, tenant=tenant, source_ids=source_ids)
    return site.model_copy(
        update={
            "broker": site.broker if broker is None else broker,
            "cameras": cameras,
            "tenants": () if tenant is None else (TenantConfig(name=tenant),),
        }
    )


def cameras_of(
    site: NvrConfig, *, tenant: str | None = None, source_ids: Collection[int] | None = None
) -> tuple[SiteCamera, ...]:
    """Return the enabled cameras of a tenant, each with its number; of these only `source_ids`, where given."""
    numbered, _ = number_cameras(site)
    return tuple(
        camera
        for camera in numbered.cameras
        if camera.enabled and camera.tenant == tenant and (source_ids is None or camera.source_id in source_ids)
    )


def camera_config(camera: SiteCamera) -> CameraConfig:
    """Return what a processor is told of a camera."""
    return CameraConfig.model_validate({name: getattr(camera, name) for name in CameraConfig.model_fields})


def _check_tenant(site: NvrConfig, tenant: str | None) -> None:
    if tenant is not None:
        check_known_tenant(tenant, (each.name for each in site.tenants))


def _of(section: object, component: type[StreamProcessorConfig] | type[VideoWallConfig]) -> dict[str, object]:
    """Return those settings of a section that a component knows by the same name."""
    return {name: value for name, value in vars(section).items() if name in component.model_fields}


def _broker(section: BrokerSection) -> dict[str, object]:
    settings = {f"mqtt_{name}": getattr(section, name) for name in _BROKER_SETTINGS}
    return {"mqtt_host": section.host or _DEFAULT_HOST, **settings}
