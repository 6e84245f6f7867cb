"""Which of ONNX Runtime's execution providers to try, in which order."""

from collections.abc import Collection, Sequence

from nvr.core.errors import ConfigurationError, UnsupportedError

TENSORRT = "TensorrtExecutionProvider"
CUDA = "CUDAExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"
CPU = "CPUExecutionProvider"

SHORT_NAMES = {"tensorrt": TENSORRT, "cuda": CUDA, "openvino": OPENVINO, "cpu": CPU}
"""What people may write; the names of ONNX Runtime are understood too."""

BATCHING = frozenset({TENSORRT, CUDA})
"""Providers on which one batch is cheaper than its images one by one; on a CPU it is not (26 to 21 ms an image)."""

_BY_DEFAULT = (CUDA, OPENVINO, CPU)
# TensorRT builds an engine for minutes at the first start: only on demand.


def choose_providers(available: Collection[str], requested: Sequence[str] | None = None) -> list[str]:
    """Return the providers to try, first choice first.

    Args:
        available: Those of the installed ONNX Runtime.
        requested: Short or full names, in the order of preference; None for what is best of those available.

    Raises:
        ConfigurationError: A requested name is unknown, or the list is empty.
        UnsupportedError: A requested provider is not part of the installed ONNX Runtime.
    """
    if requested is None:
        return [provider for provider in _BY_DEFAULT if provider in available]
    if not requested:
        raise ConfigurationError(f"providers: expected one or more of {', '.join(SHORT_NAMES)}, got none")
    full_names = [SHORT_NAMES.get(name.lower(), name) for name in requested]
    for name, full_name in zip(requested, full_names, strict=True):
        if full_name not in SHORT_NAMES.values():
            raise ConfigurationError(f"provider {name}: expected one of {', '.join(SHORT_NAMES)}")
        if full_name not in available:
            here = ", ".join(short for short, full in SHORT_NAMES.items() if full in available)
            raise UnsupportedError(f"provider {name}: the installed onnxruntime has only {here}")
    return list(dict.fromkeys(full_names))


def provider_options(provider: str, threads: int) -> dict[str, str]:
    """Return what a provider is started with, as ONNX Runtime takes it."""
    if provider == CUDA:
        # The default search runs every algorithm again for each new batch size: seconds of silence.
        return {"cudnn_conv_algo_search": "HEURISTIC"}
    if provider == TENSORRT:
        return {"trt_engine_cache_enable": "1", "trt_fp16_enable": "1"}
    if provider == OPENVINO:
        return {"device_type": "CPU", "num_of_threads": str(threads)}
    return {}
