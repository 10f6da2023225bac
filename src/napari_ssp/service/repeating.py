"""Repetition of a result from its provenance: as a request, a command, a script."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import ModelCard, find_card, list_cards, with_cellpose_digest
from napari_ssp.schema import describe_fields
from napari_ssp.service.compartments.choosing import compartments_options
from napari_ssp.service.compartments.requests import CompartmentsRequest
from napari_ssp.service.requests import PredictRequest, SegmentRequest
from napari_ssp.service.review.requests import ReviewRequest
from napari_ssp.service.segmentation.plan import find_members

if TYPE_CHECKING:
    from pathlib import Path

Single = SegmentRequest | PredictRequest | ReviewRequest
Request = Single | CompartmentsRequest

#: Command, and function for scripts, of each kind of request.
_COMMANDS = {
    SegmentRequest: "segment",
    PredictRequest: "predict",
    ReviewRequest: "review",
    CompartmentsRequest: "compartments",
}
_FUNCTIONS = {
    **_COMMANDS,
    PredictRequest: "predict_structures",
    CompartmentsRequest: "segment_compartments",
}


def restore_request(provenance: dict[str, Any], image: Any = None) -> Request:
    """Request that makes a result again.

    On the same CPU, with the same versions, the result is the same bit for bit.

    Parameters
    ----------
    provenance : dict
        Of a result, or of a layer's metadata.
    image : MicroscopyImage, array, path or None
        What it was made of; None takes the file that the provenance names.

    Returns
    -------
    SegmentRequest, PredictRequest, ReviewRequest or CompartmentsRequest
        With the device that computed the result.

    Raises
    ------
    ValueError
        When the provenance is incomplete or of another version, or the model was replaced.
    FileNotFoundError
        When the model is not installed.
    """
    if "compartments" in provenance:
        both = (_restore(provenance, image), _restore(provenance["nuclei"], image))
        return CompartmentsRequest(*both)  # type: ignore[arg-type]
    return _restore(provenance, image)


def _restore(provenance: dict[str, Any], image: Any) -> Single:
    kind, values = _read(provenance)
    image = _on_disk(values["image"]) if image is None else image
    if kind is ReviewRequest:
        _on_disk(values["labels"])
    chosen = {key: _tuple(value) for key, value in values.items() if key != "image"}
    chosen["model"] = _model(str(values["model"]), provenance)
    if kind is SegmentRequest:  # nothing took over when no model did
        chosen.setdefault("fallback", find_members(chosen["model"])[0].fallback is None)
    if chosen.get("through") is not None:
        first = provenance.get("through", {})
        chosen["through_model"] = _model(str(values["through_model"]), first)
    chosen["device"] = provenance.get("device", chosen["device"])
    return kind(image, **chosen)


def as_command(
    provenance: dict[str, Any], image: str | Path | None = None, output: str | Path = "results"
) -> str:
    """Command line that makes a result again.

    Parameters
    ----------
    provenance : dict
        Of a result, or of a layer's metadata.
    image : str, pathlib.Path or None
        File; None takes the one that the provenance names.
    output : str or pathlib.Path
        Folder for the result.

    Returns
    -------
    str
        For a shell, quoted where needed.

    Raises
    ------
    ValueError
        As `restore_request`.
    FileNotFoundError
        When the model is not installed.
    """
    request = restore_request(provenance, image)
    verb, path = _COMMANDS[type(request)], str(request.image)
    # A name that begins like an option would be taken for one.
    words = ["napari-ssp", verb, f"./{path}" if path.startswith("-") else path, "-o", str(output)]
    for name, value in _chosen(request).items():
        words += _option(name, value)
    return shlex.join(words)


def as_script(provenance: dict[str, Any], image: str | Path | None = None) -> str:
    """Lines of Python that make a result again; parameters and errors as of `restore_request`."""
    request = restore_request(provenance, image)
    values = [repr(str(request.image))]
    chosen = _chosen(request)
    first = [name for name in ("tasks", "labels") if name in chosen]  # as the functions have them
    for name in dict.fromkeys([*first, *chosen]):
        values.append(f"{name}={chosen[name]!r}")
    function = _FUNCTIONS[type(request)]
    return f"import napari_ssp as ssp\n\nresult = ssp.{function}({', '.join(values)})\n"


def _read(provenance: dict[str, Any]) -> tuple[type[Single], dict[str, Any]]:
    values = provenance.get("request")
    if not isinstance(values, dict) or not {"image", "model"} <= set(values):
        raise ValueError(
            "The layer does not say how it was made; only results of napari-ssp can be repeated."
        )
    kind: type[Single] = SegmentRequest
    if "tasks" in values:
        kind = PredictRequest
    elif "labels" in values:
        kind = ReviewRequest
    unknown = set(values) - set(describe_fields(kind))
    if unknown:
        raise ValueError(
            f"The result was made by another version of napari-ssp, with settings that this one "
            f"does not have: {', '.join(sorted(unknown))}. Install that version to repeat it."
        )
    return kind, values


def _on_disk(source: Any) -> str:
    """File that a result was made of, with a ValueError where that was in memory."""
    if isinstance(source, str):
        return source
    raise ValueError(
        f"The result was made of '{source.get('name', 'an array')}', which was in memory and not "
        "in a file. Give the file that holds it."
    )


def _model(name: str, provenance: dict[str, Any]) -> str:
    """Name or folder of the model with the digest that made the result."""
    wanted = provenance.get("model", {}).get("sha256", "")
    found = _digest(name)
    if found == wanted:
        return name
    for card in list_cards():
        if card.sha256 == wanted:
            return card.name
    if found is None:
        find_card(name)
    raise ValueError(
        f"The model '{name}' has changed since: the result was made with the weights "
        f"{wanted[:12]}…, now they are {str(found)[:12]}…. The result would be another one."
    )


def _digest(name: str) -> str | None:
    try:
        card: ModelCard = with_cellpose_digest(find_members(name)[0])
    except ValueError:  # of another family than cells
        return find_card(name).sha256
    except FileNotFoundError:
        return None
    return card.sha256


def _chosen(request: Request) -> dict[str, Any]:
    """Fields that are not as they are by default, and the model and the device in any case."""
    if isinstance(request, CompartmentsRequest):
        return compartments_options(_chosen(request.cells), _chosen(request.nuclei))
    values = {}
    for name, item in describe_fields(type(request)).items():
        value = getattr(request, name)
        if name in ("model", "device") or (name != "image" and value != item.default):
            values[name] = value
    return values


def _option(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if name == "labels_scene":  # the command goes by names
        return []
    if name == "tasks":
        return [word for task in value for word in ("--task", task)]
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if isinstance(value, tuple):
        return [flag, *(repr(number) for number in value)]
    return [flag, str(value)]


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
