"""The training loop: batches in, the best network out, resumable at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator

from torch import nn

from napari_ssp.progress import Progress, Steps
from napari_ssp.training.batches import Batch, BatchOf, batches_from
from napari_ssp.training.run import TrainingRun, smoothed
from napari_ssp.training.settings import LoopSettings

__all__ = [
    "SCORED",
    "Batch",
    "LoopSettings",
    "Score",
    "TrainingRun",
    "fit",
    "scored",
    "smoothed",
]

#: Stage of a scoring whose units are whole images.
SCORED = "scoring validation images"
#: Scores a network; a preview of a `Progress` on the way is shown to whoever watches.
Score = Callable[[nn.Module], Generator[Progress, None, dict[str, float]]]


def fit(run: TrainingRun, batch_of: BatchOf, score: Score) -> Steps[nn.Module]:
    """Train until the time or the steps are used up.

    Closing it in between writes a checkpoint, from which the run goes on another time.

    Parameters
    ----------
    run : TrainingRun
        Fresh or resumed.
    batch_of : callable
        Batch of a step number; called ahead of need in a thread, or in processes, which need to
        pickle it. The same step always gives the same batch, so that a resumed run sees what an
        unbroken one would.
    score : callable
        Scores a network on validation images.

    Yields
    ------
    Progress
        After every step and every scored image; its preview is a `TrainingState`.

    Returns
    -------
    torch.nn.Module
        The smoothed network that scored best, in evaluation mode.
    """
    try:
        if run.settings.score_base and not run.base and run.step == 0:
            run.base = yield from _scored_in_time(run, score, "scoring the base")
            if run.settings.gate:  # the start is a candidate like any other
                run.record(run.base)
        yield from _learn(run, batch_of, score)
        if not run.rows or run.rows[-1]["step"] != run.step:
            run.record((yield from _scored_in_time(run, score)))
            yield Progress("scoring", len(run.validation), len(run.validation), run.state())
    except GeneratorExit:
        run.save()
        raise
    finally:
        run.events.close()
    run.save()
    return run.winner()


def _learn(run: TrainingRun, batch_of: BatchOf, score: Score) -> Steps[None]:
    settings, pin = run.settings, run.device.type == "cuda"
    seen = saved = run.seconds
    # As long as nine scorings of the base took, so that scoring takes a tenth of the time.
    pause = max(60.0 * settings.score_minutes, 9.0 * run.scoring_seconds * (run.step == 0))
    steps = range(run.step, settings.steps)
    with batches_from(batch_of, steps, settings.workers, pin) as batches:
        yield _progress(run)
        while run.share < 1.0:
            # Before the step and not after it: a run that ended while it was scored goes on here.
            by_time = not settings.score_steps and run.seconds - seen > pause
            if by_time or _is_due(run):
                began = time.monotonic()
                run.record((yield from _scored_in_time(run, score)))
                run.save()
                seen = saved = run.seconds
                pause = max(pause, 9.0 * (time.monotonic() - began))
                yield _progress(run)
                if run.is_shut:
                    return
            began = time.monotonic()
            run.learn(next(batches))
            run.spend(time.monotonic() - began)
            yield _progress(run)
            if run.seconds - saved > 60.0 * settings.checkpoint_minutes:
                run.save()
                saved = run.seconds


def _is_due(run: TrainingRun) -> bool:
    """Whether the scoring of this step, of those that go by steps, is still to come."""
    every = run.settings.score_steps
    scored = max((row["step"] for row in run.rows), default=0)
    return bool(every) and run.step % every == 0 and run.step > scored


def _progress(run: TrainingRun) -> Progress:
    state = run.state()
    parts = ["learning"]
    if math.isfinite(state.loss):
        parts.append(f"loss {state.loss:.2f}")
    if math.isfinite(state.minutes_left):
        parts.append(f"{state.minutes_left:.1f} min left")
    return Progress(", ".join(parts), round(1000 * run.share), 1000, state)


def _scored_in_time(
    run: TrainingRun, score: Score, stage: str = "scoring"
) -> Steps[dict[str, float]]:
    """Score what a run has by now, within its time."""
    began = time.monotonic()
    scores = yield from scored(run, smoothed(run), score, stage)
    run.spend_on_scoring(time.monotonic() - began)
    return scores


def scored(
    run: TrainingRun, network: nn.Module, score: Score, stage: str = "scoring"
) -> Steps[dict[str, float]]:
    """Scores of a network of a run, for its first process; the last preview on the way is kept.

    Parameters
    ----------
    run : TrainingRun
        What the network belongs to.
    network : torch.nn.Module
        What is scored.
    score : callable
        Its steps; those of whole images have the stage `SCORED`.
    stage : str
        What is being done, for the user.

    Yields
    ------
    Progress
        Images that were scored, with the run's `TrainingState` as preview.
    """
    if not run.processes.is_main:
        return {}
    steps, done = score(network), 0
    try:
        while True:
            progress = next(steps)
            run.preview = progress.preview or run.preview
            done = progress.done if progress.stage == SCORED else done
            yield Progress(stage, done, len(run.validation), run.state())
    except StopIteration as stop:
        # Rounded here, so that the base and what came of it tie when they look the same.
        return {name: round(value, 4) for name, value in stop.value.items()}
    finally:
        steps.close()
