"""Calibration of a critic on labels with known truth: a file of the user's own, or the card's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import check_target, is_taken, write_text
from napari_ssp.metrics import ConformalCalibration, calibrate
from napari_ssp.metrics.conformal import check_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.registry import ModelCard
    from napari_ssp.service.review.judging import ErrorPairs

_KIND = "napari-ssp calibration of a critic"
_LONGEST = 2**26


def calibrate_objects(objects: ErrorPairs) -> ConformalCalibration:
    """Calibrate on objects whose truth is known.

    Raises
    ------
    ValueError
        When there are none.
    """
    return calibrate(objects.predicted, objects.wrong)


def check_calibration_target(path: Path) -> None:
    """Refuse to write a calibration over anything but an earlier one.

    Raises
    ------
    FileExistsError
        If something else has that name.
    """
    if not is_taken(path) or not path.stat().st_size:
        return
    try:
        _read_content(path)
    except ValueError as error:
        raise FileExistsError(
            f"'{path}' exists and is no calibration, so it was left as it is. Give another name."
        ) from error


def write_calibration(
    path: Path,
    found: ConformalCalibration,
    card: ModelCard,
    images: Sequence[str],
    with_flows: bool = False,
) -> None:
    """Write a calibration, of labels with or without their flows, also over an earlier one."""
    check_target(path, overwrite=True)
    content = {
        "kind": _KIND,
        "critic": {"name": card.name, "sha256": card.sha256},
        "flows": with_flows,
        "iou": 0.5,
        "count": found.count,
        "wrong": list(found.wrong),
        "images": list(images),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def find_calibration(
    path: str | None, card: ModelCard, wrong_share: float, with_flows: bool = False
) -> ConformalCalibration | None:
    """Calibration that the user names, else the critic's own; None where it has none.

    A critic that compares labels with flows says something else than one without: its own
    calibration is for labels without.

    Raises
    ------
    ValueError
        When the file holds none, it is another critic's or for other labels, or it has too few
        objects.
    OSError
        When it cannot be read.
    """
    if path is not None:
        found = _read(Path(path), card, with_flows)
    elif card.calibration is not None and not with_flows:
        found = ConformalCalibration(card.calibration.count, card.calibration.wrong)
    else:
        found = None
    if found is not None:
        check_count(found.count, wrong_share)
    return found


def mark_accepted(
    table: dict[str, Any], calibration: ConformalCalibration, wrong_share: float
) -> None:
    """Add to a table of objects which of them are accepted; in place."""
    accepted = calibration.accept(table["predicted_error"], wrong_share)
    table["accepted"] = accepted.astype(np.int8)


def _read(path: Path, card: ModelCard, with_flows: bool) -> ConformalCalibration:
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no calibration '{path}'. Make one with 'napari-ssp review IMAGES --labels L "
            f"--truth T --calibrate {path.name}'."
        )
    content = _read_content(path)
    made_for = content["critic"]
    if made_for.get("sha256") != card.sha256:
        raise ValueError(
            f"'{path}' was calibrated for the critic '{made_for.get('name')}' with other weights "
            f"than those of '{card.name}', so it says nothing of it. Calibrate again."
        )
    made_with = bool(content.get("flows"))
    if made_with != with_flows:
        words = {True: "with the flows that they were made from", False: "without their flows"}
        raise ValueError(
            f"'{path}' was calibrated on labels {words[made_with]}, and these are reviewed "
            f"{words[with_flows]}. Calibrate again, on labels like these."
        )
    try:
        return ConformalCalibration(int(content["count"]), tuple(map(float, content["wrong"])))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"'{path}' holds no calibration that can be used: {error}") from error


def _read_content(path: Path) -> dict[str, Any]:
    """Read what a calibration holds, with a ValueError where it is none."""
    try:
        if path.stat().st_size > _LONGEST:
            raise ValueError("it is too long")
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["kind"] != _KIND:
            raise ValueError("it is of another kind")
        return {**content, "critic": dict(content["critic"])}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"'{path}' is no calibration that 'napari-ssp review --calibrate' has written: {error}."
        ) from error
