import threading
from pathlib import Path

import numpy as np
import pytest

from classify.data.dataset import ImageDataset
from classify.data.images import LabelledImage
from classify.data.pixels import ImagePixels, prepare, prepare_seen
from classify.labelling.inference import (
    answer,
    given_labels,
    label_info,
    predict_dataset,
    read_input,
    require_input,
    tempered,
)
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.labels.classes import Class
from segment.core.model.info import LabelInfo, ModelInfo
from segment.core.pixels.preprocessing import preprocess
from segment.core.progress import Silent
from segment.core.raster.sources import Source
from tests.classify.conftest import picture
from tests.conftest import write_raster

pytestmark = pytest.mark.heavy


TABLE = [
    Class(name=n, color=c)
    for n, c in zip(("field", "river", "town"), ("#00FF00", "#0000FF", "#FF0000"), strict=True)
]


def model_info(
    bands: int = 3, dtype: str = "uint8", tile: int = 32, task: str = "classify", **labels
) -> ModelInfo:
    if labels.get("multi_label"):
        labels.setdefault("thresholds", [0.5] * len(TABLE))
    return ModelInfo(
        task=task, name="tiny", classes=TABLE, bands=bands, dtype=dtype, range=(0, 255), tile=tile,
        labels=LabelInfo(**({"resize": 0} | labels)) if task == "classify" else None,
    )  # fmt: skip


def test_answers_come_in_the_order_of_the_images_from_several_threads(tmp_path):
    images = [LabelledImage(Path(f"{value}.png"), (0,), None, "a") for value in range(50)]
    pixels = ImagePixels(lambda path: np.full((32, 32, 3), int(path.stem), np.uint8), megabytes=0)
    reported, threads = [], set()

    def predict(batch: np.ndarray) -> np.ndarray:
        threads.add(threading.get_ident())
        return batch[:, 0, 0, :2].astype(np.float64)

    progress = Silent()
    progress.advance = lambda task, done, total, note="": reported.append((task, done, total))
    answers = predict_dataset(predict, ImageDataset(images, pixels, 2, 32, 4), progress, workers=3)
    assert answers.dtype == np.float32 and answers.tolist() == [
        [value, value] for value in range(50)
    ]
    assert reported == [("scoring", done, 13) for done in range(1, 14)]
    assert threading.get_ident() not in threads


def test_an_unreadable_image_is_named_while_scoring(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    image = LabelledImage(tmp_path / "a.png", (0,), None, "a")
    pixels = ImagePixels(lambda path: read_input(Source(path), model_info()), megabytes=0)
    with pytest.raises(InputError, match=r"a\.png.*read as a raster"):
        predict_dataset(lambda batch: batch, ImageDataset([image], pixels, 3, 32, 1), Silent())


def test_only_models_of_scene_labels_have_them():
    assert label_info(model_info(resize=64)).resize == 64
    with pytest.raises(
        InputError, match="is a model of task segment, needed is one of task classify"
    ):
        label_info(model_info(task="segment"))
    with pytest.raises(InputError, match=r"lacks `labels`.*Received none. Restore the file"):
        label_info(model_info().model_copy(update={"labels": None}))


def test_the_temperature_divides_logits():
    p = np.array([[0.7, 0.2, 0.1]], np.float32)
    np.testing.assert_array_equal(tempered(p, model_info()), p)
    roots = np.sqrt(p)
    np.testing.assert_allclose(
        tempered(p, model_info(temperature=2.0)), roots / roots.sum(), rtol=1e-6
    )
    odds = np.sqrt(p / (1 - p))
    np.testing.assert_allclose(
        tempered(p, model_info(temperature=2.0, multi_label=True)), odds / (1 + odds), rtol=1e-6
    )


def test_augmented_answers_are_the_mean_over_flips_and_turns():
    class Corners:
        """Answers what is in three of the corners."""

        info = model_info(temperature=2.0)

        def predict(self, pixels: np.ndarray) -> np.ndarray:
            corners = (
                np.stack([pixels[:, 0, 0, 0], pixels[:, 0, -1, 0], pixels[:, -1, 0, 0]], axis=1)
                / 255
            )
            return (corners / corners.sum(axis=1, keepdims=True)).astype(np.float32)

    pixels = np.random.default_rng(0).integers(1, 255, (2, 32, 32, 3)).astype(np.uint8)
    turned = [np.rot90(p, k, axes=(1, 2)) for p in (pixels, pixels[:, ::-1]) for k in range(4)]
    expected = tempered(np.mean([Corners().predict(p) for p in turned], axis=0), Corners.info)
    np.testing.assert_allclose(answer(Corners(), pixels, augment=True), expected, rtol=1e-6)
    np.testing.assert_array_equal(
        answer(Corners(), pixels), tempered(Corners().predict(pixels), Corners.info)
    )


def test_labels_given():
    p = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]], np.float32)
    assert given_labels(p, model_info()) == [["river"], ["field"]]
    multi_label = model_info(multi_label=True, thresholds=[0.25, 0.4, 0.3])
    assert given_labels(p, multi_label) == [["river", "town"], ["field"]]
    assert given_labels(np.zeros((1, 3), np.float32), multi_label) == [[]]


