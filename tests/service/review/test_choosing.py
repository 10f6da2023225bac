"""Which critic reviews labels where nobody has chosen one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from skimage import data
from threshold_student import write_threshold_student

import napari_ssp as ssp
from napari_ssp.io import write_image, write_labels
from napari_ssp.io.objects.notes import write_provenance
from napari_ssp.registry import ModelCard, cache_folder
from napari_ssp.service import ReviewRequest, as_command, plan_review, restore_request
from napari_ssp.service.compute.lending import lend, restore_names
from napari_ssp.service.review.ranking import RankFolderRequest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

IMAGE = data.coins()[:64, :70]
NOTE: dict[str, Any] = {"model": {"name": "mito", "family": "student"}}


@pytest.fixture(autouse=True)
def _installed(tiny_critic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A critic that knows the results of 'mito'."""
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "user"))
    install(tiny_critic, "mito-critic")


def install(critic: Path, name: str) -> None:
    folder = cache_folder() / "models" / name
    shutil.copytree(critic, folder)
    replace(ModelCard.read(folder), name=name, reviews=("mito",)).write(folder)


@pytest.fixture
def labels() -> NDArray[np.uint16]:
    found = np.zeros(IMAGE.shape, np.uint16)
    found[5:20, 8:30], found[40:60, 30:44] = 3, 9
    return found


def test_the_critic_that_knows_the_model_is_taken(labels: NDArray[np.uint16]) -> None:
    plan = plan_review(ReviewRequest(IMAGE, labels, made_by="mito"))
    assert plan.card.name == "mito-critic"
    assert plan.summary == "70 × 64 px, by mito-critic, which knows results of mito"
    for maker in (None, "mediar-starter", "somebody"):
        plan = plan_review(ReviewRequest(IMAGE, labels, made_by=maker))
        assert (plan.card.name, plan.reason) == ("critic-starter", "")


def test_a_chosen_critic_always_wins(labels: NDArray[np.uint16], tiny_critic: Path) -> None:
    for chosen, name in (("critic-starter", "critic-starter"), (tiny_critic, "tiny-critic")):
        plan = plan_review(ReviewRequest(IMAGE, labels, chosen, made_by="mito"))
        assert (plan.card.name, plan.reason) == (name, "")


def test_the_note_beside_a_file_names_the_model(labels: NDArray[np.uint16], tmp_path: Path) -> None:
    file = write_labels(tmp_path / "a_label.tif", labels)
    assert plan_review(ReviewRequest(IMAGE, file)).card.name == "critic-starter"
    write_provenance(file, NOTE)
    assert plan_review(ReviewRequest(IMAGE, file)).card.name == "mito-critic"
    other = ReviewRequest(IMAGE, file, made_by="mediar-starter")
    assert plan_review(other).card.name == "critic-starter"
    write_provenance(file, {"model": "of another program"})
    assert plan_review(ReviewRequest(IMAGE, file)).card.name == "critic-starter"


def test_a_result_names_its_critic_and_is_repeated_by_it(
    labels: NDArray[np.uint16], tmp_path: Path, tiny_critic: Path
) -> None:
    write_image(tmp_path / "a.tif", ssp.MicroscopyImage(IMAGE, "yx"))
    file = write_labels(tmp_path / "a_label.tif", labels)
    write_provenance(file, NOTE)
    found = ssp.review(tmp_path / "a.tif", file, device="cpu")
    assert found.provenance["model"]["name"] == "mito-critic"
    assert found.provenance["request"]["model"] == "mito-critic"
    direct = ssp.review(IMAGE, labels, str(tiny_critic), device="cpu")
    np.testing.assert_array_equal(found.error_map, direct.error_map)
    install(tiny_critic, "a-critic-that-came-later")
    again = restore_request(found.provenance)
    assert again.model == "mito-critic"
    assert "--model mito-critic" in as_command(found.provenance)


def test_a_request_travels_with_its_critic(labels: NDArray[np.uint16], tmp_path: Path) -> None:
    file = write_labels(tmp_path / "a_label.tif", labels)
    write_provenance(file, NOTE)
    request = ReviewRequest(IMAGE, file)
    loan = lend(request)
    assert loan.request.model == "mito-critic"
    assert [book.is_named for book in loan.books] == [True]
    found = restore_names(ssp.review(**_fields(loan.request)), request)
    assert found.provenance["request"]["model"] == "mito-critic"
    assert found.provenance["model"]["name"] == "mito-critic"


def _fields(request: ReviewRequest) -> dict[str, Any]:
    names = ("image", "labels", "model", "made_by")
    return {name: getattr(request, name) for name in names} | {"device": "cpu"}


def test_each_image_of_a_folder_has_the_critic_of_its_model(
    labels: NDArray[np.uint16], tmp_path: Path, tiny_critic: Path
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in "ab":
        write_image(folder / f"{name}.tif", ssp.MicroscopyImage(IMAGE, "yx"))
        file = write_labels(folder / f"{name}_label.tif", labels)
    write_provenance(file, NOTE)
    with ssp.ModelService() as service:
        ranking = service.submit(RankFolderRequest(folder, device="cpu")).result(60)
    errors = {image.image.stem: image.error for image in ranking.images}
    assert errors == {
        "a": ssp.review(IMAGE, labels, "critic-starter", device="cpu").image_error,
        "b": ssp.review(IMAGE, labels, str(tiny_critic), device="cpu").image_error,
    }


def test_flows_of_a_student_are_for_critics_that_know_students(
    labels: NDArray[np.uint16], comparing_critic: Path
) -> None:
    write_threshold_student(cache_folder() / "models" / "mito", "mito")
    flows = np.zeros((3, *IMAGE.shape), np.float32)
    asked = ReviewRequest(IMAGE, labels, str(comparing_critic), flows=flows)
    assert plan_review(asked).flows is not None
    assert plan_review(replace(asked, made_by="mito")).flows is None
    install(comparing_critic, "another-critic")
    shutil.rmtree(cache_folder() / "models" / "mito-critic")
    plan = plan_review(replace(asked, model=None, made_by="mito"))
    assert plan.card.name == "another-critic"
    assert plan.flows is not None
