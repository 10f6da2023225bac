"""The words for where to compute, and what each of them means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.service.compute.bundle import Bundle, check_address, known_bundle
from napari_ssp.service.compute.extra import needs_extra
from napari_ssp.service.compute.queues.cluster_file import CLUSTER_SUFFIX, ClusterFile

if TYPE_CHECKING:
    from napari_ssp.service.compute.cluster import Cluster

LOCAL, PROCESSES = "local", "processes"
#: For the help of commands and forms.
HELP = (
    "Where networks run: local, processes or processes:N (beside this one), a server's client "
    "bundle (a file) or address (tls://host:8786), or a cluster file (.toml)"
)


@dataclass(frozen=True)
class Place:
    """Where to compute.

    Attributes
    ----------
    kind : str
        ``"local"``, ``"processes"``, ``"server"`` or ``"cluster"``.
    workers : int or None
        Of processes, how many; None leaves it open.
    bundle : Bundle or None
        Of a server.
    cluster : ClusterFile or None
        Of a cluster.
    """

    kind: str
    workers: int | None = None
    bundle: Bundle | None = None
    cluster: ClusterFile | None = None


def find_place(compute: str | Path) -> Place:
    """Place that a word or a file means.

    Raises
    ------
    ValueError
        When it means none, or an address has no certificate to go with it.
    """
    text = str(compute)
    if text == LOCAL:
        return Place(LOCAL)
    word, _, number = text.partition(":")
    if word == PROCESSES:
        if number and not (number.isdecimal() and int(number) > 0):
            raise ValueError(f"'{text}': give a number of processes, e.g. {PROCESSES}:4.")
        return Place(PROCESSES, int(number) if number else None)
    if "://" in text:
        return Place("server", bundle=_find_bundle(text))
    if Path(text).is_file() and Path(text).suffix.lower() == CLUSTER_SUFFIX:
        return Place("cluster", cluster=ClusterFile.read(Path(text)))
    if Path(text).is_file():
        return Place("server", bundle=Bundle.read(Path(text)))
    raise ValueError(
        f"'{text}' is no place to compute at: give {LOCAL}, {PROCESSES}, the file of a client "
        "bundle or of a cluster that is there, or an address like tls://host:8786."
    )


def open_cluster(compute: str | Path) -> Cluster | None:
    """Prepare a connection to where a word means; None for this process.

    Raises
    ------
    ValueError
        As `find_place`.
    ImportError
        When what it needs is not installed; the message says how to install it.
    """
    place = find_place(compute)
    if place.kind == LOCAL:
        return None
    with needs_extra():
        from napari_ssp.service.compute.cluster import Cluster
        from napari_ssp.service.compute.processes import OwnServer
    if place.bundle is not None:
        bundle = place.bundle
        return Cluster(lambda: bundle)
    if place.cluster is not None:
        with needs_extra("cluster"):
            import dask_jobqueue  # noqa: F401
        place.cluster.check_command()
    own = OwnServer(place.workers, place.cluster)
    most = place.cluster.workers if place.cluster else 0
    return Cluster(own.start, own.close, shares_files=True, most_workers=most)


def _find_bundle(address: str) -> Bundle:
    check_address(address)
    if address.startswith("tcp:"):
        return Bundle(address)
    bundle = known_bundle()
    if bundle is None or bundle.address.rstrip("/") != address.rstrip("/"):
        raise ValueError(
            f"{address} lets in only who has its client bundle: give the file that 'napari-ssp "
            "serve' has written there, instead of the address."
        )
    return bundle
