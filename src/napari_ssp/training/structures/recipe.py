"""RepMode's recipe: crops of images with one structure each, and scores per structure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_ssp.engine.predict import TileSettings, predict_stream
from napari_ssp.engine.tiling import Tile, choose_window
from napari_ssp.engine.volume import Resampler, VolumeSource
from napari_ssp.metrics import structure_metrics
from napari_ssp.progress import Progress
from napari_ssp.training.loop import SCORED
from napari_ssp.training.losses import PROJECTIONS
from napari_ssp.training.step import choose_precision
from napari_ssp.training.structures.crops import StructureAugmentation, random_crop
from napari_ssp.training.structures.depth import STRIDE, choose_depth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from napari_ssp.networks import RepMode
    from napari_ssp.progress import Steps
    from napari_ssp.training.data import StructurePair
    from napari_ssp.training.loop import Batch
    from napari_ssp.training.scored_images import ScoredImages
    from napari_ssp.training.state import Preview

#: Score that decides which weights are kept: Pearson correlation.
METRIC = "pcc"
#: Scores that are kept for each structure, too.
BY_TASK = ("pcc", "mse")


@dataclass(frozen=True)
class StructureRecipe:
    """What belongs together when structures are learned.

    Attributes
    ----------
    optimiser, schedule, learning_rate, weight_decay, smoothing
        As in :class:`~napari_ssp.training.loop.LoopSettings`.
    augmentation : StructureAugmentation
        How crops are varied; their size is chosen apart.
    by_structure : bool
        As in :class:`StructureBatches`.
    """

    optimiser: str = "adam"
    schedule: str = "constant"
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    smoothing: float = 0.0
    augmentation: StructureAugmentation = field(default_factory=StructureAugmentation)
    by_structure: bool = False


#: The paper's recipe, and one for a handful of stacks.
RECIPES: Mapping[str, StructureRecipe] = {
    "repmode": StructureRecipe(),
    "few-images": StructureRecipe(
        optimiser="adamw",
        schedule="cosine",
        learning_rate=1e-3,
        weight_decay=0.05,
        smoothing=0.999,
        augmentation=StructureAugmentation(
            flips=(False, True, True),
            quarter_turns=True,
            warp_probability=0.5,
            zoom_spread=1.2,
            degrees=45.0,
            intensity_probability=0.3,
        ),
        by_structure=True,
    ),
}


@dataclass(frozen=True)
class StructureBatches:
    """Batches of crops, tasks mixed by shuffling what is drawn anew in every pass.

    Attributes
    ----------
    pairs : sequence of StructurePair
        Training images.
    settings : StructureAugmentation
        Crop size and augmentation.
    size : int
        Crops in a batch.
    seed : int
        Start of the random numbers; the same seed and step always give the same batch.
    by_structure : bool
        Whether each structure is learned as often as any other, else each image: one with a single
        image is not lost beside one with many.
    """

    pairs: Sequence[StructurePair]
    settings: StructureAugmentation = field(default_factory=StructureAugmentation)
    size: int = 8
    seed: int = 0
    by_structure: bool = False

    def __call__(self, step: int) -> Batch:
        """Batch of a step: signals and tasks; what :func:`structure_loss` takes besides."""
        rng = np.random.default_rng([self.seed, step])
        draw = self._of_structure if self.by_structure else self._of_all
        pairs = [draw(step * self.size + k) for k in range(self.size)]
        crops = [random_crop(pair, self.settings, rng) for pair in pairs]
        signal, target, counted = (
            torch.from_numpy(np.stack(parts)[:, None]) for parts in zip(*crops, strict=True)
        )
        task = torch.tensor([pair.task for pair in pairs])
        projected = torch.tensor([pair.is_projected for pair in pairs])
        return (signal, task), (target, counted, projected)

    def _of_all(self, draw: int) -> StructurePair:
        return self.pairs[self._shuffled(draw, len(self.pairs), 1)[1]]

    def _of_structure(self, draw: int) -> StructurePair:
        tasks = sorted({pair.task for pair in self.pairs})
        turn, place = self._shuffled(draw, len(tasks), 1)
        group = [pair for pair in self.pairs if pair.task == tasks[place]]
        return group[self._shuffled(turn, len(group), 2 + tasks[place])[1]]

    def _shuffled(self, draw: int, count: int, stream: int) -> tuple[int, int]:
        """Which pass through so many a draw is in, and whose turn it is there."""
        turn, place = divmod(draw, count)
        order = np.random.default_rng([self.seed, turn, stream]).permutation(count)
        return turn, int(order[place])


def choose_crop(crop: tuple[int, int, int], pairs: Sequence[StructurePair]) -> tuple[int, int, int]:
    """Crop not deeper than the deepest image needs, in multiples of 16.

    Raises
    ------
    ValueError
        When images whose targets are projections have more planes than the crop.
    """
    depth = choose_depth(crop[0], (pair.signal.shape[0] for pair in pairs))
    cut = [pair.name for pair in pairs if pair.is_projected and pair.signal.shape[0] > depth]
    if cut:
        raise ValueError(
            f"A projection needs all planes of its stack, but crops have {depth} planes and "
            f"{len(cut)} stacks with projected targets have more: {', '.join(cut[:5])}. Use deeper "
            "crops, or fewer planes."
        )
    return depth, *crop[1:]


def score_structures(
    network: RepMode,
    pairs: Sequence[StructurePair] | ScoredImages[StructurePair],
    tasks: Sequence[str],
    settings: TileSettings,
    projection: str = "max",
) -> Steps[dict[str, float]]:
    """Scores of whole images on z-scored values: mean over images, and per task.

    Yields
    ------
    Progress
        After every batch of patches and every image; the first one's preview is its middle plane,
        or projection, with truth and prediction.

    Returns
    -------
    dict
        ``"mse"``, ``"pcc"`` and the other scores of
        :func:`~napari_ssp.metrics.structure_metrics`; ``"pcc TASK"`` and ``"mse TASK"``.
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for done, pair in enumerate(pairs, 1):
        stack = yield from predict_whole(network.merge(pair.task), pair, settings)
        if pair.is_projected:
            whole = torch.from_numpy(stack)
            stack = PROJECTIONS[projection](whole, torch.ones_like(whole, dtype=torch.bool)).numpy()
        truth = pair.target.read((slice(None),) * stack.ndim)
        metrics = structure_metrics(truth, stack)
        for name, value in metrics.items():
            scores[name].append(float(value))
        for name in BY_TASK:
            scores[f"{name} {tasks[pair.task]}"].append(float(metrics[name]))
        shown = _preview_of(pair, truth, stack) if done == 1 else None
        yield Progress(SCORED, done, len(pairs), shown)
    return {name: float(np.mean(values)) for name, values in scores.items()}


