"""Labels of images and cells of more than 8 bits by models of 8 bits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_array_equal

from classify import cli
from classify.labelling.inference import read_resized
from classify.labelling.predict import predict_images
from classify.labelling.scene import label_scene
from classify.labelling.scene_inputs import scaled_sources
from segment.core.cli.command import run
from segment.core.errors import InputError
from segment.core.model.info import ScaleInfo
from segment.core.pixels.band_scale import BandScale
from segment.core.raster.sources import Source
from tests.classify.conftest import Lines
from tests.classify.labelling.test_grid import EDGE, FakeLabeller
from tests.conftest import write_raster


def cells(factor: float, dtype: str, tops: tuple[int, ...] = (0, 1, 2, 3)) -> np.ndarray:
    """A scene of a row of cells of classes `tops`, in values of 8 bits times a factor."""
    levels = np.repeat(np.array(tops) * 40.0, EDGE)
    return np.broadcast_to(levels[None, :, None] * factor, (EDGE, len(levels), 1)).astype(dtype)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


@pytest.mark.heavy
def test_cells_of_a_scene(tmp_path: Path) -> None:
    model = FakeLabeller()
    plain = label_scene(
        write_raster(tmp_path / "a.tif", cells(1, "u1")), model, tmp_path, grid=EDGE
    )
    assert plain.report["scale"] is None
    for name, factor, dtype in (("deep", 100, "uint16"), ("float", 1 / 255, "float32")):
        scene = write_raster(tmp_path / f"{name}.tif", cells(factor, dtype))
        options: dict[str, Any] = {"grid": EDGE, "scale": (0, 255 * factor)}
        labelled = label_scene(scene, model, tmp_path, **options)
        assert_array_equal(read(labelled.labels), read(plain.labels))
        assert labelled.report["scale"]["dtype"] == dtype
        again = label_scene(scene, model, tmp_path / "again", grid=EDGE, scale=labelled.report_file)
        assert_array_equal(read(again.labels), read(plain.labels))
        auto = label_scene(scene, model, tmp_path / "auto", grid=EDGE)
        assert any("brought to 8 bits" in note for note in auto.report["notes"])
        with pytest.raises(InputError, match="Choose another --scale"):
            label_scene(scene, model, tmp_path / "never", grid=EDGE, scale="never")


@pytest.mark.parametrize(("bands", "rgb"), [(5, (3, 2, 1)), (3, (2, 1, 0))])
def test_the_overlay_has_the_scale_of_the_bands_it_shows(
    tmp_path: Path, bands: int, rgb: tuple[int, int, int]
) -> None:
    model = FakeLabeller(bands=bands, labels={"rgb": rgb})
    levels = np.arange(1, bands + 1) * 1000.0
    dark = np.ones((EDGE, 2 * EDGE, bands)) * levels
    dark[:, EDGE:] += 500  # each band from its own 0 to its own 255: the same picture for all
    scene = write_raster(tmp_path / "a.tif", dark.astype(np.uint16), photometric="MINISBLACK")
    made = label_scene(scene, model, tmp_path, grid=EDGE, scale="0%,100%")
    bright = np.where(np.arange(2 * EDGE) < EDGE, 0, 255).astype(np.uint8)
    same = np.broadcast_to(bright[None, :, None], (EDGE, 2 * EDGE, bands))
    grey = write_raster(tmp_path / "b.tif", same, photometric="MINISBLACK")
    expected = label_scene(grey, model, tmp_path, grid=EDGE)
    assert made.overlay.read_bytes() == expected.overlay.read_bytes()


def test_images_share_a_scale(tmp_path: Path) -> None:
    images = [
        write_raster(tmp_path / f"{k}.tif", cells(100, "uint16", (k,))) for k in (1, 2, 3)
    ] + [write_raster(tmp_path / "plain.png", cells(1, "uint8", (2,)))]
    model, lines = FakeLabeller(), Lines()
    given = [p.given for p in predict_images(images, model, scale=(0, 25500))][:3]
    assert given == [["land"], ["road"], ["vegetation"]]
    auto = list(predict_images(images, model, progress=lines))
    assert not any(p.problem for p in auto)
    assert auto[0].labels != auto[2].labels  # alone, each would be black
    assert auto[3].given == ["road"]  # 8 bits stay
    assert any("of 3 scenes" in line for line in lines.lines)
    never = list(predict_images(images, model, scale="never"))
    assert ["Choose another --scale" in (p.problem or "") for p in never] == [True] * 3 + [False]


def test_images_of_the_training_have_its_scale(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", cells(100, "uint16", (3,)))
    model = FakeLabeller()
    own = BandScale((0.0,), (25500.0,), "uint16", "training")
    model.info = model.info.model_copy(update={"scale": ScaleInfo.of(own)})
    (found,) = predict_images([image], model)
    assert found.given == ["vegetation"]
    (refused,) = predict_images([image], model, scale="never")
    assert refused.problem
    (source,) = scaled_sources([Source(image)], model.info, "auto")
    seen = read_resized(source, model.info)
    assert seen.dtype == np.uint8 and (seen == 120).all()


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = FakeLabeller()
    monkeypatch.setattr("segment.core.model.runtime.load_model", lambda *_, **__: model)
    monkeypatch.setattr("segment.core.model.folder.load_model_info", lambda _: model.info)
    halves = [
        write_raster(tmp_path / "in" / f"{name}.tif", cells(100, "uint16", tops))
        for name, tops in (("west", (0, 1)), ("east", (2, 3)))
    ]

    def predict(*arguments: object) -> int:
        return run(cli.predict.__wrapped__, [str(a) for a in arguments])

    assert predict(*halves, "--grid", EDGE, "--output", tmp_path / "out") == 0
    west, east = (
        json.loads((tmp_path / "out" / f"{name}_labels.json").read_text())["scale"]
        for name in ("west", "east")
    )
    assert west == east and "of 2 scenes" in west["origin"]
    capsys.readouterr()
    assert predict(*halves, "--json", "--scale", "0,25500") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)[0]["given"] and "8 bits" in printed.err
    assert predict(*halves, "--scale", "9,1") == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "in" / "photo.GIF").touch()
    write_raster(tmp_path / "in" / "more" / "a.tif", cells(100, "uint8", (1,)))
    (tmp_path / "in" / "empty").mkdir()
    assert predict(tmp_path / "in") == 0
    error = capsys.readouterr().err
    assert "note: 1 picture with other endings (.gif) left out" in error
    assert f"note: 1 folder with images in {tmp_path / 'in'} not searched, e.g. more: " in error
    assert predict(tmp_path / "in", "--quiet") == 0 and capsys.readouterr().err == ""
