"""Images of other kinds than those of the training are scored by what they are labelled."""

from pathlib import Path

import numpy as np
import pytest

from classify.labelling.predict import predict_images
from classify.training.evaluation import evaluate
from segment.core.errors import InputError
from segment.core.model.info import LabelInfo, ScaleInfo
from segment.core.pixels.band_scale import BandScale
from tests.classify.conftest import Lines
from tests.conftest import write_bands, write_raster
from tests.fakes import FakeModel

pytestmark = pytest.mark.heavy

STEP = 40


class Labeller(FakeModel):
    """Knows an image's class by the mean of its first band: k times 40 is class k.

    It learned from images of 16 bits, too.
    """

    def __init__(self) -> None:
        super().__init__(3, tile=16, labels=LabelInfo(resize=0))
        scale = ScaleInfo.of(BandScale((0.0,), (65280.0,), "uint16", "training"))
        self.info = self.info.model_copy(update={"task": "classify", "scale": scale})

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        means = pixels[..., 0].mean(axis=(1, 2)) / STEP
        return np.eye(5, dtype=np.float32)[(means + 0.5).astype(int).clip(0, 4)] * 0.9 + 0.02


def level(value: float, bands: int, dtype: str) -> np.ndarray:
    pixels = np.full((16, 16, bands), value, dtype)
    pixels[..., 1:] = 0
    return pixels


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Grey pictures, a palette, 16 bits, and bands in another order, in folders of their class."""
    root = tmp_path / "data"
    for k, name in enumerate(("building", "land", "road")):
        folder = root / name
        write_raster(folder / "grey.png", level(STEP * k, 1, "uint8"))
        write_raster(folder / "16.tif", level(256 * STEP * k, 3, "uint16"))
        bands = level(STEP * k, 4, "uint8")[..., ::-1]
        write_bands(folder / "named.tif", bands, ("nir", "blue", "green", "red"))
    return root


def test_scores_are_those_of_the_labels(data: Path) -> None:
    lines, model = Lines(), Labeller()
    scored = evaluate([data], model, progress=lines)
    paths = [image.path for image in scored.images]
    labelled = list(predict_images(paths, model, top=5))
    names = model.info.class_table.names
    expected = [[dict(one.labels)[name] for name in names] for one in labelled]
    np.testing.assert_allclose(scored.scores.probabilities, expected, atol=1e-6)
    assert (scored.report["accuracy"], scored.report["images"]) == (1.0, 9)
    notes = "\n".join(lines.lines)
    assert "grey.png (and 2 more): The scene is grey" in notes
    assert "named.tif (and 2 more): Bands 4,3,2 of 4 are read" in notes
    assert "note: Pixels of uint16 are brought to 8 bits" in notes


def test_pixels_that_need_a_scale_are_refused_without(data: Path) -> None:
    with pytest.raises(InputError, match="16.tif: the model reads 3 bands of uint8"):
        evaluate([data], Labeller(), scale="never")
    assert evaluate([data], Labeller()).report["images"] == 9


def test_bands_are_not_guessed(data: Path) -> None:
    """Scores of the first bands of a file, whatever they are, would be those of no model."""
    write_bands(data / "road" / "unnamed.tif", level(STEP, 5, "uint8"))
    with pytest.raises(InputError, match=r"unnamed\.tif.* --bands 1,2,3"):
        evaluate([data], Labeller())


def test_images_of_no_class_are_reported(data: Path, tmp_path: Path) -> None:
    model, lines = Labeller(), Lines()
    for name in ("Land", "sky"):
        write_raster(data / name / "more.png", level(STEP, 3, "uint8"))
    settings = {"data": {"label_map": {"sky": None}}}
    model.info = model.info.model_copy(update={"training": {"settings": settings}})
    assert evaluate([data], model, progress=lines).report["images"] == 10
    assert {
        "note: labels Land, land are one class: case does not matter",
        "note: 1 image of labels that are ignored or null, left out",
    } <= set(lines.lines)
    model, lines = Labeller(), Lines()
    label_map = {"ground": ["land", "road"], "house": ["building"], "cloud": []}
    labels = model.info.labels.model_copy(update={"label_maps": {"other": label_map}})
    model.info = model.info.model_copy(update={"labels": labels})
    other = tmp_path / "other"
    for k, name in enumerate(("house", "ground", "cloud")):
        write_raster(other / name / "a.png", level(STEP * k, 3, "uint8"))
    assert evaluate([other], model, progress=lines).report["images"] == 2
    assert "note: other: cloud: 1 image of no class, left out" in lines.lines
