"""The process that runs the network of a package: it reads arrays and writes arrays, no more.

A network in a file is made by other people. It may fail hard, ask for any memory, or never end;
here it can be stopped, and takes nothing with it. Messages are a line of JSON, and the bytes of an
array.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Compute = Callable[[NDArray[np.float32]], Any]

_LONGEST_LINE = 2**16
#: Address space that a thread takes for its own memory, beside what the network asks for.
_OF_A_THREAD = 2**27


def write_message(stream: IO[bytes], head: dict[str, Any], values: Any = None) -> None:
    """Write a message: its head, and an array of float32 if there is one."""
    array = None if values is None else np.ascontiguousarray(values, np.float32)
    shape = None if array is None else list(array.shape)
    stream.write(json.dumps({**head, "shape": shape}).encode() + b"\n")
    if array is not None:
        stream.write(_bytes_of(array))
    stream.flush()


def read_message(
    stream: IO[bytes], most_bytes: int
) -> tuple[dict[str, Any], NDArray[np.float32] | None] | None:
    """Read a message; None at the end of the stream.

    Raises
    ------
    ValueError
        When it is none, or its array is longer than it may be.
    """
    line = stream.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    if head["shape"] is None:
        return head, None
    count = math.prod(head["shape"])
    if count * 4 > most_bytes:
        raise ValueError(f"an array of shape {head['shape']} does not fit into memory")
    values = np.empty(count, np.float32)
    place = _bytes_of(values)
    done = 0
    while done < len(place):
        read = stream.readinto(place[done:])  # type: ignore[attr-defined]
        if not read:
            return None
        done += read
    return head, values.reshape(head["shape"])


def _bytes_of(values: NDArray[np.float32]) -> memoryview:
    """Give the bytes of an array without a copy."""
    return memoryview(values.reshape(-1).view(np.uint8).data)


def main() -> None:
    """Load the network that the first message names, then answer one array after the other."""
    given, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    messages: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(given, messages), daemon=True).start()
    wanted, _ = messages.get()
    try:
        compute = _load(wanted)
    except Exception as error:
        write_message(answers, {"error": _words(error)})
        return
    write_message(answers, {})
    while True:
        _, values = messages.get()
        try:
            found = compute(values)
        except Exception as error:
            write_message(answers, {"error": _words(error)})
        else:
            write_message(answers, {}, found)


def _listen(stream: IO[bytes], messages: SimpleQueue[Any]) -> None:
    """Take messages as they come; when nobody is there to send any, end, whatever is computed."""
    try:
        while (message := read_message(stream, sys.maxsize)) is not None:
            messages.put(message)
    finally:
        os._exit(0)


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1][:2000]


def _load(wanted: dict[str, Any]) -> Compute:
    load = _load_onnx if wanted["format"] == "onnx" else _load_script
    return load(wanted)


def _load_onnx(wanted: dict[str, Any]) -> Compute:
    import onnxruntime as ort

    _limit_memory(wanted)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = wanted["threads"]
    with open(wanted["path"], "rb") as file:
        content = file.read()
    # From memory: a graph that names other files cannot have them.
    session = ort.InferenceSession(content, options, ["CPUExecutionProvider"])
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise ValueError(f"the graph has {len(inputs)} inputs, not one")
    return lambda values: session.run(None, {inputs[0].name: values})[0]


def _load_script(wanted: dict[str, Any]) -> Compute:
    import warnings

    import torch

    torch.set_num_threads(wanted["threads"])
    _limit_memory(wanted)
    jit: Any = torch.jit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in favour of what packages do not have
        script = jit.load(wanted["path"], map_location=wanted["device"]).eval()

    def compute(values: NDArray[np.float32]) -> Any:
        # Optimised, the first calls would differ from later ones in their last digits.
        with torch.inference_mode(), jit.optimized_execution(False):
            found = script(torch.from_numpy(values).to(wanted["device"]))
        first = found[0] if isinstance(found, tuple | list) else found
        return first.float().cpu().numpy()

    return compute


def _limit_memory(wanted: dict[str, Any]) -> None:
    """Let the system refuse more memory than is left, where it does; libraries are loaded now."""
    if not sys.platform.startswith("linux") or wanted["device"] != "cpu":
        return  # a GPU's memory is mapped, too
    import resource

    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    most = taken + wanted["most_bytes"] + _OF_A_THREAD * (wanted["threads"] + 4)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
