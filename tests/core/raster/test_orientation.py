"""Pictures that EXIF turns."""

import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image, ImageOps

from classify.data.pixels import file_notes, read_image
from segment.core.errors import InputError
from segment.core.labels.alignment import ALIGNED, align
from segment.core.labels.masks import open_mask
from segment.core.raster.opening import open_raster
from segment.core.raster.orientation import UPRIGHT, Orientation, read_orientation
from segment.core.raster.reduced import read_reduced
from segment.data.cutting import cut_scene
from segment.data.pairs.pair import grid_notes
from segment.data.tiles import find_pairs
from segment.mapping.predict import predict_scene
from tests.fakes import PlaceModel

STORED = np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 5, (40, 56), np.uint8)


def save(path: Path, pixels: np.ndarray, number: int) -> Path:
    picture, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x0112] = number
    options = {
        ".tif": {"tiffinfo": {274: number}},
        ".jpg": {"exif": exif, "subsampling": 0},
        ".webp": {"lossless": True, "exif": exif},
    }
    picture.save(path, **options.get(path.suffix, {"exif": exif}))
    return path


def upright(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture))


@pytest.mark.heavy
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("number", range(1, 9))
def test_pictures_are_read_upright_by_any_window(tmp_path: Path, suffix: str, number: int) -> None:
    picture = save(tmp_path / f"p{suffix}", STORED, number)
    # Pillow turns a TIFF when it opens it, and the others on request
    expected = np.asarray(Image.open(picture)) if suffix == ".tif" else upright(picture)
    if suffix != ".jpg":
        np.testing.assert_array_equal(expected, Orientation(number).turn(STORED))
    height, width = expected.shape[:2]
    with open_raster(picture) as raster:
        assert (
            (raster.height, raster.width)
            == (raster.info.height, raster.info.width)
            == (height, width)
        )
        whole, valid = raster.read()
        assert valid.all()
        assert abs(whole.astype(int) - expected).max() <= (3 if suffix == ".jpg" else 0)
        for row, column, rows, columns in [
            (0, 0, 1, width),
            (7, 3, 11, 20),
            (height - 2, width - 3, 2, 3),
        ]:
            found, _ = raster.read(row, column, rows, columns)
            np.testing.assert_array_equal(found, whole[row : row + rows, column : column + columns])
        reduced = read_reduced(raster, height // 2, width // 2)
        assert reduced.shape == (height // 2, width // 2, 3)
        means = (
            whole[: height // 2 * 2, : width // 2 * 2]
            .reshape(height // 2, 2, width // 2, 2, 3)
            .mean(axis=(1, 3))
        )
        assert abs(reduced.astype(int) - means).mean() < 8
        assert (raster.orientation_note is None) == (number == 1)


@pytest.mark.heavy
def test_alpha_and_nodata_turn_with_the_pixels(tmp_path: Path) -> None:
    rgba = np.dstack([STORED, np.where(LABELS > 1, 255, 0).astype(np.uint8)])
    with open_raster(save(tmp_path / "p.png", rgba, 6)) as raster:
        np.testing.assert_array_equal(raster.read()[1], Orientation(6).turn(LABELS > 1))
    with open_raster(save(tmp_path / "q.png", STORED, 8), nodata=float(STORED[0, 0, 0])) as raster:
        np.testing.assert_array_equal(
            raster.read()[1], Orientation(8).turn((STORED[0, 0, 0] != STORED).any(axis=2))
        )


@pytest.mark.heavy
def test_a_georeferenced_picture_is_read_as_it_is_stored(tmp_path: Path) -> None:
    picture = save(tmp_path / "p.png", STORED, 6)
    picture.with_suffix(".pgw").write_text("0.3\n0\n0\n-0.3\n500000\n2700000\n")
    with open_raster(picture) as raster:
        np.testing.assert_array_equal(raster.read()[0], STORED)
        assert "orientation 6 is ignored" in str(raster.orientation_note)


@pytest.mark.heavy
@pytest.mark.parametrize("number", range(2, 9))
def test_masks_are_laid_on_the_upright_picture(tmp_path: Path, number: int) -> None:
    with open_raster(save(tmp_path / "p.jpg", STORED, number)) as image:
        drawn = Orientation(number).turn(LABELS)
        mask = tmp_path / "mask.png"
        Image.fromarray(np.ascontiguousarray(drawn)).save(mask)
        with open_mask(mask, image) as opened:
            np.testing.assert_array_equal(opened.read()[..., 0], drawn)
            assert opened.read(3, 5, 2, 7).shape == (5, 7, 1)
            fits_both = number < 5
            assert bool(opened.alignment.warning) == fits_both
            assert ("both ways" in " ".join(opened.alignment.lines("m"))) == fits_both
        if number >= 5:  # drawn on the pixels as they are stored
            Image.fromarray(LABELS).save(mask)
            with open_mask(mask, image) as opened:
                np.testing.assert_array_equal(opened.read()[..., 0], drawn)
                assert "as it is stored" in opened.alignment.notes("m")[0]
        own = save(tmp_path / "own.png", LABELS, number)
        with open_mask(own, image) as opened:
            np.testing.assert_array_equal(opened.read()[..., 0], drawn)
            assert "its own EXIF orientation" in opened.alignment.notes("m")[0]


def test_a_square_picture_that_is_turned_warns(tmp_path: Path) -> None:
    Image.fromarray(LABELS[:40, :40]).save(tmp_path / "mask.png")
    with (
        open_raster(save(tmp_path / "p.jpg", STORED[:, :40], 6)) as image,
        open_raster(tmp_path / "mask.png") as mask,
    ):
        assert (
            align(mask, image)
            .notes("mask.png")[0]
            .startswith("Warning: mask.png: the image is turned")
        )
        assert align(mask, mask) == ALIGNED
    with (
        open_raster(save(tmp_path / "q.jpg", STORED, 6)) as image,
        open_raster(tmp_path / "mask.png") as mask,
        pytest.raises(InputError, match="mask is .* and not both are georeferenced"),
    ):
        align(mask, image)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe1\x00\x08Exif\0\0",
        b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0\xff\xff\xff\xff",
        b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffeXIf",
        b"RIFF\0\0\0\0WEBPEXIF\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\x01\0\0\0\x63\0\0\0",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x00\0\0",
    ],
)
def test_what_makes_no_sense_is_upright(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert read_orientation(path) == UPRIGHT
    assert read_orientation(tmp_path / "none") == UPRIGHT


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x05\0\0\0", 5),
        (b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x07\0\0", 7),
        (struct.pack("<2s3HQQHHQQ", b"II", 43, 8, 0, 16, 1, 0x112, 3, 1, 6), 6),
        (struct.pack(">2s3HQQHHQHHI", b"MM", 43, 8, 0, 16, 1, 0x112, 3, 1, 8, 0, 0), 8),
    ],
)
def test_both_byte_orders_are_read_of_bigtiff_too(
    tmp_path: Path, content: bytes, number: int
) -> None:
    (tmp_path / "x.tif").write_bytes(content)
    assert read_orientation(tmp_path / "x.tif").number == number


def test_a_file_that_rasterio_writes_is_upright(tmp_path: Path) -> None:
    with rasterio.open(
        tmp_path / "x.tif", "w", driver="GTiff", height=4, width=6, count=1, dtype="uint8"
    ) as file:
        file.write(LABELS[None, :4, :6])
    assert read_orientation(tmp_path / "x.tif") == UPRIGHT


@pytest.mark.heavy
def test_a_turned_scene_gives_the_map_and_tiles_of_the_upright_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segment.mapping.model_view.TILE", 32)
    maps = []
    for name, pixels, number in (
        ("a.png", STORED, 6),
        ("b.png", np.ascontiguousarray(Orientation(6).turn(STORED)), 1),
    ):
        scene = save(tmp_path / name, pixels, number)
        mask = tmp_path / f"mask-{name}"
        Image.fromarray(np.ascontiguousarray(Orientation(6).turn(LABELS)) * 10).save(mask)
        result = predict_scene(scene, PlaceModel(bands=3), tmp_path / "out", truth=mask, rows=16)
        with rasterio.open(result.classes) as file:
            maps.append(file.read(1))
        assert (result.report["height"], result.report["width"]) == (56, 40)
        assert any("EXIF orientation 6" in note for note in result.report["notes"]) == (number == 6)
        cut = cut_scene(scene, mask, tmp_path / f"tiles-{name}", 32)
        assert ("EXIF orientation 6" in str(cut)) == (number == 6)
    np.testing.assert_array_equal(*maps)
    for tile in sorted((tmp_path / "tiles-a.png").rglob("*.tif")):
        other = tmp_path / "tiles-b.png" / tile.relative_to(tmp_path / "tiles-a.png")
        with rasterio.open(tile) as one, rasterio.open(other) as two:
            np.testing.assert_array_equal(one.read(), two.read())


@pytest.mark.heavy
def test_folders_say_once_how_many_are_turned(tmp_path: Path) -> None:
    for number in (1, 6, 8):
        for folder, pixels in (("images", STORED), ("masks", LABELS)):
            (tmp_path / folder).mkdir(exist_ok=True)
            drawn = (
                pixels
                if folder == "images"
                else np.ascontiguousarray(Orientation(number).turn(pixels))
            )
            save(tmp_path / folder / f"{number}.png", drawn, number if folder == "images" else 1)
    (line,) = grid_notes(find_pairs(tmp_path))
    assert line.startswith(
        "note: 2 of 3 images are turned upright by their EXIF orientation, e.g. "
    )
    assert file_notes(sorted((tmp_path / "images").iterdir())) == [line]
    assert file_notes([tmp_path / "images" / "1.png"]) == []
    np.testing.assert_array_equal(
        read_image(tmp_path / "images" / "6.png"), Orientation(6).turn(STORED)
    )
