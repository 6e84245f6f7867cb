from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvr.config.recording import CameraRetention, RecordingConfig
from nvr.recording.index import Total
from nvr.recording.layout import CameraKey
from nvr.recording.policy import CameraLimits, RetentionPolicy
from nvr.recording.retention import DiskSpace, Excess, Plan, Reason, Totals, plan_deletions
from nvr.recording.segment import DELETABLE_KINDS, Segment, SegmentKind
from tests.recording.segments import START, segment_at

CONTINUOUS, EVENT, ON_DEMAND, PROTECTED = SegmentKind
NOW = START + timedelta(days=1)
ROOMY = DiskSpace(10**12, 10**12)
NO_LIMIT = 10**9


class Shelf:
    """Segments in memory, handed out like those of an index."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self.segments = sorted(segments, key=lambda segment: (segment.start, segment.tenant, segment.source_id))

    def oldest_first(
        self,
        tenant: str | None = None,
        source_id: int | None = None,
        kinds: Collection[SegmentKind] | None = None,
    ) -> Iterator[Segment]:
        for segment in self.segments:
            is_camera = tenant in {None, segment.tenant} and source_id in {None, segment.source_id}
            if is_camera and (kinds is None or segment.kind in kinds):
                yield segment

    def totals(self) -> Totals:
        totals: dict[tuple[CameraKey, SegmentKind], Total] = {}
        for segment in self.segments:
            key = segment.camera, segment.kind
            totals[key] = totals.get(key, Total()) + Total(1, segment.duration_ms, segment.size_bytes)
        return totals

    def without(self, gone: Collection[Segment]) -> "Shelf":
        return Shelf(segment for segment in self.segments if segment not in gone)

    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)


def plan(
    shelf: Shelf,
    policy: RetentionPolicy,
    *,
    disk: DiskSpace = ROOMY,
    at_most: int = NO_LIMIT,
    spared: Collection[Segment] = frozenset(),
) -> Plan:
    return plan_deletions(shelf, shelf.totals(), policy, now=NOW, disk=disk, at_most=at_most, spared=spared)


def freed(deletions: Iterable[Segment]) -> int:
    return sum(segment.size_bytes for segment in deletions)


def after(disk: DiskSpace, deletions: Iterable[Segment]) -> DiskSpace:
    return DiskSpace(disk.total_bytes, disk.free_bytes + freed(deletions))


sizes = st.integers(0, 20)
limits = st.none() | st.integers(0, 60)
ages = st.dictionaries(st.sampled_from(DELETABLE_KINDS), st.integers(0, 48).map(lambda hours: timedelta(hours=hours)))
kind_limits = st.dictionaries(st.sampled_from(SegmentKind), st.integers(0, 60), max_size=2)
camera_limits = st.builds(CameraLimits, ages, limits, kind_limits)
policies = st.builds(
    RetentionPolicy,
    camera_limits,
    st.dictionaries(st.builds(CameraKey, st.sampled_from(["a", "b"]), st.integers(0, 2)), camera_limits, max_size=2),
    limits,
    kind_limits,
    st.integers(0, 100),
    st.sampled_from([0.0, 0.1, 0.5]),
)
shelves = st.lists(
    st.builds(
        segment_at,
        st.integers(0, 24).map(lambda hours: hours * 3600),
        kind=st.sampled_from(SegmentKind),
        source_id=st.integers(0, 2),
        size_bytes=sizes,
        tenant=st.sampled_from(["a", "b"]),
    ),
    max_size=25,
    unique_by=lambda segment: segment.path,
).map(Shelf)
disks = st.builds(DiskSpace, st.just(200), st.integers(0, 200))


@settings(max_examples=60, deadline=None)
@given(shelves, policies, disks)
def test_never_takes_what_is_protected(shelf: Shelf, policy: RetentionPolicy, disk: DiskSpace) -> None:
    assert PROTECTED not in {segment.kind for segment in plan(shelf, policy, disk=disk).deletions}


@settings(max_examples=60, deadline=None)
@given(shelves, policies, disks, st.data())
def test_never_takes_what_cannot_be_deleted(
    shelf: Shelf, policy: RetentionPolicy, disk: DiskSpace, data: st.DataObject
) -> None:
    spared = set(data.draw(st.lists(st.sampled_from(shelf.segments)))) if shelf.segments else set()
    assert spared.isdisjoint(plan(shelf, policy, disk=disk, spared=spared).deletions)


@settings(max_examples=60, deadline=None)
@given(shelves, policies, disks)
def test_a_second_plan_finds_nothing_left_to_do(shelf: Shelf, policy: RetentionPolicy, disk: DiskSpace) -> None:
    first = plan(shelf, policy, disk=disk)
    second = plan(shelf.without(first.deletions), policy, disk=after(disk, first.deletions))
    assert second.deletions == {}
    assert second.excesses == first.excesses


@settings(max_examples=60, deadline=None)
@given(shelves, policies, disks, st.integers(1, 4))
def test_small_steps_come_to_the_same_end(shelf: Shelf, policy: RetentionPolicy, disk: DiskSpace, at_most: int) -> None:
    whole = plan(shelf, policy, disk=disk)
    left, room = shelf, disk
    while True:
        step = plan(left, policy, disk=room, at_most=at_most)
        assert len(step.deletions) <= at_most
        left, room = left.without(step.deletions), after(room, step.deletions)
        if step.is_complete:
            break
        assert len(step.deletions) == at_most
    assert left.segments == shelf.without(whole.deletions).segments


@settings(max_examples=60, deadline=None)
@given(shelves, policies, disks)
def test_every_limit_is_kept_or_said_to_be_missed(shelf: Shelf, policy: RetentionPolicy, disk: DiskSpace) -> None:
    result = plan(shelf, policy, disk=disk)
    left = shelf.without(result.deletions)
    missed = {excess.reason: excess.excess_bytes for excess in result.excesses}
    for segment in left.segments:
        age = policy.limits_of(segment.camera).max_age.get(segment.kind)
        assert age is None or segment.start >= NOW - age or segment.kind is PROTECTED
    room = after(disk, result.deletions).free_bytes
    assert room + missed.get(Reason.FREE_SPACE, 0) >= policy.floor_bytes(disk.total_bytes)
    if policy.max_total_bytes is not None:
        assert left.size_bytes() - missed.get(Reason.TOTAL_SIZE, 0) <= policy.max_total_bytes
    for camera in {segment.camera for segment in left.segments}:
        limit = policy.limits_of(camera).max_bytes
        held = sum(segment.size_bytes for segment in left.segments if segment.camera == camera)
        assert limit is None or held <= limit or Reason.CAMERA_SIZE in missed


@settings(max_examples=60, deadline=None)
@given(shelves, policies, disks)
def test_what_cannot_be_kept_leaves_nothing_that_could_still_go(
    shelf: Shelf, policy: RetentionPolicy, disk: DiskSpace
) -> None:
    result = plan(shelf, policy, disk=disk)
    if {Reason.FREE_SPACE, Reason.TOTAL_SIZE} & {excess.reason for excess in result.excesses}:
        assert {segment.kind for segment in shelf.without(result.deletions).segments} <= {PROTECTED}


@settings(max_examples=60, deadline=None)
@given(shelves, st.integers(0, 200))
def test_a_limit_takes_the_shortest_row_of_the_oldest_that_is_enough(shelf: Shelf, free_bytes: int) -> None:
    policy = RetentionPolicy(min_free_bytes=100)
    taken = list(plan(shelf, policy, disk=DiskSpace(200, free_bytes)).deletions)
    candidates = [segment for segment in shelf.segments if segment.kind is not PROTECTED]
    assert taken == candidates[: len(taken)]
    assert free_bytes + freed(taken) >= 100 or len(taken) == len(candidates)
    assert not taken or free_bytes + freed(taken[:-1]) < 100


@settings(max_examples=60, deadline=None)
@given(shelves, st.integers(0, 60), st.sampled_from(DELETABLE_KINDS))
def test_a_limit_of_a_camera_and_kind_leaves_all_others_alone(shelf: Shelf, limit: int, kind: SegmentKind) -> None:
    camera = CameraKey("a", 1)
    policy = RetentionPolicy(cameras={camera: CameraLimits(max_kind_bytes={kind: limit})})
    taken = list(plan(shelf, policy).deletions)
    candidates = [segment for segment in shelf.segments if (segment.camera, segment.kind) == (camera, kind)]
    assert taken == candidates[: len(taken)]
    assert freed(candidates[len(taken) :]) <= limit
    assert not taken or freed(candidates[len(taken) - 1 :]) > limit


def test_each_kind_has_its_own_age() -> None:
    shelf = Shelf(segment_at(hours * 3600, kind=kind) for hours in (0, 23) for kind in SegmentKind)
    policy = RetentionPolicy(CameraLimits({CONTINUOUS: timedelta(minutes=30), EVENT: timedelta(hours=2)}))
    assert plan(shelf, policy).deletions == {
        segment_at(0, kind=CONTINUOUS): Reason.AGE,
        segment_at(23 * 3600, kind=CONTINUOUS): Reason.AGE,
        segment_at(0, kind=EVENT): Reason.AGE,
    }


def test_a_segment_of_exactly_the_age_stays() -> None:
    policy = RetentionPolicy(CameraLimits({CONTINUOUS: timedelta(days=1)}))
    assert plan(Shelf([segment_at(0)]), policy).deletions == {}


def test_a_camera_with_limits_of_its_own_keeps_those() -> None:
    shelf = Shelf([segment_at(0, source_id=1), segment_at(0, source_id=2)])
    policy = RetentionPolicy(
        CameraLimits({CONTINUOUS: timedelta(hours=1)}),
        {CameraKey("default", 2): CameraLimits({CONTINUOUS: timedelta(days=9)})},
    )
    assert list(plan(shelf, policy).deletions) == [segment_at(0, source_id=1)]


def test_room_is_made_by_the_oldest_of_all_kinds_and_cameras() -> None:
    shelf = Shelf(
        [
            segment_at(0, kind=PROTECTED),
            segment_at(1, kind=EVENT),
            segment_at(2, source_id=9),
            segment_at(3, kind=ON_DEMAND),
            segment_at(4),
        ]
    )
    result = plan(shelf, RetentionPolicy(min_free_bytes=2500), disk=DiskSpace(10_000, 0))
    assert list(result.deletions) == [
        segment_at(1, kind=EVENT),
        segment_at(2, source_id=9),
        segment_at(3, kind=ON_DEMAND),
    ]
    assert set(result.deletions.values()) == {Reason.FREE_SPACE}


def test_what_age_takes_counts_for_the_free_space() -> None:
    shelf = Shelf([segment_at(0), segment_at(23.9 * 3600)])
    policy = RetentionPolicy(CameraLimits({CONTINUOUS: timedelta(hours=1)}), min_free_bytes=1000)
    assert list(plan(shelf, policy, disk=DiskSpace(10_000, 0)).deletions) == [segment_at(0)]


def test_protected_segments_count_for_a_limit_and_are_left_when_it_cannot_be_kept() -> None:
    shelf = Shelf([segment_at(0, kind=PROTECTED), segment_at(1)])
    result = plan(shelf, RetentionPolicy(max_total_bytes=300))
    assert list(result.deletions) == [segment_at(1)]
    assert result.excesses == [Excess(Reason.TOTAL_SIZE, "all recordings", 700)]


def test_says_that_a_disk_that_others_filled_cannot_be_kept_free() -> None:
    result = plan(Shelf([]), RetentionPolicy(min_free_bytes=100), disk=DiskSpace(1000, 30))
    assert result.excesses == [Excess(Reason.FREE_SPACE, "the disk", 70)]


@pytest.mark.parametrize(("disk_gb", "floor_gb"), [(10, 2), (40, 2), (100, 5)])
def test_the_larger_floor_counts(disk_gb: int, floor_gb: int) -> None:
    policy = RetentionPolicy.from_config(RecordingConfig(), "default")
    assert policy.floor_bytes(disk_gb * 10**9) == floor_gb * 10**9


def test_settings_become_limits() -> None:
    config = RecordingConfig(
        retain_continuous_days=0.5,
        retain_on_demand_days=None,
        max_camera_gb=2,
        max_total_gb=100,
        max_event_gb=7,
        cameras={4: CameraRetention(retain_event_days=1)},
    )
    policy = RetentionPolicy.from_config(config, "yard")
    assert policy.max_total_bytes == 100 * 10**9
    assert policy.max_kind_bytes == {EVENT: 7 * 10**9}
    assert policy.limits_of(CameraKey("yard", 1)) == CameraLimits(
        {CONTINUOUS: timedelta(hours=12), EVENT: timedelta(days=30)}, 2 * 10**9
    )
    assert policy.limits_of(CameraKey("yard", 4)).max_age == {
        CONTINUOUS: timedelta(hours=12),
        EVENT: timedelta(days=1),
    }
    assert policy.limits_of(CameraKey("elsewhere", 4)).max_age[EVENT] == timedelta(days=30)
