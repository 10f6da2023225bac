"""Values that the kept files were written with, and so must be read with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Values = dict[str, Any]

#: Networks that are as small as they can be.
CELLS: Values = {
    "encoder": "tu-test_efficientnet",
    "decoder_channels": [8, 8, 8, 8],
    "pab_channels": 4,
}
STRUCTURES: Values = {"num_tasks": 3, "base_channels": 1}
TASKS = ("dna", "lamin_b1", "nucleoli")

CELLS_CARD: Values = {
    "name": "tiny-cells",
    "family": "mediar",
    "network": CELLS,
    "window": (64, 64),
}
STRUCTURES_CARD: Values = {
    "name": "tiny-structures",
    "family": "repmode",
    "network": STRUCTURES,
    "axes": "zyx",
    "window": (16, 32, 32),
    "voxel_size": (0.29, 0.29, 0.29),
    "tasks": TASKS,
    "task_descriptions": {"dna": "DNA in the nucleus"},
    "target_statistics": {"dna": (120.0, 30.0)},
}
REMOTE: Values = {
    "name": "every-field.pth",
    "urls": ("files/every-field.pth", "https://mirror.example.org/every-field.pth"),
    "page": "https://lab.example.org/every-field",
    "sha256": "ab" * 32,
    "md5": "cd" * 16,
    "size": 123456,
}
#: Every entry of a card but its members, which exclude a file.
EVERY_FIELD_CARD: Values = {
    "name": "every-field",
    "family": "repmode",
    "network": {"num_tasks": 3, "base_channels": 1, "own_experts": [2]},
    "sha256": "12" * 32,
    "axes": "zyx",
    "window": (16, 32, 48),
    "zoom": 1.5,
    "object_diameter": 21.5,
    "voxel_size": (0.5, 0.25, 0.125),
    "tasks": ("dna", "lamin_b1", "fibrillarin µ"),
    "task_descriptions": {"dna": "DNA in the nucleus", "lamin_b1": "Envelope"},
    "target_statistics": {"dna": (120.5, 30.25), "lamin_b1": (7.0, 0.5)},
    "description": "All entries, with “signs” of other alphabets: µm, ×, é.",
    "licence": "CC-BY-4.0",
    "citation": "Somebody: Something (2026)",
    "training_data": "Seven stacks",
    "figures": {"pcc": 0.75, "mse dna": 0.5},
    "origin": "imported from every-field.pth",
    "parameters": 4321,
}
ENSEMBLE_CARD: Values = {
    "name": "lab-ensemble",
    "family": "mediar",
    "network": {},
    "sha256": "",
    "members": ("tiny-cells", "lab-cells"),
}
#: A lab's catalogue that is fetched from here.
ADDRESS = "https://lab.example.org/models/catalogue.json"

IMAGE = "images/two words.tif"
STACK = "images/stack.ome.tif"
_IMAGE_VALUES: Values = {
    "axes": "tczyx",
    "voxel_size": (2.0, 0.5, 0.25),
    "channel": 1,
    "region": (1, 30, -2, 40),
    "device": "cpu",
    "precision": "float32",
    "overlap": 0.25,
    "batch_size": 4,
}
#: Every field of a request at another value than its default.
SEGMENT: Values = {
    **_IMAGE_VALUES,
    "model": "tiny-cells+tiny-cells",
    "plane": (0, 1),
    "diameter": 21.5,
    "tta": True,
    "eightfold": True,
    "cell_threshold": 0.3,
    "flow_threshold": 0.7,
    "min_size": 5,
    "hole_size": 9,
    "stacks": "linked",
    "link_overlap": 0.5,
    "tile": 128,
}
#: Thresholds that a slider set after a run.
REFINED: Values = {
    "cell_threshold": 0.3,
    "flow_threshold": 0.7,
    "min_size": 5,
    "hole_size": 9,
}
PREDICT: Values = {
    **_IMAGE_VALUES,
    "tasks": ("nucleoli", "dna"),
    "model": "tiny-structures",
    "time": 2,
    "z_range": (1, 17),
    "measured_units": True,
}
TRAIN_DATA: Values = {"data": (Path("training/cells"),)}
TRAIN: Values = {
    "data": (Path("training/cells"), Path("tables/cells.csv")),
    "validation": (Path("more/validation"),),
    "name": "other-cells",
    "exclude": ("first", "second"),
    "base": "tiny-cells",
    "encoder": "mit_b0",
    "decoder_channels": (64, 32, 16, 8, 4),
    "pab_channels": 12,
    "minutes": 12.5,
    "epochs": 3.5,
    "steps": 77,
    "learning_rate": 0.00025,
    "weight_decay": 0.125,
    "smoothing": 0.5,
    "batch_size": 6,
    "zoom": 0.75,
    "crop": 96,
    "augmentation": "light",
    "sampling": "even",
    "boundary_exclusion": True,
    "ignore_label": 255,
    "trainable": "lora",
    "keep_statistics": False,
    "lora_rank": 3,
    "replay": (Path("more/replay"),),
    "replay_share": 0.5,
    "most_forgotten": 0.25,
    "most_learned": 0.5,
    "install": "never",
    "seed": 11,
    "workers": 2,
    "device": "cpu",
    "precision": "float32",
}
TRAIN_STRUCTURES_DATA: Values = {"data": (Path("training/tubulin"),)}
TRAIN_STRUCTURES: Values = {
    "data": (Path("training/tubulin"), Path("tables/structures.csv")),
    "validation": (Path("prepared"),),
    "exclude": ("first",),
    "tasks": ("dna", "lamin_b1", "nucleoli", "tubulin"),
    "descriptions": {"tubulin": "Microtubules, µm thin"},
    "crop": (16, 32, 48),
    "name": "other-structures",
    "base": "tiny-structures",
    "like": "dna",
    "own_expert": False,
    "install": "always",
    "recipe": "few-images",
    "projection": "mean",
    "voxel_size": (0.5, 0.25, 0.125),
    "base_channels": 4,
    "minutes": 12.5,
    "steps": 77,
    "learning_rate": 0.00025,
    "batch_size": 6,
    "seed": 11,
    "workers": 2,
    "device": "cpu",
}
#: Choices that a person keeps in a file of their own for ``--config``.
CONFIGURATION: Values = {
    "name": "configured",
    "encoder": CELLS["encoder"],
    "decoder_channels": CELLS["decoder_channels"],
    "pab_channels": CELLS["pab_channels"],
    "minutes": None,
    "steps": 1,
    "batch_size": 2,
    "crop": 32,
    "augmentation": "turns",
    "install": "never",
    "seed": 7,
    "device": "cpu",
}
