import subprocess
import sys

import pytest

from nvr.core.errors import ModelError
from nvr.detection.providers import CPU, CUDA, OPENVINO
from nvr.detection.runtime import first_that_starts


@pytest.mark.parametrize(
    ("working", "expected"),
    [({CUDA, OPENVINO, CPU}, CUDA), ({OPENVINO, CPU}, OPENVINO), ({CPU}, CPU)],
)
def test_falls_back_to_the_next_provider(working: set[str], expected: str, caplog: pytest.LogCaptureFixture) -> None:
    def start(provider: str) -> str:
        if provider not in working:
            raise ModelError(f"no library for {provider}")
        return f"session on {provider}"

    assert first_that_starts([CUDA, OPENVINO, CPU], start) == (f"session on {expected}", expected)
    assert len(caplog.messages) == 3 - len(working)


def test_says_why_the_last_provider_did_not_start() -> None:
    def start(provider: str) -> str:
        raise ModelError(f"no library for {provider}")

    with pytest.raises(ModelError, match=f"no library for {CPU}"):
        first_that_starts([CUDA, CPU], start)


def test_without_onnx_runtime_one_sentence_says_what_to_install() -> None:
    # In a process of its own, where the import really fails.
    script = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from pathlib import Path\n"
        "from nvr.core.errors import UnsupportedError\n"
        "from nvr.detection.load import load_detector\n"
        "try:\n"
        "    load_detector('any', Path('any.onnx'), None)\n"
        "except UnsupportedError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "models need ONNX Runtime: pip install nvr-multiplexer[cpu]"


def test_importing_the_detection_package_loads_no_onnx_runtime() -> None:
    script = (
        "import sys, nvr.detection.load, nvr.detection.motion\n"
        "print([name for name in ('onnxruntime', 'onnx', 'av') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
