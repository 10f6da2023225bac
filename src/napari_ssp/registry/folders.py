"""The folders of models: the shipped ones, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile

import platformdirs

from napari_ssp.preferences import read_preferences

#: Environment variable that moves all folders of the user's.
MOVED_BY = "NAPARI_SSP_CACHE"
#: Shipped model of cells that is taken where nobody chose one.
DEFAULT_MODEL = "mediar-starter"
STARTER_FOLDER = Path(__file__).resolve().parent / "starter"


def cache_folder() -> Path:
    """Folder of the user's models; ``NAPARI_SSP_CACHE`` moves it."""
    chosen = os.environ.get(MOVED_BY)
    return Path(chosen) if chosen else platformdirs.user_cache_path("napari-ssp", appauthor=False)


def data_folder() -> Path:
    """Folder of what the user has decided, which no clearing of caches takes away.

    ``NAPARI_SSP_CACHE`` moves it, too.
    """
    chosen = os.environ.get(MOVED_BY)
    return Path(chosen) if chosen else platformdirs.user_data_path("napari-ssp", appauthor=False)


def models_folder() -> Path:
    """Folder that models are imported and downloaded to.

    ``NAPARI_SSP_CACHE`` comes first, then the folder of the preferences, then the user's cache.
    """
    preferred = "" if os.environ.get(MOVED_BY) else read_preferences().folder
    return Path.home() / os.path.expanduser(preferred) if preferred else _models_in_cache()


def models_folders() -> list[Path]:
    """Folders of the user's models: the one for new ones, then the one before a preference."""
    return list(dict.fromkeys((models_folder(), _models_in_cache())))


def make_models_folder() -> Path:
    """Make the folder that models are imported and downloaded to, and try to write there.

    Raises
    ------
    OSError
        When that cannot be; the message says how to choose another folder.
    """
    folder = models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise OSError(
            f"No model can be stored in the folder '{folder}' ({error.strerror or error}). Choose "
            f"another one in napari's Preferences, under napari-ssp, or with the "
            f"environment variable {MOVED_BY}."
        ) from error


def _models_in_cache() -> Path:
    return cache_folder() / "models"
