"""``napari-ssp data``: published collections, downloaded and prepared for training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.reporting import (
    USER_ERRORS,
    as_usage_error,
    fail,
    json_option,
    one_line,
    run_with_bar,
    say,
    write_report,
)
from napari_ssp.datasets.fetching import PUBLISHED_URL, FetchRequest, fetch_steps
from napari_ssp.datasets.tables import read_tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.cli.options import Function
    from napari_ssp.progress import Steps

_tables = click.option(
    "--csv",
    "tables",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Table with columns path_czi, channel_signal, channel_target, named after its structure; "
    "or a folder of tables.",
)


#: Most remarks on single files that are shown.
_LISTED = 5


def _output(what: str) -> Callable[[Function], Function]:
    folder = click.Path(file_okay=False, path_type=Path)
    return click.option("-o", "--output", required=True, type=folder, help=what)


@click.group()
def data() -> None:
    """Download and prepare collections of stacks."""


@data.group("download")
def download_group() -> None:
    """Download collections; an interrupted download goes on."""


@data.group("prepare")
def prepare_group() -> None:
    """Prepare collections for training."""


@download_group.command("structures")
@_tables
@_output("Folder of the files, in one folder per dataset.")
@click.option(
    "--base-url",
    default=PUBLISHED_URL,
    help="Where the files are; without it, the Allen Institute's label-free collection, which has "
    "its own terms of use.",
)
@click.option(
    "--archives/--files",
    default=True,
    show_default=True,
    help="One NAME.tar.gz per dataset at the address, or the files as the tables name them.",
)
@click.option(
    "--checksums",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="List as sha256sum or md5sum print it.",
)
@click.option("--keep-archives", is_flag=True, help="Keep archives after unpacking them.")
@json_option
def download_structures(json_path: Path | None, tables: tuple[Path, ...], **choices: Any) -> None:
    """Download the transmitted-light stacks of tables.

    A column 'url' in a table goes before --base-url; columns 'sha256', 'md5' and 'size' are
    verified. What was loaded before an interruption is not loaded again.
    """
    with as_usage_error():
        read_tables(tables)
        request = FetchRequest(tables, **choices)
    done = _run(fetch_steps(request), "download")
    say(f"{done.fetched} files downloaded, {done.kept} were there: {done.folder}")
    report = {"folder": done.folder, "fetched": done.fetched, "kept": done.kept}
    write_report(report, json_path)


@prepare_group.command("structures")
@_tables
@_output("Folder of the prepared data; work that was interrupted in it goes on.")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that the tables' paths start from.",
)
@click.option(
    "--zoom",
    nargs=3,
    type=float,
    default=(1.0, 0.37241, 0.37241),
    show_default=True,
    metavar="Z Y X",
    help="Factors to the network's voxel size; the default is from 0.108 to 0.29 µm in y and x.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float16", "float32"]),
    default="float16",
    show_default=True,
    help="Stored numbers; float16 takes half the space, with an error of 0.05 %.",
)
@click.option("--seed", default=42, show_default=True, help="Of the splits; 42: the published.")
@click.option("--skip-broken", is_flag=True, help="Leave out files that are missing or broken.")
@json_option
def prepare_structures(json_path: Path | None, tables: tuple[Path, ...], **choices: Any) -> None:
    """Divide, normalise and resample stacks as the RepMode paper did, for 'train structures'.

    The table 'dna' is drawn from the files of all others. Stacks are stored one by one and read
    crop by crop; what is stored already is kept.
    """
    from napari_ssp.datasets.preparing import PrepareRequest, prepare_steps

    with as_usage_error():
        read_tables(tables)
        request = PrepareRequest(tables, **choices)
    done = _run(prepare_steps(request), "prepare")
    for line in done.left_out:
        say(f"Left out: {line}")
    for line in done.doubts[:_LISTED]:
        say(line)
    if len(done.doubts) > _LISTED:
        say(f"{len(done.doubts) - _LISTED} more such remarks are in the report (--json).")
    counts = {s: sum(c[s] for c in done.counts.values()) for s in ("train", "val", "test")}
    say(
        f"{counts['train']} pairs to train, {counts['val']} to validate, {counts['test']} to test "
        f"in {done.folder} ({done.made} stacks made, {done.kept} were there). Use them with "
        f"'napari-ssp train structures --data {done.folder}'.",
    )
    report = {
        "folder": done.folder,
        "pairs": done.counts,
        "made": done.made,
        "kept": done.kept,
        "left_out": list(done.left_out),
        "warnings": list(done.doubts),
    }
    write_report(report, json_path)


@prepare_group.command("mitolab")
@click.option(
    "--labelled",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of EMPIAR-11037 (CEM-MitoLab), unpacked: sources with 'images' and 'masks'.",
)
@click.option(
    "--unlabelled",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of EMPIAR-11035 (CEM1.5M), unpacked: images without masks.",
)
@_output("Folder of the prepared data; work that was interrupted in it goes on.")
@click.option("--size", default=224, show_default=True, help="Side of the images, in pixels.")
@click.option("--most-unlabelled", type=int, help="So many images without masks at most.")
@click.option("--seed", default=13, show_default=True, help="Of the splits.")
@click.option("--skip-broken", is_flag=True, help="Leave out images that are broken or lack masks.")
@json_option
def prepare_mitolab(json_path: Path | None, **choices: Any) -> None:
    """Divide electron micrographs with masks of mitochondria into 80 % train, 15 % val, 5 % test.

    Images and masks are paired by their names and resized; what is there already, and whole, is
    kept. Use the folder with 'train student', and its folder 'unlabelled' with 'train expansion'.
    """
    from napari_ssp.datasets.mitolab import MitolabRequest, mitolab_steps

    with as_usage_error():
        request = MitolabRequest(**choices)
    done = _run(mitolab_steps(request), "prepare")
    for line in done.left_out[:_LISTED]:
        say(f"Left out: {line}")
    counts = done.counts
    say(
        f"{counts['train']} images to train, {counts['val']} to validate, {counts['test']} to test "
        f"and {counts['unlabelled']} without masks in {done.folder} ({done.made} made, {done.kept} "
        "were there)."
    )
    report = {
        "folder": done.folder,
        "images": counts,
        "made": done.made,
        "kept": done.kept,
        "left_out": list(done.left_out),
    }
    write_report(report, json_path)


def _run(steps: Steps[Any], title: str) -> Any:
    try:
        return run_with_bar(steps, title)
    except (*USER_ERRORS, ModuleNotFoundError) as error:
        fail([one_line(error)])
