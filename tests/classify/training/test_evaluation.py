"""Models scored on data: the same as their training scored them, and what does not fit them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from classify.data.pixels import read_image
from classify.labelling.inference import answer
from classify.labelling.predict import predict_images
from classify.training import export as exporting
from classify.training.evaluation import evaluate
from classify.training.export import export_model
from classify.training.train import train
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.model.folder import load_model_info, save_model_info
from segment.core.model.runtime import load_model
from segment.core.pixels.preprocessing import preprocess
from tests.classify.conftest import Lines, config, picture, write_class, write_parts
from tests.conftest import without_pictures, write_raster

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Path]:
    """Class folders whose parts were drawn, and a model of them."""
    root = tmp_path_factory.mktemp("evaluated")
    for label, name in enumerate(("field", "river")):
        write_class(root / "data" / name, label, 20)
    with without_pictures():
        train(root / "data", root / "run", config("data.test_fraction=0.3"))
    return root / "data", root / "run"


@pytest.mark.slow
def test_the_test_of_the_training_is_found_again_and_scores_the_same(trained, tmp_path):
    data, run = trained
    report = json.loads((run / "report.json").read_text())
    for part, expected in (("test", report["test"]), ("val", report)):
        found = evaluate(data, run, tmp_path / part, part=part, batch_size=8).report
        assert found == {key: expected[key] for key in found}
        reported = json.loads((tmp_path / part / "report.json").read_text())
        assert reported == found | {"runtime": load_model(run).runtime, "augment": False}
    assert {p.name for p in (tmp_path / "test").iterdir()} == {"report.json", "report.html"}
    page = (tmp_path / "test" / "report.html").read_text()
    assert page.count("data:image/png;base64") >= 5 and "http" not in page


def test_scores_do_not_depend_on_how_images_are_batched(trained):
    data, run = trained
    one, many = (evaluate([data], run, part="test", batch_size=size) for size in (1, 16))
    assert one.images == many.images
    np.testing.assert_allclose(one.scores.probabilities, many.scores.probabilities, atol=1e-5)


def test_parts_divide_the_whole(trained):
    data, run = trained
    paths = {
        part: {i.path for i in evaluate(data, run, part=part).images}
        for part in ("all", "train", "val", "test")
    }
    assert [len(paths[part]) for part in ("train", "val", "test")] == [22, 6, 12]
    assert paths["train"] | paths["val"] | paths["test"] == paths["all"] == set(data.rglob("*.png"))


def test_who_scores_training_images_is_warned(trained, tmp_path):
    data, run = trained
    shutil.copytree(data, tmp_path / "others")
    for folder, part, warned in (
        (data, "all", True),
        (data, "test", False),
        (tmp_path / "others", "all", False),
    ):
        lines = Lines()
        evaluate([folder], run, part=part, progress=lines)
        assert (
            any("trained on images of such a folder: --part test" in line for line in lines.lines)
            == warned
        )


def test_other_data_may_lack_classes_and_be_split_or_not(trained, tmp_path):
    write_class(tmp_path / "rivers" / "River", 1, 3)
    found = evaluate([tmp_path / "rivers"], trained[1]).report
    assert (found["images"], found["per_class"]["field"]["images"]) == (3, 0)
    parts = write_parts(tmp_path / "parts", {"train": 2, "test": 3})
    assert evaluate([parts], trained[1], part="test").report["images"] == 6


def four_bands(folder: Path) -> Path:
    write_raster(folder / "field" / "a.tif", picture(0, 0, bands=4), photometric="MINISBLACK")
    return folder


def other_labels(folder: Path) -> Path:
    write_class(folder / "volcano", 0, 2)
    return folder


def labels_in_a_csv(folder: Path) -> Path:
    write_class(folder, 0, 1)
    (folder / "labels.csv").write_text("file,labels\n0.png,field\n")
    return folder


def no_whole_image(folder: Path) -> Path:
    path = write_raster(folder / "river" / "a.png", picture(0, 0))
    path.write_bytes(path.read_bytes()[:1000])
    return folder


def training_images_alone(folder: Path) -> Path:
    return write_parts(folder, {"train": 2, "val": 2})


FAULTS = {
    "4 bands": (four_bands, "all", ["a.tif", "reads 3 bands of uint8", "Received 4 of uint8"]),
    "labels never learned": (other_labels, "all", ["'volcano'", "field, river"]),
    "several labels": (
        labels_in_a_csv,
        "all",
        ["learned one label an image", "data: several labels an image"],
    ),
    "truncated": (no_whole_image, "all", ["a.png", "read as a raster", "Get a whole copy"]),
    "no such part in the data": (
        training_images_alone,
        "test",
        ["data: no images in test", "Choose another part"],
    ),
    "no such part": (training_images_alone, "tests", ["'tests'", "all, train, val, test"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_reported_in_a_line_and_leaves_nothing_behind(
    trained, tmp_path, fault
):
    make, part, words = FAULTS[fault]
    with pytest.raises(InputError) as error:
        evaluate([make(tmp_path / "data")], trained[1], tmp_path / "new" / "scores", part=part)
    assert [word for word in words if word not in str(error.value)] == [], error.value
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


def test_class_folders_are_refused_by_a_model_of_several_labels(
    labels_csv, trained, tmp_path, no_pictures
):
    train(labels_csv(), tmp_path / "run", config("data.test_fraction=0"))
    write_class(tmp_path / "folders" / "red", 0, 2)
    with pytest.raises(
        InputError,
        match="one label an image, .*, but the model learned several labels an image, from a CSV",
    ):
        evaluate([tmp_path / "folders"], tmp_path / "run")


def test_outputs_are_not_replaced_unless_asked_to(trained, tmp_path):
    data, run = trained
    (tmp_path / "scores").mkdir()
    with pytest.raises(InputError, match="--overwrite"):
        evaluate([data], run, tmp_path / "scores")
    (tmp_path / "scores" / "mine.txt").touch()
    with pytest.raises(InputError, match=r"mine\.txt"):
        evaluate([data], run, tmp_path / "scores", overwrite=True)


SENTINEL = [
    "data.size=32",
    "training.batch_size=16",
    "model.batch_norm_momentum=0.5",
    "augment.brightness=0",
]


@pytest.mark.slow
def test_thirteen_bands_tell_what_rgb_does_not_show(sentinel, tmp_path, no_pictures):
    settings = config(*SENTINEL, "training.epochs=5")
    run = train(sentinel, tmp_path / "run", settings)
    info = load_model_info(run.folder)
    assert (info.bands, info.dtype, info.labels.rgb, info.labels.read_bands) == (
        13,
        "uint16",
        (3, 2, 1),
        None,
    )
    assert run.test.report["images"] == 80 and run.test.report["accuracy"] >= 0.95


@pytest.mark.slow
def test_rgb_alone_does_not_tell_them(sentinel, tmp_path, no_pictures):
    run = train(
        sentinel,
        tmp_path / "run",
        config(*SENTINEL, "training.epochs=5", "data.bands=[B04, B03, B02]"),
    )
    info = load_model_info(run.folder)
    assert (info.bands, info.labels.read_bands, info.labels.file_bands, info.labels.rgb) == (
        3,
        [4, 3, 2],
        13,
        (0, 1, 2),
    )
    # by chance, of 80 images, more would be right once in a million times
    assert run.test.report["accuracy"] <= 0.75


@pytest.mark.slow
def test_a_model_that_leaves_a_band_out_reads_the_whole_files(sentinel, tmp_path, no_pictures):
    run = train(
        sentinel, tmp_path / "run", config(*SENTINEL, "training.epochs=5", "data.leave_out=[B10]")
    )
    info = load_model_info(run.folder)
    assert info.bands == 12 and info.labels.file_bands == 13
    assert info.labels.read_bands == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13]
    model = load_model(run.folder, "keras")
    assert model.predict(np.zeros((1, 32, 32, 12), np.uint16)).shape == (1, 2)
    again = evaluate(sentinel, model, part="test", batch_size=16)
    assert again.report == run.test.report and again.report["accuracy"] >= 0.95


@pytest.mark.slow
def test_images_of_more_bands_are_scored_by_those_that_are_named(trained, tmp_path):
    data, run = trained
    for file in data.rglob("*.png"):
        pixels = read_image(file)
        further = np.full((*pixels.shape[:2], 2), 9, np.uint8)
        write_raster(
            tmp_path / "data" / file.parent.name / f"{file.stem}.tif",
            np.concatenate([further, pixels], axis=2),
        )
    with pytest.raises(InputError, match="--bands"):
        evaluate(tmp_path / "data", run)
    named = evaluate(tmp_path / "data", run, bands=[3, 4, 5])
    np.testing.assert_array_equal(
        named.scores.probabilities, evaluate(data, run).scores.probabilities
    )


@pytest.mark.slow
def test_images_that_training_left_out_are_left_out_again(trained, tmp_path, no_pictures):
    shutil.copytree(trained[0], tmp_path / "data")
    for number in range(20):
        (tmp_path / "data" / "river" / f"broken{number}.png").write_bytes(b"\x89PNG")
    run = train(
        tmp_path / "data",
        tmp_path / "run",
        config("data.test_fraction=0.3", "data.unreadable=skip"),
    )
    lines = Lines()
    again = evaluate(tmp_path / "data", tmp_path / "run", part="test", progress=lines)
    assert again.report == run.test.report and again.images == run.test.images
    assert any("broken" in line for line in lines.lines)


def test_a_part_is_drawn_of_the_images_that_training_had_only(trained, tmp_path):
    data, run = trained
    shutil.copytree(data, tmp_path / "elsewhere")
    assert (
        evaluate(tmp_path / "elsewhere", run, part="test").report
        == evaluate(data, run, part="test").report
    )
    write_raster(tmp_path / "elsewhere" / "river" / "another.png", picture(1, 77))
    with pytest.raises(InputError, match="--part all"):
        evaluate(tmp_path / "elsewhere", run, part="test")
    fixed = write_parts(tmp_path / "fixed", {"train": 2, "val": 2, "test": 3})
    assert len(evaluate(fixed, run, part="test").images) == 6


@pytest.mark.slow
def test_preprocessing_goes_with_the_model(trained, tmp_path, no_pictures):
    """What training did to pixels is done wherever the model is used, whoever uses it."""
    (data, _), run = trained, tmp_path / "run"
    train(
        data,
        run,
        config(
            "model.kind=pca",
            "model.components=4",
            "data.preprocess={denoise: 3, clahe: 3, sharpen: 0.5}",
        ),
    )
    info = load_model_info(run)
    assert (
        str(info.preprocess) == "denoise 3, clahe 3 (clahe_cell 32), sharpen 0.5 (sharpen_radius 1)"
    )
    found, report = (
        evaluate(data, run, part="test"),
        json.loads((run / "report.json").read_text())["test"],
    )
    assert found.report == {key: report[key] for key in found.report}
    image = found.images[0]
    seen = preprocess(read_image(image.path), info.preprocess)[2:34, 2:34]
    expected = answer(load_model(run), seen[None])[0]
    np.testing.assert_allclose(found.scores.probabilities[0], expected, atol=1e-6)
    (prediction,) = predict_images([image.path], run, top=1)
    assert prediction.labels[0][1] == pytest.approx(expected.max(), abs=1e-6)
    calibration = exporting._draw([data], info, 0, Lines()).calibration
    np.testing.assert_array_equal(
        calibration.image_at(0),
        preprocess(read_image(calibration.images[0].path), info.preprocess)[2:34, 2:34],
    )
    lines = Lines()
    export_model(run, progress=lines)
    assert lines.lines == [
        "warning: other programs have to preprocess pixels as this model's commands do:"
        f" {info.preprocess}"
    ]
    save_model_info(run, info.model_copy(update={"preprocess": PreprocessSettings()}))
    forgotten = evaluate(data, run, part="test").scores.probabilities
    assert np.abs(forgotten - found.scores.probabilities).max() > 0.01


@pytest.mark.slow
def test_what_training_left_out_does_not_stop_an_export(tmp_path, no_pictures):
    for label, name in enumerate(("field", "river")):
        write_class(tmp_path / "data" / name, label, 10)
    (tmp_path / "data" / "river" / "broken.png").write_bytes(b"\x89PNG")
    train(tmp_path / "data", tmp_path / "run", config("data.unreadable=skip"))
    with pytest.raises(InputError, match="format: 'onnx'. Choose one of openvino, hub"):
        export_model(tmp_path / "run", "onnx")
    exported = export_model(tmp_path / "run", int8=[tmp_path / "data"]).openvino
    assert (exported.calibrated, exported.scored) == (12, 8), "trained on, and new"


@pytest.mark.slow
def test_bands_that_files_name_may_come_in_another_order(tmp_path, no_pictures):
    for label, name in enumerate(("field", "river")):
        for seed in range(10):
            pixels = picture(0, seed)
            pixels[..., 0] = 40 + 160 * label
            for folder, order in (("first", (0, 1, 2)), ("second", (2, 0, 1))):
                file = write_raster(tmp_path / folder / name / f"{seed}.tif", pixels[..., order])
                with rasterio.open(file, "r+") as raster:
                    raster.descriptions = [("B04", "B03", "B02")[band] for band in order]
    train(
        tmp_path / "first",
        tmp_path / "run",
        config("data.bands=[B04, B03, B02]", "training.epochs=3"),
    )
    first, second = (
        evaluate(tmp_path / folder, tmp_path / "run").scores.probabilities
        for folder in ("first", "second")
    )
    np.testing.assert_array_equal(first, second)
