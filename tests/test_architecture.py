"""Who imports whom, read from the syntax tree; and what a plain import costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "napari_ssp"

GROUND = {
    *("image", "place", "progress", "atomic", "labels", "schema", "scratch", "text"),
    *("preferences", "threads"),
}
#: Rooms of the package, and what of ours each may import besides itself and its own sub-rooms.
ROOMS = {
    "widgets": {"service", "registry", "io", "measure", "metrics"} | GROUND,
    "cli": {"service", "registry", "io", "measure", "metrics", "datasets"} | GROUND,
    "service": {"training", "registry", "networks", "engine", "flows", "io", "measure", "metrics"}
    | GROUND,
    "training": {"networks", "engine", "flows", "registry", "metrics"} | GROUND,
    "datasets": {"io", "registry", "training", "engine"} | GROUND,
    # Downloads are long work, and long work yields Progress.
    "registry": {"networks"} | GROUND,
    "engine": GROUND,
    "flows": GROUND,
    "io": GROUND,
    "measure": GROUND,
    "metrics": GROUND,
    "networks": set(),
    "image": set(),
    "place": {"image"},
    "progress": set(),
    "atomic": set(),
    "labels": set(),
    "schema": set(),
    "scratch": set(),
    "text": set(),
    "preferences": set(),
    "threads": {"preferences"},
    "__init__": {"image", "service"},
}
#: Sub-rooms, and which rooms beside them each may lean on. A sub-room may always import the folder
#: that it lies in, its ground; the files there may compose what lies in their sub-rooms.
SUB_ROOMS: dict[str, set[str]] = {
    "cli/batch": set(),
    "cli/evaluate": set(),
    "cli/objects": set(),
    "cli/training": set(),
    "engine/acceleration": set(),
    "engine/criticism": set(),
    "flows/editing": set(),
    "io/czi": set(),
    "io/lif": set(),
    "io/nd2": set(),
    "io/ngff": set(),
    "io/objects": set(),
    "io/tiff": set(),
    "io/tracks": set(),
    "registry/bioimage": set(),
    "registry/exporting": set(),
    "registry/importing": {"registry/bioimage"},
    "registry/pretrained": {"registry/importing", "registry/transfer"},
    "registry/transfer": set(),
    "training/critic": set(),
    "training/expansion": {"training/critic"},
    "training/segmentation": set(),
    "training/structures": set(),
    "service/annotation": {"service/review"},
    "service/blocks": {"service/segmentation"},
    # Objects are named, and files beside labels kept, as those of a review.
    "service/classes": {"service/review"},
    "service/compartments": {"service/segmentation"},
    # What travels: reviews with their labels, trainings with their data.
    "service/compute": {"service/review", "service/training"},
    "service/compute/queues": set(),
    "service/compute/trainings": {"service/training"},
    "service/packages": {"service/segmentation", "service/structures"},
    "service/review": {"service/training/segmentation"},
    "service/segmentation": set(),
    # A series lies in a folder as training data do.
    "service/series": {
        "service/annotation",
        "service/review",
        "service/segmentation",
        "service/training/segmentation",
    },
    "service/structures": {"service/segmentation"},
    "service/tracking": set(),
    "service/training": set(),
    # Images and labels are paired in one way.
    "service/training/critic": {"service/training/segmentation"},
    "service/training/expansion": {"service/training/segmentation"},
    "service/training/segmentation": set(),
    "service/training/structures": {"service/structures"},
    "widgets/forms": set(),
    "widgets/layers": set(),
    "widgets/docks": {"widgets/forms", "widgets/layers"},
    # Clicks are those of Edit, examples are kept as decisions are, features are those of Measure.
    "widgets/classes": {
        "widgets/docks",
        "widgets/forms",
        "widgets/layers",
        "widgets/compare",
        "widgets/edit",
        "widgets/measure",
        "widgets/review",
    },
    "widgets/compare": {"widgets/docks", "widgets/forms", "widgets/layers"},
    "widgets/compartments": {"widgets/docks", "widgets/forms", "widgets/layers", "widgets/measure"},
    "widgets/edit": {"widgets/docks", "widgets/forms", "widgets/layers"},
    "widgets/measure": {"widgets/docks", "widgets/forms", "widgets/layers", "widgets/compare"},
    "widgets/models": {"widgets/docks"},
    "widgets/predict": {"widgets/docks", "widgets/forms", "widgets/layers", "widgets/measure"},
    "widgets/review": {
        "widgets/docks",
        "widgets/forms",
        "widgets/layers",
        "widgets/compare",
        "widgets/measure",
        "widgets/train/collect",
    },
    # The critic beside a model does what Review does.
    "widgets/segment": {"widgets/docks", "widgets/forms", "widgets/layers", "widgets/review"},
    # Images of a series are segmented as the Segment dock says.
    "widgets/series": {"widgets/docks", "widgets/forms", "widgets/layers", "widgets/segment"},
    "widgets/track": {"widgets/docks", "widgets/forms", "widgets/layers", "widgets/compare"},
    "widgets/train": {"widgets/docks", "widgets/forms", "widgets/layers", "widgets/compare"},
    "widgets/train/collect": {"widgets/docks", "widgets/forms", "widgets/layers"},
}
#: Files of a folder at most; a folder of more is an attic.
MOST_FILES = 22
NETWORK_LIBRARIES = {"torch", "monai", "segmentation_models_pytorch", "timm", "lazy_loader"}
VIEWER_LIBRARIES = {"qtpy", "napari", "magicgui", "superqt", "PyQt6", "PySide6"}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _module(path: Path) -> str:
    parts = ("napari_ssp", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _sub_room(path: Path) -> str:
    return path.relative_to(PACKAGE).parent.as_posix()


def _lies_in(room: str, other: str) -> bool:
    return room == other or room.startswith(f"{other}/")


SOURCES = sorted(PACKAGE.rglob("*.py"))
SOURCES_OF = {room: [path for path in SOURCES if _room(path) == room] for room in ROOMS}
MODULES = {_module(path): path for path in SOURCES}


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Names of what a file imports: modules, and names of modules."""
    return tuple(_find_imports(path))


