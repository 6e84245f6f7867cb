"""Is every second that the cameras delivered on the disk, whatever is killed meanwhile?

Four simulated cameras are recorded by `nvr processor` without a pause. At random times a camera cuts its clients, the
cameras' server goes away for some seconds, or the processor is killed with `kill -9` and started anew. Afterwards every
file is decoded, and the number that is burnt into each frame tells which frames are there. What the cameras sent, and
when, is known from the simulator. A fault may cost a camera one second; nothing may be lost elsewhere; `nvr recordings
verify` must find the index equal to the disk.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._chaos_disk import Disk, Sent, match, read_disk
from bench._chaos_plan import QUICK, Plan, Step, plan_faults
from bench._chaos_rows import N_WORST, Fault, Outcome, find_gaps, judge
from bench._programs import end_on_sigterm
from bench._rows import Row, exit_code, print_rows

from nvr.core.child_process import guarded
from nvr.core.clock import SystemClock
from nvr.core.errors import NvrError, TransientError
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.demo.truth import FrameTruth

FPS = 25
LOOP_S = 20.0
"""Frame numbers mean a frame only within this time."""
SIZE_PX = (320, 180)
STOP_S = 20.0
START_TIMEOUT_S = 60.0
POLL_S = 0.1
VERIFY_TIMEOUT_S = 600.0


class Recorder:
    """`nvr processor` that records, killed and started as often as wanted."""

    def __init__(self, uris: Sequence[str], root: Path, log: Path) -> None:
        self._command = [
            *(sys.executable, "-m", "nvr", "processor", *uris, "--no-mqtt", "--model", "motion"),
            *("--decode", "keyframes", "--recordings", str(root), "--record", "continuous"),
        ]
        self._log = log
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._guard = subprocess.Popen(
                guarded(self._command, stop_timeout_s=STOP_S),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise TransientError where it ended by itself."""
        if self._guard is not None and self._guard.poll() is not None:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise TransientError(f"the processor ended by itself: {said[-1] if said else 'silent'}")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._guard is not None
        for process in psutil.Process(self._guard.pid).children(recursive=True):
            process.kill()
        self._forget()

    def stop(self) -> None:
        """End it in order."""
        if self._guard is not None:
            self._forget()

    def _forget(self) -> None:
        guard, self._guard = self._guard, None
        assert guard is not None
        if guard.stdin is not None:
            guard.stdin.close()
        try:
            guard.wait(STOP_S + 2)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()


