"""Files that hold several pictures, of which the first is read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import Resampling
from rasterio.shutil import copy

from segment.core.errors import InputError
from segment.core.raster.opening import open_raster
from segment.core.raster.subdatasets import holds_several, several_notes
from tests.conftest import write_raster

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)


def frames(path: Path, count: int = 2, **options: Any) -> Path:
    others = [Image.fromarray(np.roll(PIXELS, 9 * k, axis=1)) for k in range(1, count)]
    Image.fromarray(PIXELS).save(path, save_all=count > 1, append_images=others, **options)
    return path


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp"])
def test_pages_and_frames_are_found(tmp_path: Path, name: str) -> None:
    assert holds_several(frames(tmp_path / name))
    assert not holds_several(frames(tmp_path / f"one{name}", count=1))


@pytest.mark.parametrize("options", [{}, {"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}])
def test_overviews_and_masks_are_no_pages(tmp_path: Path, options: dict[str, str]) -> None:
    path = write_raster(tmp_path / "a.tif", PIXELS, **options)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(np.eye(40, 48) > 0)
        file.build_overviews([2, 4], Resampling.average)
    assert not holds_several(path)
    for append in ("NO", "YES"):
        copy(path, tmp_path / "b.tif", driver="GTiff", APPEND_SUBDATASET=append, **options)
    assert holds_several(tmp_path / "b.tif")


def test_damaged_files_hold_one(tmp_path: Path) -> None:
    for name in ("a.tif", "a.png", "a.webp"):
        whole = frames(tmp_path / name).read_bytes()
        for length in range(0, 60, 3):
            (tmp_path / "part").write_bytes(whole[:length])
            holds_several(tmp_path / "part")
    (tmp_path / "circle.tif").write_bytes(b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0")
    assert not holds_several(tmp_path / "circle.tif")
    assert not holds_several(tmp_path / "nowhere.tif")


def test_the_first_of_several_is_named(tmp_path: Path) -> None:
    paths = [frames(tmp_path / f"{k}.tif", count=1 + k % 2) for k in range(4)]
    (line,) = several_notes(paths)
    assert line.startswith(f"note: {paths[1]} (and 1 more): holds several pictures")
    assert several_notes(paths[:1]) == several_notes(["/vsicurl/http://x/a.tif"]) == []


def test_an_animation_is_noted_or_refused(tmp_path: Path) -> None:
    with open_raster(frames(tmp_path / "a.png")) as raster:
        assert raster.notes == ["The file is an animation, and its first frame is read."]
        assert (raster.read()[0] == PIXELS).all()
    with open_raster(frames(tmp_path / "one.png", count=1)) as raster:
        assert raster.notes == []
    path = frames(tmp_path / "a.webp")
    with (
        pytest.raises(InputError, match=r"a\.webp: is an animation.* as PNG\.$"),
        open_raster(path),
    ):
        pass
    with open_raster(frames(tmp_path / "one.webp", count=1, lossless=True)) as raster:
        assert (raster.read()[0] == PIXELS).all()
