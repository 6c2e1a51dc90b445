import numpy as np
import pytest

from segment.augment_settings import AugmentSettings
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED
from segment.core.pixels.normalise import BandStatistics
from segment.data.augment import augmentation
from segment.data.dataset import Drawing, TileDataset
from segment.data.patches import grid_patches
from segment.data.pixels import TilePixels
from segment.data.survey import survey
from segment.data.tiles import find_pairs
from tests.conftest import write_raster

pytestmark = pytest.mark.heavy


OFF = PreprocessSettings()


def statistics(bands: int = 3, dtype: str = "uint8", high: float = 255) -> BandStatistics:
    zeros = np.zeros(bands)
    return BandStatistics(dtype, 1, zeros, zeros + high, zeros + high / 2, zeros + high / 4)


def dataset(root, class_table, preprocessing=OFF, **drawing) -> TileDataset:
    patches = grid_patches(find_pairs(root), 32)
    return TileDataset(
        patches,
        TilePixels(class_table, "ignore", megabytes=1),
        32,
        4,
        preprocessing=preprocessing,
        drawing=Drawing(**drawing),
    )


def read(class_table) -> TilePixels:
    return TilePixels(class_table, "ignore", megabytes=0)


def everything(data: TileDataset) -> list[np.ndarray]:
    return [array for i in range(len(data)) for array in data[i]]


def test_batches_have_the_files_dtype_and_every_tile_comes_once(tile_folder, class_table):
    data = dataset(tile_folder(groups=2, count=2, size=64), class_table)
    images, masks = data[0]
    assert (images.shape, images.dtype, masks.shape, masks.dtype) == (
        (4, 32, 32, 3),
        np.uint8,
        (4, 32, 32),
        np.uint8,
    )
    assert sum(len(data[i][0]) for i in range(len(data))) == len(data.patches) == 16


def test_epochs_differ_and_repeat(tile_folder, class_table):
    root = tile_folder()
    change = lambda seed: augmentation(AugmentSettings(noise=0.1), statistics(), seed)  # noqa: E731
    first, second = (
        dataset(root, class_table, augment=change, random_crops=True, seed=3) for _ in range(2)
    )
    start = everything(first)
    assert all(np.array_equal(a, b) for a, b in zip(start, everything(second), strict=True))
    first.on_epoch_end()
    assert not all(np.array_equal(a, b) for a, b in zip(start, everything(first), strict=True))
    second.epoch = 1
    assert all(
        np.array_equal(a, b) for a, b in zip(everything(first), everything(second), strict=True)
    )


def test_patches_drawn_singly_share_no_pixel_that_is_learned_or_scored(tmp_path, class_table):
    rows, columns = np.indices((50, 70), np.uint8)
    write_raster(tmp_path / "images" / "a.png", np.stack([rows, columns, rows], axis=-1))
    write_raster(tmp_path / "masks" / "a.png", np.zeros((50, 70, 1), np.uint8))
    counts = np.zeros((50, 70), int)
    for patch in grid_patches(find_pairs(tmp_path), 32):
        for augment in (None, lambda seed: lambda image, mask: (image, mask)):
            pixels = TilePixels(class_table, "ignore", megabytes=1)
            data = TileDataset(
                [patch], pixels, 32, 1, preprocessing=OFF, drawing=Drawing(augment=augment)
            )
            images, masks = data[0]
            where = images[masks != IGNORED]
            np.add.at(counts, (where[:, 0], where[:, 1]), 1)
    assert (counts == 2).all(), "learned once, scored once"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_random_crops_come_larger_and_smaller(dtype, tmp_path, class_table):
    ramp = np.linspace(0, 200, 200).astype(dtype)
    mask = np.repeat(np.arange(2, dtype=np.uint8), 100)
    write_raster(tmp_path / "images" / "a.tif", np.tile(ramp[:, None], (200, 1, 5)))
    write_raster(tmp_path / "masks" / "a.tif", np.tile(mask[:, None], (200, 1, 1)))
    data = dataset(
        tmp_path,
        class_table,
        random_crops=True,
        zoom=0.5,
        augment=lambda seed: lambda image, mask: (image, mask),
    )
    slopes = []
    for epoch in range(6):
        data.epoch = epoch
        for images, masks in (data[i] for i in range(len(data))):
            assert (
                images.dtype == dtype
                and images.shape[1:] == (32, 32, 5)
                and (masks != IGNORED).all()
            )
            wrong = (images[..., 0] > 100) != (masks == 1)
            assert not wrong[np.abs(images[..., 0].astype(float) - 100) > 3].any(), (
                "masks move with images"
            )
            slopes += list(np.ptp(images[:, 0, :, 0].astype(float), axis=1) / 31)
    assert 0.6 < min(slopes) < 0.8 and 1.6 < max(slopes) < 2.1, (
        "from half to one and a half times the size"
    )


