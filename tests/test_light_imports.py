"""What must stay light: `import nvr`, the help, and the sink that lives in other people's processes."""

import subprocess
import sys

import pytest

HEAVY = {"av", "cv2", "onnxruntime", "onnx", "pygame", "uvicorn", "starlette", "httpx", "numpy", "paho"}


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after `code`."""
    report = "import sys; print('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    result = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import nvr",
        "import nvr.events",
        "import nvr.processor.mqtt_sink",
        "import nvr.wall",
        "import nvr.processor",
    ],
)
def test_loads_nothing_heavy(code: str) -> None:
    assert modules_after(code) & HEAVY == set()


def test_the_command_line_loads_only_what_it_is_made_of() -> None:
    assert modules_after("import nvr.cli.main") & (HEAVY | {"pydantic", "yaml"}) == set()


def test_a_wall_loads_no_model() -> None:
    assert modules_after("import nvr.wall.video_wall, nvr.wall.http_server") & {"onnxruntime", "onnx"} == set()


def test_help_lists_every_command() -> None:
    result = subprocess.run([sys.executable, "-m", "nvr", "--help"], capture_output=True, text=True, check=True)
    for command in ("demo", "processor", "wall", "simulate", "models", "recordings", "schema"):
        assert command in result.stdout
