"""A folder of annotated images that grows while the user corrects labels."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.io import image_stem, is_image_name, write_image, write_labels
from napari_ssp.io.hidden import is_left_by_system

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage

#: Folder of what the network sees, folder of what it learns, and how a file of the second is named.
_LAYOUTS = {"cells": ("images", "labels", "_label"), "structures": ("signal", "target", "")}
_LONGEST_NAME = 80


@dataclass(frozen=True)
class TrainingPair:
    """Two files of a training set.

    Attributes
    ----------
    name : str
        Name of the image's file without its suffix.
    image, target : pathlib.Path
        What the network sees, and what it learns: labels, or measured fluorescence.
    """

    name: str
    image: Path
    target: Path


class TrainingSet:
    """Folder with ``images`` and ``labels`` for cells, or ``signal`` and ``target`` for structures.

    Every file is written under a temporary name and then renamed, and an image appears after its
    labels, so that the folder can be trained on at any moment, also after a crash. Labels below 0
    are pixels that nobody annotated.

    Parameters
    ----------
    folder : pathlib.Path
        Created when the first pair is added. Of structures its name is that of the structure.
    kind : str
        ``"cells"`` or ``"structures"``.

    Raises
    ------
    ValueError
        When the kind is unknown.
    """

    def __init__(self, folder: Path, kind: str = "cells") -> None:
        if kind not in _LAYOUTS:
            raise ValueError(f"A training set is of {' or '.join(_LAYOUTS)}, got '{kind}'.")
        self.folder = Path(folder)
        self.kind = kind
        images, targets, self._ending = _LAYOUTS[kind]
        self._images, self._targets = self.folder / images, self.folder / targets

    def pairs(self) -> tuple[TrainingPair, ...]:
        """Complete pairs that are named as this class does, in the order of their names."""
        if not self._images.is_dir():
            return ()
        files = [path for path in sorted(self._images.iterdir()) if _is_image(path)]
        found = (self._pair(image_stem(path), path) for path in files)
        return tuple(pair for pair in found if pair.target.is_file())

    def free_name(self, wanted: str) -> str:
        """Name for a new pair that no file has yet, made of letters that every system takes."""
        clean = re.sub(r"[^\w.-]+", "_", wanted).strip("._")[:_LONGEST_NAME] or "image"
        taken = {name.casefold() for name in self._names()}
        number, name = 1, clean
        while name.casefold() in taken:
            number += 1
            name = f"{clean}-{number}"
        return name

    def add(self, name: str, image: MicroscopyImage, target: MicroscopyImage) -> TrainingPair:
        """Write a new pair.

        Parameters
        ----------
        name : str
            As `free_name` gives it.
        image : MicroscopyImage
            Of cells one plane (Y, X), possibly with channels or colours; of structures a stack
            (Z, Y, X).
        target : MicroscopyImage
            Labels (Y, X) of integers; or measured fluorescence, (Z, Y, X) or (Y, X).

        Returns
        -------
        TrainingPair
            Its files.

        Raises
        ------
        FileExistsError
            When the name is taken.
        ValueError, TypeError
            When image and target do not go together.
        OSError
            When the disk is full or the folder cannot be written to.
        """
        self._check(image, target)
        if name in self._names():
            raise FileExistsError(f"'{name}' is in {self.folder} already. Choose another name.")
        for folder in (self._images, self._targets):
            folder.mkdir(parents=True, exist_ok=True)
        pair = self._pair(name, self._images / f"{name}.tif")
        self._write(pair.target, target)
        write_image(pair.image, replace(image, name=name))
        return pair

    def write_target(self, name: str, target: MicroscopyImage) -> Path:
        """Replace the labels, or the fluorescence, of a pair.

        Raises
        ------
        FileNotFoundError
            When there is no such pair.
        TypeError, ValueError, OSError
            As `add`.
        """
        path = self._pair(name, self._images / f"{name}.tif").target
        if not path.is_file():
            raise FileNotFoundError(f"'{name}' is no longer in {self.folder}. Add it again.")
        self._write(path, target)
        return path

    def _pair(self, name: str, image: Path) -> TrainingPair:
        return TrainingPair(name, image, self._targets / f"{name}{self._ending}.tif")

    def _names(self) -> set[str]:
        """Names that images have, whatever their suffix, and those of targets without image."""
        images = self._images.iterdir() if self._images.is_dir() else ()
        targets = self._targets.iterdir() if self._targets.is_dir() else ()
        names = {image_stem(path) for path in images if _is_image(path)}
        return names | {image_stem(path).removesuffix(self._ending) for path in targets}

    def _check(self, image: MicroscopyImage, target: MicroscopyImage) -> None:
        sizes, others = image.sizes, target.sizes
        if any(sizes.get(letter) != n for letter, n in others.items() if letter != "c"):
            raise ValueError(
                f"'{image.name}' is {_size(image)} and '{target.name}' is {_size(target)}. Choose "
                "layers of the same region."
            )

    def _write(self, path: Path, target: MicroscopyImage) -> None:
        if self.kind == "structures":
            write_image(path, target, overwrite=True)
            return
        write_annotated(path, target)


def write_annotated(path: Path, labels: MicroscopyImage) -> None:
    """Write labels, in memory, of which some pixels may be -1, not annotated; a file is replaced.

    Raises
    ------
    TypeError, ValueError, OSError
        As `napari_ssp.io.write_labels`.
    """
    pixels = np.asarray(labels.data)
    if pixels.dtype.kind == "i" and pixels.min(initial=0) < 0:
        write_image(path, replace(labels, data=_signed(pixels)), overwrite=True)
    else:
        write_labels(path, labels, overwrite=True)


def _signed(labels: np.ndarray) -> np.ndarray:
    if labels.max(initial=0) > np.iinfo(np.int32).max:
        raise ValueError(
            f"The labels reach {labels.max()}, but beside pixels that are not annotated a file "
            f"holds at most {np.iinfo(np.int32).max}. Renumber the objects."
        )
    return labels.astype(np.int32)


def _is_image(path: Path) -> bool:
    return is_image_name(path) and not is_left_by_system(path)


def _size(image: MicroscopyImage) -> str:
    return " × ".join(f"{image.sizes[letter]} ({letter})" for letter in image.axes)
