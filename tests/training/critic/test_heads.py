"""Heads of a critic: calibrated, the same every time, and scored on what they did not see."""

from __future__ import annotations

import numpy as np
import torch

from napari_ssp.engine.criticism.prediction import ask_head
from napari_ssp.networks.critic import FeatureHead
from napari_ssp.training.critic.heads import DECAY, LARGE_DECAY, cross_predict, fit_head


def _objects(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of which the first decides: errors of 0.1 below 50, of 0.7 above."""
    rng = np.random.default_rng(seed)
    features = rng.normal(50, 10, (count, 3)).astype(np.float32)
    errors = np.where(features[:, 0] > 50, 0.7, 0.1) + rng.uniform(-0.1, 0.1, count)
    return features, errors.astype(np.float32)


def test_a_fitted_head_predicts_the_mean_error() -> None:
    head = FeatureHead(3)
    features, errors = _objects(300, 0)
    fit_head(head, features, errors)
    new, true = _objects(300, 1)
    predicted = ask_head(head, new, "cpu")
    sure = np.abs(new[:, 0] - 50) > 4
    np.testing.assert_allclose(predicted[sure], np.where(new[sure, 0] > 50, 0.7, 0.1), atol=0.12)
    assert abs(predicted.mean() - true.mean()) < 0.03


def test_the_same_objects_give_the_same_head() -> None:
    heads = [FeatureHead(3), FeatureHead(3)]
    torch.manual_seed(5)
    for head in heads:
        fit_head(head, *_objects(50, 0))
    for first, second in zip(heads[0].parameters(), heads[1].parameters(), strict=True):
        torch.testing.assert_close(first, second)


def test_groups_are_predicted_by_heads_that_did_not_see_them() -> None:
    """Errors that are pure chance cannot be predicted, unless a head saw them."""
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(4, 3)).astype(np.float32) for _ in range(9)]
    errors = [rng.uniform(size=4).astype(np.float32) for _ in range(9)]
    head = FeatureHead(3)
    unseen = np.concatenate(cross_predict(head, features, errors))
    seen = np.concatenate([ask_head(head, part, "cpu") for part in features])
    true = np.concatenate(errors)
    assert np.corrcoef(seen, true)[0, 1] > 0.5
    assert np.corrcoef(unseen, true)[0, 1] < 0.3


def test_what_costs_more_counts_for_less() -> None:
    """A number that tells the error, and one that tells the object it was seen of."""
    rng = np.random.default_rng(0)
    told = rng.normal(size=(40, 1)).astype(np.float32)
    errors = (told[:, 0] > 0).astype(np.float32) * 0.6 + 0.2
    features = np.concatenate([told, rng.normal(size=(40, 9)).astype(np.float32)], axis=1)
    moves = []
    for decay in ([], [DECAY] + [LARGE_DECAY] * 9):
        head = FeatureHead(10)
        fit_head(head, features, errors, decay)
        other = features.copy()
        other[:, 1:] = rng.normal(size=(40, 9))
        moves.append(np.abs(ask_head(head, other, "cpu") - ask_head(head, features, "cpu")).max())
    assert moves[0] > 0.1
    assert moves[1] < moves[0] / 3


def test_nothing_to_fit_leaves_a_head_as_it_is() -> None:
    head = FeatureHead(3)
    before = [value.clone() for value in head.parameters()]
    assert cross_predict(head, [], []) == []
    fit_head(head, np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    for now, old in zip(head.parameters(), before, strict=True):
        torch.testing.assert_close(now, old)