def test_images_are_resized_and_cropped_as_in_training(tmp_path):
    image = picture(0, 0, size=80)[:60]
    path = write_raster(tmp_path / "a.png", image)
    np.testing.assert_array_equal(read_input(Source(path), model_info()), image[14:46, 24:56])
    resized = prepare(image, 40)
    assert resized.shape == (40, 53, 3)
    np.testing.assert_array_equal(
        read_input(Source(path), model_info(resize=40)), resized[4:36, 10:42]
    )


def test_images_are_preprocessed_at_the_size_the_network_sees(tmp_path):
    settings = PreprocessSettings(denoise=3, clahe=2, sharpen=0.5)
    image = picture(0, 0, size=80)[:60]
    path = write_raster(tmp_path / "a.png", image)
    info = model_info(resize=40).model_copy(update={"preprocess": settings})
    np.testing.assert_array_equal(
        read_input(Source(path), info), preprocess(prepare(image, 40), settings)[4:36, 10:42]
    )


def test_nodata_is_not_seen_by_what_is_resized_beside_it():
    settings, image = PreprocessSettings(sharpen=2), np.full((60, 80, 3), 90, np.uint8)
    image[:, :21] = 0  # the 11th column is of both once it is resized
    pixels, valid = prepare_seen(image, image[..., 0] > 0, 30, settings)
    assert pixels.shape == (30, 40, 3) and valid[:, 11:].all() and not valid[:, :11].any()
    assert (pixels[:, 11:] == 90).all() and (pixels[:, :10] == 0).all()


def test_bands_of_training_are_read_of_files_that_have_as_many(tmp_path):
    scene = picture(0, 0, size=32, bands=5)
    whole, chosen = (
        write_raster(tmp_path / f"{n}.tif", p)
        for n, p in (("whole", scene), ("chosen", scene[..., [3, 1]]))
    )
    info = model_info(bands=2, read_bands=[4, 2], file_bands=5)
    np.testing.assert_array_equal(read_input(Source(whole), info), scene[..., [3, 1]])
    np.testing.assert_array_equal(read_input(Source(chosen), info), scene[..., [3, 1]])
    np.testing.assert_array_equal(read_input(Source(whole, bands=(1, 5)), info), scene[..., [0, 4]])


@pytest.mark.parametrize(
    "bands, dtype, words",
    [
        (4, "uint8", ["reads 3 bands of uint8", "Received 4 of uint8", "--bands 1,2,3"]),
        (1, "uint8", ["Received 1 of uint8", "--bands 1,1,1"]),
        (3, "uint16", ["Received 3 of uint16", "Choose another --scale"]),
    ],
)
def test_other_pixels_than_the_model_reads_are_refused(bands, dtype, words):
    require_input("a.tif", 3, "uint8", model_info())
    with pytest.raises(InputError) as error:
        require_input("a.tif", bands, dtype, model_info())
    assert [
        word for word in ["a.tif", *words] if word not in str(error.value)
    ] == [] and "\n" not in str(error.value)


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_answers_that_are_no_probabilities_are_refused(value, augment):
    class Broken:
        info = model_info()

        def predict(self, pixels):
            return np.array([[0.2, 0.3, 0.5], [0.2, value, 0.5]], np.float32)

    with pytest.raises(InputError, match="an image: tiny computed NaN.*0 to 255"):
        answer(Broken(), np.zeros((2, 32, 32, 3), np.uint8), augment)
