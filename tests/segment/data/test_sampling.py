"""Balanced sampling shows each class equally often, however rare it is."""

import numpy as np
import pytest
from rasterio.transform import from_origin

from segment.config import Config, DataSettings
from segment.core.common_settings import PreprocessSettings
from segment.core.config import load_settings
from segment.core.labels.classes import IGNORED, save_class_table
from segment.data.patches import grid_patches
from segment.data.pixels import TilePixels
from segment.data.splitting.crop_area import square_around
from segment.data.splitting.sampling import BalancedSampling, draw_pixel, shares_by_collection
from segment.data.survey import survey
from segment.data.tiles import find_pairs
from segment.data.training_data import TrainingData
from tests.conftest import write_raster
from tests.segment.data.test_mask_reading import Lines

TILE = 32
OFF = PreprocessSettings()


def rare_scene(root, class_table, labelled=1.0):
    """An image of which a thousandth is water, and a share is labelled."""
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (640, 640, 3)).astype(np.uint8)
    mask = np.zeros((640, 640, 1), np.uint8)
    mask[round(640 * labelled) :] = IGNORED
    mask[100:120, 300:320] = 1
    write_raster(root / "town" / "images" / "a.png", image)
    write_raster(root / "town" / "masks" / "a.png", mask)
    save_class_table(class_table, root / "classes.yaml")
    return root


def drawn_masks(root, class_table, balanced, epoch=0, count=400, **options):
    """Masks of an epoch of tiles, and the shares of their pixels that are labelled."""
    from segment.data.dataset import Drawing, TileDataset  # imports Keras

    patches = grid_patches(find_pairs(root), TILE)
    pixels = TilePixels(class_table, "ignore", 100)
    found = survey({"train": patches}, TilePixels(class_table, "ignore", 0), TILE, OFF)
    drawing = Drawing(
        augment=lambda seed: lambda image, mask: (image, mask),
        pixels=found.patch_pixels if balanced else None,
        tiles=count,
        **options,
    )
    tiles = TileDataset(patches, pixels, TILE, 8, preprocessing=OFF, drawing=drawing, epoch=epoch)
    return np.concatenate([tiles[i][1] for i in range(len(tiles))])


def share(masks: np.ndarray, label: int = 1) -> float:
    """Share of the tiles that hold a class."""
    return float((masks == label).any(axis=(1, 2)).mean())


@pytest.mark.heavy
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"random_crops": True},
        {"random_crops": True, "zoom": 0.4},
        {"random_crops": True, "within": True},
        {"random_crops": True, "pixel_sizes": {"": (0.5, 2.0)}},
    ],
)
def test_a_class_of_a_thousandth_is_in_half_of_the_tiles(tmp_path, class_table, options):
    root = rare_scene(tmp_path, class_table)
    uniform = share(drawn_masks(root, class_table, False, **options))
    balanced = drawn_masks(root, class_table, True, **options)
    assert uniform < 0.1 and share(balanced) > 0.45
    assert share(balanced, 0) > 0.9  # and so is the other
    again = drawn_masks(root, class_table, True, **options)
    assert np.array_equal(balanced, again)
    assert (drawn_masks(root, class_table, True, epoch=1, **options) != balanced).any()


@pytest.mark.heavy
@pytest.mark.parametrize("random_crops", [False, True])
def test_tiles_without_labels_are_not_drawn(tmp_path, class_table, random_crops):
    root = rare_scene(tmp_path, class_table, labelled=0.2)
    plain = drawn_masks(root, class_table, False, random_crops=random_crops)
    balanced = drawn_masks(root, class_table, True, random_crops=random_crops)
    assert ((plain != IGNORED).any(axis=(1, 2))).mean() < 0.4
    assert ((balanced != IGNORED).any(axis=(1, 2))).all()


