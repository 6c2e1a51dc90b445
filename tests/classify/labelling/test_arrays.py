"""Labels of images in memory equal those of files with the same pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from classify.labelling.arrays import predict_array
from classify.labelling.predict import predict_images
from classify.labelling.prediction import Prediction
from classify.labelling.scene import label_scene
from segment.core.errors import InputError
from segment.core.model.info import LabelInfo
from segment.core.progress import Silent
from tests.conftest import write_raster
from tests.fakes import FakeModel


class Labeller(FakeModel):
    """Probabilities follow from all pixels of an image."""

    def __init__(self, resize: int = 40, **info: Any):
        super().__init__(3, labels=LabelInfo(resize=resize), **info)
        self.info = self.info.model_copy(update={"task": "classify"})

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        sums = pixels.astype(np.float64).mean(axis=(1, 2)) @ np.arange(1, pixels.shape[3] + 1)
        weights = 1.5 + np.sin(sums[:, None] + np.arange(5))
        return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def noise(height: int = 50, width: int = 61, bands: int = 3) -> np.ndarray:
    return np.random.default_rng(height).integers(1, 255, (height, width, bands), np.uint8)


@pytest.mark.parametrize("size", [(50, 61), (33, 20), (1, 1)])
@pytest.mark.parametrize("augment", [False, True])
def test_images_in_memory_are_labelled_as_files(
    tmp_path: Path, size: tuple[int, int], augment: bool
) -> None:
    pixels, model = noise(*size), Labeller()
    path = write_raster(tmp_path / "image.png", pixels)
    (expected,) = predict_images([path], model, top=5, augment=augment)
    with rasterio.open(path) as dataset:
        for image in (pixels, Image.open(path), np.asfortranarray(pixels), path, dataset):
            found = predict_array(image, model, top=5, augment=augment)
            assert found.labels == expected.labels and found.given == expected.given
            assert found.image == (str(path) if image is path else "image")
            (listed,) = predict_images([image], model, top=5, augment=augment)
            assert listed.labels == expected.labels


def test_alpha_masks_and_nodata_are_those_of_files(tmp_path: Path) -> None:
    pixels, model = noise(), Labeller(preprocess={"clahe": 2})
    pixels[:20] = 0
    declared = write_raster(tmp_path / "image.tif", pixels, nodata=0)
    (expected,) = predict_images([declared], model)
    empty = (pixels == 0).all(axis=2)
    for image, nodata in ((pixels, 0), (pixels, empty), (np.ma.masked_equal(pixels, 0), None)):
        assert predict_array(image, model, nodata=nodata).labels == expected.labels
    rgba = np.dstack([pixels, np.where(empty, 0, 255).astype(np.uint8)])
    lines: list[str] = []

    class Lines(Silent):
        def say(self, line: str) -> None:
            lines.append(line)

    assert predict_array(rgba, model, progress=Lines()).labels == expected.labels
    assert lines == ["note: The last band is taken for alpha: pixels where it is 0 have no data."]
    with pytest.raises(InputError, match="for arrays"):
        predict_array(declared, model, nodata=empty)
    predict_array(pixels[..., 0], model, progress=Lines())
    assert lines[-1].startswith("warning: The scene is grey")


def test_an_image_without_a_valid_pixel_has_no_label() -> None:
    pixels, model = noise(), Labeller()
    hidden = np.ones(pixels.shape[:2], bool)
    transparent = np.dstack([pixels, np.zeros_like(pixels[..., 0])])
    for image, nodata in (
        (pixels, hidden),
        (np.ma.masked_array(pixels, mask=True), None),
        (np.zeros_like(pixels), 0),
        (transparent, None),
    ):
        with pytest.raises(InputError, match="image: no pixel is valid, all are nodata"):
            predict_array(image, model, nodata=nodata)
    hidden[0, 0] = False
    assert predict_array(pixels, model, nodata=hidden).labels


def test_mixed_lists_name_their_images_and_problems(tmp_path: Path) -> None:
    pixels, model = noise(), Labeller()
    path = write_raster(tmp_path / "image.png", pixels)
    found = list(predict_images([pixels, path, pixels[..., :2], None, pixels.T], model))
    assert [p.image for p in found] == ["image 1", str(path), "image 3", "image 4", "image 5"]
    assert found[0].labels == found[1].labels
    assert "image 3: the model reads 3 bands of uint8" in found[2].problem
    assert "image 4: received None" in found[3].problem
    assert "bands first" in found[4].problem
    assert [bool(p.problem) for p in predict_images(np.stack([pixels] * 3), model)] == [False] * 3
    (grey,) = predict_images([pixels[..., 0]], model, bands=[1, 1, 1])
    (repeated,) = predict_images([pixels[..., 0]], model)
    assert grey.labels == repeated.labels
    assert any("grey" in note for note in repeated.notes)
    for single in (pixels, pixels[..., 0], str(path), path):
        with pytest.raises(InputError, match="needed is a list"):
            predict_images(single, model)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "cv2.imread"),
        (noise() / 255, r"\(image \* 255\).round"),
        (noise()[None], "a batch of images"),
    ],
)
def test_what_is_no_image_of_the_model_is_refused_in_a_line(image: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        predict_array(image, Labeller(), scale="never")
    assert "vsimem" not in str(caught.value)
    for top in (0, 1.5, "3"):
        with pytest.raises(InputError, match="top must be at least 1"):
            predict_array(noise(), Labeller(), top=top)
    with pytest.raises(InputError, match="task segment"):
        predict_array(noise(), FakeModel(bands=3))


def test_predictions_draw_themselves() -> None:
    found = Prediction("<a>.png", [("river", 0.75), ("field", 0.25)], ["river"])
    html = found._repr_html_()
    assert "&lt;a&gt;.png" in html and "0.750" in html and "yes" in html
    axes = found.plot()
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0.75]
    assert found.plot(axes) is axes
    broken = Prediction("b.png", [], [], "b.png: no such file.")
    assert "no such file" in broken._repr_html_()
    with pytest.raises(InputError, match="no such file"):
        broken.plot()


def test_labels_of_a_scene_draw_themselves(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "scene.tif", noise(48, 64))
    with rasterio.open(path) as dataset:
        found = label_scene(dataset, Labeller(resize=0), tmp_path / "labels", grid=16)
    assert found.labels.name == "scene_labels.tif"
    html = found._repr_html_()
    assert "scene.tif: 64 x 48 px, 12 cells" in html and "data:image/png" in html
    axes = found.plot()
    assert axes.images[0].get_array().shape == (3, 4, 3)
    named = {text.get_text().split("  ")[0] for text in axes.get_legend().get_texts()}
    assert named == {name for name, cells in found.report["cells_by_class"].items() if cells}
    found.labels.unlink()
    assert "12 cells" in found._repr_html_()
    with pytest.raises(InputError, match="no such file"):
        found.plot()
