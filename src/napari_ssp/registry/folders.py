"""The folders of models: the shipped ones, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

#: Shipped model of cells that is taken where nobody chose one.
DEFAULT_MODEL = "mediar-starter"
STARTER_FOLDER = Path(__file__).resolve().parent / "starter"


def cache_folder() -> Path:
    """Folder of the user's models; ``NAPARI_SSP_CACHE`` moves it."""
    chosen = os.environ.get("NAPARI_SSP_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("napari-ssp", appauthor=False)


def data_folder() -> Path:
    """Folder of what the user has decided, which no clearing of caches takes away.

    ``NAPARI_SSP_CACHE`` moves it, too.
    """
    chosen = os.environ.get("NAPARI_SSP_CACHE")
    return Path(chosen) if chosen else platformdirs.user_data_path("napari-ssp", appauthor=False)


def models_folder() -> Path:
    """Folder that models are imported and downloaded to."""
    return cache_folder() / "models"