def test_images_smaller_than_a_tile_are_filled_up_and_ignored_there(tmp_path, class_table):
    write_raster(tmp_path / "images" / "a.png", np.full((20, 9, 3), 7, np.uint8))
    write_raster(tmp_path / "masks" / "a.png", np.zeros((20, 9, 1), np.uint8))
    images, masks = dataset(tmp_path, class_table)[0]
    assert (images == 7).all()
    assert (masks[0, :20, :9] == 0).all() and (masks[0] == IGNORED).sum() == 32 * 32 - 20 * 9


def test_nodata_is_ignored_and_not_measured(tmp_path, class_table):
    image = np.full((32, 32, 3), 100, np.uint16)
    image[:, :16] = 9999
    write_raster(tmp_path / "images" / "a.tif", image, nodata=9999)
    write_raster(tmp_path / "masks" / "a.tif", np.ones((32, 32, 1), np.uint8))
    patches = grid_patches(find_pairs(tmp_path), 32)
    found = survey({"train": patches}, read(class_table), 32, OFF)
    assert found.class_pixels["train"].tolist() == [0, 512]
    assert found.statistics.maximum.tolist() == [100] * 3
    images, masks = dataset(tmp_path, class_table)[0]
    assert (masks[0, :, :16] == IGNORED).all() and (images[0, :, :16] == 0).all()


def test_survey_measures_training_only_and_reads_all(tmp_path, class_table):
    for name, value in (("a", 10), ("b", 20), ("c", 200)):
        write_raster(tmp_path / "images" / f"{name}.png", np.full((32, 32, 3), value, np.uint8))
        write_raster(
            tmp_path / "masks" / f"{name}.png",
            np.full((32, 32, 1), 0 if name == "a" else 5, np.uint8),
        )
    a, b, c = grid_patches(find_pairs(tmp_path), 32)
    write_raster(tmp_path / "masks" / "c.png", np.eye(32, dtype=np.uint8)[..., None] * 5)
    found = survey({"train": [a, b], "val": [c]}, read(class_table), 32, OFF)
    np.testing.assert_allclose(found.statistics.mean, 15)
    np.testing.assert_allclose(found.statistics.deviation, 5)
    assert found.undeclared == {"5": 32 * 32 + 32}
    with pytest.raises(InputError, match="land, water.*train"):
        survey({"train": [b], "val": [c]}, read(class_table), 32, OFF)
    with pytest.raises(InputError, match="land, water.*val"):
        survey({"train": [a], "val": [b]}, read(class_table), 32, OFF)


def salted(root, dtype="uint8"):
    """An image of 50 x 70 of 100, with a speck every eight pixels and a corner of nodata, and its
    mask.
    """
    image = np.full((50, 70, 3), 100, dtype)
    image[4::8, 4::8] = 200
    image[:10, :10] = 7
    write_raster(root / "images" / "a.tif", image, nodata=7)
    write_raster(root / "masks" / "a.tif", np.ones((50, 70, 1), np.uint8))
    return grid_patches(find_pairs(root), 32)


def test_tiles_are_preprocessed_and_so_are_the_statistics(tmp_path, class_table):
    patches, denoise = salted(tmp_path), PreprocessSettings(denoise=3)
    plain, found = (
        survey({"train": patches}, read(class_table), 32, settings) for settings in (OFF, denoise)
    )
    assert (
        plain.statistics.maximum.tolist() == [200] * 3 and plain.statistics.count == 50 * 70 - 100
    )
    assert found.statistics.maximum.tolist() == found.statistics.minimum.tolist() == [100] * 3
    assert found.statistics.count == plain.statistics.count
    for options in ({}, {"random_crops": True}, {"random_crops": True, "zoom": 0.5}):
        data = dataset(tmp_path, class_table, preprocessing=denoise, **options)
        images = np.concatenate([data[i][0] for i in range(len(data))])
        assert (set(np.unique(images)) == {0, 100}) or options.get("zoom")
        assert (images[..., 0] == 100).mean() > 0.9


@pytest.mark.parametrize(
    "settings, dtype, words",
    [({"clahe": 3}, "float32", "8 or 16 bits"), ({"clahe": 3}, "uint16", "Raise it to 64")],
)
def test_what_cannot_be_preprocessed_is_reported_before_training(
    settings, dtype, words, tmp_path, class_table
):
    with pytest.raises(InputError, match=f"data.preprocess.clahe: .*{words}"):
        survey(
            {"train": salted(tmp_path, dtype)},
            read(class_table),
            32,
            PreprocessSettings(**settings),
        )


def test_a_truncated_jpeg_is_named(tmp_path, class_table):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    path = write_raster(tmp_path / "images" / "a.jpg", noise)
    write_raster(tmp_path / "masks" / "a.png", np.zeros((64, 64, 1), np.uint8))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="a.jpg"):
        survey({"train": grid_patches(find_pairs(tmp_path), 32)}, read(class_table), 32, OFF)


