"""One scene is divided by squares of ground: where tiles are, what is left out, where crops go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from scipy.ndimage import binary_dilation, distance_transform_cdt

from segment.config import Config, DataSettings
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.labels.classes import save_class_table
from segment.data.collections import open_collections, open_tiles
from segment.data.division import count_shared
from segment.data.patches import grid_patches, patch_boxes
from segment.data.pixels import TilePixels
from segment.data.splits import divide
from segment.data.splitting.crop_area import CropArea
from segment.data.tiles import find_pairs
from tests.conftest import write_raster

TILE = 32


def scene(size: int = 320, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A scene whose first two bands hold the position of each pixel, and its mask."""
    rows, columns = np.mgrid[:size, :size]
    image = np.stack([rows // 2, columns // 2, rows % 2 + 2 * (columns % 2)], axis=2)
    mask = np.random.default_rng(seed).integers(0, 2, (size, size, 1))
    return image.astype(np.uint8), mask.astype(np.uint8)


def cut(root, class_table, georeferenced=True, size=320, step=TILE, names="r{:06}_c{:06}"):
    """Writes that scene as a tile folder of one group."""
    image, mask = scene(size)
    for row in range(0, size - TILE + 1, step):
        for column in range(0, size - TILE + 1, step):
            window = slice(row, row + TILE), slice(column, column + TILE)
            place = {"transform": from_origin(5e5 + 0.5 * column, 4e6 - 0.5 * row, 0.5, 0.5)}
            place = place if georeferenced else {}
            name = names.format(row, column) + (".tif" if georeferenced else ".png")
            write_raster(root / "images" / name, image[window], **place)
            write_raster(root / "masks" / name, mask[window], **place)
    save_class_table(class_table, root / "classes.yaml")
    return root


def painted(division, shape, tile=TILE):
    """Part of each pixel of the scene, -1 for none."""
    found = np.full(shape, -1)
    patches = [(number, p) for number, part in enumerate(division.parts.values()) for p in part]
    boxes = patch_boxes([*(p for _, p in patches), *division.margin], tile)
    for (number, _), (top, left, bottom, right) in zip(patches, boxes.tolist(), strict=False):
        found[top:bottom, left:right] = number
    return found


def closest(parts: np.ndarray) -> float:
    """Pixels between training and validation, along the axis in which they are further apart."""
    return float(distance_transform_cdt(parts != 0)[parts == 1].min()) - 1


@pytest.mark.heavy
@pytest.mark.parametrize("georeferenced", [True, False])
def test_one_scene_is_divided_by_default(tmp_path, class_table, georeferenced):
    root = cut(tmp_path / "town", class_table, georeferenced)
    found = open_tiles(root, DataSettings(tile=TILE), 0)
    division = found.division
    assert division.split == "block" and division.edge > TILE
    parts = painted(division, (320, 320))
    assert closest(parts) >= TILE / 2
    assert 0.1 < np.mean(parts == 1) / np.mean(parts >= 0) < 0.35
    assert any("split by squares of ground" in note for note in found.notes)
    again = open_tiles(root, DataSettings(tile=TILE), 0).division
    assert again == division
    assert open_tiles(root, DataSettings(tile=TILE), 1).division != division


@pytest.mark.heavy
@settings(max_examples=15)
@given(
    st.sampled_from([16, 24, 32, 48, 64]),
    st.integers(0, 5),
    st.sampled_from([(320, 320), (300, 411), (257, 640)]),
)
def test_patches_of_one_image_keep_half_a_tile_apart(tmp_path_factory, tile, seed, shape):
    root = tmp_path_factory.mktemp("scene")
    write_raster(root / "images" / "a.png", np.zeros((*shape, 3), np.uint8))
    write_raster(root / "masks" / "a.png", np.zeros((*shape, 1), np.uint8))
    division = divide(find_pairs(root), DataSettings(tile=max(tile, 32)), seed)
    parts = painted(division, shape, max(tile, 32))
    assert {0, 1} <= set(np.unique(parts)) and closest(parts) >= max(tile, 32) / 2


@pytest.mark.heavy
@pytest.mark.parametrize("zoom, sizes", [(0.0, None), (0.4, None), (0.0, (0.5, 3.0))])
def test_random_crops_never_show_ground_beside_their_part(tmp_path, class_table, zoom, sizes):
    from segment.data.dataset import Drawing, TileDataset  # imports Keras

    image, mask = scene()
    write_raster(tmp_path / "images" / "a.tif", image)
    write_raster(tmp_path / "masks" / "a.tif", mask)
    save_class_table(class_table, tmp_path / "classes.yaml")
    found = open_tiles(tmp_path, DataSettings(tile=TILE, crops="random"), 3)
    pixel_sizes = {"": sizes} if sizes else {}
    tiles = TileDataset(
        found.parts["train"],
        TilePixels(class_table, "ignore", 10),
        TILE,
        4,
        preprocessing=Config().data.preprocess,
        drawing=Drawing(random_crops=True, within=True, pixel_sizes=pixel_sizes, zoom=zoom),
    )
    trained = painted(found.division, (320, 320)) == 0
    if zoom or sizes:  # positions of resized crops are off by some pixels
        trained = binary_dilation(trained, iterations=4)
    corners = set()
    for shown in tiles.draw(300):
        rows, columns, odd = np.moveaxis(shown.astype(int), 2, 0)
        rows, columns = 2 * rows + odd % 2, 2 * columns + odd // 2
        assert trained[rows.clip(0, 319), columns.clip(0, 319)].all()
        corners.add((rows[0, 0], columns[0, 0]))
    assert len(corners) > 100  # not the tiles of the grid alone


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(8, 40), st.integers(30, 150), st.integers(30, 150))
def test_a_crop_area_holds_squares_within_its_tiles_only(seed, tile, height, width):
    random = np.random.default_rng(seed)
    corners = np.stack(
        [random.integers(0, max(length - tile, 0) + 1, 12) for length in (height, width)], axis=1
    )
    covered = np.zeros((height, width), bool)
    for top, left in corners.tolist():
        covered[top : top + tile, left : left + tile] = True
    area = CropArea(corners, height, width, tile)
    for top, left in corners.tolist():
        row, column, edge = area.place(top, left, int(random.integers(4, 60)), random)
        assert covered[row : row + edge, column : column + edge].all()


@pytest.mark.heavy
def test_a_rare_class_is_in_both_parts(tmp_path, class_table):
    image = np.zeros((384, 384, 3), np.uint8)
    mask = np.zeros((384, 384, 1), np.uint8)
    mask[40:44, 40:44] = mask[330:334, 330:334] = 1
    write_raster(tmp_path / "images" / "a.png", image)
    write_raster(tmp_path / "masks" / "a.png", mask)
    save_class_table(class_table, tmp_path / "classes.yaml")
    for seed in range(4):
        found = open_tiles(tmp_path, DataSettings(tile=TILE), seed)
        assert not found.division.missing
        corners = {
            (patch.row // TILE, patch.column // TILE): part
            for part in ("train", "val")
            for patch in found.parts[part]
        }
        assert {corners[1, 1], corners[10, 10]} == {"train", "val"}
    mask[330:334] = 0
    write_raster(tmp_path / "masks" / "a.png", mask)
    found = open_tiles(tmp_path, DataSettings(tile=TILE), 0)
    assert "val has no pixel of water" in found.notes  # not training, which needs it


def test_unlabelled_tiles_are_of_no_part(tmp_path, class_table):
    image, mask = scene()
    mask[:, 200:] = 255
    write_raster(tmp_path / "images" / "a.png", image)
    write_raster(tmp_path / "masks" / "a.png", mask)
    save_class_table(class_table, tmp_path / "classes.yaml")
    division = open_tiles(tmp_path, DataSettings(tile=TILE), 0).division
    assert (painted(division, (320, 320))[:, 224:] == -1).all()


@pytest.mark.heavy
def test_tiles_without_a_place_are_refused(tmp_path, class_table):
    root = cut(tmp_path / "town", class_table, georeferenced=False, names="t{}x{}")
    with pytest.raises(InputError, match=r"t0x0\.png: not known where it is.*data\.split=run"):
        open_tiles(root, DataSettings(tile=TILE), 0)
    assert open_tiles(root, DataSettings(tile=TILE, split="run"), 0).parts["val"]


def test_scenes_of_one_grid_keep_apart(tmp_path, class_table):
    root = tmp_path / "both"
    image, mask = scene()
    for name, column in (("east", 0), ("west", 320)):
        place = {"transform": from_origin(5e5 + 0.5 * column, 4e6, 0.5, 0.5)}
        write_raster(root / name / "images" / "a.tif", image, **place)
        write_raster(root / name / "masks" / "a.tif", mask, **place)
    save_class_table(class_table, root / "classes.yaml")
    division = open_tiles(root, DataSettings(tile=TILE, split="block"), 0).division
    assert closest(painted(division, (320, 640))) >= TILE / 2
    boxes = patch_boxes(grid_patches(find_pairs(root), TILE), TILE)
    assert boxes.max(axis=0).tolist() == [288, 608, 320, 640]


@pytest.mark.heavy
def test_two_groups_are_divided_by_group_and_collections_by_their_own_number(tmp_path, class_table):
    cut(tmp_path / "one", class_table, size=256)
    cut(tmp_path / "two" / "a", class_table, size=64)
    cut(tmp_path / "two" / "b", class_table, size=64)
    assert open_tiles(tmp_path / "two", DataSettings(tile=TILE), 0).division.split == "group"
    listed = f"data.collections=[{{path: {tmp_path}/one}}, {{path: {tmp_path}/two}}]"
    named = "data.classes=[{name: land, color: '#8429F6'}, {name: water, color: '#E2A929'}]"
    config = load_settings(Config, None, [listed, named, f"data.tile={TILE}"])
    found = open_collections(config.data, 0)
    assert [one.division.split for one in found] == ["block", "group"]


def test_groups_that_show_the_same_ground_are_counted(tmp_path):
    image, mask = scene(2 * TILE)
    for group, column in (("a", 0), ("b", TILE), ("c", 40 * TILE)):
        place = {"transform": from_origin(5e5 + column, 4e6, 1, 1), "crs": "EPSG:32640"}
        write_raster(tmp_path / group / "images" / "t.tif", image, **place)
        write_raster(tmp_path / group / "masks" / "t.tif", mask, **place)
    patches = grid_patches(find_pairs(tmp_path), TILE)
    of = {name: [p for p in patches if p.pair.group == name] for name in "abc"}
    assert count_shared({"train": of["a"], "val": of["b"], "test": of["c"]}, TILE) == 2
    assert count_shared({"train": of["a"], "val": of["c"], "test": []}, TILE) == 0
