"""Deterministic weights, so that goldens can be checked without shipping checkpoints.

Every tensor depends only on (seed, state-dict key, shape):

    digest = sha256(f"{seed}:{key}".encode("utf-8")).digest()
    rng    = numpy.random.default_rng(int.from_bytes(digest[:8], "little"))
    x      = rng.standard_normal(shape)                  # float64, C order

and then, by the key's last component and the number of dimensions:

    num_batches_tracked           int64 zero (no draw)
    expert_avg3x3_pool            full(1/27)  (constant buffer, no draw)
    expert_avg5x5_pool            full(1/125) (constant buffer, no draw)
    running_mean                  0.1 * x
    running_var                   0.5 + 0.5 * |x|
    ndim <= 1, name "weight"      1 + 0.1 * x            (gain of a norm layer)
    ndim <= 1, anything else      0.1 * x                (bias)
    ndim >= 2                     x * gain / sqrt(prod(shape[1:]))

with gain = 4.5 for RepMode's expert_* kernels (they are multiplied by softmax gates and
followed by a BatchNorm), 1.5 for every other tensor with >= 3 dimensions (convolutions)
and 1 for matrices (linear layers, gates).  The result is cast to float32.

The keys are those of the ORIGINAL checkpoints (checkpoints.json).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np


def seeded_array(key: str, shape, seed: int) -> np.ndarray:
    """The tensor that belongs to ``key`` (float32, or int64 for num_batches_tracked)."""
    shape = tuple(int(s) for s in shape)
    name = key.rsplit(".", 1)[-1]
    if name == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if name == "expert_avg3x3_pool":
        return np.full(shape, 1.0 / 27.0, np.float32)
    if name == "expert_avg5x5_pool":
        return np.full(shape, 1.0 / 125.0, np.float32)
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    x = rng.standard_normal(shape)
    if name == "running_mean":
        x = 0.1 * x
    elif name == "running_var":
        x = 0.5 + 0.5 * np.abs(x)
    elif x.ndim <= 1:
        x = 1.0 + 0.1 * x if name == "weight" else 0.1 * x
    else:
        if name.startswith("expert_"):
            gain = 4.5
        elif x.ndim >= 3:
            gain = 1.5
        else:
            gain = 1.0
        x = x * (gain / math.sqrt(math.prod(shape[1:])))
    return np.asarray(x, np.float32)


def seeded_state_dict(model_or_shapes, seed: int) -> dict:
    """A full state dict of torch tensors.

    ``model_or_shapes``: a torch module, a state dict, or a mapping / list of
    ``key -> shape`` as in checkpoints.json.
    """
    import torch

    obj = model_or_shapes
    if hasattr(obj, "state_dict"):
        obj = obj.state_dict()
    items = obj.items() if isinstance(obj, Mapping) else [(e[0], e[1]) for e in obj]
    out = {}
    for key, value in items:
        shape = tuple(value.shape) if hasattr(value, "shape") else tuple(value)
        out[key] = torch.from_numpy(seeded_array(key, shape, seed))
    return out


def seeded_input(name: str, shape, seed: int = 0) -> np.ndarray:
    """Standard-normal float32 input named ``name`` (same generator rule, key ``input:name``)."""
    digest = hashlib.sha256(f"{seed}:input:{name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    return rng.standard_normal(tuple(shape)).astype(np.float32)