class ChaosRun:
    """One run."""

    def __init__(self, plan: Plan, seed: int, folder: Path) -> None:
        """Prepare; recordings and what the processor says are left in a folder."""
        self._plan = plan
        self._steps = plan_faults(plan, random.Random(seed))
        self._root = folder / "recordings"
        self._root.mkdir()
        self._log = folder / "processor.log"
        self._clock = SystemClock()
        self._sent: dict[int, list[Sent]] = {camera: [] for camera in range(plan.n_cameras)}
        self._faults: list[Fault] = []

    def run(self) -> tuple[Outcome, list[Row]]:
        """Record, disturb, end, and look at what is there; also rows of what has no target."""
        plan = self._plan
        config = SimulatorConfig(
            n_cameras=plan.n_cameras,
            width_px=SIZE_PX[0],
            height_px=SIZE_PX[1],
            fps=FPS,
            gop_s=1.0,
            scene_s=LOOP_S,
        )
        with ExitStack() as stack:
            simulator = stack.enter_context(Simulator(config, self._note))
            recorder = Recorder([simulator.uri(camera) for camera in range(plan.n_cameras)], self._root, self._log)
            stack.callback(recorder.stop)
            recorder.start()
            self._wait_for_clients(simulator, recorder)
            self._disturb(simulator, recorder)
            at_s = self._now_s()
            recorder.stop()
            self._faults.append(Fault("end", at_s, self._now_s()))
        _say("decoding what was recorded")
        return self._look(read_disk(self._root))

    def _note(self, truth: FrameTruth) -> None:
        self._sent[truth.camera].append(Sent(truth.frame_number, truth.captured_at.timestamp()))

    def _wait_for_clients(self, simulator: Simulator, recorder: Recorder) -> None:
        end_s = self._clock.monotonic() + START_TIMEOUT_S
        while not all(simulator.clients(camera) for camera in range(self._plan.n_cameras)):
            recorder.check()
            if self._clock.monotonic() > end_s:
                raise TransientError(f"the processor did not connect within {START_TIMEOUT_S:g} s")
            time.sleep(POLL_S)

    def _disturb(self, simulator: Simulator, recorder: Recorder) -> None:
        start_s = self._clock.monotonic()
        for step in self._steps:
            self._sleep_until(start_s + step.at_s, recorder)
            at_s = self._now_s()
            _say(f"{step.at_s:.0f} s: {step.kind}" + ("" if step.camera is None else f" {step.camera}"))
            self._do(step, simulator, recorder)
            self._faults.append(Fault(step.kind, at_s, self._now_s(), step.camera))
        self._sleep_until(start_s + self._plan.run_s, recorder)

    def _do(self, step: Step, simulator: Simulator, recorder: Recorder) -> None:
        if step.camera is not None:
            simulator.drop(step.camera)
        elif step.kind == "server":
            simulator.pause_server()
            self._sleep_until(self._clock.monotonic() + step.away_s, recorder)
            simulator.resume_server()
        else:
            recorder.kill()
            time.sleep(step.away_s)
            recorder.start()

    def _sleep_until(self, moment_s: float, recorder: Recorder) -> None:
        while (left_s := moment_s - self._clock.monotonic()) > 0:
            recorder.check()
            time.sleep(min(POLL_S, left_s))

    def _look(self, disk: Disk) -> tuple[Outcome, list[Row]]:
        found = {camera: match(sent, disk.shown.get(camera, []), LOOP_S) for camera, sent in self._sent.items()}
        outcome = Outcome(
            fps=FPS,
            delivered={camera: [frame.at_s for frame in sent] for camera, sent in self._sent.items()},
            kept={camera: frozenset(of_camera) for camera, of_camera in found.items()},
            faults=self._faults,
            n_segments=disk.n_segments,
            n_unplayable=disk.n_unplayable,
            n_unfinished=disk.n_unfinished,
            is_index_equal=self._verify(),
        )
        errors_ms = sorted(abs(error_s) * 1000 for of_camera in found.values() for error_s in of_camera.values())
        rows = [Row("chaos.frames_unread", disk.n_unread, "")]
        if errors_ms:
            rows.append(Row("chaos.time_error_p50", round(errors_ms[len(errors_ms) // 2], 2), "ms"))
            rows.append(Row("chaos.time_error_p99", round(errors_ms[len(errors_ms) * 99 // 100], 2), "ms"))
        return outcome, rows

    def _verify(self) -> bool:
        command = [sys.executable, "-m", "nvr", "recordings", "verify", "--root", str(self._root)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_TIMEOUT_S, check=False)
        for line in (done.stdout + done.stderr).strip().splitlines()[-5:]:
            _say(f"verify: {line}")
        return done.returncode == 0

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _say(text: str) -> None:
    print(f"chaos: {text}", file=sys.stderr, flush=True)


def _tell_worst(outcome: Outcome, *, as_json: bool) -> None:
    for gap in find_gaps(outcome)[:N_WORST]:
        if as_json:
            print(json.dumps({"gap": asdict(gap)}), flush=True)
        else:
            _say(f"lost: {gap.describe(outcome.fps)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the run [30]")
    parser.add_argument("--quick", action="store_true", help="32 s with many faults")
    parser.add_argument("--seed", type=int, default=1, help="other seeds have other faults [1]")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a row, then one for each of the worst gaps"
    )
    parser.add_argument("--folder", type=Path, help="keep recordings and log in this new folder")
    options = parser.parse_args()
    end_on_sigterm()
    plan = QUICK if options.quick else Plan(run_s=options.minutes * 60)
    with ExitStack() as stack:
        if options.folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nvr-chaos-")))
        else:
            folder = options.folder
            folder.mkdir(parents=True)
        try:
            outcome, more = ChaosRun(plan, options.seed, folder).run()
        except NvrError as error:
            _say(str(error))
            return 1
        except KeyboardInterrupt:
            _say("ended early")
            return 1
    rows = judge(outcome) + more
    print_rows(rows, as_json=options.json)
    _tell_worst(outcome, as_json=options.json)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
