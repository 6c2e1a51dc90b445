import warnings

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from segment.core.errors import InputError
from segment.core.labels.alignment import ALIGNED
from segment.core.labels.classes import Class, ClassTable, save_class_table
from segment.core.labels.masks import open_mask
from segment.core.raster.opening import open_raster
from segment.data.cutting import cut_scene
from segment.data.pixels import decode_mask
from segment.data.tiles import find_pairs
from tests.conftest import two_class_scene, write_raster

NOWHERE = {"crs": None, "transform": Affine.identity()}


def put_scene(folder, height, width, **profile):
    image, mask = two_class_scene(height, width)
    return write_raster(folder / "scene.tif", image, **profile), write_raster(
        folder / "truth.tif", mask
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    "height, width, overlap", [(64, 96, 0), (65, 97, 0), (100, 70, 0.5), (32, 32, 0)]
)
def test_tiles_put_back_make_the_scene(tmp_path, height, width, overlap):
    scene, mask = put_scene(tmp_path, height, width)
    result = cut_scene(scene, mask, tmp_path / "tiles", 32, overlap)
    with rasterio.open(scene) as file:
        whole, transform, crs = file.read(), file.transform, file.crs
    back = np.full_like(whole, 99)
    pairs = find_pairs(tmp_path / "tiles")
    assert len(pairs) == result.tiles and result.empty == 0
    for pair in pairs:
        with rasterio.open(pair.image) as file, rasterio.open(pair.mask) as labels:
            assert file.crs == labels.crs == crs and file.transform == labels.transform
            column, row = (round(v) for v in ~transform @ (file.transform.c, file.transform.f))
            tile = file.read()
            assert tile.shape == (3, 32, 32)
            back[:, row : row + 32, column : column + 32] = tile
    np.testing.assert_array_equal(back, whole)


def test_tiles_without_anything_to_learn_are_left_out_and_counted(tmp_path, class_table):
    image, mask = two_class_scene(64, 128)
    image[:, :32] = 0  # nodata
    mask[:, 32:64] = 255  # ignored
    mask[0, 40] = 0  # but for one pixel
    mask[:, 96:] = 77  # a value that no class has
    scene, truth = (
        write_raster(tmp_path / "scene.tif", image, nodata=0),
        write_raster(tmp_path / "truth.tif", mask),
    )
    save_class_table(class_table, tmp_path / "classes.yaml")
    result = cut_scene(scene, truth, tmp_path / "tiles", 32)
    assert (result.tiles, result.empty) == (3, 5)
    assert "3 tiles written, 5 left out" in str(result)
    assert (tmp_path / "tiles" / "classes.yaml").is_file()


def test_nodata_stays_nodata_in_the_tiles(tmp_path):
    image, mask = two_class_scene(32, 64)
    image[:, :10] = 200
    scene, truth = (
        write_raster(tmp_path / "scene.tif", image, nodata=200),
        write_raster(tmp_path / "truth.tif", mask),
    )
    cut_scene(scene, truth, tmp_path / "tiles", 32)
    with open_raster(find_pairs(tmp_path / "tiles")[0].image) as raster:
        assert (~raster.read()[1]).sum() == 32 * 10


@pytest.mark.heavy
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_fourth_band_stays_a_band_like_the_others(tmp_path, dtype):
    image, mask = two_class_scene(32, 32)
    infrared = np.arange(32 * 32).reshape(32, 32, 1) % 256
    image = np.concatenate([image, infrared], axis=2).astype(dtype)
    scene, truth = (
        write_raster(tmp_path / "scene.tif", image, photometric="minisblack"),
        write_raster(tmp_path / "t.tif", mask),
    )
    cut_scene(scene, truth, tmp_path / "tiles", 32)
    with open_raster(find_pairs(tmp_path / "tiles")[0].image) as raster:
        pixels, valid = raster.read()
    np.testing.assert_array_equal(pixels, image)
    assert valid.all()


def test_the_scene_is_read_band_by_band(tmp_path, monkeypatch):
    from segment.core.raster.reader import Raster

    scene, mask = put_scene(tmp_path, 200, 64)
    heights = []
    read = Raster.read
    monkeypatch.setattr(
        Raster, "read", lambda self, *a, **k: heights.append(k.get("height")) or read(self, *a, **k)
    )
    cut_scene(scene, mask, tmp_path / "tiles", 32)
    assert heights == [32] * 7


