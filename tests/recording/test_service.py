"""Recording of several cameras on real files: what is announced, what the index knows, what the disk holds."""

import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Self

import av
import pytest

from nvr.config.recording import RecordingConfig
from nvr.core.clock import ManualClock
from nvr.core.errors import ConfigurationError, StorageError, StreamError
from nvr.events.recording_event import SegmentEvent
from nvr.events.schema import BoundingBox, Detection, DetectionEvent
from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from nvr.recording.disk import Activity, RecordingState
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import SegmentOrigin
from nvr.recording.segment_file import SegmentFile
from nvr.recording.segment_writer import SegmentWriter
from nvr.recording.service import RecordingService
from tests.recording.camera import picture_numbers
from tests.recording.disks import TinyDisk
from tests.recording.packets import NOON, at, camera_packets
from tests.waiting import wait_until

NO_LIMITS = RecordingConfig(segment_s=2, pre_roll_s=1, post_roll_s=1, min_free_gb=0, min_free_percent=0)


class Station:
    """A service and the cameras that send to it, on one clock that moves with their packets."""

    def __init__(self, root: Path, config: RecordingConfig = NO_LIMITS, tenant: str | None = None) -> None:
        self.root = root
        self.clock = ManualClock(NOON)
        self.events: list[SegmentEvent] = []
        self.states: list[RecordingState] = []
        self.rings: dict[int, PacketRing] = {}
        self.waiting: dict[int, list[MediaPacket]] = {}
        self.service = RecordingService(
            config.model_copy(update={"root": root}),
            instance_id="gate-house",
            on_segment=self.events.append,
            on_state=self.states.append,
            tenant=tenant,
            clock=self.clock,
        )

    def __enter__(self) -> Self:
        self.service.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop(30)

    def add(self, source_id: int, mode: str | None = None, packets: list[MediaPacket] | None = None) -> None:
        """Add a camera that has not sent yet."""
        self.rings[source_id] = PacketRing(max_seconds=60)
        self.waiting[source_id] = camera_packets(250) if packets is None else packets
        self.service.add_camera(source_id, self.rings[source_id], mode)

    def send(self, source_id: int, count: int) -> None:
        """Let a camera send; returns when all is written, or its recorder has paused since."""
        written, pauses = self.written(source_id), self.pauses(source_id)
        self.send_unwanted(source_id, count)
        wait_until(
            lambda: self.written(source_id) >= written + count or self.pauses(source_id) > pauses, "it is written"
        )

    def send_unwanted(self, source_id: int, count: int) -> None:
        """Let a camera send what is not recorded."""
        for _ in range(count):
            packet = self.waiting[source_id].pop(0)
            self.clock.advance(max(0.0, packet.received_s - self.clock.monotonic()))
            self.rings[source_id].append(packet)

    def written(self, source_id: int) -> int:
        return self.service.counters().cameras[source_id].written.written_packets

    def pauses(self, source_id: int) -> int:
        return self.service.counters().cameras[source_id].pauses

    def is_paused(self, source_id: int) -> bool:
        return self.service.states()[source_id].activity is Activity.PAUSED

    def wait_for(self, source_id: int, activity: Activity) -> None:
        """Wait for a state; the clock goes on, for the recorder may wait for its next try."""

        def has_come() -> bool:
            self.clock.advance(0.1)
            return self.service.states()[source_id].activity is activity

        wait_until(has_come, f"camera {source_id} is {activity}")

    def wait_while_paused(self, source_id: int) -> None:
        """Wait until a recorder tries again; the clock goes on."""

        def goes_on() -> bool:
            is_paused = self.is_paused(source_id)
            self.clock.advance(0.1 if is_paused else 0)
            return not is_paused

        wait_until(goes_on, f"camera {source_id} no longer pauses")

    def settle(self) -> None:
        wait_until(lambda: self.service.is_settled, "the index is settled")

    def indexed(self) -> list[str]:
        """Return the paths that the index knows."""
        index = self.service.index
        assert index is not None
        return sorted(segment.path.as_posix() for segment in index.find())

    def on_disk(self) -> list[str]:
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*.mp4"))


def indexed(root: Path) -> list[str]:
    """Return the paths that the index of a root knows after its service has ended."""
    with closing(SegmentIndex(root)) as index:
        return sorted(segment.path.as_posix() for segment in index.find())


def detected(source_id: int, second: float) -> DetectionEvent:
    person = Detection(class_name="person", confidence=0.9, bbox=BoundingBox(x=80, y=48, width=20, height=40))
    return DetectionEvent(
        source_id=source_id,
        frame_id=1,
        timestamp=at(second),
        model_id="m",
        inference_time_ms=1,
        detections=(person,),
        frame_width=160,
        frame_height=96,
    )