def _preview_of(
    pair: StructurePair, truth: NDArray[np.float32], found: NDArray[np.float32]
) -> Preview:
    """Name, image, truth and prediction of one plane, to look at."""
    middle = pair.signal.shape[0] // 2
    signal = pair.signal.read((slice(middle, middle + 1), slice(None), slice(None)))[0]
    if pair.is_projected:
        return pair.name, signal, truth, found
    return pair.name, signal, truth[middle], found[middle]


def predict_whole(
    plain: nn.Module, pair: StructurePair, settings: TileSettings
) -> Steps[NDArray[np.float32]]:
    """Predict a pair's whole stack, (Z, Y, X), as :func:`napari_ssp.predict_structures` does."""
    shape = pair.signal.shape
    window = choose_window(shape, settings.window, STRIDE)
    resampler = Resampler(pair.signal.read_raw, shape, shape)
    source = VolumeSource(resampler, pair.signal.statistics, window)
    result = np.empty(source.shape, np.float32)

    def write(tile: Tile, block: torch.Tensor, is_more: bool) -> None:
        result[tile] = block[0].cpu().numpy() + (result[tile] if is_more else 0)

    def compute(windows: torch.Tensor) -> torch.Tensor:
        with choose_precision(windows.device, volumes=True):
            output: torch.Tensor = plain(windows.contiguous(memory_format=torch.channels_last_3d))
        return output.float()

    yield from predict_stream(compute, source, replace(settings, window=window), write)
    return result[source.inside]
