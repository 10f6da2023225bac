"""Preparation of CEM-MitoLab (EMPIAR-11037) and CEM1.5M (EMPIAR-11035): pair, divide, resize.

Conrad and Narayan, Cell Systems 14 (2023). Of MitoLab each source has a folder with ``images`` and
``masks`` of the same names; CEM1.5M holds images alone.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from skimage.transform import resize

from napari_ssp.atomic import write_text
from napari_ssp.datasets.files import fingerprint
from napari_ssp.datasets.tables import Problems
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import image_stem, is_image_name, read_image, read_label_image, write_image
from napari_ssp.io.hidden import is_left_by_system
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Shares of the images by split, as published.
SHARES = {"train": 0.8, "val": 0.15, "test": 0.05}
UNLABELLED = "unlabelled"
#: Table of all that was written, with digests.
MANIFEST_FILE = "manifest.csv"
_COLUMNS = ("split", "file", "sha256", "source")
# Part of the names of prepared images: raise it when they are prepared in another way.
_RECIPE = 1


@dataclass(frozen=True)
class MitolabRequest:
    """What to prepare.

    Attributes
    ----------
    labelled : pathlib.Path
        Folder of EMPIAR-11037, or one below it.
    output : pathlib.Path
        Folder of the prepared data; work that was interrupted in it goes on.
    unlabelled : pathlib.Path or None
        Folder of EMPIAR-11035, or one below it.
    size : int
        Height and width of prepared images, in pixels; 224 as published.
    most_unlabelled : int or None
        So many images without masks at most, drawn by the seed; None takes all.
    seed : int
        Of the splits.
    skip_broken : bool
        Leave out images that are broken or have no mask, instead of stopping.
    """

    labelled: Path
    output: Path
    unlabelled: Path | None = None
    size: int = 224
    most_unlabelled: int | None = None
    seed: int = 13
    skip_broken: bool = False

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 4096 or self.size % 16:
            raise ValueError(
                f"Students see images of a multiple of 16 pixels, up to 4096; got {self.size}."
            )
        if self.most_unlabelled is not None and self.most_unlabelled < 1:
            raise ValueError("At least one image without a mask is needed, or none is named.")


@dataclass(frozen=True)
class PreparedMasks:
    """What was prepared.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is.
    counts : dict
        Number of images by split, and of those without masks.
    made, kept : int
        Images that were prepared now, and that were there already and are whole.
    left_out : tuple of str
        What was missing or broken, one line each.
    """

    folder: Path
    counts: dict[str, int]
    made: int
    kept: int
    left_out: tuple[str, ...] = ()


class _Item(NamedTuple):
    """An image, with its mask where it has one, and the name that it gets."""

    name: str
    image: Path
    mask: Path | None
    split: str


def mitolab_steps(request: MitolabRequest) -> Steps[PreparedMasks]:
    """Prepare a collection; images that are there already, and whole, are kept.

    Yields
    ------
    Progress
        After every image.

    Returns
    -------
    PreparedMasks
        Where it is and what it holds: folders ``train``, ``val`` and ``test`` with ``images`` and
        ``masks`` each, as training takes them, and ``unlabelled``.

    Raises
    ------
    FileNotFoundError
        If a folder is missing or holds no images.
    ValueError
        With the list of all images that are broken or lack a mask.
    """
    problems = Problems()
    items = [*_labelled(request, problems), *_unlabelled(request)]
    if not request.skip_broken:
        problems.check(
            "images and masks are without each other; nothing was written",
            "Unpack the archive again, or leave them out with --skip-broken.",
        )
    known, rows, made = _known_digests(request.output), list[tuple[str, ...]](), 0
    for done, item in enumerate(items, 1):
        try:
            written, is_new = _prepared(item, request, known)
        except (OSError, ValueError, TypeError) as error:
            problems.add(f"{item.image}: {error}")
        else:
            rows += written
            made += is_new
        yield Progress("preparing images", done, len(items))
    if not request.skip_broken or not rows:
        problems.check(
            "images are broken; all others were prepared",
            "Replace these files and start again, or leave them out with --skip-broken.",
        )
    _write_manifest(request.output, rows)
    for name in known.keys() - {row[1] for row in rows}:  # of other choices
        (request.output / name).unlink(missing_ok=True)
    shown = Counter(split for split, file, *_ in rows if "/masks/" not in file)
    counts = {split: shown[split] for split in (*SHARES, UNLABELLED)}
    kept = sum(counts.values()) - made
    return PreparedMasks(request.output, counts, made, kept, tuple(problems.lines))


def split_names(names: Sequence[str], seed: int) -> dict[str, str]:
    """Split of each name: 80 % train, 15 % val, the rest test, whatever their order was."""
    ordered = sorted(names)
    mixed = [ordered[k] for k in np.random.default_rng(seed).permutation(len(ordered))]
    first, second = (round(n * len(mixed)) for n in (SHARES["train"], 1.0 - SHARES["test"]))
    return {
        name: "train" if k < first else "val" if k < second else "test"
        for k, name in enumerate(mixed)
    }


def _labelled(request: MitolabRequest, problems: Problems) -> list[_Item]:
    """Images with masks, paired by their names."""
    found: dict[str, tuple[Path, Path]] = {}
    for folder in _folders(request.labelled):
        images, masks = _files(folder / "images"), _files(folder / "masks")
        for stem in sorted(images.keys() ^ masks.keys()):
            lonely = images.get(stem) or masks[stem]
            what = "no mask" if stem in images else "no image"
            problems.add(f"{lonely.relative_to(request.labelled)}: {what}")
        place = "-".join(folder.relative_to(request.labelled).parts)
        for stem in images.keys() & masks.keys():
            found["-".join(part for part in (place, stem) if part)] = images[stem], masks[stem]
    if not found:
        raise FileNotFoundError(
            f"{request.labelled} holds no folder with 'images' and 'masks'. Download EMPIAR-11037 "
            "(https://www.ebi.ac.uk/empiar/EMPIAR-11037), unpack cem_mitolab.zip and name its "
            "folder."
        )
    splits = split_names(list(found), request.seed)
    return [_Item(name, *found[name], splits[name]) for name in sorted(found)]


def _unlabelled(request: MitolabRequest) -> list[_Item]:
    if request.unlabelled is None:
        return []
    files = [p for p in request.unlabelled.rglob("*") if p.is_file() and _is_wanted(p)]
    if not files:
        raise FileNotFoundError(
            f"{request.unlabelled} holds no images. Download EMPIAR-11035 "
            "(https://www.ebi.ac.uk/empiar/EMPIAR-11035), unpack it and name its folder."
        )
    ordered = sorted(files)
    if request.most_unlabelled is not None and request.most_unlabelled < len(ordered):
        order = np.random.default_rng(request.seed).permutation(len(ordered))
        ordered = sorted(ordered[k] for k in order[: request.most_unlabelled])
    names = ("-".join(p.relative_to(request.unlabelled).with_suffix("").parts) for p in ordered)
    return [_Item(name, path, None, UNLABELLED) for name, path in zip(names, ordered, strict=True)]


def _folders(root: Path) -> Iterator[Path]:
    """Folders, the root too, that hold ``images`` and ``masks``."""
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    for images in sorted(root.rglob("images")):
        if images.is_dir() and (images.parent / "masks").is_dir():
            yield images.parent


def _files(folder: Path) -> dict[str, Path]:
    return {image_stem(path): path for path in sorted(folder.iterdir()) if _is_wanted(path)}


def _is_wanted(path: Path) -> bool:
    return is_image_name(path) and not is_left_by_system(path)


def _prepared(
    item: _Item, request: MitolabRequest, known: dict[str, str]
) -> tuple[list[tuple[str, ...]], bool]:
    """Lines of the manifest for an item, and whether it was prepared now."""
    sources = {} if item.mask is None else {"masks": item.mask}
    sources["images"] = item.image
    recipe = [_RECIPE, request.size, *(fingerprint(path) for path in sources.values())]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:10]
    targets = {}
    for part in sources:
        inside = item.split if item.mask is None else f"{item.split}/{part}"
        targets[part] = request.output / inside / f"{item.name}-{key}.tif"
    is_new = not all(_is_whole(target, request.output, known) for target in targets.values())
    if is_new:
        _write(item, request.size, targets)
    rows: list[tuple[str, ...]] = [
        (item.split, _inside(target, request.output), file_sha256(target), sources[part].name)
        for part, target in targets.items()
    ]
    return rows, is_new


def _is_whole(path: Path, folder: Path, known: dict[str, str]) -> bool:
    """Whether a file is there, and has not changed since it was written."""
    if not path.is_file():
        return False
    digest = known.get(_inside(path, folder))
    return digest is None or digest == file_sha256(path)


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _write(item: _Item, size: int, targets: dict[str, Path]) -> None:
    plane = _single(read_image(item.image))
    if plane.ndim != 2:
        raise ValueError("it has colours; electron micrographs are grey")
    written = {"images": _resized(plane, size)}
    if item.mask is not None:
        labels = _single(read_label_image(item.mask))
        if labels.shape != plane.shape:
            raise ValueError(f"the image is {plane.shape} and its mask {labels.shape}")
        written["masks"] = _nearest(labels, size)
    for part in targets:  # the image last: what has one is complete
        targets[part].parent.mkdir(parents=True, exist_ok=True)
        write_image(targets[part], MicroscopyImage(written[part], "yx"), overwrite=True)


def _nearest(labels: NDArray[Any], size: int) -> NDArray[Any]:
    """Labels, or a mask, of another size; numbers stay what they are."""
    rows, columns = (((np.arange(size) + 0.5) * n / size).astype(int) for n in labels.shape)
    numbers = labels[np.ix_(rows, columns)]
    return numbers.astype(np.uint16 if numbers.max(initial=0) < 2**16 else np.uint32)


def _single(image: MicroscopyImage) -> NDArray[Any]:
    if image.num_planes > 1 or image.num_channels > 1:
        raise ValueError(f"it is no single plane (axes '{image.axes}', shape {image.shape})")
    return image.plane()


def _resized(plane: NDArray[Any], size: int) -> NDArray[np.uint8]:
    """Plane of 256 grey levels and another size; that of 8 bits and the right size as it is."""
    if plane.dtype != np.uint8:
        low, high = float(plane.min()), float(plane.max())
        plane = np.round((plane.astype(np.float64) - low) / max(high - low, 1e-12) * 255)
    if plane.shape == (size, size):
        return np.asarray(plane, np.uint8)
    smooth: Any = resize  # which has no types
    options = {"order": 1, "anti_aliasing": min(plane.shape) > size, "preserve_range": True}
    found = smooth(plane.astype(np.float64), (size, size), **options)
    return np.asarray(np.round(np.clip(found, 0, 255)), np.uint8)


def _known_digests(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST_FILE
    if not path.is_file():
        return {}
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    return {row["file"]: row["sha256"] for row in rows}


def _write_manifest(folder: Path, rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    write_text(folder / MANIFEST_FILE, text.getvalue())
