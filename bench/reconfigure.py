"""How soon does a change take effect, and what does it cost the other cameras? Milliseconds and lost frames.

Eight cameras (`nvr simulate`, 640x360), each of whose frames is looked at, one `nvr processor`, mosquitto; a client
commands over the broker, as `nvr ctl` does. A ninth camera is added, changed, paused, resumed, given another address
and removed again, and the model of all is replaced back and forth. When a command has taken effect is seen at the
events that arrive, of a model at those of the last of the eight; of settings that no single event shows, it is when the
command is completed; a pause is sent at any moment between two frames. From `add` and another address what the camera
itself takes to its first key frame is taken off, measured by connecting to it once more. Lost are numbers of frames
that are missing among the events of the eight, of which no limit leaves any out. Afterwards nothing is changed for a
while: what is lost then is the machine's doing.
"""

import argparse
import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._programs import Programs, accepts, choose_model, default_assets, end_on_sigterm
from bench._reconfigure_rows import Arrival, Change, loss_row, loss_rows, n_frames, rows_of
from bench._rows import Row, exit_code, print_rows
from pydantic import JsonValue

from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import LOOPBACK, LocalBroker, free_port
from nvr.config.broker import BrokerConfig
from nvr.control.client import ControlClient
from nvr.core.clock import SystemClock
from nvr.core.errors import NvrError, TransientError
from nvr.events.protocol import TopicKind, Topics
from nvr.events.schema import DetectionEvent
from nvr.media.probe import probe

N_CAMERAS = 8
EXTRA = N_CAMERAS
"""The camera that comes and goes."""
FPS = 5
INSTANCE = "bench"
SETTLE_S = 3.0
EFFECT_TIMEOUT_S = 30.0
WATCHED_AFTER_S = 1.0
"""A frame that is missing so soon after a change is counted as its doing, too."""
ROUNDS, CALM_S = 20, 60.0
SEED = 1
QUICK_ROUNDS, QUICK_CALM_S = 2, 5.0


class Arrivals:
    """What a subscriber of the benchmark's own hears."""

    def __init__(self, broker: BrokerConfig) -> None:
        self._clock = SystemClock()
        self._lock = threading.Condition()
        self._heard: dict[int, list[Arrival]] = defaultdict(list)
        self._connection = MqttConnection(broker)
        self._connection.subscribe(Topics().filter(TopicKind.DETECTIONS), self._take)
        self._connection.start()

    def stop(self) -> None:
        """Hear no more."""
        self._connection.stop()

    def of(self, source_id: int) -> list[Arrival]:
        """Return what was heard of a camera."""
        with self._lock:
            return list(self._heard[source_id])

    def wait(self, is_it: Callable[[Arrival], bool], source_id: int, since_s: float) -> float:
        """Return when the first event of a camera that arrived since a moment is what is waited for."""
        deadline_s = self._clock.monotonic() + EFFECT_TIMEOUT_S
        with self._lock:
            while True:
                for arrival in self._heard[source_id]:
                    if arrival.at_s >= since_s and is_it(arrival):
                        return arrival.at_s
                if not self._lock.wait(deadline_s - self._clock.monotonic()):
                    raise TransientError(f"camera {source_id} did not show the change in {EFFECT_TIMEOUT_S:g} s")

    def _take(self, _topic: str, payload: bytes) -> None:
        at_s = self._clock.monotonic()
        event = DetectionEvent.from_json(payload)
        with self._lock:
            self._heard[event.source_id].append(Arrival(at_s, event.frame_id, event.model_id))
            self._lock.notify_all()


