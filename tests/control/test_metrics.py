"""From what a processor and its recordings report to figures; pure."""

from datetime import UTC, datetime, timedelta

from nvr.control.metrics import Measured, Recorded, processor_figures
from nvr.core.histogram import INFERENCE_BOUNDS_S, Histogram
from nvr.events.protocol import TopicKind
from nvr.media.adaptive_decoder import DecodeCounters
from nvr.media.demuxer import DemuxCounters
from nvr.media.stream import StreamState, StreamStats
from nvr.processor.camera import CameraReport
from nvr.processor.model_slot import ModelStatus
from nvr.processor.model_work import ModelWork
from nvr.processor.report import ProcessorReport, QueueReport
from nvr.processor.tally import CameraTally
from nvr.recording.disk import Activity, RecordingState
from nvr.recording.forecast import Forecast
from nvr.recording.outlook import RootState
from nvr.recording.recorder import RecorderCounters
from nvr.recording.retention import DiskSpace
from nvr.recording.segmenter import SegmentCounters
from nvr.recording.service import RecordingReport
from nvr.telemetry.figures import DiskFigures, ModelFigures, ProcessFigures, PublishedFigures, QueueFigures

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MEASURED = Measured(NOW, 60.0, ProcessFigures(cpu_s=3.0), {7: 1.25})


def stream() -> StreamStats:
    return StreamStats(
        frames=40,
        skipped_packets=5,
        broken_packets=3,
        sessions=2,
        failures=1,
        fps=25.0,
        last_error=None,
        demuxed=DemuxCounters(packets=100, size_bytes=1000, corrupt_packets=2),
        decoding=DecodeCounters(decoded=40, thinned=20, asleep=50, skipped=4, lost=1, broken=3, unwanted=2),
        ring_bytes=500,
    )


def report(main: StreamStats | None = None, **more: object) -> ProcessorReport:
    tally = CameraTally(analysed=15, watched=10, moving=4, failed=2, kept_back=6, analysed_fps=4.9)
    camera = CameraReport(7, "gate", StreamState.RUNNING, stream(), replaced_frames=3, main=main, tally=tally)
    return ProcessorReport(
        cameras=(camera,),
        analysed_frames=15,
        inferences=9,
        detector_failures=0,
        lost_events=6,
        is_broker_connected=True,
        watchdog_reconnects=1,
        detector_hangs=True,
        **more,  # type: ignore[arg-type]  # of tests
    )


def test_every_reason_why_a_frame_was_not_looked_at_is_told() -> None:
    [camera] = processor_figures("p", report(), MEASURED).cameras
    assert camera.is_detecting
    assert camera.dropped == {
        "asleep": 50,
        "skipped": 5,
        "broken": 3,
        "sampled_out": 20,
        "replaced": 3,
        "paused": 8,
        "failed": 2,
    }
    assert (camera.source_id, camera.name, camera.state, camera.cpu_s) == (7, "gate", "running", 1.25)
    assert (camera.frames_in, camera.decoded, camera.analysed, camera.watched, camera.moving) == (100, 40, 15, 10, 4)


def test_a_camera_of_two_streams_counts_the_traffic_and_the_trouble_of_both() -> None:
    [camera] = processor_figures("p", report(main=stream()), MEASURED).cameras
    assert (camera.bytes_in, camera.reconnects, camera.packets_lost, camera.memory_bytes) == (2000, 2, 4, 1000)
    assert camera.frames_in == 100, "frames are those that could be looked at"


def test_what_is_recorded_is_told_of_cameras_that_are_recorded() -> None:
    counters = RecorderCounters(SegmentCounters(written_bytes=4096), lost_packets=2, pauses=1, failures=0)
    root = RootState(DiskSpace(1000, 400), 300, Forecast(100, 700, 7.0))
    recordings = RecordingReport({7: counters}, 0, 0, 0, 0, 0, root)
    states = {7: RecordingState(7, Activity.RECORDING, NOW)}
    figures = processor_figures("p", report(), MEASURED, recorded=Recorded(recordings, states, "/recordings"))
    [camera] = figures.cameras
    assert (camera.is_recording, camera.recorded_bytes, camera.recording_lost_packets) == (True, 4096, 2)
    assert figures.disk == DiskFigures("/recordings", 1000, 400, 300, 7.0)
    off = {7: RecordingState(7, Activity.OFF, NOW)}
    figures = processor_figures("p", report(), MEASURED, recorded=Recorded(recordings, off, "/recordings"))
    assert figures.cameras[0].is_recording is None


def test_without_recordings_nothing_is_said_of_them() -> None:
    figures = processor_figures("p", report(), MEASURED)
    assert figures.disk is None
    assert figures.cameras[0].is_recording is None
    nobody_knows = Recorded(RecordingReport({}, 0, 0, 0, 0, 0), {}, "/recordings")
    assert processor_figures("p", report(), MEASURED, recorded=nobody_knows).disk is None


def test_a_model_that_was_swapped_out_keeps_its_work_and_has_no_state() -> None:
    seconds = Histogram(INFERENCE_BOUNDS_S).snapshot()
    works = (ModelWork("old", 5, 9, 0, 0, 0, seconds), ModelWork("new", 1, 1, 1, 30, 40, seconds))
    since = NOW - timedelta(seconds=5)
    statuses = (ModelStatus("new", 2, "ok", since), ModelStatus("new", 1, "degraded", since))
    figures = processor_figures("p", report(models=statuses, works=works), MEASURED)
    new, old = figures.models
    assert (new.model_id, new.is_ok, new.failures, new.used_px) == ("new", False, 1, 30)
    assert (old.model_id, old.is_ok, old.inferences) == ("old", None, 5)


def test_a_model_that_has_not_looked_yet_is_there() -> None:
    figures = processor_figures("p", report(models=(ModelStatus("a", 1, "ok", NOW),)), MEASURED)
    assert figures.models == (ModelFigures("a", is_ok=True),)


def test_queues_that_lead_to_the_broker_are_also_told_as_messages() -> None:
    queues = (
        QueueReport("frames for a", 1, 2, 3),
        QueueReport("mqtt", 4, 256, 5, delivered=100, failed=6, topic=TopicKind.DETECTIONS),
    )
    figures = processor_figures("p", report(queues=queues), MEASURED, topic_root="nvr/north")
    assert figures.queues == (QueueFigures("frames for a", 1, 2, 3), QueueFigures("mqtt", 4, 256, 5))
    assert figures.published == (PublishedFigures("nvr/north/detections/{source_id}", 100, 6),)


def test_the_instance_is_told_as_it_is() -> None:
    figures = processor_figures("p", report(), MEASURED)
    assert (figures.instance_id, figures.at, figures.uptime_s, figures.process.cpu_s) == ("p", NOW, 60.0, 3.0)
    assert (figures.events_lost, figures.is_broker_connected) == (6, True)
    assert (figures.watchdog_reconnects, figures.detector_hangs) == (1, True)
