import pytest

from nvr.core.errors import ConfigurationError, UnsupportedError
from nvr.detection.providers import CPU, CUDA, OPENVINO, TENSORRT, choose_providers

ALL = [TENSORRT, CUDA, OPENVINO, CPU, "AzureExecutionProvider"]


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        ([CPU, "AzureExecutionProvider"], [CPU]),
        ([CPU, CUDA], [CUDA, CPU]),
        ([OPENVINO, CPU], [OPENVINO, CPU]),
        (ALL, [CUDA, OPENVINO, CPU]),  # TensorRT builds for minutes: only on demand
    ],
)
def test_takes_the_best_of_those_available(available: list[str], expected: list[str]) -> None:
    assert choose_providers(available) == expected


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        (["cpu"], [CPU]),
        (["tensorrt", "CUDA", "cpu"], [TENSORRT, CUDA, CPU]),
        (["OpenVINOExecutionProvider", "openvino"], [OPENVINO]),
    ],
)
def test_takes_what_is_requested_by_short_or_full_name(requested: list[str], expected: list[str]) -> None:
    assert choose_providers(ALL, requested) == expected


def test_says_what_is_there_when_a_provider_is_not() -> None:
    with pytest.raises(UnsupportedError, match="provider cuda: the installed onnxruntime has only openvino, cpu"):
        choose_providers([OPENVINO, CPU], ["cuda"])


@pytest.mark.parametrize("requested", [["quantum"], ["cpu", "AzureExecutionProvider"], []])
def test_refuses_unknown_names(requested: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="expected one"):
        choose_providers(ALL, requested)
