"""Runs a Roboflow model in a process of its own; started as a script, it needs the package `inference-models` only.

`inference-models` brings torch, a second OpenCV wheel that overwrites ours, and older versions of libraries that we
use (facts: 6.3 GB, 6 s of import, 0.76 GB of memory). So it lives in another environment, this file runs there by
its path, and nothing here imports `nvr`. Python 3.10 is enough.

The conversation, over the standard input and output, is a row of frames: two lengths (`>IQ`), a JSON header, a
payload. The parent sends `load` and then any number of `infer`; each is answered by one frame:

    load   {op, model_id, api_key}                       -> ready {op, class_names}
    infer  {op, confidence, shapes: [[h, w], …]} + BGR   -> result {op, counts: [n, …]} + float32 (sum n, 6)
    either                                               -> error {op, kind, message}; `kind` is an exception's name

A row of the result is left, top, right, bottom, confidence, class id. The end of the input ends the worker.
"""

import importlib
import json
import os
import struct
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

LENGTHS = struct.Struct(">IQ")
MISSING_PACKAGE = "MissingPackage"
NOT_A_DETECTOR = "NotADetector"


def encode(header: Mapping[str, object], payload_bytes: int = 0) -> bytes:
    """Return the beginning of a frame, to be followed by its payload."""
    text = json.dumps(header).encode()
    return LENGTHS.pack(len(text), payload_bytes) + text


def _read(stream: BinaryIO) -> "tuple[dict[str, Any], bytearray] | None":
    begin = stream.read(LENGTHS.size)
    if len(begin) < LENGTHS.size:
        return None
    header_bytes, payload_bytes = LENGTHS.unpack(begin)
    header = stream.read(header_bytes)
    payload = bytearray(payload_bytes)  # writable, which torch wants
    view = memoryview(payload)
    while view:
        n = stream.readinto(view)  # type: ignore[attr-defined] # a buffered reader has it, BinaryIO does not say so
        if not n:
            return None
        view = view[n:]
    return json.loads(header), payload


def _load(package: Any, request: "dict[str, Any]") -> Any:  # noqa: ANN401 - the package has no types we could see
    model_id: str = request["model_id"]
    return package.AutoModel.from_pretrained(
        model_id,
        api_key=request["api_key"],
        # A folder in the working directory that is named like a model must not be run as one.
        allow_direct_local_storage_loading=model_id.startswith("/"),
        allow_local_code_packages=False,
    )


def _infer(package: Any, model: Any, request: "dict[str, Any]", pixels: bytearray) -> "tuple[dict[str, object], bytes]":  # noqa: ANN401 - as above
    numpy = importlib.import_module("numpy")
    images = []
    offset = 0
    for height, width in request["shapes"]:
        image = numpy.frombuffer(pixels, numpy.uint8, height * width * 3, offset)
        images.append(image.reshape(height, width, 3))
        offset += image.size
    options = {"confidence": request["confidence"], "input_color_format": "bgr"}
    try:
        answers = model.infer(images, **options)
    except package.errors.ModelInputError:
        # Models of free input size take no batch of pictures of several sizes.
        answers = [model.infer([image], **options)[0] for image in images]
    tables = []
    for answer in answers:
        columns = [numpy.asarray(part.cpu(), numpy.float32) for part in (answer.confidence, answer.class_id)]
        boxes = numpy.asarray(answer.xyxy.cpu(), numpy.float32).reshape(-1, 4)
        tables.append(numpy.column_stack([boxes, *columns]).astype(numpy.float32))
    rows = numpy.concatenate(tables) if tables else numpy.empty((0, 6), numpy.float32)
    return {"op": "result", "counts": [len(table) for table in tables]}, rows.tobytes()


def _converse(requests: BinaryIO, answers: BinaryIO) -> None:
    def answer(header: "dict[str, object]", payload: bytes = b"") -> None:
        answers.write(encode(header, len(payload)) + payload)
        answers.flush()

    try:
        package = importlib.import_module("inference_models")
    except ModuleNotFoundError as error:
        if error.name != "inference_models":
            raise
        answer({"op": "error", "kind": MISSING_PACKAGE, "message": f"{sys.executable} has no inference-models"})
        return
    model: Any = None
    while (frame := _read(requests)) is not None:
        request, payload = frame
        try:
            if request["op"] == "load":
                model = _load(package, request)
                detectors = (package.ObjectDetectionModel, package.InstanceSegmentationModel)
                if not isinstance(model, detectors):
                    answer({"op": "error", "kind": NOT_A_DETECTOR, "message": f"it is a {type(model).__name__}"})
                    continue
                answer({"op": "ready", "class_names": [str(name) for name in model.class_names]})
            else:
                answer(*_infer(package, model, request, payload))
        except package.errors.BaseInferenceModelsError as error:
            answer({"op": "error", "kind": type(error).__name__, "message": str(error)})


def main() -> None:
    """Take over the standard streams and answer until the input ends."""
    # The folder of this script holds modules of ours that a library of theirs might import by mistake.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - sys.path has texts
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or ".") != here]  # noqa: PTH100
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)  # libraries print to the standard output; that must not reach the conversation
    sys.stdout = sys.stderr  # in order with the error messages, of which the parent tells the last line
    _converse(requests, answers)


if __name__ == "__main__":
    main()
