from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_ssp.networks import RepMode
from napari_ssp.progress import run as drive
from napari_ssp.training.data import ScoredArray, StructurePair
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit
from napari_ssp.training.losses import structure_loss
from napari_ssp.training.structures.crops import StructureAugmentation
from napari_ssp.training.structures.new_structure import learn_last_task, most_similar
from napari_ssp.training.structures.recipe import StructureBatches

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from torch import nn

    from napari_ssp.progress import Progress

CROP = (16, 16, 16)


@pytest.fixture
def base() -> RepMode:
    torch.manual_seed(0)
    network = RepMode(num_tasks=3, base_channels=2)
    with torch.no_grad():
        for _ in range(3):  # statistics that differ from those of a new batch
            network.train()(torch.randn(3, 1, *CROP) * 2 + 1, torch.arange(3))
    return network.eval()


@pytest.fixture
def batches() -> StructureBatches:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(16, 24, 24)).astype(np.float32)
    pair = StructurePair("new", ScoredArray.of(signal), ScoredArray.of(-signal), task=3)
    return StructureBatches([pair], StructureAugmentation(CROP), size=2)


def _learn(base: RepMode, batches: StructureBatches, folder: Path, own: bool) -> RepMode:
    settings = LoopSettings(steps=12, learning_rate=0.05, weight_decay=0.5, smoothing=0.5)
    folder.mkdir(exist_ok=True)
    network = base.extended(1, own)
    learn_last_task(network)
    run = TrainingRun(network, structure_loss, settings, folder)

    def score(network: nn.Module) -> Generator[Progress, None, dict[str, float]]:
        yield from ()
        return {}

    learned = drive(fit(run, batches, score))
    assert isinstance(learned, RepMode)
    return learned


@pytest.mark.parametrize("own", [False, True])
def test_old_structures_stay_the_same_to_the_bit_and_the_new_one_learns(
    tmp_path: Path, base: RepMode, batches: StructureBatches, own: bool
) -> None:
    before = copy.deepcopy(base)
    # A processor may round otherwise in the order of memory that training leaves kernels in.
    finished = _learn(base, batches, tmp_path, own).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    x, old, new = torch.randn(3, 1, *CROP), torch.arange(3), torch.full((3,), 3)
    with torch.inference_mode():
        assert torch.equal(finished(x, old), before(x, old))
        assert torch.equal(finished.merge(2)(x), before.merge(2)(x))
        (signal, task), truth = batches(1000)
        begun = structure_loss(before.extended(1, own)(signal, task), *truth)
        assert structure_loss(finished(signal, task), *truth) < begun
        assert not torch.equal(finished(x, new), before.extended(1, own)(x, new))
    again = RepMode(4, 2, own_experts=(3,) if own else ())
    again.load_state_dict(finished.state_dict(), strict=True)
    for name, value in before.state_dict().items():
        kept = finished.state_dict()[name]
        assert torch.equal(kept[:, :-1] if name.endswith("gate.weight") else kept, value), name


def test_an_own_expert_learns_more_than_the_gates_alone(
    tmp_path: Path, base: RepMode, batches: StructureBatches
) -> None:
    learned = [_learn(base, batches, tmp_path / str(own), own) for own in (False, True)]
    (signal, task), truth = batches(1000)
    with torch.inference_mode():
        losses = [float(structure_loss(network(signal, task), *truth)) for network in learned]
    assert losses[1] < losses[0]


def test_the_most_similar_structure_is_the_one_that_looks_like_it(base: RepMode) -> None:
    x = torch.randn(2, 1, *CROP)
    with torch.inference_mode():
        for task in range(3):
            target = base(x, torch.full((2,), task))
            counted = torch.ones_like(target, dtype=torch.bool)
            truth = (target, counted, torch.zeros(2, dtype=torch.bool))
            assert drive(most_similar(base, ((x, torch.zeros(2)), truth))) == task