class Reconfiguration:
    """One run."""

    def __init__(self, n_rounds: int, calm_s: float, assets: Path, logs: Path | None) -> None:
        self._n_rounds, self._calm_s = n_rounds, calm_s
        self._model, _ = choose_model(assets)
        self._clock = SystemClock()
        self._programs = Programs(self._clock, logs)
        self._changes: list[Change] = []
        self._random = random.Random(SEED)

    def run(self) -> list[Row]:
        """Start everything, change it, end it and return the figures."""
        with LocalBroker.start("mosquitto") as broker, self._programs as programs:
            settings = BrokerConfig(host=broker.host, port=broker.port)
            uris = self._start(programs, broker)
            arrivals = Arrivals(settings)
            with ControlClient(settings) as client:
                programs.wait(lambda: all(len(arrivals.of(i)) > 3 for i in range(N_CAMERAS)), "events of all cameras")
                time.sleep(SETTLE_S)
                start_s = self._clock.monotonic()
                for number in range(self._n_rounds):
                    self._round(client, arrivals, uris, number)
                    programs.check()
                time.sleep(SETTLE_S)
                changed_s = self._clock.monotonic()
                time.sleep(self._calm_s)
                end_s = self._clock.monotonic()
            arrivals.stop()
        others = {source_id: arrivals.of(source_id) for source_id in range(N_CAMERAS)}
        kinds = dict.fromkeys(change.kind for change in self._changes)
        return [
            *(row for kind in kinds for row in rows_of([each for each in self._changes if each.kind == kind])),
            *loss_rows(self._changes, others, WATCHED_AFTER_S),
            Row("others.frames", n_frames(others, start_s, changed_s), "frames"),
            loss_row("others.lost", others, start_s, changed_s, is_judged=True),
            Row("calm.frames", n_frames(others, changed_s, end_s), "frames"),
            loss_row("calm.lost", others, changed_s, end_s, is_judged=False),
        ]

    def _start(self, programs: Programs, broker: LocalBroker) -> list[str]:
        port = free_port()
        # each picture is a key frame, so that it is no chance how long one is waited for
        pictures = ("--size", "640x360", "--fps", str(FPS), "--gop", str(1 / FPS), "--scene-length", "10")
        programs.start_nvr(
            "simulate", "--n", str(N_CAMERAS + 2), "--port", str(port), *pictures, "--no-overlay", "--quiet"
        )
        programs.wait(lambda: accepts(port), "the cameras")
        uris = [f"rtsp://{LOOPBACK}:{port}/live/{i}.stream" for i in range(N_CAMERAS + 2)]
        every_frame = ("--max-fps", "0", "--decode", "all")
        mqtt = ("--mqtt-host", broker.host, "--mqtt-port", str(broker.port), "--instance-id", INSTANCE)
        programs.start_nvr("processor", *uris[:N_CAMERAS], "--model", "motion", *every_frame, *mqtt)
        return uris

    def _round(self, client: ControlClient, arrivals: Arrivals, uris: list[str], number: int) -> None:
        camera: dict[str, JsonValue] = {"uri": uris[EXTRA], "source_id": EXTRA}
        connect_s = self._connect_s(uris[EXTRA])
        self._change(
            client, "add_stream", {"camera": camera}, lambda sent_s: arrivals.wait(_any, EXTRA, sent_s), connect_s
        )
        self._change(client, "update_stream", {"changes": {"filters": [{"min_confidence": number / 100}]}})
        self._change(client, "set_fps", {"max_fps": FPS - 1})
        self._change(client, "set_confidence", {"confidence": 0.3})
        # at any moment between two frames: right after one, a slow pause would show nothing
        arrivals.wait(_any, EXTRA, self._clock.monotonic())
        time.sleep(self._random.uniform(0, 1 / FPS))
        paused = self._change(client, "pause", {})
        time.sleep(1)
        last_s = max((arrival.at_s for arrival in arrivals.of(EXTRA)), default=paused.sent_s)
        # what was sent before the command reached the processor may arrive after it
        self._changes[-1] = replace(paused, effect_s=max(paused.sent_s, last_s))
        self._change(client, "resume", {}, lambda sent_s: arrivals.wait(_any, EXTRA, sent_s))
        other = uris[EXTRA + 1]
        last_frame = arrivals.of(EXTRA)[-1].frame_id
        connect_s = self._connect_s(other)
        self._change(
            client,
            "update_stream",
            {"changes": {"uri": other}},
            lambda sent_s: arrivals.wait(lambda each: each.frame_id < last_frame, EXTRA, sent_s),
            connect_s,
            kind="update_uri",
        )
        removed = self._change(client, "remove_stream", {})
        time.sleep(1)
        last_s = max(arrival.at_s for arrival in arrivals.of(EXTRA))
        self._changes[-1] = replace(removed, effect_s=max(removed.completed_s, last_s))
        for model in (self._model, "motion"):
            name = Path(model).stem if model.endswith(".onnx") else model
            self._change(
                client,
                "change_model",
                {"model_id": model},
                lambda sent_s, name=name: max(  # type: ignore[misc]  # mypy infers no lambda with a default
                    arrivals.wait(lambda each: each.model_id == name, source_id, sent_s)
                    for source_id in range(N_CAMERAS)
                ),
                sources=False,
            )
            if self._model == "motion":
                break

    def _change(
        self,
        client: ControlClient,
        command: str,
        params: dict[str, JsonValue],
        effect: Callable[[float], float] | None = None,
        connect_s: float = 0.0,
        *,
        kind: str | None = None,
        sources: bool = True,
    ) -> Change:
        sent_s = self._clock.monotonic()
        source_ids = (EXTRA,) if sources and command != "add_stream" else None
        (reply,) = client.send(command, params, targets=(INSTANCE,), source_ids=source_ids, timeout_s=60)
        if not reply.is_ok:
            raise TransientError(f"{command} failed: {reply.error}")
        completed_s = self._clock.monotonic()
        received_s = sent_s + (reply.received_ms or 0.0) / 1000
        effect_s = completed_s if effect is None else effect(sent_s)
        change = Change(kind or command, sent_s, received_s, completed_s, effect_s, connect_s)
        self._changes.append(change)
        return change

    @staticmethod
    def _connect_s(uri: str) -> float:
        return probe(uri).first_key_frame_s or 0.0


def _any(_arrival: Arrival) -> bool:
    return True


def _say(text: str) -> None:
    print(f"reconfigure: {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often everything is changed [{ROUNDS}]")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds instead: under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--logs", type=Path, help="keep what the programs write in this folder")
    parser.add_argument("--assets", type=Path, default=default_assets(), help="folder with models; without: motion")
    options = parser.parse_args()
    end_on_sigterm()
    try:
        n_rounds, calm_s = (QUICK_ROUNDS, QUICK_CALM_S) if options.quick else (options.rounds, CALM_S)
        rows = Reconfiguration(n_rounds, calm_s, options.assets, options.logs).run()
    except NvrError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("ended early")
        return 1
    print_rows(rows, as_json=options.json)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
