"""Exploring labelled images finds what would spoil a training."""

import json

import numpy as np
import pytest
from rasterio.transform import from_origin

from classify.bundled import BUNDLED
from classify.cli import explore as command
from classify.config import DataSettings
from classify.exploration.explore import explore
from segment.bundled import BUNDLED as SEGMENTS
from segment.core.cli.command import run
from segment.core.errors import InputError
from tests.classify.conftest import SMALL, write_shades
from tests.conftest import without_pictures, write_raster
from tests.core.pixels.test_near_duplicates import scene

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small classifier whose features place the images."""
    import classify

    root = tmp_path_factory.mktemp("explore")
    write_shades(root / "data", {"dark": 40, "bright": 200}, 8)
    quick = classify.load_settings(classify.Config, overrides=[*SMALL, "training.epochs=1"])
    with without_pictures():
        classify.train(root / "data", root / "run", quick)
    return root / "run"


@pytest.fixture
def images(tmp_path):
    """Fields and towns, unevenly many."""
    for name, count, tint in (("field", 70, 0), ("town", 22, 30), ("lake", 5, 60)):
        for number in range(count):
            pixels = np.clip(
                scene(1000 * tint + number, size=80) + np.array([0, 0, tint]), 0, 255
            ).astype(np.uint8)
            write_raster(tmp_path / "data" / name / f"{name}{number}.png", pixels)
    return tmp_path / "data"


def reports(exploration, *words):
    some = [f for f in map(str, exploration.findings) if all(word in f for word in words)]
    assert len(some) == 1, (words, list(map(str, exploration.findings)))


def test_what_spoils_a_training_is_reported(images, model, tmp_path):
    write_raster(images / "town" / "copy.png", scene(3, size=80))  # of field3
    write_raster(images / "field" / "twice.png", scene(5, size=80))
    write_raster(images / "field" / "grey.png", np.zeros((80, 80, 1), np.uint8))
    write_raster(images / "field" / "blank.png", np.full((80, 80, 3), 255, np.uint8))
    (images / "lake" / "torn.png").write_bytes((images / "lake" / "lake0.png").read_bytes()[:3000])
    exploration = explore(images, tmp_path / "report", model=model)
    reports(exploration, "Images that cannot be used: 2. ", "1 more")
    reports(exploration, "Fewer than 20 images each of lake (5)")
    reports(exploration, "uneven: field has 14.4 times the images of lake")
    reports(
        exploration,
        "Duplicate images with other labels: 1,",
        "town/copy.png of field/field3.png",
    )
    reports(exploration, "Duplicate images with the same labels: 1,", "field/twice.png")
    reports(exploration, "Images unlike all others", "field/blank.png")
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert figures["classes"] == {"field": 72, "lake": 5, "town": 23} and figures["sizes"] == {
        "80x80": 100
    }
    assert (
        len(figures["explained_variance"]) == 16
        and sum(figures["explained_variance_of_features"]) <= 1.0001
    )
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("<img") >= 8 and "torn.png" in page and "grey.png" in page


def test_images_of_parts_sizes_and_distances(model, tmp_path):
    for part, number in (("train", 1), ("train", 2), ("test", 2)):
        for name in ("a", "b"):
            path = tmp_path / "data" / part / name / f"{number}.tif"
            distance = from_origin(0, 0, 0.3 * number**2, 0.3 * number**2)
            write_raster(path, scene(number + 10 * (name == "b"), size=40), transform=distance)
    exploration = explore(tmp_path / "data", tmp_path / "report", model=model)
    reports(exploration, "Duplicate images in another part: 2,", "duplicates=drop")
    reports(exploration, "Images smaller than 64 px: 6,", "data.resize=40")
    reports(exploration, "range from 0.3 to 1.2 m")


def test_other_bands_are_explored_without_the_model(model, tmp_path):
    for name in ("a", "b"):
        for number in range(4):
            pixels = scene(number + 10 * (name == "b"), bands=5, size=40).astype(np.uint16) * 40
            write_raster(tmp_path / "data" / name / f"{number}.tif", pixels)
    exploration = explore(tmp_path / "data", tmp_path / "report", model=model)
    reports(exploration, "5 bands of uint16", "data.bands")
    assert "5 bands of uint16" in exploration.figures["without_features"]
    assert (
        "are left out: the model reads 3 bands of uint8"
        in (tmp_path / "report" / "report.html").read_text()
    )
    assert (
        exploration.figures["explained_variance_of_features"] is None
        and len(exploration.figures["band_mean"]) == 5
    )


def test_the_command_and_its_faults(images, model, tmp_path, capsys):
    arguments = [
        str(images),
        "--output",
        str(tmp_path / "report"),
        "--model",
        str(model),
        "--set",
        "data.label_map={lake: field}",
    ]
    assert run(command.__wrapped__, arguments) == 0
    assert "uneven" in capsys.readouterr().out
    assert run(command.__wrapped__, arguments) == 2
    for name in ("a", "b"):
        (tmp_path / "empty" / name).mkdir(parents=True)
        (tmp_path / "empty" / name / "x.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="No image can be read"):
        explore(tmp_path / "empty", tmp_path / "x", DataSettings(), model=model)


def test_few_small_images_among_large_ones_are_named(tmp_path):
    for number in range(9):
        write_raster(
            tmp_path / "data" / "ab"[number % 2] / f"{number}.png",
            scene(number, size=40 if number == 4 else 150),
        )
    exploration = explore(tmp_path / "data", tmp_path / "report", model=None)
    reports(
        exploration,
        "Images smaller than 64 px: 1, the smallest 40 px. a/4.png",
        "Most have 150 px",
    )
    assert "data.resize" not in str(exploration)


def test_what_is_no_classifier_is_refused_before_images_are_read(images, tmp_path, monkeypatch):
    monkeypatch.setattr("classify.exploration.explore.read_each", None)
    with pytest.raises(InputError, match="not a model folder"):
        explore(images, tmp_path / "report", model=tmp_path)
    with pytest.raises(InputError, match="task classify"):
        explore(images, tmp_path / "report", model=SEGMENTS)


@pytest.mark.parametrize("chosen", [{"bands": [4, 3, 2]}, {"leave_out": [1, 5]}])
def test_images_are_explored_in_the_bands_that_are_trained(tmp_path, chosen):
    for number in range(6):
        bands = 5 if number % 2 else 4
        if "leave_out" in chosen:
            bands = 5
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.tif"
        write_raster(
            path,
            np.stack(
                [scene(number + 7 * band, bands=1, size=40)[..., 0] for band in range(bands)],
                axis=2,
            ),
        )
    write_raster(tmp_path / "data" / "a" / "short.tif", scene(0, size=40)[..., :2])
    exploration = explore(
        tmp_path / "data", tmp_path / "report", DataSettings(**chosen), model=BUNDLED
    )
    reports(exploration, "Images that cannot be used: 1", "short.tif")
    assert (
        exploration.figures["bands"] == 3
        and len(exploration.figures["explained_variance_of_features"]) > 1
    )
