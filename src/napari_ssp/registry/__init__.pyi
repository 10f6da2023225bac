from .bioimage.operations import apply_operations as apply_operations
from .card import (
    CELLPOSE as CELLPOSE,
    CRITIC as CRITIC,
    ERRORS as ERRORS,
    FLOWS as FLOWS,
    IMAGES as IMAGES,
    OBJECTS as OBJECTS,
    PACKAGE as PACKAGE,
    PROBABILITY as PROBABILITY,
    STUDENT as STUDENT,
    TEACHER as TEACHER,
    CriticCalibration as CriticCalibration,
    ModelCard as ModelCard,
    Remote as Remote,
)
from .catalogue import (
    find_card as find_card,
    find_family as find_family,
    find_in_catalogue as find_in_catalogue,
    is_installed as is_installed,
    is_users as is_users,
    list_cards as list_cards,
    list_catalogue as list_catalogue,
)
from .catalogues import (
    add_catalogue as add_catalogue,
    catalogue_places as catalogue_places,
    remove_catalogue as remove_catalogue,
)
from .cellpose_models import (
    cellpose_weights as cellpose_weights,
    with_cellpose_digest as with_cellpose_digest,
)
from .critics import find_critic as find_critic
from .describing import (
    card_lines as card_lines,
    matches as matches,
    size_words as size_words,
    state_words as state_words,
    task_words as task_words,
)
from .digests import file_sha256 as file_sha256
from .exporting.bioimage import export_bioimage_steps as export_bioimage_steps
from .exporting.onnx import export_onnx_steps as export_onnx_steps
from .folders import cache_folder as cache_folder, data_folder as data_folder
from .importing.steps import import_checkpoint as import_checkpoint, import_steps as import_steps
from .installed import (
    Verdict as Verdict,
    removable as removable,
    remove_model as remove_model,
    verify_steps as verify_steps,
)
from .model_archive import export_steps as export_steps
from .model_download import DownloadError as DownloadError, download_steps as download_steps
from .trust import UntrustedError as UntrustedError
from .weights import load_model as load_model, save_model as save_model
