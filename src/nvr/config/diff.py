"""What another version of the settings changes for a processor that runs; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, SecretStr

from nvr.config.camera import CameraConfig
from nvr.config.derive import ProcessorSettings
from nvr.config.processor import StreamProcessorConfig
from nvr.config.site import NvrConfig
from nvr.core.masking import MASK, mask_credentials

LIVE = frozenset(
    {
        "classes",
        "confidence_threshold",
        "decode",
        "first_source_id",
        "full_look_s",
        "hwaccel",
        "instance_id",
        "max_batch",
        "max_fps",
        "max_wait_ms",
        "model_id",
        "quiet_s",
    }
)
"""Of a processor's own settings, what `StreamProcessor.apply` does while it runs."""

_MADE_ONCE = frozenset({"root", "pre_roll_s"})
"""Of recording, what `RecordingService.apply` cannot do."""

_BESIDE = ("control", "metrics", "home_assistant", "log")
"""Sections of what runs beside the cameras and can be made anew without them."""

_SHOWN_AT_MOST = 120


@dataclass(frozen=True, slots=True)
class CameraChange:
    """A camera that goes on with other settings."""

    source_id: int
    old: CameraConfig
    new: CameraConfig
    fields: tuple[str, ...]
    """The names of the settings that differ; at least one."""


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting of the processor with another value."""

    setting: str
    """As it is written in the file, such as `models.model_id`."""
    old: object
    new: object
    source_ids: tuple[int, ...] = ()
    """The cameras that it is about, as they say nothing else; empty for what is about all."""


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """The way from one version of the settings to another."""

    added: tuple[CameraConfig, ...]
    removed: tuple[int, ...]
    updated: tuple[CameraChange, ...]
    live: tuple[SettingChange, ...]
    """What takes effect while everything runs: by `apply` of processor and recording, or beside them."""
    rebuild: tuple[SettingChange, ...]
    """What needs another processor."""

    @property
    def needs_rebuild(self) -> tuple[str, ...]:
        """The settings that need another processor; empty where everything can be done while it runs."""
        return tuple(change.setting for change in self.rebuild)

    @property
    def is_empty(self) -> bool:
        """Whether both versions say the same."""
        return not (self.added or self.removed or self.updated or self.live or self.rebuild)

    def section(self, name: str) -> tuple[SettingChange, ...]:
        """Return the live changes of a section of the file, such as `log`."""
        return tuple(change for change in self.live if change.setting.startswith(f"{name}."))

    def describe(self) -> list[str]:
        """Return a line for each change, without credentials."""
        return [
            *(f"camera {source_id} is taken out" for source_id in self.removed),
            *(f"{_name(camera)} is added: {mask_credentials(camera.uri)}" for camera in self.added),
            *(f"{_name(change.new)}: {_differences(change)}" for change in self.updated),
            *(_line(change) for change in self.live),
            *(f"{_line(change)}, for which the processor begins anew" for change in self.rebuild),
        ]


def compare(old: ProcessorSettings, new: ProcessorSettings) -> SettingsChange:
    """Return what changes for a processor that was told `old` and is now told `new`.

    Cameras are the same where their numbers are. Those that are returned name their transport, as a running processor
    knows only the one that it began with for those that name none.
    """
    before, after = _cameras(old.stream), _cameras(new.stream)
    changes = [
        *_changes_of_the_processor(old.stream, new.stream),
        *_changes("storage", old.recording, new.recording),
        *(change for name in _BESIDE for change in _changes(name, getattr(old, name), getattr(new, name))),
    ]
    once = made_once()
    return SettingsChange(
        added=tuple(camera for number, camera in after.items() if number not in before),
        removed=tuple(number for number in before if number not in after),
        updated=tuple(
            CameraChange(number, before[number], camera, fields)
            for number, camera in after.items()
            if number in before and (fields := _differing(before[number], camera))
        ),
        live=tuple(change for change in changes if change.setting not in once),
        rebuild=tuple(change for change in changes if change.setting in once),
    )


def setting_of(field: str) -> str:
    """Return how a setting of `StreamProcessorConfig` or `VideoWallConfig` is called in the file."""
    if field.startswith("mqtt_"):
        return f"broker.{field.removeprefix('mqtt_')}"
    for section in ("models", "streams", "processors", "wall"):
        if field in type(NvrConfig.model_fields[section].default).model_fields:
            return f"{section}.{field}"
    return f"processors.{field}"


def made_once() -> frozenset[str]:
    """Return the settings, as they are written in the file, for another value of which a processor begins anew."""
    # the transport is a setting of each camera here
    names = StreamProcessorConfig.model_fields.keys() - LIVE - {"rtsp_transport"}
    return frozenset(map(setting_of, names)) | {f"storage.{name}" for name in _MADE_ONCE}


def _cameras(stream: StreamProcessorConfig) -> Mapping[int, CameraConfig]:
    return {
        number: camera.model_copy(
            update={"source_id": number, "rtsp_transport": camera.rtsp_transport or stream.rtsp_transport}
        )
        for number, camera in stream.numbered_cameras
    }


def _changes_of_the_processor(old: StreamProcessorConfig, new: StreamProcessorConfig) -> Iterator[SettingChange]:
    known = dict(old.numbered_cameras)
    for name in _differing(old, new):
        if name in {"cameras", "stream_uris", "rtsp_transport"}:
            continue
        concerned = [
            number
            for number, camera in new.numbered_cameras
            if name in CameraConfig.model_fields and getattr(camera, name) is None and number in known
        ]
        yield SettingChange(setting_of(name), getattr(old, name), getattr(new, name), tuple(concerned))


def _changes(section: str, old: BaseModel, new: BaseModel) -> Iterator[SettingChange]:
    for name in _differing(old, new):
        yield SettingChange(f"{section}.{name}", getattr(old, name), getattr(new, name))


def _differing(old: BaseModel, new: BaseModel) -> tuple[str, ...]:
    return tuple(name for name in type(new).model_fields if getattr(old, name) != getattr(new, name))


def _name(camera: CameraConfig) -> str:
    name = f" ({mask_credentials(camera.name)})" if camera.name else ""
    return f"camera {camera.source_id}{name}"


def _differences(change: CameraChange) -> str:
    return ", ".join(
        f"{name} {_shown(getattr(change.old, name))} -> {_shown(getattr(change.new, name))}" for name in change.fields
    )


def _line(change: SettingChange) -> str:
    if isinstance(change.old, SecretStr) or isinstance(change.new, SecretStr):
        return f"{change.setting}: another secret"
    cameras = f" (cameras {', '.join(map(str, change.source_ids))})" if change.source_ids else ""
    return f"{change.setting}: {_shown(change.old)} -> {_shown(change.new)}{cameras}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case SecretStr():
            return MASK
        case BaseModel():
            return str(getattr(value, "name", type(value).__name__))
        case tuple():
            text = f"[{', '.join(map(_shown, value))}]"
        case dict():
            text = f"{len(value)} of them"
        case _:
            text = mask_credentials(str(value))
    return text if len(text) <= _SHOWN_AT_MOST else f"{text[:_SHOWN_AT_MOST]}…"