def test_without_a_root_nothing_can_be_recorded() -> None:
    with pytest.raises(ConfigurationError, match="root names no folder"):
        RecordingService(RecordingConfig(), instance_id="i", on_segment=lambda _: None)


@pytest.mark.parametrize("tenant", ["", "..", "a/b", "status"])
def test_a_tenant_that_could_not_be_a_folder_is_refused(tmp_path: Path, tenant: str) -> None:
    with pytest.raises(ConfigurationError, match="tenant"):
        Station(tmp_path, tenant=tenant)


def test_segments_of_all_cameras_are_announced_and_the_index_equals_the_disk(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "continuous")
        station.add(2, "continuous")
        station.add(3)
        station.send(1, 120)
        station.send(2, 60)
        for number, activity in [(1, Activity.RECORDING), (2, Activity.RECORDING), (3, Activity.OFF)]:
            station.wait_for(number, activity)
        assert station.service.stop(30)
        assert sorted((event.source_id, event.duration_ms, event.end_reason) for event in station.events) == [
            (1, 800, "shutdown"),
            (1, 2000, "cut"),
            (1, 2000, "cut"),
            (2, 400, "shutdown"),
            (2, 2000, "cut"),
        ]
        first = min(station.events, key=lambda event: (event.source_id, event.start))
        assert SegmentEvent.from_json(first.to_json()) == first
        assert (first.type, first.kind, first.codec, first.width, first.height) == (
            "segment",
            "continuous",
            "h264",
            160,
            96,
        )
        assert (first.has_audio, first.timestamp_source, first.instance_id) == (False, "arrival", "gate-house")
        assert station.on_disk() == sorted(event.path for event in station.events)
        assert station.service.counters().cameras[1].written.segments == 3
    assert indexed(tmp_path) == station.on_disk()


def test_an_event_has_its_segments_and_one_snapshot(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "events")
        station.send_unwanted(1, 100)
        station.service.note_detections(detected(1, 2.5))
        station.service.note_detections(detected(1, 2.9))
        station.service.note_detections(detected(9, 2.5))
        wait_until(lambda: station.written(1) == 75, "it is recorded from the key frame before its pre-roll on")
        station.send_unwanted(1, 20)

        def has_snapshot() -> bool:
            station.clock.advance(0.05)
            return station.service.counters().snapshots == 1

        wait_until(has_snapshot, "the snapshot is taken")
        assert station.service.stop(30)
    snapshots = [event for event in station.events if event.type == "snapshot"]
    segments = [event for event in station.events if event.type == "segment"]
    assert len(snapshots) == 1
    assert {event.kind for event in segments} == {"event"}
    assert snapshots[0].start in {at(2.52), at(2.48)}
    assert Path(snapshots[0].path).parent == Path(segments[0].path).parent
    with av.open(io.BytesIO((tmp_path / snapshots[0].path).read_bytes()), "r", format="jpeg_pipe") as container:
        assert len(list(container.decode(video=0))) == 1


def test_an_event_that_has_just_begun_has_its_snapshot_at_the_stop(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "continuous+events")
        station.send(1, 60)
        station.service.note_detections(detected(1, 2.0))
        assert station.service.stop(30)
    assert [event.start for event in station.events if event.type == "snapshot"] == [at(2.0)]


def test_nothing_detected_is_no_event(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "events")
        station.send_unwanted(1, 60)
        station.service.note_detections(detected(1, 2).model_copy(update={"detections": ()}))
        station.service.note_event(8, at(2))
        assert station.service.stop(30)
    assert station.events == []


def test_a_late_detection_renames_a_segment_in_index_and_on_disk(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "continuous+events")
        station.send(1, 110)
        station.service.note_event(1, at(1))
        wait_until(lambda: any(event.replaces for event in station.events), "it is announced anew")
        station.settle()
        assert station.indexed() == station.on_disk()
        raised = [event for event in station.events if event.replaces]
        assert [(event.kind, event.start) for event in raised] == [("event", at(0)), ("event", at(2))]
        assert raised[0].replaces == station.events[0].path


def test_modes_are_changed_at_run_time(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "off")
        station.send_unwanted(1, 30)
        station.service.set_mode(1, "on_demand")
        assert station.service.modes() == {1: "on_demand"}
        station.service.record_start(1, 100)
        wait_until(lambda: station.written(1) == 5, "the newest GOP is written")
        station.send(1, 20)
        station.service.record_stop(1)
        wait_until(lambda: len(station.events) == 1, "it is finished")
        assert (station.events[0].kind, station.events[0].end_reason) == ("on-demand", "stopped")
        station.service.set_mode(1, None)
        assert station.service.modes() == {1: "off"}
        station.send_unwanted(1, 30)
        assert len(station.events) == 1, "the configuration says off"


