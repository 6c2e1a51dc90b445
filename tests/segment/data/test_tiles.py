import shutil

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

import segment
from segment.config import Config, DataSettings
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.labels.classes import save_class_table
from segment.data.masks.reading import find_class_table
from segment.data.pairs.pair import grid_notes
from segment.data.patches import grid_patches
from segment.data.pixels import TilePixels, decode_mask
from segment.data.splits import divide, leaks
from segment.data.survey import band_order_notes
from segment.data.tiles import find_pairs, part_folders, scan_pairs
from segment.data.training_data import TrainingData
from tests.conftest import two_class_scene, write_raster
from tests.fakes import FakeModel
from tests.segment.data.test_mask_reading import Lines


def test_pairs_know_their_group(tile_folder, class_table):
    root = tile_folder(groups=2, count=3)
    pairs = find_pairs(root)
    assert [(p.group, p.image.stem, p.mask.stem) for p in pairs][:4] == [
        ("scene0", "t0", "t0"),
        ("scene0", "t1", "t1"),
        ("scene0", "t2", "t2"),
        ("scene1", "t0", "t0"),
    ]
    assert find_class_table(root, pairs) == class_table


def test_links_are_followed_and_hidden_folders_are_not(tile_folder, tmp_path):
    root = tile_folder(groups=2)
    shutil.move(root / "scene1", tmp_path / "elsewhere")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "round").symlink_to(root)
    shutil.copytree(root / "scene0", root / ".scene9.partial")
    (root / "scene0" / "images" / ".DS_Store").write_text("")
    assert {p.group for p in find_pairs(root)} == {"scene0", "linked"}


def test_one_pair_of_folders_is_a_group_of_its_own(tile_folder):
    assert {p.group for p in find_pairs(tile_folder(groups=1) / "scene0")} == {"scene0"}


def test_groups_are_never_divided(tile_folder):
    pairs = find_pairs(tile_folder(groups=5))
    parts = divide(pairs, DataSettings(tile=32), seed=0).parts
    assert {p.pair.group for p in parts["val"]} & {p.pair.group for p in parts["train"]} == set()
    assert sum(map(len, parts.values())) == 5 * 2 * 4
    assert leaks(parts) == []
    assert divide(pairs, DataSettings(tile=32), seed=0).parts == parts
    named = divide(
        pairs, DataSettings(tile=32, val_groups=["scene1"], test_groups=["scene3"]), seed=0
    ).parts
    assert {part: {p.pair.group for p in some} for part, some in named.items()} == {
        "train": {"scene0", "scene2", "scene4"},
        "val": {"scene1"},
        "test": {"scene3"},
    }


def test_split_by_patch_divides_groups_and_says_so(tile_folder):
    parts = divide(
        find_pairs(tile_folder(groups=2)),
        DataSettings(tile=32, split="patch", val_fraction=0.25),
        seed=0,
    ).parts
    assert (len(parts["train"]), len(parts["val"])) == (12, 4)
    assert leaks(parts)


def test_folders_fix_the_split(tile_folder):
    root = tile_folder(groups=3)
    for scene, part in (("scene0", "train"), ("scene1", "val"), ("scene2", "test")):
        (root / part).mkdir()
        shutil.move(root / scene, root / part / scene)
    parts = divide(find_pairs(root), DataSettings(tile=64), seed=0).parts
    assert {part: {p.pair.group for p in some} for part, some in parts.items()} == {
        "train": {"scene0"},
        "val": {"scene1"},
        "test": {"scene2"},
    }


@pytest.mark.parametrize("height, width", [(64, 64), (65, 64), (30, 100), (129, 31)])
def test_patches_cover_every_pixel_and_count_it_once(tmp_path, height, width):
    write_raster(tmp_path / "images" / "a.png", np.zeros((height, width, 3), np.uint8))
    write_raster(tmp_path / "masks" / "a.png", np.zeros((height, width, 1), np.uint8))
    new = np.zeros((height, width), int)
    for patch in grid_patches(find_pairs(tmp_path), 32):
        window = new[patch.row : patch.row + 32, patch.column : patch.column + 32]
        assert window.shape == (min(height, 32), min(width, 32))
        window[patch.seen_rows :, patch.seen_columns :] += 1
    assert (new == 1).all()


def test_palette_pictures_and_class_rasters(tmp_path, class_table):
    picture = Image.fromarray(np.array([[5, 9]], np.uint8), "P")
    picture.putpalette([0, 0, 255] * 9 + [128, 64, 0] * 247)
    picture.save(tmp_path / "palette.png")
    assert decode_mask(tmp_path / "palette.png", class_table)[0].tolist() == [[1, 0]]
    write_raster(tmp_path / "classes.tif", np.array([[[1], [0]]], np.uint8), photometric="palette")
    assert decode_mask(tmp_path / "classes.tif", class_table)[0].tolist() == [[1, 0]]


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".webp"])
def test_all_pictures_of_a_folder_are_read(tile_folder, suffix):
    root = tile_folder(groups=2)
    expected = len(find_pairs(root))
    for kind in ("images", "masks"):
        file = root / "scene0" / kind / "t0.png"
        # a GIF has a palette, which an image may not have
        other = file.with_suffix(".bmp" if (suffix, kind) == (".gif", "images") else suffix)
        Image.open(file).save(other, **({"lossless": True} if suffix == ".webp" else {}))
        file.unlink()
    assert len(find_pairs(root)) == expected


