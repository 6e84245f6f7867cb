"""How long and how much may be kept, of what; values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from nvr.config.recording import CameraRetention, RecordingConfig
from nvr.recording.layout import CameraKey
from nvr.recording.segment import SegmentKind

GB = 10**9

KindLimits = Mapping[SegmentKind, int]
KindAges = Mapping[SegmentKind, timedelta]


@dataclass(frozen=True, slots=True)
class CameraLimits:
    """What holds for each camera by itself; what is not named has no limit."""

    max_age: KindAges = field(default_factory=dict)
    """By kind, from the start of a segment."""
    max_bytes: int | None = None
    """Of all kinds together, protected ones included."""
    max_kind_bytes: KindLimits = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """All limits of a root. Protected segments count in sums, for they take room, but are never deleted."""

    every_camera: CameraLimits = CameraLimits()
    cameras: Mapping[CameraKey, CameraLimits] = field(default_factory=dict)
    """Cameras with limits of their own, which count in place of those of every camera."""
    max_total_bytes: int | None = None
    max_kind_bytes: KindLimits = field(default_factory=dict)
    """Of all cameras together."""
    min_free_bytes: int = 0
    min_free_fraction: float = 0.0
    """Of the disk's size; the larger of both floors counts."""

    @classmethod
    def from_config(cls, config: RecordingConfig, tenant: str) -> "RetentionPolicy":
        """Read the settings; those of single cameras are about cameras of `tenant`, given as its folder is named."""
        return cls(
            every_camera=_camera_limits(config.retention_of(-1)),
            cameras={
                CameraKey(tenant, source_id): _camera_limits(config.retention_of(source_id))
                for source_id in config.cameras
            },
            max_total_bytes=_bytes(config.max_total_gb),
            max_kind_bytes=_given(
                {
                    SegmentKind.CONTINUOUS: _bytes(config.max_continuous_gb),
                    SegmentKind.EVENT: _bytes(config.max_event_gb),
                    SegmentKind.ON_DEMAND: _bytes(config.max_on_demand_gb),
                }
            ),
            min_free_bytes=_bytes(config.min_free_gb) or 0,
            min_free_fraction=config.min_free_percent / 100,
        )

    def limits_of(self, camera: CameraKey) -> CameraLimits:
        """Return what holds for a camera."""
        return self.cameras.get(camera, self.every_camera)

    def floor_bytes(self, disk_bytes: int) -> int:
        """Return how much of a disk of a size is to stay free."""
        return max(self.min_free_bytes, int(disk_bytes * self.min_free_fraction))


def _camera_limits(retention: CameraRetention) -> CameraLimits:
    days = {
        SegmentKind.CONTINUOUS: retention.retain_continuous_days,
        SegmentKind.EVENT: retention.retain_event_days,
        SegmentKind.ON_DEMAND: retention.retain_on_demand_days,
    }
    return CameraLimits(
        max_age={kind: timedelta(days=age) for kind, age in days.items() if age is not None},
        max_bytes=_bytes(retention.max_gb),
    )


def _bytes(gigabytes: float | None) -> int | None:
    return None if gigabytes is None else round(gigabytes * GB)


def _given(limits: Mapping[SegmentKind, int | None]) -> KindLimits:
    return {kind: limit for kind, limit in limits.items() if limit is not None}
