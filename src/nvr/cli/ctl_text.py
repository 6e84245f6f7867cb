"""What `nvr ctl` says of an answer: one line a fact, for people or for programs."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pydantic import JsonValue

    from nvr.control.client import Reply


def lines_of(reply: "Reply", command: str, params: "Told") -> list[str]:
    """Return what an instance answered."""
    name = reply.instance_id
    match reply.status:
        case "silent":
            return [f"{name}: no answer{_presence(reply)}"]
        case "received":
            return [f"{name}: has taken it, and it goes on"]
        case "error":
            error = reply.error
            reason = "no reason was given" if error is None else f"{error.reason} [{error.type}]"
            return [f"{name}: {reason}", *_camera_lines(reply.result, only_good=True)]
        case _:
            first, *more = _done(command, params, reply.result)
            return [f"{name}: {first} ({_ms(reply.duration_ms)})", *more]


def to_json(command: str, replies: "Sequence[Reply]", missing: Iterable[int] = ()) -> str:
    """Return all answers as one JSON object."""
    told = [
        {
            "instance_id": reply.instance_id,
            "status": reply.status,
            "result": reply.result,
            "error": None if reply.error is None else reply.error.model_dump(mode="json"),
            "duration_ms": reply.duration_ms,
            "received_ms": reply.received_ms,
            "round_trip_ms": reply.round_trip_ms,
            "presence": reply.presence,
        }
        for reply in replies
    ]
    return json.dumps({"command": command, "replies": told, "missing_source_ids": list(missing)}, indent=2)


def sources_of(result: "JsonValue") -> set[int]:
    """Return the cameras that a result speaks of."""
    match result:
        case {"source_ids": [*ids]}:
            return {each for each in ids if isinstance(each, int)}
        case {"cameras": [*reports]}:
            return {number for report in reports if (number := _number(report)) is not None}
        case _:
            return set()


def cameras_text(source_ids: Iterable[int]) -> str:
    """Return cameras as a person says them."""
    ids = sorted(source_ids)
    if not ids:
        return "no camera"
    return f"camera{'' if len(ids) == 1 else 's'} {', '.join(map(str, ids))}"


Told: TypeAlias = "Mapping[str, JsonValue]"

_DONE: dict[str, Callable[[Told, Told, str], str]] = {
    "ping": lambda _, told, __: f"{told.get('state')}, version {told.get('version')}, {_since(told.get('uptime_s'))}",
    "pause": lambda asked, _, cameras: f"{'hung up on' if asked.get('hang_up') else 'paused'} {cameras}",
    "resume": lambda _, __, cameras: f"looks at {cameras} again",
    "stop": lambda *_: "stops",
    "restart": lambda *_: "began anew",
    "change_model": lambda _, told, __: f"looks with {told.get('model_id')}",
    "set_fps": lambda asked, _, cameras: f"{_rate(asked.get('max_fps'))} of {cameras}",
    "set_confidence": lambda asked, _, cameras: (
        f"publishes from {asked.get('confidence')} on what is seen by {cameras}"
    ),
    "add_stream": lambda _, told, __: f"added camera {told.get('source_id')}",
    "remove_stream": lambda _, __, cameras: f"removed {cameras}",
    "update_stream": lambda _, __, cameras: f"changed {cameras}",
    "rename_instance": lambda _, told, __: f"is now called {told.get('instance_id')}",
    "record_start": lambda _, __, cameras: f"records {cameras} on demand",
    "record_stop": lambda _, __, cameras: f"records {cameras} on demand no more",
    "snapshot": lambda _, __, cameras: f"took a picture of {cameras}",
    "set_log_level": lambda _, told, __: f"logs {told.get('logger')} from {told.get('level')} on",
}
"""What was done, by parameters, result and cameras."""


def _done(command: str, params: Told, result: "JsonValue") -> list[str]:
    told = result if isinstance(result, dict) else {}
    match command:
        case "status":
            return _status(told)
        case "reload":
            return _reload(told)
        case "snapshot":
            more = _camera_lines(result)
        case _:
            more = [] if command in _DONE or result is None else [json.dumps(result, indent=2)]
    say = _DONE.get(command)
    return ["done" if say is None else say(params, told, cameras_text(sources_of(result))), *more]


def _reload(told: Told) -> list[str]:
    match told:
        case {"changes": [*changes]} if changes:
            return ["applied its settings", *(f"  {each}" for each in changes)]
        case {"changes": []}:
            return ["nothing is different in its settings"]
        case _:
            return ["read its settings again", *(f"  {key}: {value}" for key, value in told.items())]


def _status(told: Told) -> list[str]:
    reason = told.get("reason")
    lines = [f"{told.get('state')}{'' if reason is None else f', {reason}'}"]
    cameras = told.get("cameras")
    listed = cameras if isinstance(cameras, list) else []
    return [*lines, *(f"  {_camera(camera)}" for camera in listed if isinstance(camera, dict))]


def _camera(camera: Told) -> str:
    facts = [f"camera {camera.get('source_id')} ({camera.get('name')}): {camera.get('state')}"]
    if camera.get("is_detecting") is False:
        facts.append("not looked at")
    if isinstance(fps := camera.get("fps"), int | float):
        facts.append(f"{fps:.0f} fps")
    if recording := camera.get("recording"):
        facts.append(f"recorder {recording}")
    if reason := camera.get("reason"):
        facts.append(str(reason))
    return ", ".join(facts)


def _camera_lines(result: "JsonValue", *, only_good: bool = False) -> list[str]:
    match result:
        case {"cameras": [*reports]}:
            return [text for report in reports if (text := _report(report, only_good=only_good))]
        case _:
            return []


def _report(report: "JsonValue", *, only_good: bool) -> str:
    match report:
        case {"source_id": number, "ok": True, "path": path}:
            return f"  camera {number}: {path}"
        case {"source_id": number, "ok": True}:
            return f"  camera {number}: done"
        case {"source_id": number, "error": {"reason": reason}} if not only_good:
            return f"  camera {number}: {reason}"
        case _:
            return ""


def _number(report: "JsonValue") -> int | None:
    match report:
        case {"source_id": int(number)}:
            return number
        case _:
            return None


def _presence(reply: "Reply") -> str:
    match reply.presence:
        case None:
            return ", and nobody of that name has told a status"
        case "alive":
            return ", although it lives"
        case "stale":
            return ", its heartbeats stay away"
        case _ if reply.reason == "stopped by a command":
            return ", it was stopped by a command; under `nvr up`, `nvr ctl reload` starts it again"
        case _:
            return ", it is offline"


def _ms(duration_ms: float | None) -> str:
    if duration_ms is None:
        return "? ms"
    return f"{duration_ms:.0f} ms" if duration_ms < 10_000 else f"{duration_ms / 1000:.1f} s"


def _rate(fps: "JsonValue") -> str:
    return f"at most {fps:g} frames per second" if isinstance(fps, int | float) else "no limit of its own on the frames"


def _since(seconds: "JsonValue") -> str:
    if not isinstance(seconds, int | float):
        return "running since an unknown time"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"running for {hours} h {minutes} min"
    return f"running for {minutes} min {rest} s" if minutes else f"running for {rest} s"