def put_pair(folder, name, mask, transform, **profile):
    write_raster(folder / "images" / f"{name}.tif", np.zeros((64, 64, 3), np.uint8))
    write_raster(folder / "masks" / f"{name}.tif", mask, transform=transform, **profile)


@pytest.mark.heavy
def test_masks_on_other_grids_are_read_onto_their_images_and_summed_up(tmp_path, class_table):
    here = Affine(0.3, 0, 500_000, 0, -0.3, 2_700_000)
    mask = two_class_scene(64, 64)[1]
    put_pair(tmp_path, "a", mask, here)
    put_pair(tmp_path, "b", mask[::-1], here @ Affine(1, 0, 0, 0, -1, 64))
    put_pair(tmp_path, "c", mask[:32], here)
    put_pair(tmp_path, "d", mask.repeat(2, 0).repeat(2, 1), here @ Affine.scale(0.5))
    write_raster(tmp_path / "images" / "e.tif", np.zeros((64, 64, 3), np.uint8))
    write_raster(tmp_path / "masks" / "e.png", mask)  # without a georeference
    pairs = find_pairs(tmp_path)
    grids, parts = grid_notes(pairs)
    assert "3 of 5 masks are on another grid" in grids and "b.tif (stored south-up)" in grids
    assert (
        "1 of 5 masks do not cover" in parts
        and "50.0 % of these images on average" in parts
        and "c.tif" in parts
    )
    pixels = TilePixels(class_table, "refuse", 10)
    for pair in pairs:
        expected = mask[..., 0].copy()
        expected[32 if pair.image.stem == "c" else 64 :] = 255
        np.testing.assert_array_equal(pixels.load(pair).mask, expected)


def test_a_mask_of_other_ground_is_named(tmp_path):
    place = Affine(1e-5, 0, 10, 0, -1e-5, 50)
    put_pair(tmp_path, "a", np.zeros((64, 64, 1), np.uint8), place, crs=CRS.from_epsg(4326))
    put_pair(
        tmp_path, "b", np.zeros((64, 64, 1), np.uint8), Affine(0.3, 0, 500_000, 0, -0.3, 2_700_000)
    )
    pairs, problems = scan_pairs(tmp_path)
    assert [pair.image.name for pair in pairs] == ["b.tif"]
    assert "a.tif: mask does not cover its image" in problems[0]
    with pytest.raises(InputError, match="does not cover its image"):
        find_pairs(tmp_path)


def test_undeclared_colors_are_counted_or_refused(tmp_path, class_table):
    mask = write_raster(tmp_path / "m.png", np.full((2, 2, 3), 77, np.uint8))
    assert decode_mask(mask, class_table)[1] == {"#4D4D4D": 4}
    with pytest.raises(InputError, match="#4D4D4D"):
        decode_mask(mask, class_table, "refuse")


def no_masks_folder(root):
    shutil.rmtree(root / "scene0" / "masks")


def mask_without_image(root):
    (root / "scene0" / "images" / "t0.png").unlink()


def image_without_mask(root):
    (root / "scene0" / "masks" / "t0.png").unlink()


def sizes_that_differ(root):
    write_raster(root / "scene0" / "masks" / "t0.png", np.zeros((64, 60, 1), np.uint8))


def bands_that_differ(root):
    write_raster(root / "scene1" / "images" / "t0.png", np.zeros((64, 64, 1), np.uint8))


def image_with_palette(root):
    picture = Image.fromarray(np.zeros((64, 64), np.uint8), "P")
    picture.putpalette([0, 0, 255] * 256)
    picture.save(root / "scene0" / "images" / "t0.png")


def same_name_twice(root):
    shutil.copy(root / "scene0" / "images" / "t0.png", root / "scene0" / "images" / "t0.tif")


def not_an_image(root):
    (root / "scene0" / "images" / "t0.png").write_text("not a picture")


def nothing_inside(root):
    shutil.rmtree(root)
    root.mkdir()


def no_such_folder(root):
    shutil.rmtree(root)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (no_masks_folder, ["scene0", "masks"]),
        (mask_without_image, ["t0.png", "image"]),
        (image_without_mask, ["t0.png", "mask"]),
        (sizes_that_differ, ["t0.png", "64x64", "60x64"]),
        (bands_that_differ, ["t0.png", "1 band of uint8", "3 of uint8"]),
        (image_with_palette, ["t0.png", "palette colours", "-expand rgb"]),
        (same_name_twice, ["t0.tif", "t0.png"]),
        (not_an_image, ["t0.png", "raster"]),
        (nothing_inside, ["tiles", "no `images`"]),
        (no_such_folder, ["tiles", "no such folder"]),
    ],
)
def test_spoilt_folders_are_named_in_one_line(tile_folder, spoil, words):
    root = tile_folder()
    spoil(root)
    with pytest.raises(InputError) as error:
        find_pairs(root)
    assert all(word in str(error.value) for word in words) and "\n" not in str(error.value), (
        error.value
    )


