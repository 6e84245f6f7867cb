import threading
from collections.abc import Iterator

import pytest

from nvr.core.clock import ManualClock, SystemClock
from nvr.telemetry.process import CameraCpu, ProcessMeter, ThreadTime, camera_of, read_threads


@pytest.mark.parametrize(
    ("name", "source_id"),
    [("camera-0", 0), ("decoder-17", 17), ("recorder-3", 3), ("camera-x", None), ("multiplexer-0", None), ("", None)],
)
def test_a_cameras_threads_are_known_by_their_names(name: str, source_id: int | None) -> None:
    assert camera_of(name) == source_id


class Kernel:
    """Tells what it is told of threads."""

    def __init__(self) -> None:
        self.threads: list[ThreadTime] = []
        self.asked = 0

    def __call__(self) -> Iterator[ThreadTime]:
        self.asked += 1
        return iter(self.threads)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cpu(kernel: Kernel, clock: ManualClock) -> CameraCpu:
    return CameraCpu(clock, read=kernel, every_s=5)


def test_the_threads_of_a_camera_are_added_up(cpu: CameraCpu, kernel: Kernel) -> None:
    kernel.threads = [ThreadTime(1, "camera-0", 1.0), ThreadTime(2, "decoder-0", 2.5), ThreadTime(3, "camera-1", 4.0)]
    assert cpu.seconds([0, 1]) == {0: 3.5, 1: 4.0}


def test_what_ended_threads_have_taken_still_counts(cpu: CameraCpu, kernel: Kernel, clock: ManualClock) -> None:
    kernel.threads = [ThreadTime(1, "camera-0", 1.0)]
    cpu.seconds([0])
    for native_id, name in ((2, "camera-0"), (1, "camera-0"), (1, "decoder-0")):  # numbers are given again
        clock.advance(5)
        kernel.threads = [ThreadTime(native_id, name, 0.5)]
        cpu.seconds([0])
    assert cpu.seconds([0]) == {0: 2.5}


def test_the_kernel_is_asked_only_every_few_seconds(cpu: CameraCpu, kernel: Kernel, clock: ManualClock) -> None:
    for _ in range(10):
        clock.advance(1)
        cpu.seconds([0])
    assert kernel.asked == 2


def test_a_camera_that_was_removed_and_comes_back_begins_anew(
    cpu: CameraCpu, kernel: Kernel, clock: ManualClock
) -> None:
    kernel.threads = [ThreadTime(1, "camera-0", 1.0)]
    cpu.seconds([0])
    clock.advance(5)
    kernel.threads = []
    assert cpu.seconds([]) == {}
    assert cpu.seconds([0]) == {0: 0.0}


def test_real_threads_are_found_with_what_they_take() -> None:
    has_worked, may_end = threading.Event(), threading.Event()

    def work() -> None:
        while time_of("decoder-7") < 0.05:
            sum(range(100_000))
        has_worked.set()
        may_end.wait(30)

    def time_of(name: str) -> float:
        return sum(thread.cpu_s for thread in read_threads() if thread.name == name)

    thread = threading.Thread(target=work, name="decoder-7")
    thread.start()
    assert has_worked.wait(30)
    assert CameraCpu(SystemClock()).seconds([7])[7] >= 0.05
    may_end.set()
    thread.join()


def test_the_process_is_measured_and_its_share_is_that_since_the_last_time() -> None:
    clock = ManualClock()
    meter = ProcessMeter(clock)
    first = meter.read()
    assert first.rss_bytes > 1_000_000
    assert first.threads >= 1
    assert first.cpu_percent == 0.0
    while meter.read().cpu_s <= first.cpu_s:  # the kernel counts in hundredths of a second
        sum(range(100_000))
    clock.advance(1.0)
    before_s = meter.read().cpu_s
    clock.advance(2.0)
    second = meter.read()
    assert second.cpu_percent == pytest.approx((second.cpu_s - before_s) / 2.0 * 100)
