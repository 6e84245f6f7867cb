"""The one door to ONNX Runtime: sessions with one thread, and its exceptions as ours."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from nvr.core.errors import ModelError, UnsupportedError
from nvr.detection.providers import CPU, choose_providers, provider_options
from nvr.detection.signature import Shape, Signature, Tensor

logger = logging.getLogger(__name__)

T = TypeVar("T")


class _OrtSession(Protocol):
    """What is used of `onnxruntime.InferenceSession`, which has no types of its own."""

    def get_providers(self) -> list[str]: ...
    def get_inputs(self) -> list[Any]: ...
    def get_outputs(self) -> list[Any]: ...
    def get_overridable_initializers(self) -> list[Any]: ...
    def get_modelmeta(self) -> Any: ...  # noqa: ANN401 - only a dict of it is used
    def run(self, output_names: list[str], feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]: ...


class Session:
    """One loaded network. For one thread at a time."""

    def __init__(self, path: Path, content: bytes | None, providers: Sequence[str] | None, threads: int = 1) -> None:
        """Load a network with the first provider that starts.

        Args:
            path: The ONNX file; names the model in messages.
            content: What to load in place of the file's content.
            providers: See `choose_providers`.
            threads: Of each run. More raise the CPU time of an image by 5 to 65 %: better have several sessions.

        Raises:
            ConfigurationError: A provider's name is unknown.
            ModelError: The file is missing, broken or no ONNX.
            UnsupportedError: ONNX Runtime, or a requested provider, is not installed.
        """
        self._runtime, self._errors = _import_runtime()
        self._path = path
        self._content = content
        self._threads = threads
        self._session, self.provider = self._open(content, providers, threads)
        self.signature = self._read_signature()
        self._output_names = [output.name for output in self.signature.outputs]

    @property
    def path(self) -> Path:
        """The ONNX file."""
        return self._path

    def twin(self) -> "Session":
        """Load the same network once more, for another thread; raises as the first time."""
        return Session(self._path, self._content, [self.provider], self._threads)

    @property
    def has_replaceable_weights(self) -> bool:
        """Whether the file lists weights as inputs too, as old exporters do: nothing is worked out beforehand then."""
        return bool(self._session.get_overridable_initializers())

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs in the network's order.

        Raises:
            ModelError: The network refuses the input or failed.
        """
        try:
            outputs: list[NDArray[Any]] = self._session.run(self._output_names, dict(feeds))
        except self._errors as error:
            raise ModelError(f"model {self._path}: it cannot be run: {_first_line(error)}") from error
        return outputs

    def _open(self, content: bytes | None, providers: Sequence[str] | None, threads: int) -> tuple[_OrtSession, str]:
        if content is None and not self._path.is_file():
            raise ModelError(f"model {self._path}: there is no such file")
        runtime = self._runtime
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
        # A waiting thread must leave the core to the decoders.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # errors come as exceptions
        source: str | bytes = str(self._path) if content is None else content

        def start(provider: str) -> _OrtSession:
            chain = [(name, provider_options(name, threads)) for name in dict.fromkeys([provider, CPU])]
            try:
                session: _OrtSession = runtime.InferenceSession(source, options, providers=chain)
            except self._errors as error:
                raise ModelError(f"model {self._path}: it cannot be loaded: {_first_line(error)}") from error
            # ONNX Runtime goes on with the CPU where a provider's libraries are missing.
            if session.get_providers()[0] != provider:
                raise ModelError(f"model {self._path}: {provider} did not start")
            return session

        return first_that_starts(choose_providers(runtime.get_available_providers(), providers), start)

    def _read_signature(self) -> Signature:
        inputs, outputs = (
            tuple(Tensor(value.name, _shape(value.shape), value.type) for value in values)
            for values in (self._session.get_inputs(), self._session.get_outputs())
        )
        return Signature(inputs, outputs, dict(self._session.get_modelmeta().custom_metadata_map))


def first_that_starts(providers: Sequence[str], start: Callable[[str], T]) -> tuple[T, str]:
    """Return what the first provider gave that could start, and the provider; a failure before it is logged.

    Raises:
        ModelError: None could; the error of the last.
    """
    for provider in providers[:-1]:
        try:
            return start(provider), provider
        except ModelError as error:
            logger.warning("%s is passed over: %s", provider, error)
    return start(providers[-1]), providers[-1]


def _shape(sizes: Sequence[object]) -> Shape:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in sizes)


def _import_runtime() -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        import onnxruntime  # type: ignore[import-untyped]
        from onnxruntime.capi import onnxruntime_pybind11_state as state  # type: ignore[import-untyped]
    except ImportError as error:
        raise UnsupportedError("models need ONNX Runtime: pip install nvr-multiplexer[cpu]") from error
    errors = (
        state.EngineError, state.EPFail, state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf,
        state.NoModel, state.NoSuchFile, state.NotImplemented, state.RuntimeException, RuntimeError, ValueError,
    )  # fmt: skip
    return onnxruntime, errors


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
