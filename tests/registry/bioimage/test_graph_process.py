"""Networks of packages in a process of their own: the same numbers, and every end a good one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import torch

from napari_ssp.progress import in_background
from napari_ssp.registry.bioimage.graph_process import GraphError, GraphProcess, GraphRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VALUES = np.random.default_rng(0).normal(size=(2, 1, 16, 24)).astype(np.float32)


def _onnx(path: Path, *nodes: Any, constants: dict[str, Any] | None = None) -> Path:
    """Write a graph that makes y of x."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    shapes = [helper.make_tensor_value_info(name, kind, None) for name in "xy"]
    held = [onnx.numpy_helper.from_array(v, k) for k, v in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", shapes[:1], shapes[1:], held)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def _node(kind: str, *names: str, **attributes: Any) -> Any:
    onnx = pytest.importorskip("onnx")
    return onnx.helper.make_node(kind, list(names[:-1]), [names[-1]], **attributes)


def _convolution(path: Path) -> Path:
    weights = np.random.default_rng(1).normal(size=(2, 1, 3, 3)).astype(np.float32)
    return _onnx(path, _node("Conv", "x", "w", "y", pads=[1] * 4), constants={"w": weights})


def _endless(path: Path) -> Path:
    """Write a graph that adds one for 292 000 years."""
    onnx = pytest.importorskip("onnx")
    info, kinds = onnx.helper.make_tensor_value_info, onnx.TensorProto
    body = onnx.helper.make_graph(
        [_node("Identity", "go", "on"), _node("Add", "before", "one", "after")],
        "body",
        [info("k", kinds.INT64, []), info("go", kinds.BOOL, []), info("before", kinds.FLOAT, None)],
        [info("on", kinds.BOOL, []), info("after", kinds.FLOAT, None)],
    )
    constants = {"n": np.array(2**62), "yes": np.array(True), "one": np.float32([1])}
    return _onnx(path, _node("Loop", "n", "yes", "x", "y", body=body), constants=constants)


def _huge(path: Path, count: int) -> Path:
    constants = {"shape": np.array([count, 1, 1, 1])}
    return _onnx(path, _node("Expand", "x", "shape", "y"), constants=constants)


class Moody(torch.nn.Module):
    """Computes; or fails, asks for terabytes, or never ends, by its number of channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] == 2:
            return x.reshape([7])
        if x.shape[1] == 3:
            return torch.zeros([1_000_000_000_000]) + x.sum()
        while bool(x.shape[1] == 4):
            x = x * 1.0
        return torch.tanh(x) * 2


def _script(path: Path, network: torch.nn.Module) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(network.eval()), str(path))
    return path


@pytest.fixture
def process() -> Iterator[Callable[..., GraphProcess]]:
    started: list[GraphProcess] = []

    def make(path: Path, **limits: Any) -> GraphProcess:
        kind = "onnx" if path.suffix == ".onnx" else "torchscript"
        started.append(GraphProcess("it", path, kind, **limits))
        return started[-1]

    yield make
    for one in started:
        one.stop()


def test_a_graph_gives_the_same_numbers_as_here(
    process: Callable[..., GraphProcess], tmp_path: Path
) -> None:
    path = _convolution(tmp_path / "w.onnx")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    here = onnxruntime.InferenceSession(path.read_bytes(), options).run(None, {"x": VALUES})[0]
    there = process(path)
    assert there.pid is None
    np.testing.assert_array_equal(there.compute(VALUES), here)
    first = there.pid
    np.testing.assert_array_equal(there.compute(VALUES[:1]), here[:1])
    assert there.pid == first  # it stays for the next window
    there.stop()
    assert there.pid is None
    np.testing.assert_array_equal(there.compute(VALUES), here)


def test_a_program_computes_fails_asks_for_terabytes_or_never_ends(
    process: Callable[..., GraphProcess], tmp_path: Path
) -> None:
    there = process(_script(tmp_path / "w.pt", Moody()))
    here = (torch.tanh(torch.from_numpy(VALUES)) * 2).numpy()
    np.testing.assert_array_equal(there.compute(VALUES), here)
    first = there.pid
    with pytest.raises(GraphError, match=r"network of 'it' failed: .*shape '\[7\]' is invalid"):
        there.compute(np.ones((1, 2, 4, 4), np.float32))
    with pytest.raises(GraphError, match="asked for more memory than the"):
        there.compute(np.ones((1, 3, 4, 4), np.float32))
    assert there.compute(np.zeros((0, 1, 4, 4), np.float32)).shape == (0, 1, 4, 4)
    assert there.pid == first
    there._patience = 0.3
    with pytest.raises(GraphError, match=r"gave no answer within 0\.3 s and was ended"):
        there.compute(np.ones((1, 4, 4, 4), np.float32))
    assert there.pid is None


def test_what_cannot_be_loaded_is_a_sentence(
    process: Callable[..., GraphProcess], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "w.onnx"
    path.write_bytes(b"no graph at all")
    with pytest.raises(GraphError, match=r"w\.onnx of 'it' cannot be loaded: .*[Pp]rotobuf"):
        process(path).start()


@pytest.mark.parametrize("count", [10**12, 2**20])
def test_a_graph_that_asks_for_more_memory_than_it_may_have(
    process: Callable[..., GraphProcess], tmp_path: Path, count: int
) -> None:
    """1.5 PB at once; or 1.6 GB, which there are."""
    there = process(_huge(tmp_path / "w.onnx", count), most_bytes=10**9)
    with pytest.raises(GraphError, match="asked for more memory than the 1 GB that it may have"):
        there.compute(VALUES[:1])


def test_a_network_that_never_ends_is_cancelled_at_once(
    process: Callable[..., GraphProcess], tmp_path: Path
) -> None:
    there = process(_endless(tmp_path / "w.onnx"))
    there.start()
    number = there.pid

    def work() -> Iterator[Any]:
        return there.compute(VALUES)
        yield

    steps = in_background(work(), there.stop)
    next(steps)
    next(steps)
    began = time.monotonic()
    steps.close()
    assert time.monotonic() - began < 15  # it would compute for ten minutes
    assert not psutil.pid_exists(number)


def test_a_cancel_before_a_step_computes_is_not_lost(
    process: Callable[..., GraphProcess], tmp_path: Path
) -> None:
    """The graph would compute without end, and keep the next request waiting."""
    there = process(_endless(tmp_path / "w.onnx"), patience=20)
    request, has_begun, is_closed = GraphRequest(there), Event(), Event()
    met: list[BaseException] = []

    def work() -> Iterator[Any]:
        has_begun.set()
        assert is_closed.wait(10)
        try:
            return request.compute(VALUES)
        except GraphError as error:
            met.append(error)
            raise
        finally:
            has_ended.set()
        yield

    has_ended = Event()
    steps = in_background(work(), request.stop)
    next(steps)
    assert has_begun.wait(10)
    steps.close()
    is_closed.set()
    assert has_ended.wait(10)
    assert [str(error) for error in met] == ["The network of 'it' was stopped."]
    assert there.pid is None  # nor was it started


def test_stopping_a_request_leaves_the_process_to_others(
    process: Callable[..., GraphProcess], tmp_path: Path
) -> None:
    there = process(_convolution(tmp_path / "w.onnx"))
    first, second = GraphRequest(there), GraphRequest(there)
    before = second.compute(VALUES)
    number = there.pid
    first.stop()
    np.testing.assert_array_equal(second.compute(VALUES), before)
    assert there.pid == number
    with pytest.raises(GraphError, match="was stopped"):
        first.compute(VALUES)


def test_a_process_that_is_killed_is_a_sentence(
    process: Callable[..., GraphProcess], tmp_path: Path
) -> None:
    there = process(_convolution(tmp_path / "w.onnx"))
    there.start()
    os.kill(there.pid, signal.SIGTERM)
    deadline = time.monotonic() + 15
    while there.pid is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert there.compute(VALUES).shape == (2, 2, 16, 24)  # a new one


def test_no_process_outlives_the_program_that_started_it(tmp_path: Path) -> None:
    path = _endless(tmp_path / "w.onnx")
    code = (
        "import sys, threading, time, numpy\n"
        "from pathlib import Path\n"
        "from napari_ssp.registry.bioimage.graph_process import GraphProcess\n"
        "there = GraphProcess('it', Path(sys.argv[1]), 'onnx'); there.start()\n"
        "there_too = GraphProcess('it', Path(sys.argv[1]), 'onnx'); there_too.start()\n"
        "x = numpy.zeros((1, 1, 4, 4), numpy.float32)\n"
        "threading.Thread(target=there.compute, args=(x,), daemon=True).start(); time.sleep(0.3)\n"
        "print(there.pid, there_too.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        numbers = [int(word) for word in program.stdout.readline().split()]
        assert all(psutil.pid_exists(number) for number in numbers)
        program.kill()
    deadline = time.monotonic() + 15
    while any(map(psutil.pid_exists, numbers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(psutil.pid_exists, numbers))
