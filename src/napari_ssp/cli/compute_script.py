"""``napari-ssp compute-script``: the job script that a cluster file leads to."""

from __future__ import annotations

from pathlib import Path

import click

from napari_ssp.cli.reporting import as_usage_error
from napari_ssp.service.compute.extra import needs_extra
from napari_ssp.service.compute.queues.cluster_file import ClusterFile


@click.command("compute-script")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def compute_script(file: Path) -> None:
    """Print the script of a job that --compute FILE submits; nothing is submitted.

    FILE is a cluster file (.toml). Words in capitals stand for what is known when it is submitted.
    """
    with as_usage_error():
        cluster = ClusterFile.read(file)
        with needs_extra("cluster"):
            from napari_ssp.service.compute.queues.job_cluster import write_job_script
        click.echo(write_job_script(cluster), nl=False)
