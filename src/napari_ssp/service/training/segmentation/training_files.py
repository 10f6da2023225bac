"""Files of a training on images and labels: found, refused, and set aside to be scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_ssp.service.training.pair_tables import SCORED_SPLITS, VALIDATION_SPLITS
from napari_ssp.service.training.plan_words import warn_scored_as_well, warn_skipped
from napari_ssp.service.training.segmentation.pairs import Pair, scan_pairs
from napari_ssp.training.holdout import WHOLE_FROM, choose_holdout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_ssp.service.training.pair_sources import PairScan


@dataclass(frozen=True)
class TrainingFiles:
    """Files of a training by what becomes of them.

    Attributes
    ----------
    training, validation, replay, known : tuple of Pair
        Learned from, scored, mixed in, scored in the end for what was forgotten.
    strays : tuple of pathlib.Path
        Skipped.
    notes : tuple of str
        Files that belong to the set of another one.
    strip : bool
        Whether the validation part is a strip of each training image.
    chosen_by_us : bool
        Whether nobody said what to score.
    """

    training: tuple[Pair, ...]
    validation: tuple[Pair, ...] = ()
    replay: tuple[Pair, ...] = ()
    known: tuple[Pair, ...] = ()
    strays: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    strip: bool = False
    chosen_by_us: bool = False


def find_pairs(
    data: Sequence[Path],
    validation: Sequence[Path],
    exclude: Sequence[str],
    replay: Sequence[Path] = (),
) -> TrainingFiles:
    """Find images and labels.

    Parameters
    ----------
    data, validation, replay : sequence of pathlib.Path
        Folders or tables, as for `scan_pairs`. Without ``validation`` it is what ``data`` itself
        keeps apart to be scored: lines of its tables, or folders.
    exclude : sequence of str
        Names of images of ``data`` to leave out.

    Raises
    ------
    FileNotFoundError, ValueError
        When some cannot be used; all problems are listed together.
    """
    learned = [scan_pairs(source, exclude) for source in data]
    scored = [scan_pairs(source, splits=VALIDATION_SPLITS) for source in validation]
    if not validation:
        kept = [scan_pairs(source, exclude, SCORED_SPLITS) for source in data]
        scored = [scan for scan in kept if scan.count]
    mixed_in = [scan_pairs(source) for source in replay]
    every = [*learned, *scored, *mixed_in]
    if any(scan.problems for scan in every):
        raise _explain_problems(every)
    return TrainingFiles(
        _pairs(learned),
        _pairs(scored),
        _pairs(mixed_in),
        strays=tuple(path for scan in every for path in scan.strays),
        notes=tuple(dict.fromkeys(note for scan in every for note in scan.notes)),
    )


def _pairs(scans: Sequence[PairScan[Pair]]) -> tuple[Pair, ...]:
    return tuple(pair for scan in scans for pair in scan.pairs)


def set_aside(files: TrainingFiles) -> TrainingFiles:
    """Set whole images aside for validation, evenly over their names; of few images strips."""
    count = len(files.training)
    if count < WHOLE_FROM:
        return replace(files, strip=True, chosen_by_us=True)
    chosen = choose_holdout(count)
    return replace(
        files,
        training=tuple(p for k, p in enumerate(files.training) if k not in chosen),
        validation=tuple(p for k, p in enumerate(files.training) if k in chosen),
        chosen_by_us=True,
    )


def _explain_problems(scans: Sequence[PairScan[Pair]]) -> Exception:
    """Error that says all that is wrong: with whole folders, then with single pairs."""
    folders = [line for scan in scans if not scan.count for line in scan.problems]
    pairs = [line for scan in scans if scan.count for line in scan.problems]
    lines = list(folders)
    if pairs:
        count = sum(scan.count for scan in scans)
        lines.append(f"{len(pairs)} of {count} training pairs cannot be used:")
        lines += [f"  {line}" for line in pairs]
    missing = all("is missing" in line or "no label file" in line for line in folders + pairs)
    return FileNotFoundError("\n".join(lines)) if missing else ValueError("\n".join(lines))


def warn_of_pairs(files: TrainingFiles) -> list[str]:
    """Sentences on files that are left out, and on images that are learned from and scored."""
    warnings = [*files.notes]
    if files.strays:
        warnings.append(warn_skipped(files.strays))
    scored = {(pair.image.resolve(), pair.scene) for pair in files.validation}
    both = [p.name for p in files.training if (p.image.resolve(), p.scene) in scored]
    return [*warnings, warn_scored_as_well(both)] if both else warnings
