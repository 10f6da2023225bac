"""``napari-ssp models``: find, download, import, verify and remove models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from napari_ssp.cli.reporting import (
    USER_ERRORS,
    as_usage_error,
    fail,
    json_option,
    one_line,
    output_console,
    run_with_bar,
    say,
    write_report,
)
from napari_ssp.registry import (
    add_catalogue,
    card_lines,
    catalogue_places,
    download_steps,
    export_bioimage_steps,
    export_onnx_steps,
    export_steps,
    find_card,
    find_in_catalogue,
    import_steps,
    is_installed,
    list_catalogue,
    matches,
    removable,
    remove_catalogue,
    remove_model,
    size_words,
    task_words,
    verify_steps,
)
from napari_ssp.text import printable

if TYPE_CHECKING:
    from napari_ssp.progress import Steps

_file = click.Path(path_type=Path)


@click.group()
def models() -> None:
    """Find, download, import, verify and remove models."""


@models.command("list")
@click.argument("words", nargs=-1)
@click.option("--installed", is_flag=True, help="Only those that can be used now.")
@json_option
def list_models(words: tuple[str, ...], installed: bool, json_path: Path | None) -> None:
    """List models: installed ones, and those that can be downloaded.

    With WORDS, only those whose card has all of them.
    """
    cards = [card for card in list_catalogue() if is_installed(card) or not installed]
    cards = [card for card in cards if matches(card, words)]
    if str(json_path) != "-":
        console = output_console()
        for card in cards:
            state = "installed" if is_installed(card) else "to download"
            facts = (task_words(card), card.family, state, size_words(card))
            line = printable(" · ".join(filter(None, facts)))
            console.print(Text(card.name, "bold"), "·", line)
            console.print(Padding(Text(printable(card.description)), (0, 0, 1, 4)))
    report = [asdict(card) | {"installed": is_installed(card)} for card in cards]
    write_report({"models": report}, json_path)


@models.command("info")
@click.argument("model")
@json_option
def model_info(model: str, json_path: Path | None) -> None:
    """Show the card of MODEL, a name or a folder."""
    with as_usage_error():
        card = find_card(model) if Path(model).is_dir() else find_in_catalogue(model)
    if str(json_path) != "-":
        table = Table("", "", show_header=False)
        for label, text in card_lines(card):
            table.add_row(label, printable(text))
        output_console().print(table)
    write_report(asdict(card) | {"installed": is_installed(card)}, json_path)


@models.command("download")
@click.argument("names", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="ADDRESS",
    help="Address or path of the same file that is tried first; may be given several times.",
)
@json_option
def download(names: tuple[str, ...], mirrors: tuple[str, ...], json_path: Path | None) -> None:
    """Download each MODEL of the list; of an ensemble, its members.

    Files are verified before use. What was loaded before an interruption is not loaded again.
    """
    with as_usage_error():
        for name in names:
            find_in_catalogue(name)
        if mirrors and len(names) > 1:
            raise ValueError("A mirror is of one file; download one model at a time with it.")
    cards = [_do(download_steps(name, mirrors), f"download {name}") for name in names]
    for card in cards:
        say(f"{card.name} is installed.")
    write_report({"models": [asdict(card) for card in cards]}, json_path)


@models.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="Name of the model [default: the card's, or the file's].")
@click.option("--overwrite", is_flag=True, help="Replace a model of yours that has this name.")
@click.option(
    "--trust",
    "trusted",
    is_flag=True,
    help="Agree to run the program (TorchScript) of a BioImage.IO package; know who made it.",
)
@json_option
def import_model(
    path: Path, name: str | None, overwrite: bool, trusted: bool, json_path: Path | None
) -> None:
    """Import PATH: .pth, .p, .safetensors, a model's folder or .zip, or a BioImage.IO package.

    Nothing in the file is executed, unless you --trust it.
    """
    card = _do(import_steps(path, name, overwrite, trusted=trusted), f"import {path.name}")
    say(f"{card.name}: {card.description} Installed in {card.folder}")
    write_report(asdict(card), json_path)


@models.command("export")
@click.argument("model")
@click.option("-o", "--output", required=True, type=_file, help="File to write: .zip, or .onnx.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["napari-ssp", "bioimageio", "onnx"]),
    default="napari-ssp",
    show_default=True,
    help="For 'models import' elsewhere; for other programs BioImage.IO, or an ONNX graph.",
)
@click.option("--task", metavar="NAME", help="Structure of a BioImage.IO package or an ONNX graph.")
@click.option(
    "--with-onnx", is_flag=True, help="Put an ONNX graph into a BioImage.IO package, too."
)
@click.option("--overwrite", is_flag=True, help="Replace a file of that name.")
def export(
    model: str, output: Path, kind: str, task: str | None, with_onnx: bool, overwrite: bool
) -> None:
    """Write MODEL, a name or a folder, into one file."""
    with as_usage_error():
        find_card(model)
        if task and kind == "napari-ssp":
            raise ValueError("--task is for the other formats; this one holds all structures.")
        if with_onnx and kind != "bioimageio":
            raise ValueError("--with-onnx is for --format bioimageio.")
    steps = export_steps(model, output, overwrite)
    if kind == "bioimageio":
        steps = export_bioimage_steps(model, output, task, overwrite, with_onnx)
    elif kind == "onnx":
        steps = export_onnx_steps(model, output, task, overwrite)
    _do(steps, f"export {model}")
    say(f"{model} -> {output}")


@models.command("remove")
@click.argument("name", metavar="MODEL")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Delete MODEL from the folder of your models."""
    with as_usage_error():
        card = removable(name)
    if not yes:
        click.confirm(f"Delete '{name}' ({size_words(card)}) in {card.folder}?", abort=True)
    say(f"Deleted {remove_model(name)}")


@models.command("verify")
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@json_option
def verify(names: tuple[str, ...], json_path: Path | None) -> None:
    """Compute the sha256 of all installed weights again, or of each MODEL's."""
    with as_usage_error():
        for name in names:
            find_card(name)
    verdicts = _do(verify_steps(names), "verify")
    for found in verdicts:
        say(f"{found.name}: {found.state} {found.sha256[:12]}".strip())
    write_report({"models": [asdict(found) for found in verdicts]}, json_path)
    bad = [found for found in verdicts if found.state != "ok"]
    if bad:
        fail([f"{found.name} is {found.state}: {found.path}. Install it again." for found in bad])


@models.group("catalogues")
def catalogues() -> None:
    """More places to get models from: a lab's folder or address."""


@catalogues.command("list")
def list_catalogues() -> None:
    """List the catalogues that were added."""
    for place in catalogue_places():
        click.echo(printable(place))


@catalogues.command("add")
@click.argument("place")
def add(place: str) -> None:
    """Add the catalogue at PLACE, a folder or an address; again to fetch it anew."""
    cards = _do(add_catalogue(place), "catalogue")
    say(f"{place} offers: {', '.join(card.name for card in cards)}")


@catalogues.command("remove")
@click.argument("place")
def forget(place: str) -> None:
    """Forget the catalogue at PLACE; its models that were installed stay."""
    with as_usage_error():
        remove_catalogue(place)


def _do(steps: Steps[Any], title: str) -> Any:
    try:
        return run_with_bar(steps, title)
    except USER_ERRORS as error:
        fail([one_line(error)])