def _find_imports(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} uses a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _imported_files(path: Path) -> set[Path]:
    return {MODULES[name] for name in _imports(path) if name in MODULES} - {path}


def test_every_room_is_in_the_table() -> None:
    assert {_room(path) for path in SOURCES} == set(ROOMS)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_rooms_import_only_what_they_may(room: str) -> None:
    forbidden = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in SOURCES_OF[room]
        for name in _imports(path)
        if (parts := name.split("."))[0] == "napari_ssp" and len(parts) > 1
        if parts[1] not in ROOMS[room] | {room, "__version__"}
    ]
    assert forbidden == []


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_sub_rooms_lean_only_on_those_they_may(room: str) -> None:
    forbidden = [
        f"{path.relative_to(PACKAGE)}: {_module(other)}"
        for path in SOURCES_OF[room]
        for other in _imported_files(path)
        if _room(other) == room and not _may_lean(_sub_room(path), _sub_room(other))
    ]
    assert forbidden == []


def _may_lean(here: str, there: str) -> bool:
    return _lies_in(here, there) or _lies_in(there, here) or there in SUB_ROOMS[here]


def test_every_sub_room_is_in_the_table() -> None:
    folders = {_sub_room(path) for path in SOURCES}
    assert {folder for folder in folders if "/" in folder} == set(SUB_ROOMS)


def test_no_folder_is_an_attic() -> None:
    count = Counter(_sub_room(path) for path in SOURCES)
    assert {folder: n for folder, n in count.items() if n > MOST_FILES} == {}


def test_no_files_import_each_other_in_a_circle() -> None:
    # A package's __init__ only lists names for others; what lies in it need not know it.
    inside = [path for path in SOURCES if path.name != "__init__.py"]
    open_edges = {path: _imported_files(path) & set(inside) for path in inside}
    while free := {path for path, others in open_edges.items() if not others}:
        open_edges = {p: others - free for p, others in open_edges.items() if p not in free}
    assert {_module(p): sorted(map(_module, others)) for p, others in open_edges.items()} == {}


@pytest.mark.parametrize("room", sorted(ROOMS.keys() - {"widgets"}))
def test_only_widgets_know_the_viewer(room: str) -> None:
    known = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in SOURCES_OF[room]
        for name in _imports(path)
        if name.split(".")[0] in VIEWER_LIBRARIES
    ]
    assert known == []


def test_networks_know_only_their_libraries() -> None:
    standard = sys.stdlib_module_names
    for path in sorted((PACKAGE / "networks").glob("*.py")):
        top = {name.split(".")[0] for name in _imports(path)} - set(standard) - {"napari_ssp"}
        assert top <= NETWORK_LIBRARIES, path.name


def test_no_two_files_of_tests_have_one_name() -> None:
    count = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert {name: n for name, n in count.items() if n > 1} == {}  # pytest takes only one of them


def test_no_file_is_called_utils() -> None:
    assert not [path for path in SOURCES if "util" in path.stem]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("napari_ssp", {"torch", "qtpy", "napari", "magicgui"}),
        ("napari_ssp.service", {"torch", "qtpy", "napari", "magicgui", "scipy.stats"}),
        ("napari_ssp.registry", {"torch"}),
        ("napari_ssp.cli", {"torch", "qtpy", "napari"}),
    ],
)
def test_importing_stays_light(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(' '.join(sorted({absent!r} & set(sys.modules))))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


def test_nothing_is_loaded_unsafely() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert "weights_only=False" not in text, path.name
        if path.name != "cellpose_files.py":  # whose reader calls nothing that a file names
            assert "import pickle" not in text, path.name
        for call in text.split("torch.load(")[1:]:
            assert "weights_only=True" in call.split("\n\n")[0], path.name


#: First words of riddles and orders; a module's docstring begins with what the module is.
NOT_NOUNS = set(
    "What Where How Which Who When Tell Tells Takes Between From Bring Brings Read Write Run Make "
    "Go Open Import Export Prove Unpack Prepare Measure Predict Look Spread Recognise "
    "Download".split()
)


def test_module_docstrings_say_what_they_are() -> None:
    wrong = {}
    for path in PACKAGE.rglob("*.py"):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if text.split() and text.split()[0].strip(",:.") in NOT_NOUNS:
            wrong[str(path.relative_to(PACKAGE))] = text.splitlines()[0]
    assert not wrong, wrong


#: Arguments of a call that are told apart by their place; more are named.
MOST_UNNAMED = 6


def test_no_call_has_more_than_six_unnamed_arguments() -> None:
    crowded = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                # A list of names, as of request_options, has no places to be mixed up.
                words = [isinstance(one, ast.Constant) for one in node.args[1:]]
                if len(node.args) > MOST_UNNAMED and not all(words):
                    crowded.append(f"{_module(path)}:{node.lineno}")
    assert not crowded, crowded


def test_names_in_docstrings_are_there() -> None:
    wrong = []
    for path in SOURCES:
        for name in re.findall(r"`~?(napari_ssp(?:\.\w+)+)`", path.read_text(encoding="utf-8")):
            try:
                resolve_name(name)
            except (ImportError, AttributeError):
                wrong.append((path.name, name))
    assert wrong == []
