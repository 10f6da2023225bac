"""Kernels compiled beforehand are those that labels use; the first result does without them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# In a process of its own: here other tests have compiled whatever they needed.
_LABELS_AFTER_COMPILING = """
import numpy as np
import torch
from numba.core import event
from napari_ssp.flows import FlowField, TrackingSettings
from napari_ssp.service.segmentation.kernels import compile_kernels

def say(added):
    print([kernel.py_func.__name__ for kernel in KERNELS if len(kernel.signatures) > added[kernel]])

for _ in compile_kernels():
    pass
import sys
KERNELS = [k for name, module in sys.modules.items() if name.startswith("napari_ssp.flows")
           for k in vars(module).values() if hasattr(k, "signatures")]
before = {kernel: len(kernel.signatures) for kernel in KERNELS}
output = torch.zeros(3, 700, 700)  # large enough for several threads
for top, left, height, width in ((10, 10, 30, 40), (80, 20, 600, 30), (80, 300, 350, 350)):
    part = output[:, top : top + height, left : left + width]
    part[0], part[1] = torch.linspace(5, -5, height)[:, None], torch.linspace(5, -5, width)
    part[2] = 1
output[2, 20, 20] = 0  # a hole
labels = FlowField(output[:-1], output[-1]).labels(TrackingSettings(flow_threshold=3.0))
say(before)
print(labels.max() >= 2)
"""


def test_labels_of_a_plane_compile_nothing_more() -> None:
    command = [sys.executable, "-c", _LABELS_AFTER_COMPILING]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]


_FIRST_RESULT = """
import sys
from skimage import data
import napari_ssp as ssp
from napari_ssp.service.preparing import KERNELS

found = ssp.segment(data.coins()[:200, :300], fallback=False)
print(KERNELS.is_under_way, "napari_ssp.flows.on_device" in sys.modules, found.num_objects > 5)
"""


def test_first_labels_do_not_wait_for_the_compiler(tmp_path: Path) -> None:
    empty = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", _FIRST_RESULT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=empty)
    assert done.stdout.split() == ["True", "True", "True"]
