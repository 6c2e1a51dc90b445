"""Maps of scenes of more than 8 bits by models of 8 bits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from segment import cli
from segment.core.cli.command import run
from segment.core.errors import InputError, Interrupted
from segment.mapping.predict import predict_scene
from segment.mapping.window import predict_probabilities, predict_window
from tests.conftest import SHARED, write_raster
from tests.fakes import FakeModel


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segment.mapping.model_view.TILE", 32)


class Brightness(FakeModel):
    """Model whose class is the brightness of the first band: 0 to 50 is the first class."""

    def __init__(self, **info: Any):
        super().__init__(**({"bands": 3} | info))

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the probabilities of tiles."""
        return np.eye(5, dtype=np.float32)[np.minimum(pixels[..., 0] // 51, 4)]


class Stopped(Brightness):
    """The same model, and a Ctrl-C after some tiles."""

    def __init__(self) -> None:
        super().__init__()
        self.identity = "Brightness"

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the probabilities of the first tiles."""
        if self.tiles > 8:
            raise KeyboardInterrupt
        return super().answer(pixels)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


def gradient(height: int = 60, width: int = 90) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows + 2 * columns] * 3, axis=2).astype(np.uint8)


@pytest.mark.heavy
def test_a_scene_maps_like_its_8_bits(tmp_path: Path) -> None:
    pixels = gradient()
    model = Brightness()
    plain = predict_scene(write_raster(tmp_path / "plain.tif", pixels), model, tmp_path)
    expected = read(plain.classes)
    assert plain.report["scale"] is None
    assert not [note for note in plain.report["notes"] if "8 bits" in note]
    same = predict_scene(write_raster(tmp_path / "same.tif", pixels.astype("u2")), model, tmp_path)
    np.testing.assert_array_equal(read(same.classes), expected)
    assert any("taken as they are" in note for note in same.report["notes"])
    for name, dtype, factor in (("u", "uint16", 257), ("i", "int32", 5000), ("f", "f4", 1 / 255)):
        scene = write_raster(tmp_path / f"{name}.tif", (pixels * float(factor)).astype(dtype))
        asked = predict_scene(scene, model, tmp_path / "asked", scale=(0, 255 * factor))
        np.testing.assert_array_equal(read(asked.classes), expected)
        auto = predict_scene(scene, model, tmp_path / "auto")
        assert auto.report["scale"]["dtype"] == np.dtype(dtype).name
        assert any("brought to 8 bits" in note for note in auto.report["notes"])
        with pytest.raises(InputError, match="choose another --scale"):
            predict_scene(scene, model, tmp_path / "never", scale="never")
    assert not (tmp_path / "never").exists()


def test_the_overlay_shows_what_the_model_sees(tmp_path: Path) -> None:
    import cv2

    pixels, options = gradient(), {"scale": (0, 51000)}
    plain = predict_scene(write_raster(tmp_path / "a.tif", pixels), Brightness(), tmp_path)
    deep = write_raster(tmp_path / "b.tif", pixels.astype("u2") * 200)
    mapped = predict_scene(deep, Brightness(), tmp_path, **options)
    np.testing.assert_array_equal(cv2.imread(str(plain.overlay)), cv2.imread(str(mapped.overlay)))


def test_nodata_negative_values_and_what_is_not_finite(tmp_path: Path) -> None:
    pixels = gradient().astype(np.float32) / 255 - 0.1
    pixels[:5] = np.nan
    pixels[5:9] = np.inf
    pixels[9:12] = -9999
    scene = write_raster(tmp_path / "scene.tif", pixels, nodata=-9999)
    result = predict_scene(scene, Brightness(), tmp_path)
    found = read(result.classes)
    assert (found[:12] == 255).all() and (found[12:] != 255).all()
    assert -0.1 <= result.report["scale"]["low"][0] < result.report["scale"]["high"][0] < 1
    empty = write_raster(tmp_path / "empty.tif", np.full((40, 40, 3), 7, np.uint16), nodata=7)
    nothing = predict_scene(empty, Brightness(), tmp_path)
    assert (read(nothing.classes) == 255).all()
    assert any("no valid pixel was found" in note for note in nothing.report["notes"])


def test_a_report_gives_its_scale_to_others(tmp_path: Path) -> None:
    deep = gradient().astype(np.uint16) * 20
    whole = write_raster(tmp_path / "whole.tif", deep)
    part = write_raster(tmp_path / "part.tif", deep[:, :40])
    model = Brightness()
    first = predict_scene(whole, model, tmp_path)
    second = predict_scene(part, model, tmp_path, scale=first.report_file)
    assert second.report["scale"]["low"] == first.report["scale"]["low"]
    assert second.report["scale"]["high"] == first.report["scale"]["high"]
    assert "the scale of whole_report.json" in second.report["scale"]["origin"]
    np.testing.assert_array_equal(read(second.classes), read(first.classes)[:, :40])
    alone = predict_scene(part, model, tmp_path / "alone")
    assert (read(alone.classes) != read(second.classes)).any()


def test_windows_are_those_of_the_map(tmp_path: Path) -> None:
    deep = gradient().astype(np.uint16) * 20
    scene, model = write_raster(tmp_path / "scene.tif", deep), Brightness()
    for scale in ("auto", "5%,60%", "10,3000"):
        whole = read(predict_scene(scene, model, tmp_path / scale, scale=scale).classes)
        window = predict_window(scene, model, 7, 11, 30, 50, scale=scale)
        np.testing.assert_array_equal(window, whole[7:37, 11:61])
        found = predict_probabilities(scene, model, 7, 11, 30, 50, scale=scale)
        np.testing.assert_array_equal(found.argmax(axis=2) * 10, window)


def test_resampled_scenes(tmp_path: Path) -> None:
    deep = np.repeat(np.repeat(gradient(30, 45), 2, axis=0), 2, axis=1).astype(np.uint16) * 20
    scene = write_raster(tmp_path / "scene.tif", deep)
    model = Brightness(ground_sampling_distance=0.6, ground_sampling_range=(0.6, 0.6))
    found = read(predict_scene(scene, model, tmp_path, scale=(0, 5100)).classes)
    plain = read(
        predict_scene(scene, model, tmp_path / "b", scale=(0, 5100), resample=False).classes
    )
    assert (found == plain).mean() > 0.9


@pytest.mark.heavy
def test_a_stopped_map_goes_on_with_the_same_scale_alone(tmp_path: Path) -> None:
    deep = gradient(200, 60).astype(np.uint16) * 20
    scene = write_raster(tmp_path / "scene.tif", deep)
    whole = predict_scene(scene, Brightness(), tmp_path / "whole", rows=32)
    tiles = Brightness()
    predict_scene(scene, tiles, tmp_path / "count", rows=32)

    def stop(output: Path, scale: str) -> Brightness:
        with pytest.raises(Interrupted, match="are kept"):
            predict_scene(scene, Stopped(), output, rows=32, batch_size=1)
        model = Brightness()
        predict_scene(scene, model, output, rows=32, scale=scale)
        return model

    assert stop(tmp_path / "again", "auto").tiles < tiles.tiles
    for name in ("scene_classes.tif", "scene_mask.png", "scene_overlay.jpg"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert stop(tmp_path / "other", "0,100").tiles >= tiles.tiles  # from the beginning
    found = predict_scene(scene, Brightness(), tmp_path / "whole")
    assert "The files existed already; nothing was computed." in found.report["notes"]
    with pytest.raises(InputError, match="--overwrite"):
        predict_scene(scene, Brightness(), tmp_path / "whole", scale="0,100")
    assert whole.report["scale"]["origin"].startswith("0.5 % and 99.5 %")


@pytest.mark.heavy
def test_halves_mapped_by_one_command_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Brightness()
    monkeypatch.setattr("segment.core.model.runtime.load_model", lambda *_, **__: model)
    for place in ("segment.core.model.folder", "segment.mapping.predict"):
        monkeypatch.setattr(f"{place}.load_model_info", lambda _: model.info)
    deep = gradient(64, 128).astype(np.uint16) * 20
    place = Affine(0.5, 0, 500_000, 0, -0.5, 2_700_000)
    whole = write_raster(tmp_path / "in" / "whole.tif", deep, transform=place)
    halves = [
        write_raster(
            tmp_path / "in" / f"{name}.tif",
            deep[:, left : left + 64],
            transform=place @ Affine.translation(left, 0),
        )
        for name, left in (("west", 0), ("east", 64))
    ]

    def predict(*arguments: object) -> int:
        return run(cli.predict.__wrapped__, [str(a) for a in arguments])

    assert predict(*halves, "--output", tmp_path / "out", "--overlap", 0) == 0
    west, east = (
        json.loads((tmp_path / "out" / f"{name}_report.json").read_text())["scale"]
        for name in ("west", "east")
    )
    assert west == east and "of 2 scenes" in west["origin"]
    report = tmp_path / "out" / "east_report.json"
    options = ["--output", tmp_path / "one", "--overlap", 0, "--scale", report]
    assert predict(whole, *options) == 0
    joined = [read(tmp_path / "out" / f"{name}_classes.tif") for name in ("west", "east")]
    np.testing.assert_array_equal(
        np.concatenate(joined, axis=1), read(tmp_path / "one" / "whole_classes.tif")
    )
    assert "brought to 8 bits" in capsys.readouterr().out
    for wrong in ("9,3", "x", tmp_path / "none.json"):
        assert predict(whole, "--output", tmp_path / "bad", "--scale", wrong) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert predict(whole, "--output", tmp_path / "bad", "--scale", "never") == 2
    assert "choose another --scale" in capsys.readouterr().err
    assert not (tmp_path / "bad").exists()


def test_a_real_scene_of_16_bits(tmp_path: Path) -> None:
    path = SHARED / "data" / "scenes" / "spacenet_50cm_uint16.tif"
    if not path.is_file():
        pytest.skip("the scenes are not here")
    result = predict_scene(path, Brightness(tile=256), tmp_path, bands=[1, 1, 1])
    shares = np.bincount(read(result.classes).ravel() // 10, minlength=26)[:5]
    assert (shares > 0).all()  # its brightness fills the range
    scale = result.report["scale"]
    assert scale["dtype"] == "uint16" and 0 < scale["low"][0] < scale["high"][0] < 3000
