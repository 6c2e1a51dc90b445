"""Finished rows of a map on disk, and the overviews that grow with them."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio

from segment.core.labels.classes import Class, ClassTable
from segment.core.maps.class_raster import write_class_raster
from segment.core.maps.cog import RawRows, overview_sizes
from segment.core.raster.grid import PixelGrid
from segment.mapping.journal import CLASSES, Journal

VALUES = np.array([0, 10, 20, 30, 255], np.uint8)
TABLE = ClassTable(
    [Class(name=f"class {v}", value=v, color=f"#0000{v:02}") for v in (0, 10, 20, 30)]
)


def write(rows: RawRows, path: Path, pixels: np.ndarray) -> bytes:
    grid = PixelGrid(*pixels.shape, None, rasterio.Affine.identity())
    counts = np.array([np.count_nonzero(pixels == v) for v in (0, 10, 20, 30)])
    write_class_raster(rows, path, grid, TABLE, counts, "land cover")
    return path.read_bytes()


def append(journal: Journal, pixels: np.ndarray, stop: int, step: int) -> None:
    for start in range(journal.rows, stop, step):
        journal.append({CLASSES: pixels[start : min(start + step, stop)]}, {})


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("height", "width", "step"),
    [
        (1024, 700, 256),
        (513, 600, 100),
        (515, 514, 1),
        (1025, 1023, 417),
        (1, 1111, 1),
        (2047, 3, 64),
        (3, 2600, 2),
        (700, 1, 700),
        (512, 512, 100),
    ],
)
def test_a_raster_with_its_overviews_is_the_file_that_gdal_makes_alone(
    tmp_path: Path, height: int, width: int, step: int
) -> None:
    rng = np.random.default_rng(height)
    blocks = rng.choice(VALUES, (-(-height // 5), -(-width // 3)))
    pixels = np.kron(blocks, np.ones((5, 3), np.uint8))[:height, :width]
    pixels = np.where(rng.random(pixels.shape) < 0.3, rng.choice(VALUES, pixels.shape), pixels)
    journal = Journal(tmp_path, height, width)
    append(journal, pixels, height, step)
    rows = journal.raw(CLASSES)
    assert len(rows.overviews) == len(overview_sizes(height, width))
    made = write(rows, tmp_path / "made.tif", pixels)
    alone = RawRows(rows.file, zlib.crc32(np.ascontiguousarray(pixels)))
    assert made == write(alone, tmp_path / "alone.tif", pixels)


def test_overviews_go_on_from_the_rows_of_a_stopped_map(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).choice(VALUES, (1101, 1300))
    whole, stopped = (Journal(tmp_path / name, 1101, 1300) for name in ("whole", "stopped"))
    for journal in (whole, stopped):
        journal.folder.mkdir()
    append(whole, pixels, 1101, 300)
    append(stopped, pixels, 417, 100)
    for file in stopped.raw(CLASSES).overviews:  # what a killed process left of them is not trusted
        file.write_bytes(b"half a row")
    resumed = Journal(stopped.folder, 1101, 1300)
    assert resumed.rows == 417
    append(resumed, pixels, 1101, 300)
    for ours, theirs in zip(
        resumed.raw(CLASSES).overviews, whole.raw(CLASSES).overviews, strict=True
    ):
        assert ours.read_bytes() == theirs.read_bytes()
