"""Plan of a training, found without blocking the viewer, and its layers as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from napari_ssp.registry import find_card
from napari_ssp.registry.card_checks import check_name
from napari_ssp.service import (
    LabelPair,
    SavePairsRequest,
    StackPair,
    TrainRequest,
    TrainStructuresRequest,
)
from napari_ssp.service.annotation.annotations import AnnotationWriter
from napari_ssp.service.annotation.stacks import differs
from napari_ssp.service.annotation.training_set import TrainingSet
from napari_ssp.service.results import DataSize
from napari_ssp.service.training.pace import describe_pace, is_limited_by_time, known_pace
from napari_ssp.widgets.docks.job_controller import Proposal
from napari_ssp.widgets.train.choices import CELLS
from napari_ssp.widgets.train.pairs import LayerPair, pair_annotation, pair_stacks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.service import Request
    from napari_ssp.service.results import TrainingPlan
    from napari_ssp.widgets.train.choices import TrainChoices
    from napari_ssp.widgets.train.data import Source

_LAYERS = "layers"
_MEASURING = "measuring the speed of this computer …"
_LOOKING = "Looking through the folders …"
_NO_DATA = {
    True: "Choose an image and its labels, then 'Add pair'; or add a folder that holds 'images' "
    "and 'labels', or a table.",
    False: "Choose a stack, its measured fluorescence and a name, then 'Add pair'; or add a folder "
    "or a table.",
}


def propose(choices: TrainChoices, sources: Sequence[Source]) -> Proposal:
    """Make the request, without its final folders; folders are still to be looked through.

    Raises
    ------
    ValueError, TypeError, OSError
        When it cannot be done.
    """
    check_name(choices.name)
    is_cells = choices.learn == CELLS
    if not sources:
        raise ValueError(_NO_DATA[is_cells])
    pairs = [source for source in sources if isinstance(source, LayerPair)]
    paths = tuple(source for source in sources if isinstance(source, Path))
    notes = () if is_cells else _size_notes(choices.base, pairs)
    if is_cells:
        for pair in pairs:
            pair_annotation(pair)
    request = choices.request(paths or (Path(_LAYERS),), Path(choices.name))
    if not paths:
        return Proposal(request, _summary(choices, len(pairs)), notes)
    summary = f"{_pairs(len(pairs))} of layers" if pairs else ""
    return Proposal(request, summary, notes, needs_plan=True, waiting=_LOOKING)


def layers_size(sources: Sequence[Source]) -> DataSize:
    """How much there is to learn from layers of stacks; a part of it is scored."""
    pairs = [source for source in sources if isinstance(source, LayerPair) and source.structure]
    stacks = [pair_stacks(pair)[0] for pair in pairs]
    return DataSize(tuple(tuple(stack.sizes[axis] for axis in "zyx") for stack in stacks))


def with_pace(proposal: Proposal, layers: DataSize, plan: TrainingPlan | None) -> Proposal:
    """Say what this computer will make of the time, as far as it was measured.

    Parameters
    ----------
    proposal : Proposal
        What is to be trained.
    layers : DataSize
        How much the layers are.
    plan : TrainingPlan or None
        What is known of the folders and tables.
    """
    if not has_pace(proposal.request):
        return proposal
    pace = known_pace(proposal.request)
    if pace is None:
        return replace(proposal, summary=_joined(proposal.summary, _MEASURING))
    size = layers if plan is None else layers.together(plan.size)
    fact, warnings = describe_pace(proposal.request, pace, size)
    summary = _joined(proposal.summary, fact)
    return replace(proposal, summary=summary, warnings=(*proposal.warnings, *warnings))


def has_pace(request: Request[Any] | None) -> TypeGuard[TrainRequest | TrainStructuresRequest]:
    """Whether what is learned depends on the pace of this computer."""
    return isinstance(request, TrainRequest | TrainStructuresRequest) and is_limited_by_time(
        request
    )


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def data_folders(sources: Sequence[Source], output: Path) -> tuple[Path, ...]:
    """Folders and tables of a run: those that layers will be written to, then the others."""
    pairs = [source for source in sources if isinstance(source, LayerPair)]
    layers = {_folder(pair, output): None for pair in pairs}
    return (*layers, *(source for source in sources if isinstance(source, Path)))


def save_request(
    sources: Sequence[Source], output: Path, base: str | None
) -> SavePairsRequest | None:
    """Request that writes all pairs of layers for a run; None without any. Reads no pixels.

    Stacks are brought to the voxel size of the base model.
    """
    size = None if base is None else find_card(base).voxel_size
    pairs: list[LabelPair | StackPair] = []
    for source in sources:
        if not isinstance(source, LayerPair):
            continue
        if source.structure:
            folder = TrainingSet(_folder(source, output), "structures")
            pairs.append(StackPair(folder, *pair_stacks(source), size))
        else:
            writer = AnnotationWriter(TrainingSet(_folder(source, output)))
            pairs.append(LabelPair(writer, pair_annotation(source)))
    return SavePairsRequest(tuple(pairs)) if pairs else None


def _folder(pair: LayerPair, output: Path) -> Path:
    """Folder of the run for a pair; that of structures is named after the structure."""
    return output / _LAYERS / pair.structure if pair.structure else output / _LAYERS


def _size_notes(base: str | None, pairs: Sequence[LayerPair]) -> tuple[str, ...]:
    """Say which stacks will be resampled; refuses those that nothing can be learned from."""
    signals = [pair_stacks(pair)[0] for pair in pairs]
    size = None if base is None else find_card(base).voxel_size
    other = [signal.name for signal in signals if differs(signal.voxel_size, size)]
    if size is None or not other:
        return ()
    wanted = " × ".join(f"{length:g}" for length in size)
    return (f"{', '.join(other)}: resampled to the base model's voxels, {wanted} µm.",)


def _summary(choices: TrainChoices, pairs: int) -> str:
    parts = [f"{_pairs(pairs)} of layers"]
    parts.append(f"from '{choices.base}'" if choices.base else "from scratch")
    number, unit = choices.duration
    parts.append(f"at most {number:g} {unit if number != 1 else unit[:-1]}")
    if choices.validation is None:
        parts.append("a part is set aside for validation")
    return ", ".join(parts)


def _pairs(count: int) -> str:
    return f"{count} pair{'s' * (count != 1)}"
