"""Tiles of more than 8 bits for models of 8 bits."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from segment.config import Config
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable, save_class_table
from segment.core.progress import Silent
from segment.data.pixels import TilePixels
from segment.data.training_data import TrainingData
from tests.conftest import two_class_scene, write_raster


def write_tiles(root: Path, table: ClassTable, factor: float, dtype: str) -> Path:
    for group in range(3):
        image, mask = two_class_scene(64, 64, seed=group)
        scaled = (image.astype(np.float64) * factor).astype(dtype)
        write_raster(root / f"scene{group}" / "images" / "t.tif", scaled)
        write_raster(root / f"scene{group}" / "masks" / "t.png", mask)
    save_class_table(table, root / "classes.yaml")
    return root


def prepare(tiles: Path | None, *settings: str) -> TrainingData:
    config = load_settings(Config, None, ["data.tile=64", *settings])
    return TrainingData.prepare(tiles, config, Silent())


def images(data: TrainingData) -> list[np.ndarray]:
    pixels = TilePixels(data.class_table, "ignore", 0, tables=data.tables)
    return [pixels.load(pair).image for pair in data.pairs]


@pytest.mark.heavy
def test_tiles_of_16_bits_and_floats(tmp_path: Path, class_table: ClassTable) -> None:
    plain = prepare(write_tiles(tmp_path / "plain", class_table, 1, "uint8"), "data.scale=auto")
    assert plain.scale is None
    for dtype, factor in (("uint16", 40), ("float32", 1 / 255)):
        root = write_tiles(tmp_path / dtype, class_table, factor, dtype)
        never = prepare(root)
        assert (never.survey.statistics.dtype, never.scale) == (dtype, None)
        data = prepare(root, f"data.scale=0,{255 * factor}")
        assert data.survey.statistics.dtype == "uint8"
        assert {pair.info.dtype for pair in data.pairs} == {"uint8"}
        assert data.scale and data.scale.dtype == dtype
        for found, expected in zip(images(data), images(plain), strict=True):
            assert_allclose(found, expected, atol=1)
        auto = prepare(root, "data.scale=auto")
        assert auto.survey.statistics.dtype == "uint8"
        assert auto.survey.statistics.minimum.min() == 0
        assert auto.survey.statistics.maximum.max() == 255
        assert auto.fingerprint != data.fingerprint
        assert auto.fingerprint == prepare(root, "data.scale=auto").fingerprint


def test_collections_of_8_bits_and_more(tmp_path: Path, class_table: ClassTable) -> None:
    write_tiles(tmp_path / "plain", class_table, 1, "uint8")
    write_tiles(tmp_path / "deep", class_table, 40, "uint16")
    write_tiles(tmp_path / "floats", class_table, 0.1, "float32")
    classes = [c.model_dump(mode="json") for c in class_table.classes]

    def together(*names: str, scale: str) -> TrainingData:
        listed = [{"path": str(tmp_path / name)} for name in names]
        return prepare(
            None, f"data.classes={classes}", f"data.collections={listed}", f"data.scale={scale}"
        )

    data = together("plain", "deep", scale="auto")
    assert {pair.info.dtype for pair in data.pairs} == {"uint8"}
    assert data.scale and data.scale.dtype == "uint16"
    with pytest.raises(InputError, match="Export all collections alike"):
        together("plain", "deep", scale="never")
    with pytest.raises(InputError, match=r"data\.scale: images are of float32 and uint16"):
        together("floats", "deep", scale="auto")


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match=r"data\.scale.*below the second"):
        load_settings(Config, None, ["data.scale='9,3'"])
    with pytest.raises(InputError, match=r"data\.scale"):
        load_settings(Config, None, ["data.scale=often"])