@pytest.mark.parametrize(
    "spoil, words",
    [
        (
            lambda f: write_raster(f / "truth.tif", np.zeros((60, 64, 1), np.uint8), **NOWHERE),
            ["64x64", "64x60"],
        ),
        (
            lambda f: (f / "scene.tif").write_bytes((f / "scene.tif").read_bytes()[:3000]),
            ["scene.tif"],
        ),
        (lambda f: (f / "truth.tif").unlink(), ["truth.tif", "no such file"]),
        (lambda f: (f / "tiles").mkdir(), ["tiles", "--overwrite"]),
        (
            lambda f: (f / "classes.yaml").write_text("- {name: lava, color: '#FF0000', value: 9}"),
            ["none of 4 tiles", "classes"],
        ),
        (lambda f: (f / "classes.yaml").write_text("nonsense"), ["classes.yaml"]),
    ],
)
def test_what_does_not_fit_leaves_nothing_behind(tmp_path, spoil, words):
    scene, mask = put_scene(tmp_path, 64, 64)
    spoil(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as error:
        cut_scene(scene, mask, tmp_path / "tiles", 32)
    assert all(word in str(error.value) for word in words), error.value
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.heavy
def test_a_mask_on_another_grid_is_cut_from_the_scenes(tmp_path, class_table):
    scene, mask = put_scene(tmp_path, 64, 96)
    save_class_table(class_table, tmp_path / "classes.yaml")
    with rasterio.open(mask) as file:
        labels, place = file.read().transpose(1, 2, 0), file.transform
    east = write_raster(
        tmp_path / "east.tif", labels[::-1, 40:], transform=place @ Affine(1, 0, 40, 0, -1, 64)
    )
    result = cut_scene(scene, east, tmp_path / "tiles", 32)
    assert (result.tiles, result.empty) == (4, 2)
    grid, share, _ = str(result).splitlines()
    assert grid.startswith("note: ") and "(stored south-up)" in grid
    assert "41.7 % of the scene lie outside the mask and are ignored" in share
    for pair in find_pairs(tmp_path / "tiles"):
        with open_raster(pair.image) as image, open_mask(pair.mask, image) as tile:
            assert tile.alignment == ALIGNED
            found = tile.read()
            labelled = ~np.ma.getmaskarray(found)[..., 0]
            column, row = (round(v) for v in ~place @ (image.transform.c, image.transform.f))
        outside = column + np.arange(32) < 40
        assert (labelled == ~outside).all()
        np.testing.assert_array_equal(
            found[:, ~outside], labels[row : row + 32, column : column + 32][:, ~outside]
        )
        assert (decode_mask(pair.mask, class_table)[0][:, outside] == 255).all()


def test_colours_that_are_cut_stay_unlabelled_where_the_mask_does_not_reach(tmp_path):
    black = ClassTable([Class(name="land", color="#000000"), Class(name="water", color="#0000FF")])
    scene, mask = put_scene(tmp_path, 64, 64)
    with rasterio.open(mask) as file:
        place = file.transform
    colours = write_raster(
        tmp_path / "c.tif",
        np.zeros((64, 64, 3), np.uint8),
        transform=place @ Affine.translation(16, 0),
    )
    cut_scene(scene, colours, tmp_path / "tiles", 64)
    (pair,) = find_pairs(tmp_path / "tiles")
    indices, unknown = decode_mask(pair.mask, black)
    assert (indices[:, :16] == 255).all() and (indices[:, 16:] == 0).all() and not unknown


@pytest.mark.heavy
def test_a_mask_of_other_ground_is_refused_and_nothing_is_written(tmp_path):
    scene, _ = put_scene(tmp_path, 64, 64)
    far = write_raster(
        tmp_path / "far.tif",
        np.zeros((64, 64, 1), np.uint8),
        transform=Affine(0.3, 0, 0, 0, -0.3, 0),
    )
    with pytest.raises(InputError, match="does not cover its scene"):
        cut_scene(scene, far, tmp_path / "tiles", 32)
    assert not (tmp_path / "tiles").exists()


def test_a_scene_smaller_than_a_tile_is_refused(tmp_path):
    scene, mask = put_scene(tmp_path, 20, 64)
    with pytest.raises(InputError, match="--size"):
        cut_scene(scene, mask, tmp_path / "tiles", 32)


def test_pictures_without_a_georeference_are_cut_without_a_warning_of_the_library(tmp_path):
    scene, mask = put_scene(tmp_path, 32, 64, **NOWHERE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cut_scene(scene, mask, tmp_path / "tiles", 32)


def test_a_palette_is_refused_as_training_refuses_it(tmp_path):
    image, mask = two_class_scene(64, 64)
    scene = write_raster(tmp_path / "scene.tif", image[..., :1] // 64)
    with rasterio.open(scene, "r+") as file:
        file.write_colormap(1, {i: (60 * i, 0, 0, 255) for i in range(4)})
    with pytest.raises(InputError, match="numbers of palette colours.*-expand rgb"):
        cut_scene(scene, write_raster(tmp_path / "truth.tif", mask), tmp_path / "tiles", 32)
    assert not (tmp_path / "tiles").exists()


def test_warnings_of_a_scene_are_printed_as_warnings(tmp_path):
    pixels = np.full((32, 32, 1), 3, np.uint8)
    scene = write_raster(tmp_path / "a.png", pixels)
    scene.with_suffix(".pgw").write_text("1 0 0 -1 0 0".replace(" ", "\n"))
    scene.with_suffix(".prj").write_text("nonsense")
    mask = write_raster(tmp_path / "b.png", pixels)
    (tmp_path / "classes.yaml").write_text("- {name: water, value: 3, color: '#0000FF'}")
    lines = str(cut_scene(scene, mask, tmp_path / "tiles", 32)).splitlines()
    assert any(line.startswith(f"warning: {scene}: a.prj beside it holds no CRS") for line in lines)
    assert not any("Warning" in line for line in lines)
