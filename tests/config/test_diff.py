"""The difference of two versions of the settings leads from one to the other, and says what it costs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.config.camera import CameraConfig
from nvr.config.derive import ProcessorSettings, processor_settings
from nvr.config.diff import LIVE, SettingsChange, compare, setting_of
from nvr.config.file import parse_config
from nvr.config.processor import StreamProcessorConfig
from nvr.config.site import NvrConfig
from nvr.recording import service

BASE = """
broker: {host: h, username: u, password: hunter2}
storage: {root: /rec, mode: events}
cameras:
- {name: gate, source_id: 0, uri: "rtsp://u:hunter2@h/1"}
- {name: hall, source_id: 1, uri: rtsp://h/2, max_fps: 2}
"""


def told(text: str) -> ProcessorSettings:
    return processor_settings(parse_config(text, "nvr.yaml"))


def change(*edits: tuple[str, str]) -> SettingsChange:
    text = BASE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return compare(told(BASE), told(text))


def test_the_same_settings_differ_in_nothing() -> None:
    assert change().is_empty
    assert change().describe() == []
    assert change(("storage:", "# a comment\nstorage:")).is_empty


def test_cameras_that_come_and_go_are_told_by_their_numbers() -> None:
    changed = change(("source_id: 0", "source_id: 7"))
    assert changed.removed == (0,)
    assert [camera.source_id for camera in changed.added] == [7]
    assert [*changed.updated, *changed.live, *changed.rebuild] == []
    assert changed.describe() == ["camera 0 is taken out", "camera 7 (gate) is added: rtsp://***@h/1"]


def test_what_changed_of_a_camera_is_named_without_its_password() -> None:
    zone = "zones: [{name: yard, polygon: [[0, 0], [1, 0], [1, 1]]}]"
    changed = change(("hunter2@h/1", "hunter3@h/9"), ("max_fps: 2", f"max_fps: 4, record: off, {zone}"))
    assert [(each.source_id, each.fields) for each in changed.updated] == [
        (0, ("uri",)),
        (1, ("max_fps", "record", "zones")),
    ]
    assert changed.updated[0].new.uri == "rtsp://u:hunter3@h/9"
    assert changed.describe() == [
        "camera 0 (gate): uri rtsp://***@h/1 -> rtsp://***@h/9",
        "camera 1 (hall): max_fps 2.0 -> 4.0, record none -> off, zones [] -> [yard]",
    ]


def test_a_camera_that_is_not_enabled_any_more_is_taken_out() -> None:
    assert change(("max_fps: 2", "enabled: false")).removed == (1,)


def test_a_default_concerns_the_cameras_that_say_nothing_else() -> None:
    changed = change(("storage:", "streams: {max_fps: 9}\nmodels: {model_id: motion, max_batch: 4}\nstorage:"))
    assert [(each.setting, each.new, each.source_ids) for each in changed.live] == [
        ("models.model_id", "motion", (0, 1)),
        ("streams.max_fps", 9, (0,)),
        ("models.max_batch", 4, ()),
    ]
    assert changed.describe()[1] == "streams.max_fps: 5.0 -> 9.0 (cameras 0)"
    assert changed.needs_rebuild == ()
    assert changed.updated == ()


def test_another_transport_is_a_change_of_each_camera_that_names_none() -> None:
    changed = change(("storage:", "streams: {rtsp_transport: udp}\nstorage:"), ("max_fps: 2", "rtsp_transport: tcp"))
    assert [(each.source_id, each.fields, each.new.rtsp_transport) for each in changed.updated] == [
        (0, ("rtsp_transport",), "udp"),
        (1, ("max_fps",), "tcp"),
    ]
    assert [*changed.live, *changed.rebuild] == []


def test_what_runs_beside_the_cameras_can_change_while_they_run() -> None:
    text = "control: {heartbeat_s: 2, key: 0123456789abcdef}\nlog: {level: debug}\nhome_assistant: {enabled: true}\n"
    changed = change(("storage:", f"{text}storage:"), ("mode: events", "mode: events, retain_event_days: 3"))
    assert [each.setting for each in changed.live] == [
        "storage.retain_event_days",
        "control.key",
        "control.heartbeat_s",
        "home_assistant.enabled",
        "log.level",
    ]
    assert [each.setting for each in changed.section("control")] == ["control.key", "control.heartbeat_s"]
    assert "control.key: another secret" in changed.describe()
    assert changed.needs_rebuild == ()


@pytest.mark.parametrize(
    ("edit", "setting", "line"),
    [
        (("host: h", "host: g"), "broker.host", "broker.host: h -> g, for which the processor begins anew"),
        (("hunter2}", "hunter3}"), "broker.password", "broker.password: another secret, for which the"),
        (("root: /rec", "root: /other"), "storage.root", "storage.root: /rec -> /other, for which the"),
        (
            ("storage:", "models: {multiplex: frames}\nstorage:"),
            "models.multiplex",
            "models.multiplex: canvas -> frames",
        ),
        (
            ("storage:", "processors: {jsonl_path: x}\nstorage:"),
            "processors.jsonl_path",
            "processors.jsonl_path: none -> x",
        ),
        (
            ("storage:", "streams: {read_timeout_s: 2}\nstorage:"),
            "streams.read_timeout_s",
            "streams.read_timeout_s: 5.0",
        ),
    ],
)
def test_what_is_made_once_needs_another_processor(edit: tuple[str, str], setting: str, line: str) -> None:
    changed = change(edit)
    assert changed.needs_rebuild == (setting,)
    (said,) = changed.describe()
    assert said.startswith(line)
    assert "hunter" not in said


def test_what_is_called_live_here_is_what_a_processor_and_a_recording_can_apply() -> None:
    once = {name for name in StreamProcessorConfig.model_fields if name not in LIVE and name != "rtsp_transport"}
    for name in set(StreamProcessorConfig.model_fields) - {"cameras", "stream_uris", "tenant", "instance_id"}:
        stream = StreamProcessorConfig()
        other = stream.model_copy(update={name: 3 if name == "first_source_id" else object()})
        old = processor_settings(NvrConfig())
        new = ProcessorSettings(other, old.recording, old.control, old.metrics, old.home_assistant, old.log)
        changed = compare(old, new)
        assert changed.needs_rebuild == ((setting_of(name),) if name in once else ()), name
    for name in type(NvrConfig().storage).model_fields:
        old = processor_settings(NvrConfig())
        recording = old.recording.model_copy(update={name: object()})
        changed = compare(
            old, ProcessorSettings(old.stream, recording, old.control, old.metrics, old.home_assistant, old.log)
        )
        assert bool(changed.needs_rebuild) == (name in service._MADE_ONCE), name


cameras = st.builds(
    CameraConfig,
    uri=st.sampled_from(["rtsp://h/1", "rtsp://h/2"]),
    max_fps=st.none() | st.sampled_from([1.0, 2.0]),
    record=st.none() | st.just("off"),
    rtsp_transport=st.none() | st.sampled_from(["tcp", "udp"]),
)
sites = st.tuples(st.dictionaries(st.integers(0, 5), cameras), st.sampled_from(["tcp", "udp"]))


def settings(site: tuple[dict[int, CameraConfig], str]) -> ProcessorSettings:
    given_cameras, transport = site
    listed = tuple(camera.model_copy(update={"source_id": n}) for n, camera in given_cameras.items())
    stream = StreamProcessorConfig.model_validate({"cameras": listed, "rtsp_transport": transport})
    rest = processor_settings(NvrConfig())
    return ProcessorSettings(stream, rest.recording, rest.control, rest.metrics, rest.home_assistant, rest.log)


def as_run(told_now: ProcessorSettings, transport: str) -> dict[int, CameraConfig]:
    """Return the cameras with the transport that they use, as a processor that began with another one has them."""
    return {
        number: camera.model_copy(update={"rtsp_transport": camera.rtsp_transport or transport})
        for number, camera in told_now.stream.numbered_cameras
    }


@given(sites, sites, sites)
def test_the_changes_lead_from_one_version_to_the_next(
    first: tuple[dict[int, CameraConfig], str],
    second: tuple[dict[int, CameraConfig], str],
    third: tuple[dict[int, CameraConfig], str],
) -> None:
    running = as_run(settings(first), first[1])
    for old, new in ((first, second), (second, third)):
        changed = compare(settings(old), settings(new))
        for number in changed.removed:
            del running[number]
        for camera in changed.added:
            assert camera.source_id is not None
            assert camera.source_id not in running
            running[camera.source_id] = camera
        for update in changed.updated:
            assert running[update.source_id] == update.old
            assert update.fields
            running[update.source_id] = update.new
        assert running == as_run(settings(new), new[1])


@given(sites)
def test_a_version_differs_from_itself_in_nothing(site: tuple[dict[int, CameraConfig], str]) -> None:
    assert compare(settings(site), settings(site)).is_empty


def test_paths_and_long_values_are_shown_in_one_short_line(tmp_path: Path) -> None:
    names = ", ".join(f"class{n}" for n in range(100))
    changed = change(("storage:", f"models: {{classes: [{names}]}}\nprocessors: {{jsonl_path: {tmp_path}}}\nstorage:"))
    assert all(len(line) < 400 for line in changed.describe())
