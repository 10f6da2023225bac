from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_ssp.service import StructurePrediction
from napari_ssp.widgets.layers.contrast import sample_contrast
from napari_ssp.widgets.layers.result_layers import ResultLayers
from napari_ssp.widgets.predict.results import PreparedStructures, prepare_structures
from napari_ssp.widgets.predict.structure_colours import structure_colours

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ALLEN = (
    "alpha_tubulin",
    "beta_actin",
    "desmoplakin",
    "dna",
    "fibrillarin",
    "lamin_b1",
    "membrane_caax_63x",
    "myosin_iib",
    "sec61_beta",
    "st6gal1",
    "tom20",
    "zo1",
)


def _prepared(images: dict[str, NDArray[Any]], **arguments: Any) -> PreparedStructures:
    result = StructurePrediction(images, provenance={"seconds": 1.0}, **arguments)
    return prepare_structures(result, channel=0, colours=structure_colours(tuple(images)))


def test_limits_leave_out_the_background_and_the_brightest() -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(size=(20, 100, 90)).astype(np.float32)
    array[3, 4, 5] = 1000
    contrast = sample_contrast(array)
    low, high = contrast.limits
    assert low == pytest.approx(np.percentile(array, 40), abs=0.05)
    assert high == pytest.approx(np.percentile(array, 99.8), rel=0.1)
    assert contrast.span[0] == pytest.approx(array.min(), rel=0.3)


@pytest.mark.parametrize("value", [0.0, -3.5, np.nan])
def test_limits_of_a_constant_volume_are_not_empty(value: float) -> None:
    low, high = sample_contrast(np.full((3, 4, 5), value, np.float32)).limits
    assert low < high


def test_sparse_structures_are_seen() -> None:
    array = np.zeros((4, 64, 64), np.float32)
    array[2, 3, 4] = 7
    low, high = sample_contrast(array).limits
    assert (low, high) == (0, 7)


class Counted(np.ndarray[Any, Any]):
    """Counts the voxels that are asked for."""

    read = 0

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        Counted.read += part.size
        return part


def test_of_a_large_volume_only_a_sample_is_read() -> None:
    array = np.broadcast_to(np.float32(1), (64, 4096, 4096)).view(Counted)
    sample_contrast(array)
    assert 0 < Counted.read < 2_000_000


def test_colours_are_usual_and_all_different() -> None:
    colours = structure_colours(ALLEN)
    assert len(set(colours.values())) == 12
    assert colours["dna"] == structure_colours(["DAPI"])["DAPI"] == "bop blue"
    assert colours["lamin_b1"] == structure_colours(["nuclear_envelope"])["nuclear_envelope"]
    many = structure_colours([f"dna {i}" for i in range(30)])
    assert len(many) == 30
    assert len(set(many.values())) == 12


def test_memory_maps_reach_the_layers_as_they_are(tmp_path: Path) -> None:
    image = np.memmap(tmp_path / "dna", np.float32, "w+", shape=(5, 6, 3))
    image[:] = np.arange(90).reshape(5, 6, 3)
    viewer = ViewerModel()
    source = viewer.add_image(np.zeros((2, 9, 6, 3)), name="cells", axis_labels=tuple("tzyx"))
    ResultLayers(viewer).show(_prepared({"dna": image}, origin=(1, 4, 0, 0)), source)
    layer = viewer.layers["cells dna"]
    assert isinstance(layer.data, np.memmap)
    assert np.shares_memory(layer.data, image)
    assert layer.data.shape == (1, 5, 6, 3)
    assert not layer.rgb
    np.testing.assert_array_equal(layer.translate, (1, 4, 0, 0))
    assert (layer.blending, layer.colormap.name) == ("additive", "bop blue")


def test_a_new_run_renews_limits_that_nobody_chose() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 4, 30, 30)).astype(np.float32)
    viewer = ViewerModel()
    source = viewer.add_image(np.zeros((4, 30, 30)))
    results = ResultLayers(viewer)
    results.show(_prepared({"dna": first}), source)
    layer = viewer.layers[-1]
    before = tuple(layer.contrast_limits)
    results.show(_prepared({"dna": 2 * second}), source)
    assert viewer.layers[-1] is layer
    assert layer.contrast_limits[1] > 1.5 * before[1]

    layer.contrast_limits = (0.5, 1.5)
    results.show(_prepared({"dna": first}), source)
    assert tuple(layer.contrast_limits) == (0.5, 1.5), "a person chose them"
    results.show(_prepared({"dna": first * 30 + 1000}), source)
    assert layer.contrast_limits[0] > 900, "they would show nothing in other units"