def test_splits_that_cannot_be_made(tile_folder):
    pairs = find_pairs(tile_folder(groups=1))
    with pytest.raises(InputError, match="data.split=patch"):
        divide(pairs, DataSettings(), seed=0)
    with pytest.raises(InputError, match="'nowhere'"):
        divide(pairs, DataSettings(val_groups=["nowhere"]), seed=0)
    with pytest.raises(InputError, match="No tiles for train"):
        divide(pairs, DataSettings(val_groups=["scene0"]), seed=0)


def test_the_real_folder(dubai):
    pairs = find_pairs(dubai)
    assert len(pairs) == 54
    assert sorted({p.group for p in pairs}) == [f"Tile {i}" for i in (2, 3, 4, 5, 7, 8)]


@pytest.mark.parametrize("names", [("Images", "Masks"), ("IMAGES", "masks"), ("images", "Masks")])
def test_folders_named_in_another_case_do_not_vanish(tile_folder, names):
    root = tile_folder()
    for old, new in zip(("images", "masks"), names, strict=True):
        (root / "scene1" / old).rename(root / "scene1" / new)
    with pytest.raises(InputError, match=r"Masks?: only|no `masks`|Images: only|IMAGES: only"):
        find_pairs(root)


def test_a_folder_of_pictures_without_masks_is_none_of_the_data(tile_folder):
    root = tile_folder()
    (root / "scene1" / "docs" / "Images").mkdir(parents=True)
    assert len(find_pairs(root)) == 6


def test_labelled_files_of_other_formats_are_reported(tile_folder):
    root = tile_folder()
    assert part_folders(root, find_pairs(root)) == []
    for kind in ("images", "masks"):
        place = root / "scene0" / kind
        for name in (
            *("t0.png.aux.xml", "t0.pgw", "t1.txt", ".hidden.npy", "Thumbs.db"),
            *("t7.npy", "t8.geotiff", "t9"),
        ):
            (place / name).write_bytes(b"x")
    (root / "scene0" / "images" / "alone.npy").write_bytes(b"x")
    (note,) = part_folders(root, find_pairs(root))
    assert note.startswith("3 files with a mask left out, of formats that are not read: ")
    for name in ("t7.npy", "t8.geotiff", "t9"):
        assert f"scene0/images/{name}" in note


ORDERS = {
    "rgb": [ColorInterp.red, ColorInterp.green, ColorInterp.blue],
    "bgr": [ColorInterp.blue, ColorInterp.green, ColorInterp.red],
    "none": [ColorInterp.undefined] * 3,
}


def named_tiles(root, *orders):
    for number, order in enumerate(orders):
        image, mask = two_class_scene(32, 32, seed=number)
        path = write_raster(root / f"g{number}" / "images" / "a.tif", image)
        with rasterio.open(path, "r+") as file:
            file.colorinterp = ORDERS[order]
        write_raster(root / f"g{number}" / "masks" / "a.tif", mask)
    return find_pairs(root)


@pytest.mark.parametrize(
    "orders, learned, culprit",
    [
        (("rgb", "rgb", "bgr"), (), "g2"),
        (("none", "bgr", "rgb"), (), "g2"),
        (("rgb", "none", "rgb"), (), None),
        (("none", "none"), ("red", "green", "blue"), None),
        (("rgb", "rgb"), ("red", "green", "blue"), None),
        (("rgb", "bgr"), ("red", "green", "blue"), "g1"),
        (("rgb", "bgr"), ("blue", "green", "red"), "g0"),
        (("rgb", "rgb"), ("near infrared", "red", "green"), "g0"),
        (("rgb", "rgb"), ("red", "green"), None),
    ],
)
def test_bands_in_another_order_are_reported(tmp_path, orders, learned, culprit):
    notes = band_order_notes(named_tiles(tmp_path, *orders), learned)
    assert len(notes) == (culprit is not None)
    if culprit:
        assert notes[0].startswith(f"{tmp_path / culprit / 'images' / 'a.tif'}: bands are ")
        assert "export them in one order" in notes[0]


def test_evaluation_and_training_report_the_order_of_bands(tmp_path, class_table):
    named_tiles(tmp_path, "bgr", "rgb", "rgb")
    save_class_table(class_table, tmp_path / "classes.yaml")
    lines = Lines()
    settings = load_settings(Config, None, ["data.tile=32"])
    TrainingData.prepare(tmp_path, settings, lines)
    assert "warning: " in lines.text and "bands are red, green, blue, those of " in lines.text
    scored = Lines()
    names = {"classes": class_table.table}
    model = FakeModel(bands=3)
    model.info = model.info.model_copy(update=names)
    segment.evaluate(tmp_path, model, progress=scored)
    assert "bands are blue, green, red, those of the model red, green, blue" in scored.text
