"""Entry point of ``python -m napari_ssp.cli``."""

from napari_ssp.cli import main

main(prog_name="napari-ssp")
