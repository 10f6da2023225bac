"""Heads of a critic, fitted to what its maps say of objects and images whose errors are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from napari_ssp.engine.criticism.prediction import ask_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from napari_ssp.networks.critic import FeatureHead

    Values = npt.NDArray[np.float32]

#: Steps of the optimiser at most.
_ITERATIONS = 120
#: How much large weights cost: usually, and those of features that are to count for little.
DECAY, LARGE_DECAY = 1e-3, 3.0
#: Parts of which each is predicted by heads that were fitted to the others.
FOLDS = 3


def fit_head(
    head: FeatureHead, features: Values, errors: Values, decay: Sequence[float] = ()
) -> None:
    """Fit a head by cross entropy, whose best answer is the mean error: that calibrates it.

    Parameters
    ----------
    head : FeatureHead
        Changed in place, from a start that is always the same.
    features : numpy.ndarray
        Float32 (N, F) of objects or images.
    errors : numpy.ndarray
        Float32 (N,), from 0 to 1.
    decay : sequence of float
        How much large weights of each feature cost; `DECAY` where it is empty.
    """
    if not len(errors):
        return
    device = head.mean.device
    inputs, targets = torch.from_numpy(features).to(device), torch.from_numpy(errors).to(device)
    costs = {"layers.0.weight": torch.tensor(decay, device=device)} if decay else {}
    with torch.inference_mode(False), torch.enable_grad():
        learned = _started(head, features)
        optimiser = torch.optim.LBFGS(
            learned.values(), max_iter=_ITERATIONS, line_search_fn="strong_wolfe"
        )

        def evaluate() -> torch.Tensor:
            optimiser.zero_grad()
            logits = torch.func.functional_call(head, learned, inputs)
            loss = functional.binary_cross_entropy_with_logits(logits, targets)
            for name, value in learned.items():
                loss = loss + (costs.get(name, DECAY) * value.square()).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(evaluate)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name, value in learned.items():
            head.get_parameter(name).copy_(value)


def cross_predict(
    head: FeatureHead,
    features: Sequence[Values],
    errors: Sequence[Values],
    decay: Sequence[float] = (),
) -> list[Values]:
    """Predict the errors of groups by heads that did not see them; then fit the head to all.

    Parameters
    ----------
    head : FeatureHead
        Changed in place.
    features, errors : sequence of numpy.ndarray
        (N, F) and (N,) of each group, such as an image with all its labels.
    decay : sequence of float
        As of `fit_head`.

    Returns
    -------
    list of numpy.ndarray
        Float32 (N,) of each group.
    """
    predicted = [np.zeros(0, np.float32)] * len(features)
    for chosen in _folds(len(features)):
        others = [k for k in range(len(features)) if k not in chosen] or chosen
        _fit(head, [features[k] for k in others], [errors[k] for k in others], decay)
        for k in chosen:
            predicted[k] = ask_head(head, features[k], head.mean.device)
    _fit(head, features, errors, decay)
    return predicted


def _fit(
    head: FeatureHead,
    features: Sequence[Values],
    errors: Sequence[Values],
    decay: Sequence[float],
) -> None:
    if features:
        fit_head(head, np.concatenate(features), np.concatenate(errors), decay)


def _folds(count: int) -> Iterator[list[int]]:
    return (list(range(first, count, FOLDS)) for first in range(min(FOLDS, count)))


def _started(head: FeatureHead, features: Values) -> dict[str, torch.Tensor]:
    """Parameters to begin with; the features' mean and deviation go into the head."""
    deviation = np.maximum(features.std(axis=0), 1e-3)
    with torch.no_grad():
        head.mean.copy_(torch.from_numpy(features.mean(axis=0)))
        head.deviation.copy_(torch.from_numpy(deviation.astype(np.float32)))
    generator, started = torch.Generator().manual_seed(0), {}
    for name, value in head.named_parameters():
        wide = 1 / np.sqrt(value.shape[-1]) if value.ndim > 1 else 0.0
        drawn = torch.randn(value.shape, generator=generator) * wide
        started[name] = drawn.to(value.device).requires_grad_()
    return started
