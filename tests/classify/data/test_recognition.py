"""Images that a classifier was trained on are known again, whatever their files are called."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin

from classify.bundled import BUNDLED
from classify.data.pixels import read_image
from classify.data.splits import split_images
from classify.training.evaluation import evaluate
from classify.training.train import train
from segment.core.model.folder import RECORD_FILE
from tests.classify.conftest import Lines, config, picture, write_class
from tests.conftest import SHARED, without_pictures, write_raster

pytestmark = pytest.mark.heavy


RSSCN7 = SHARED / "data" / "rsscn7"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("recognised")
    for label, name in enumerate(("field", "river")):
        write_class(root / "data" / name, label, 20)
    with without_pictures():
        train(root / "data", root / "run", config("data.test_fraction=0.3"))
    return root / "data", root / "run"


def scores(data: Path, run: Path, **options: object) -> tuple[dict, list[str]]:
    reported = Lines()
    found = evaluate([data], run, progress=reported, **options).report
    shown = ("scored pixels", "has no record")
    return found, [line for line in reported.lines if any(words in line for words in shown)]


def test_pixels_are_counted_by_what_the_training_did_with_them(trained, tmp_path):
    data, run = trained
    report, lines = scores(data, run, output=tmp_path / "scores")
    assert report["trained_on"] == {"pixels": 22 * 36**2, "share": 22 / 40, "images": 22}
    assert report["validated_on"] == {"pixels": 6 * 36**2, "share": 6 / 40, "images": 6}
    assert (
        len(lines) == 1
        and "28,512 of 51,840 scored pixels (55 %) in 22 of 40 images were trained on" in lines[0]
    )
    assert (
        json.loads((tmp_path / "scores" / "report.json").read_text())["trained_on"]
        == report["trained_on"]
    )
    assert "in 22 of 40 images were trained on" in (tmp_path / "scores" / "report.html").read_text()
    for part, shares in {"train": (1, 0), "val": (0, 1), "test": (0, 0)}.items():
        report, lines = scores(data, run, part=part)
        assert (report["trained_on"]["share"], report["validated_on"]["share"]) == shares
        assert bool(lines) == any(shares)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["renamed", "other class", "GeoTIFF", "with alpha"])
def test_copies_are_known_by_their_pixels(trained, tmp_path, kind):
    data, run = trained
    for number, file in enumerate(sorted(data.rglob("*.png"))):
        pixels, folder = read_image(file), tmp_path / "copies" / file.parent.name
        if kind == "other class":
            folder = folder.with_name("river" if folder.name == "field" else "field")
        if kind == "with alpha":
            pixels = np.concatenate(
                [pixels, np.full((*pixels.shape[:2], 1), 255, np.uint8)], axis=2
            )
        write_raster(folder / f"copy{number}{'.tif' if kind == 'GeoTIFF' else '.png'}", pixels)
    write_class(tmp_path / "copies" / "river", 1, 10, first=100)
    assert scores(tmp_path / "copies", run)[0]["trained_on"] == {
        "pixels": 22 * 36**2,
        "share": 22 / 50,
        "images": 22,
    }


def test_new_images_are_not_known(trained, tmp_path):
    for label, name in enumerate(("field", "river")):
        write_class(tmp_path / "new" / name, label, 3, first=500)
    report, lines = scores(tmp_path / "new", trained[1])
    assert report["trained_on"]["pixels"] == report["validated_on"]["pixels"] == 0 and not lines


def test_ground_is_known_where_images_say_where_they_are(tmp_path, no_pictures):
    def write(folder: Path, first: int, shift: float) -> None:
        for label, name in enumerate(("field", "river")):
            for number in range(8):
                transform = from_origin(
                    500_000 + shift + 1000 * number + 10_000 * label, 2_700_000, 0.5, 0.5
                )
                write_raster(
                    folder / name / f"{number}.tif",
                    picture(label, first + number),
                    transform=transform,
                )

    write(tmp_path / "data", 0, 0)
    train(tmp_path / "data", tmp_path / "run", config("data.test_fraction=0"))
    for shift, share in ((0, 1), (9, 0.5), (18, 0)):
        write(tmp_path / str(shift), 50, shift)
        report, _ = scores(tmp_path / str(shift), tmp_path / "run")
        assert report["trained_on"]["share"] + report["validated_on"]["share"] == pytest.approx(
            share
        )


def test_a_run_remembers_what_its_weights_learned_from_and_old_ones_do_not_say(
    trained, tmp_path, no_pictures
):
    data, run = trained
    for label, name in enumerate(("field", "river")):
        write_class(tmp_path / "new" / name, label, 8, first=500)
    train(tmp_path / "new", tmp_path / "second", config(f"model.weights={run / 'model.keras'}"))
    assert scores(data, tmp_path / "second")[0]["trained_on"]["images"] == 22
    shutil.copytree(run, tmp_path / "old")
    (tmp_path / "old" / RECORD_FILE).unlink()
    report, lines = scores(data, tmp_path / "old")
    assert report["trained_on"] is None and len(lines) == 1
    reported = Lines()
    train(
        tmp_path / "new",
        tmp_path / "third",
        config(f"model.weights={tmp_path / 'old' / 'model.keras'}"),
        progress=reported,
    )
    assert [
        line for line in reported.lines if "old has no record of what it was trained on" in line
    ]


@pytest.mark.skipif(not RSSCN7.is_dir(), reason="RSSCN7 is not here")
def test_the_bundled_model_knows_its_images(tmp_path):
    from classify.config import ImageSettings
    from classify.data.images import find_images

    images = find_images([RSSCN7], ImageSettings()).images
    parts = split_images(images, 0.15, 0.15, 0)
    for part, count in (("train", 5), ("val", 3), ("test", 2)):
        for image in parts[part][::40][:count]:
            target = tmp_path / "some" / image.path.parent.name / image.path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_raster(target.with_suffix(".png"), read_image(image.path))
    report, _ = scores(tmp_path / "some", BUNDLED)
    assert (report["trained_on"]["images"], report["validated_on"]["images"], report["images"]) == (
        5,
        3,
        10,
    )
