"""Models: what they are (cards), where they are (catalogue), and their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from napari_ssp.registry.bioimage.operations import apply_operations
    from napari_ssp.registry.card import (
        CELLPOSE,
        FLOWS,
        IMAGES,
        OBJECTS,
        PACKAGE,
        PROBABILITY,
        ModelCard,
        Remote,
    )
    from napari_ssp.registry.catalogue import (
        find_card,
        find_family,
        find_in_catalogue,
        is_installed,
        is_users,
        list_cards,
        list_catalogue,
    )
    from napari_ssp.registry.catalogues import add_catalogue, catalogue_places, remove_catalogue
    from napari_ssp.registry.cellpose_models import cellpose_weights, with_cellpose_digest
    from napari_ssp.registry.describing import (
        card_lines,
        matches,
        size_words,
        state_words,
        task_words,
    )
    from napari_ssp.registry.digests import file_sha256
    from napari_ssp.registry.exporting.bioimage import export_bioimage_steps
    from napari_ssp.registry.exporting.onnx import export_onnx_steps
    from napari_ssp.registry.folders import cache_folder
    from napari_ssp.registry.importing.steps import import_checkpoint, import_steps
    from napari_ssp.registry.installed import Verdict, removable, remove_model, verify_steps
    from napari_ssp.registry.model_archive import export_steps
    from napari_ssp.registry.model_download import download_steps
    from napari_ssp.registry.trust import UntrustedError
    from napari_ssp.registry.weights import load_model, save_model

_NAMES = {
    "exporting.bioimage": ["export_bioimage_steps"],
    "bioimage.operations": ["apply_operations"],
    "card": [
        "CELLPOSE",
        "FLOWS",
        "IMAGES",
        "OBJECTS",
        "PACKAGE",
        "PROBABILITY",
        "ModelCard",
        "Remote",
    ],
    "catalogue": [
        "find_family",
        "find_card",
        "find_in_catalogue",
        "is_installed",
        "is_users",
        "list_cards",
        "list_catalogue",
    ],
    "cellpose_models": ["cellpose_weights", "with_cellpose_digest"],
    "describing": ["card_lines", "matches", "size_words", "state_words", "task_words"],
    "catalogues": ["add_catalogue", "catalogue_places", "remove_catalogue"],
    "model_download": ["download_steps"],
    "importing.steps": ["import_checkpoint", "import_steps"],
    "installed": ["Verdict", "removable", "remove_model", "verify_steps"],
    "exporting.onnx": ["export_onnx_steps"],
    "model_archive": ["export_steps"],
    "trust": ["UntrustedError"],
    "folders": ["cache_folder"],
    "digests": ["file_sha256"],
    "weights": ["load_model", "save_model"],
}

__all__ = [
    "CELLPOSE",
    "FLOWS",
    "IMAGES",
    "OBJECTS",
    "PACKAGE",
    "PROBABILITY",
    "ModelCard",
    "Remote",
    "UntrustedError",
    "Verdict",
    "add_catalogue",
    "apply_operations",
    "cache_folder",
    "card_lines",
    "catalogue_places",
    "cellpose_weights",
    "download_steps",
    "export_bioimage_steps",
    "export_onnx_steps",
    "export_steps",
    "file_sha256",
    "find_card",
    "find_family",
    "find_in_catalogue",
    "import_checkpoint",
    "import_steps",
    "is_installed",
    "is_users",
    "list_cards",
    "list_catalogue",
    "load_model",
    "matches",
    "removable",
    "remove_catalogue",
    "remove_model",
    "save_model",
    "size_words",
    "state_words",
    "task_words",
    "verify_steps",
    "with_cellpose_digest",
]

__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_NAMES)
