"""Libraries of encoders without torch's compiler, which is there as soon as somebody wants it."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
import torch
from napari_ssp.networks.uncompiled import compiler_left_out
from napari_ssp.registry import load_model

network = load_model("mediar-starter")
with torch.inference_mode():
    network(torch.zeros(1, 3, 64, 64))
assert "timm" in sys.modules
assert "torch._dynamo" not in sys.modules, "loaded for nothing"
if tuple(map(int, torch.__version__.split(".")[:2])) > (2, 6):  # torchvision of 2.6 loads it
    assert "sympy" not in sys.modules, "loaded for nothing"

with compiler_left_out():
    double = torch.compiler.disable(lambda x: 2 * x)
    from torch._dynamo.utils import is_compile_supported
    later = sys.modules["torch._dynamo"]
assert "torch._dynamo" not in sys.modules, "others get the real one"
assert not hasattr(later, "__file__"), "only looked at"
assert is_compile_supported("cpu") in (True, False)
assert double(4) == 8

import torch._dynamo
assert later.config is torch._dynamo.config
compiled = torch.compile(lambda x: double(x) + 1, backend="eager")
assert compiled(torch.tensor(3)) == 7
with compiler_left_out():
    assert sys.modules["torch._dynamo"] is torch._dynamo, "left as it is"
"""


def test_the_compiler_is_loaded_when_it_is_wanted() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