def test_new_settings_take_effect_on_what_comes(tmp_path: Path) -> None:
    with Station(tmp_path, NO_LIMITS.model_copy(update={"mode": "continuous"})) as station:
        station.add(1)
        station.add(2, "off")
        station.send(1, 60)
        wait_until(lambda: len(station.events) == 1, "a segment of 2 s")
        changes = {"segment_s": 1.0, "mode": "on_demand", "pre_roll_s": 9.0, "max_total_gb": 1e-9}
        assert station.service.apply(NO_LIMITS.model_copy(update={"root": tmp_path} | changes)) == ("pre_roll_s",)
        wait_until(lambda: len(station.events) == 2, "recording ends with its reason")
        station.service.set_mode(1, "continuous")
        station.send_unwanted(1, 90)
        wait_until(lambda: len(station.events) >= 4, "segments go on")
        assert [event.duration_ms for event in station.events[2:4]] == [1000, 1000]
        wait_until(lambda: station.on_disk()[:1] != [station.events[0].path], "the oldest are over the new limit")
        assert station.service.apply(NO_LIMITS.model_copy(update={"root": tmp_path} | changes)) == ("pre_roll_s",)


def test_a_snapshot_is_the_newest_picture_and_is_announced_under_the_new_name(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "off")
        with pytest.raises(StreamError, match="camera 1: no picture has come yet"):
            station.service.snapshot(1)
        station.send_unwanted(1, 60)
        station.service.rename("barn")
        event = station.service.snapshot(1)
        assert station.events == [event]
        assert (event.type, event.kind, event.start, event.instance_id) == ("snapshot", "on-demand", at(2.36), "barn")
        with av.open(io.BytesIO((tmp_path / event.path).read_bytes()), "r", format="jpeg_pipe") as container:
            (picture,) = container.decode(video=0)
        assert (picture.width, picture.height) == (160, 96)
        assert len((tmp_path / event.path).read_bytes()) == event.size_bytes
        with pytest.raises(ConfigurationError, match="camera 5 is not recorded"):
            station.service.snapshot(5)
        station.clock.advance(60)
        with pytest.raises(StreamError, match="camera 1: its newest picture is 60 s old, expected 10 at most"):
            station.service.snapshot(1)
    with pytest.raises(StorageError, match="camera 1: nothing is recorded any more"):
        station.service.snapshot(1)


def test_a_snapshot_that_the_disk_does_not_take_is_told(tmp_path: Path) -> None:
    with Station(tmp_path / "not mounted") as station:
        station.add(1, "off")
        station.send_unwanted(1, 30)
        with pytest.raises(StorageError, match="camera 1: a snapshot cannot be written"):
            station.service.snapshot(1)
    assert station.events == []


def test_on_demand_is_bounded_by_the_configuration(tmp_path: Path) -> None:
    config = NO_LIMITS.model_copy(update={"on_demand_max_s": 1.0})
    with Station(tmp_path, config) as station:
        station.add(1, "on_demand")
        station.send_unwanted(1, 26)
        station.service.record_start(1, 1000)
        wait_until(lambda: station.written(1) == 1, "it has begun")
        station.send_unwanted(1, 75)
        wait_until(lambda: len(station.events) == 1, "it ends by itself")
        assert station.events[0].duration_ms <= 2000


def test_wishes_about_unknown_cameras_and_modes_are_refused_with_what_is_known(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "continuous")
        with pytest.raises(ConfigurationError, match="camera 5 is not recorded; recorded are: 1"):
            station.service.record_start(5)
        with pytest.raises(ConfigurationError, match="camera 5 is not recorded"):
            station.service.record_stop(5)
        with pytest.raises(ConfigurationError, match="camera 5 is not recorded"):
            station.service.set_mode(5, "off")
        with pytest.raises(ConfigurationError, match="mode 'always'"):
            station.service.set_mode(1, "always")
        with pytest.raises(ConfigurationError, match="camera 1 is recorded already"):
            station.service.add_camera(1, PacketRing(), "continuous")


def test_a_camera_that_is_removed_has_its_segment_finished_and_may_come_back(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "continuous")
        station.send(1, 30)
        assert station.service.remove_camera(1, 30)
        assert [event.end_reason for event in station.events] == ["shutdown"]
        assert station.service.states() == {}
        assert station.service.remove_camera(1)
        station.add(1, "continuous")
        station.send(1, 30)