@pytest.mark.parametrize(
    "bands, dtype, high",
    [
        (3, "uint8", 255),
        (1, "uint8", 255),
        (4, "uint16", 9000),
        (13, "uint16", 9000),
        (3, "uint16", 65535),
        (2, "float32", 1.5),
    ],
)
def test_any_depth_is_augmented(bands, dtype, high):
    image = (np.random.default_rng(0).random((64, 64, bands)) * high).astype(dtype)
    mask = np.random.default_rng(1).integers(0, 3, (64, 64)).astype(np.uint8)
    settings = AugmentSettings(
        scale=0.3, shift=0.1, brightness=0.2, contrast=0.2, blur=1, noise=0.05
    )
    for seed in range(5):
        changed, labels = augmentation(settings, statistics(bands, dtype, high), seed)(image, mask)
        assert (changed.shape, changed.dtype, labels.shape) == (
            image.shape,
            image.dtype,
            mask.shape,
        )
        assert changed.min() >= 0 and changed.max() <= high
        assert set(np.unique(labels)) <= {0, 1, 2}, "masks never interpolate"


def test_bright_pixels_of_16_bits_never_wrap():
    image = np.full((32, 32, 1), 65000, np.uint16)
    settings = AugmentSettings(brightness=0.1, contrast=0, noise=0.05)
    for seed in range(5):
        changed, _ = augmentation(settings, statistics(1, "uint16", 65535), seed)(
            image, image[..., 0].astype(np.uint8)
        )
        assert changed.min() > 40000


def test_images_and_masks_move_together():
    mask = np.zeros((64, 64), np.uint8)
    mask[8:30, 20:50] = 200
    image = np.repeat(mask[..., None], 3, axis=2)
    settings = AugmentSettings(scale=0.3, shift=0.2, brightness=0, contrast=0)
    moved = 0
    for seed in range(8):
        changed, labels = augmentation(settings, statistics(), seed)(image, mask)
        assert ((changed[..., 0] > 100) == (labels > 100)).mean() > 0.99
        moved += not np.array_equal(labels, mask)
    assert moved == 8


def test_nothing_asked_nothing_changed():
    image = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    mask = image[..., 0]
    settings = AugmentSettings(flip=0, quarter_turns=False, brightness=0, contrast=0)
    changed, labels = augmentation(settings, statistics(), 0)(image, mask)
    assert np.array_equal(changed, image) and np.array_equal(labels, mask)


def test_hue_needs_rgb():
    with pytest.raises(InputError, match="augment.hue"):
        augmentation(AugmentSettings(hue=10), statistics(4), 0)


CHANGES = AugmentSettings(
    **{"scale": 0.3, "shift": 0.2, "brightness": 0.3, "contrast": 0.3, "blur": 1, "noise": 0.05},
    **{"gamma": 0.3, "tint": 0.2, "haze": 0.3, "shadow": 1, "soften": 1},
)


@pytest.mark.parametrize("bands", [1, 4, 5, 13])
@pytest.mark.parametrize("dtype, low, high", [("uint16", 1000, 4000), ("float32", 0.2, 1)])
def test_nodata_stays_zero_where_tiles_are_augmented(bands, dtype, low, high):
    image = np.random.default_rng(0).uniform(low, high, (64, 64, bands)).astype(dtype)
    valid = np.ones((64, 64), bool)
    valid[8:40, 20:50] = False
    image[~valid] = 0
    mask = np.where(valid, 1, IGNORED).astype(np.uint8)
    found = BandStatistics(
        dtype, 1, *(np.full(bands, value) for value in (low, high, (low + high) / 2, high / 9))
    )
    for seed in range(6):
        changed, labels = augmentation(CHANGES, found, seed)(image, mask, valid)
        assert changed.dtype == dtype and np.isfinite(changed).all()
        assert (changed[labels == IGNORED] == 0).all(), "as when a scene is mapped"
        assert (changed[labels == 1] > 0).mean() > 0.9
        assert set(np.unique(labels)) == {1, IGNORED}


def test_nodata_changes_nothing_else_of_a_tile():
    image = np.random.default_rng(0).integers(1, 255, (32, 32, 3)).astype(np.uint8)
    mask = image[..., 0] % 3
    for seed in range(4):
        change = augmentation(AugmentSettings(scale=0.2, noise=0.1), statistics(), seed)
        again = augmentation(AugmentSettings(scale=0.2, noise=0.1), statistics(), seed)
        for one, other in zip(
            change(image, mask), again(image, mask, np.ones((32, 32), bool)), strict=True
        ):
            assert np.array_equal(one, other)


def test_batches_of_floats_with_nodata_are_finite(tmp_path, class_table):
    image = np.random.default_rng(0).uniform(0.4, 1, (32, 32, 5)).astype(np.float32)
    image[:, :16] = np.nan
    write_raster(tmp_path / "images" / "a.tif", image)
    write_raster(tmp_path / "masks" / "a.tif", np.ones((32, 32, 1), np.uint8))
    found = survey(
        {"train": grid_patches(find_pairs(tmp_path), 32)}, read(class_table), 32, OFF
    ).statistics
    for settings in (AugmentSettings(), AugmentSettings(gamma=0.5, blur=1)):
        data = dataset(
            tmp_path, class_table, augment=lambda seed, s=settings: augmentation(s, found, seed)
        )
        images, masks = data[0]
        assert np.isfinite(images).all() and (masks == IGNORED).mean() == 0.5
        assert (images[masks == IGNORED] == 0).all() and (images[masks == 1] > 0.3).mean() > 0.99