def test_shares_follow_classes_and_collections():
    pixels = np.array([[10, 0, 0], [90, 0, 0], [100, 1, 0], [5, 5, 0]])
    collections = ["a", "a", "a", "b"]
    sampling = BalancedSampling(pixels, collections, {"a": 3.0})
    assert np.allclose(sampling.shares, 0.75 * np.array([0.025, 0.225, 0.75, 0]) + [0, 0, 0, 0.25])
    random = np.random.default_rng(0)
    codes = [sampling.draw_code(2, random) for _ in range(600)]
    assert set(codes) == {0, 1}  # never the class without a pixel
    assert np.mean(codes) == pytest.approx(2 / 3, abs=0.07)
    assert np.allclose(shares_by_collection(collections, {"a": 3.0}), [0.25, 0.25, 0.25, 0.25])


def test_squares_hold_their_pixel_within_the_image():
    random = np.random.default_rng(0)
    for _ in range(300):
        size = int(random.integers(5, 40)), int(random.integers(5, 40))
        pixel = int(random.integers(size[0])), int(random.integers(size[1]))
        edge = int(random.integers(1, 50))
        for first, at, length in zip(
            square_around(pixel, edge, size, random), pixel, size, strict=True
        ):
            assert 0 <= first <= at < first + edge
            assert first + edge <= max(length, edge)
    mask = np.zeros((4, 6), np.uint8)
    mask[1, 5] = mask[3, 0] = 2
    assert {draw_pixel(mask, 2, random) for _ in range(50)} == {(1, 5), (3, 0)}
    assert draw_pixel(mask, 7, random) is None


@pytest.mark.heavy
def test_the_labelled_share_and_rare_classes_are_printed(tmp_path, class_table):
    root, lines = rare_scene(tmp_path, class_table, labelled=0.5), Lines()
    settings = [f"data.tile={TILE}", "data.sampling=balanced"]
    data = TrainingData.prepare(root, load_settings(Config, None, settings), lines)
    assert data.survey.labelled["train"] > 0.95  # tiles without a label are of no part
    assert "labelled pixels: " in lines.text and "rare in train: water (0." in lines.text
    held = data.survey.patch_pixels
    assert held.shape == (len(data.parts["train"]), 2)
    assert np.array_equal(held.sum(axis=0), data.survey.class_pixels["train"])
    assert DataSettings().sampling == "uniform"


def test_the_range_of_pixel_sizes_is_that_of_the_training_images(tmp_path, class_table):
    root, random = tmp_path / "tiles", np.random.default_rng(0)
    for group, size in {"fine": 0.1, "middle": 0.3, "coarse": 1.0, "held": 5.0}.items():
        pixels = random.integers(0, 255, (48, 64, 3)).astype(np.uint8)
        place = from_origin(300_000, 2_000_000, size, size)
        write_raster(root / group / "images" / "a.tif", pixels, transform=place)
        mask = random.integers(0, 2, (48, 64, 1)).astype(np.uint8)
        write_raster(root / group / "masks" / "a.tif", mask, transform=place)
    save_class_table(class_table, root / "classes.yaml")
    config = load_settings(
        Config, None, ["data.tile=32", "data.val_groups=[held]", "augment.scale=0.5"]
    )
    data = TrainingData.prepare(root, config, Lines())
    unchanged = config.augment.model_copy(update={"scale": 0.0})
    assert data.ground_sampling_range(unchanged) == pytest.approx((0.1, 1.0))
    assert data.ground_sampling_range(config.augment) == pytest.approx((0.1 / 1.5, 2.0))
    # crops are not larger than the 48 rows of an image, or not larger than 32, the crop itself
    assert data.ground_sampling_range(config.augment, 32) == pytest.approx((0.1 / 1.5, 1.5))
    assert data.ground_sampling_range(config.augment, 64) == pytest.approx((0.1 / 1.5, 1.0))
    sizes = config.augment.model_copy(update={"pixel_size": (0.5, 4.0)})
    assert data.ground_sampling_range(sizes, 32) == pytest.approx((0.05, 4.0))