def leave_unfinished(root: Path, source_id: int, count: int) -> None:
    """Leave behind what a process that was killed leaves."""
    packets = camera_packets(count)
    file = SegmentFile(root, SegmentOrigin("default", source_id, NOON))
    writer = SegmentWriter(file, packets[0], None, fragment_s=0.5)
    for packet in packets:
        writer.write(packet)
    writer.leave()


@pytest.mark.parametrize(
    ("mode", "kind"), [("continuous", "continuous"), ("events", "event"), ("on_demand", "on-demand")]
)
def test_what_a_crash_left_is_repaired_and_announced(tmp_path: Path, mode: str, kind: str) -> None:
    leave_unfinished(tmp_path, 1, 50)
    with Station(tmp_path) as station:
        station.add(1, mode)
        wait_until(lambda: len(station.events) == 1, "it is announced")
        (event,) = station.events
        assert (event.kind, event.end_reason, event.start) == (kind, "crash", at(0))
        station.settle()
        assert station.indexed() == station.on_disk() == [event.path]
        numbers = picture_numbers(tmp_path / event.path)
        assert numbers == list(range(len(numbers)))
        assert event.duration_ms == 40 * len(numbers)


def test_a_root_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    with Station(root) as station:
        station.add(1, "continuous")
        station.send(1, 30)
        assert station.is_paused(1)
        assert station.service.states()[1].reason == "disk gone"
        assert not root.exists()
        root.mkdir()
        station.wait_for(1, Activity.RECORDING)
        station.send(1, 30)
        station.settle()
        assert station.service.stop(30)
    assert [number for path in station.on_disk() for number in picture_numbers(root / path)] == list(range(60))


def test_a_root_that_vanishes_and_returns_loses_no_segment(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    with Station(root) as station:
        station.add(1, "continuous")
        station.send(1, 40)
        root.rename(tmp_path / "away")
        station.send(1, 20)
        station.wait_for(1, Activity.PAUSED)
        (tmp_path / "away").rename(root)
        station.wait_for(1, Activity.RECORDING)
        wait_until(lambda: any(event.end_reason == "crash" for event in station.events), "what was left is repaired")
        station.settle()
        assert station.service.stop(30)
    assert [number for path in station.on_disk() for number in picture_numbers(root / path)] == list(range(60))
    assert sorted(event.path for event in station.events) == station.on_disk()


def test_an_index_that_is_busy_holds_up_nothing_and_gets_its_rows_later(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        station.add(1, "continuous")
        station.settle()
        with closing(sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            station.send(1, 60)
            wait_until(lambda: len(station.events) == 1, "it is announced all the same")
            assert station.service.counters().pending_in_index == 1
            other.execute("ROLLBACK")
        station.settle()
        assert station.indexed() == station.on_disk()[:1]


def test_a_disk_that_fills_up_is_cleaned_and_recording_goes_on_by_itself(
    tiny_disk: Callable[[str], TinyDisk],
) -> None:
    disk = tiny_disk("2m")
    config = NO_LIMITS.model_copy(update={"min_free_percent": 25.0, "clean_interval_s": 3600.0})
    noise = camera_packets(700, size=(640, 368), is_noise=True)
    with Station(disk.root, config) as station:
        station.add(1, "continuous", noise)
        station.settle()
        while station.waiting[1]:
            station.wait_while_paused(1)
            station.send(1, 50)
        assert station.service.stop(30)
        assert station.service.counters().deleted > 0
    assert "disk full" in {state.reason for state in station.states}
    kept = sorted(event.path for event in station.events if (disk.root / event.path).exists())
    assert kept == station.on_disk()
    assert indexed(disk.root) == station.on_disk()


def test_tenants_share_a_root_without_seeing_each_other(tmp_path: Path) -> None:
    with Station(tmp_path, tenant="acme") as acme, Station(tmp_path) as default:
        for station in (acme, default):
            station.add(1, "continuous")
            station.send(1, 30)
    assert {path.split("/")[0] for path in default.on_disk()} == {"acme", "default"}
    assert [event.path.split("/")[0] for event in acme.events] == ["acme"]


def test_a_camera_that_disappears_in_the_night_harms_no_other(tmp_path: Path) -> None:
    with Station(tmp_path) as station:
        broken = [replace(packet, captured_at=NOON.replace(year=1900)) for packet in camera_packets(50)]
        station.add(1, "continuous", broken)
        station.add(2, "continuous")
        station.send_unwanted(1, 50)
        station.send(2, 60)
        assert station.service.stop(30)
    assert {event.source_id for event in station.events} == {2}
