"""The examples run as they stand, on small scenes."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio

import classify
import segment
from segment.bundled import BUNDLED
from tests.classify.conftest import SMALL
from tests.conftest import write_raster

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.heavy
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_examples_are_short(path):
    assert len(path.read_text().splitlines()) <= 40


@pytest.mark.heavy
def test_scenes_and_pictures_are_mapped(tmp_path):
    scene = segment.write_sample(tmp_path / "town", 300, 300) / "scene.tif"
    areas = load("map_scene").main(scene, BUNDLED, tmp_path / "map")
    assert sum(areas.values()) == pytest.approx(300 * 300 * 0.09)
    assert load("predict_array").main(scene, BUNDLED).shape == (300, 300)


def test_parts_are_put_back_in_reading_order(tmp_path):
    for part in range(9):
        size = (20 + (part == 4), 30 + (part == 2), 3)
        write_raster(tmp_path / "t" / "images" / f"p{part}.png", np.full(size, part, np.uint8))
        write_raster(tmp_path / "t" / "masks" / f"p{part}.png", np.full(size, part * 10, np.uint8))
    load("join_parts").main(tmp_path / "t", tmp_path / "joined")
    for name, factor in (("scene", 1), ("truth", 10)):
        with rasterio.open(tmp_path / "joined" / f"{name}.tif") as file:
            assert file.shape == (60, 90)
            assert file.read(1)[10::20, 15::30].tolist() == [
                [factor * (3 * r + c) for c in range(3)] for r in range(3)
            ]


@pytest.mark.heavy
def test_pictures_are_sorted_into_folders(tmp_path, no_pictures):
    for kind, level in (("dark", 40), ("bright", 210)):
        for number in range(12):
            noise = np.random.default_rng(number).normal(level, 10, (32, 32, 3))
            write_raster(
                tmp_path / "data" / kind / f"{kind}{number}.png",
                noise.clip(0, 255).astype(np.uint8),
            )
    quick = [*SMALL, "training.epochs=6"]
    classify.train(
        tmp_path / "data",
        tmp_path / "run",
        classify.load_settings(classify.Config, overrides=quick),
    )
    (tmp_path / "data" / "notes.txt").write_text("no picture")
    counts = load("sort_images").main(
        tmp_path / "data", tmp_path / "run", tmp_path / "sorted", sure=0.5
    )
    assert counts == {"dark": 12, "bright": 12}
    assert sorted(
        file.name for file in (tmp_path / "sorted" / "dark" / "dark").iterdir()
    ) == sorted(f"dark{n}.png" for n in range(12))


@pytest.mark.heavy
def test_logits_are_shifted_in_a_copy(tmp_path):
    load("shift_logits").main(BUNDLED, tmp_path / "copy", "building=-0.5", "water=1")
    tiles = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    models = [segment.load_model(folder, "keras") for folder in (BUNDLED, tmp_path / "copy")]
    before, after = (np.log(model.predict(tiles).clip(1e-9)) for model in models)
    shift = (after - before)[np.minimum(before, after).min(axis=-1) > -12]
    names = models[0].info.class_table.names
    expected = [{"building": -0.5, "water": 1}.get(name, 0) for name in names]
    land = names.index("land")
    assert len(shift) and np.allclose(shift - shift[:, [land]], expected, atol=1e-2)
    assert not (tmp_path / "copy" / "openvino").exists()
