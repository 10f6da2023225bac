"""The end of a training: the best network becomes a model, and a verdict says how good it is."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from napari_ssp.atomic import replaced_folder
from napari_ssp.registry import ModelCard, is_users, list_cards, save_model
from napari_ssp.registry.folders import make_models_folder
from napari_ssp.service.results import TrainedModel
from napari_ssp.training.records import beats
from napari_ssp.training.scored_images import FEWEST_OBJECTS, are_too_few

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from napari_ssp.training.loop import TrainingRun
    from napari_ssp.training.weight_interpolation import Interpolated


@dataclass(frozen=True)
class Judged:
    """What decides whether a model is installed.

    Attributes
    ----------
    score : str
        How the user calls the deciding score, such as "F1".
    install : str
        ``"better"``, ``"always"`` or ``"never"``.
    has_base : bool
        Whether there is a base to beat.
    """

    score: str
    install: str
    has_base: bool


def conclude(
    run: TrainingRun,
    card: ModelCard,
    judged: Judged,
    dtype: torch.dtype = torch.float16,
    mixture: Interpolated | None = None,
    model: Callable[[nn.Module], nn.Module] = lambda network: network,
) -> TrainedModel:
    """Write the run's best network as a model, and install it where the rule says so.

    Parameters
    ----------
    run : TrainingRun
        At its end.
    card : ModelCard
        Description of the model; a name that another model has gets a number.
    judged : Judged
        Rule and words.
    dtype : torch.dtype
        Type of the stored weights.
    mixture : Interpolated or None
        What becomes the model in place of the run's best network.
    model : callable
        What of that network becomes the model.

    Returns
    -------
    TrainedModel
        With a sentence for the user.
    """
    metric = run.settings.metric
    metrics = _scores(run.best or (run.rows[-1] if run.rows else {}))
    before = dict(run.base)
    compared = judged.has_base and metric in metrics and metric in run.base
    better = beats(metrics, run.base, metric, run.settings.minimise) if compared else None
    if are_too_few(run.validation.objects):
        better = None
    wanted = judged.install == "always" or (
        judged.install == "better" and (bool(better) or not judged.has_base)
    )
    name = _free_name(card.name, run.folder) if wanted else card.name
    words = _figures(metrics, run, judged)
    if mixture:
        words += _remembered(mixture)
        metrics, before = metrics | _known(mixture.after), before | _known(mixture.before)
    complete = replace(card, name=name, figures=metrics)
    network = model(mixture.network if mixture else run.winner())
    written = save_model(network, complete, run.folder, dtype)
    if wanted:
        _install(written)
    sentence = words + _end(name, better, wanted, judged) + _few(run)
    return TrainedModel(
        name,
        run.folder,
        metrics,
        base_metrics=before,
        is_better=better,
        installed=wanted,
        sentence=sentence,
    )


def _scores(row: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in row.items() if key not in ("step", "minutes", "loss")}


def _figures(metrics: dict[str, float], run: TrainingRun, judged: Judged) -> str:
    metric = run.settings.metric
    if metric not in metrics:
        return "Not scored, since there are no validation images"
    words = f"{judged.score} {metrics[metric]:.3f} on {_scored_part(run)}"
    return f"{words}, {run.base[metric]:.3f} before" if metric in run.base else words


def _few(run: TrainingRun) -> str:
    objects = run.validation.objects
    if not run.settings.metric or not are_too_few(objects):
        return ""
    noun = "object" if objects == 1 else "objects"
    return (
        f" Only {objects} {noun} could be scored: too few to judge by, {FEWEST_OBJECTS} are needed."
    )


def _scored_part(run: TrainingRun) -> str:
    scored, count = len(run.validation), len(run.validation.images)
    return f"{scored} of {count} {run.validation.noun}" if scored < count else "the validation part"


def _known(scores: dict[str, float]) -> dict[str, float]:
    """Scores on replayed images, under names of their own."""
    return {f"known_{name}": value for name, value in scores.items()}


def _remembered(mixture: Interpolated) -> str:
    words = ""
    for metric, value in list(mixture.after.items())[:1]:
        words = f"; {value:.3f} on replayed images, {mixture.before[metric]:.3f} before"
    if mixture.share == 1.0:
        return words
    return f"{words}, with {mixture.share:.0%} of the learned change, so that little is forgotten"


def _end(name: str, better: bool | None, wanted: bool, judged: Judged) -> str:
    verdict = " not better than its base," if better is False else ""
    if wanted:
        asked = " since that was asked for" if better is False else ""
        return f":{verdict} installed as '{name}'{asked}."
    if judged.install == "never" and better is not False:
        return ": not installed, as was asked for."
    return f":{verdict} not installed."


def _free_name(name: str, folder: Path) -> str:
    """Name that no other model has; what this run installed before is not another."""
    taken = {card.name: card for card in list_cards()}
    earlier = _earlier(folder)
    number = 2
    wanted = name
    while wanted in taken and not (earlier and _same(taken[wanted], earlier)):
        wanted, number = f"{name}-{number}", number + 1
    return wanted


def _earlier(folder: Path) -> ModelCard | None:
    try:
        return ModelCard.read(folder)
    except (OSError, ValueError):
        return None


def _same(card: ModelCard, other: ModelCard) -> bool:
    return is_users(card) and (card.name, card.sha256) == (other.name, other.sha256)


def _install(card: ModelCard) -> None:
    """Copy a model among the installed ones, as a whole or not at all."""
    final = make_models_folder() / card.name
    with replaced_folder(final) as temporary:
        shutil.copy2(card.weights, temporary)
        card.write(temporary)
