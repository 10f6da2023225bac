"""Description of a run by blocks, by which it is recognised when it goes on."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_ssp.service.blocks.grid import Grids
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Choices that change how a result is made, not what it is.
_FREE = ("image", "device", "batch_size", "tile")
#: Choices that results of before do not name; they go on with the model that they have.
_LATER = ("fallback",)
_WORDS = {
    "pixels": "the image is another one, or was changed since",
    "sha256": "the model's weights are others",
}


def describe(request: SegmentRequest, plan: SegmentPlan, grids: Grids) -> dict[str, Any]:
    """JSON-ready: the request, the model, the blocks and the image's files."""
    chosen = {key: value for key, value in request.provenance().items() if key not in _FREE}
    return {
        **chosen,
        "overlap": plan.overlap,
        "sha256": plan.card.sha256,
        "blocks": [grids.labels[0].side, grids.seen.side],
        "pixels": fingerprint(Path(str(request.image))),
    }


def check_same(found: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path) -> None:
    """Refuse to go on with another run, with a ValueError that says what differs."""
    if differing := find_differences(found, wanted):
        raise ValueError(
            f"'{folder}' was begun otherwise, so it cannot go on: {'; '.join(differing)}. Resume "
            "it with the choices that it was begun with, or begin again with --overwrite."
        )


def find_differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Say in what two descriptions differ; empty where they are of the same run."""
    told = [key for key in wanted if key in found or key not in _LATER]
    differing = [key for key in told if found.get(key) != _as_read(wanted[key])]
    return [_WORDS.get(k, f"{k} was {found.get(k)} and is {wanted[k]}") for k in differing]


def _as_read(value: Any) -> Any:
    """Value as JSON gives it back."""
    return [_as_read(item) for item in value] if isinstance(value, list | tuple) else value


def fingerprint(path: Path) -> str:
    """Sha256 of the names, sizes and times of an image's files; labels within it do not count."""
    found = sha256()
    for file in sorted(_files(path)):
        facts = file.stat()
        found.update(f"{file.relative_to(path)} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    for folder, inside, files in os.walk(path):
        inside[:] = [name for name in inside if name != "labels"]
        yield from (Path(folder) / name for name in files)
