import warnings

import numpy as np
import pytest

from classify.augment_settings import AugmentSettings
from classify.data.augment import augmentation
from classify.data.pixels import centre_crop
from segment.core.errors import InputError
from segment.core.pixels.augment import as_dtype
from segment.core.pixels.normalise import BandStatistics

pytestmark = pytest.mark.heavy


OFF = {
    "random_crop": False,
    "horizontal_flip": 0,
    "vertical_flip": 0,
    "brightness": 0,
    "contrast": 0,
}
STRONG = {
    "random_crop": True,
    "resized_crop": 0.3,
    "rotation": 40,
    "quarter_turns": True,
    "horizontal_flip": 1,
    "vertical_flip": 1,
    "brightness": 0.5,
    "contrast": 0.5,
    "elastic": 1,
    "blur": 1,
    "cutout": 1,
}
COLOURS = {"saturation": 0.9, "hue": 90}
DEPTHS = [
    (1, "uint8", 255),
    (3, "uint8", 255),
    (4, "uint8", 255),
    (3, "uint16", 65535),
    (13, "uint16", 9000),
    (3, "float32", 1.5),
]
RARE_DEPTHS = [(13, "float32", 1.5), (2, "int16", 3000), (1, "float64", 2), (1, "uint32", 9000)]


def statistics(bands: int = 3, dtype: str = "uint8", high: float = 255) -> BandStatistics:
    zeros = np.zeros(bands)
    return BandStatistics(dtype, 1, zeros, zeros + high, zeros + high / 2, zeros + high / 4)


def picture(
    height: int = 80, width: int = 72, bands: int = 3, dtype: str = "uint8", high: float = 255
) -> np.ndarray:
    return (np.random.default_rng(0).random((height, width, bands)) * high).astype(dtype)


def alone(**settings) -> AugmentSettings:
    return AugmentSettings(**(OFF | settings))


@pytest.mark.parametrize("bands, dtype, high", DEPTHS + RARE_DEPTHS)
def test_every_depth_is_changed_within_its_range(bands, dtype, high):
    image = picture(bands=bands, dtype=dtype, high=high)
    colours = COLOURS if (bands, dtype) == (3, "uint8") else {}
    with warnings.catch_warnings():
        # albumentations warns of arguments that it does not know
        warnings.simplefilter("error", UserWarning)
        change = augmentation(
            AugmentSettings(**STRONG, **colours), 64, statistics(bands, dtype, high), 0
        )
        crops = [change(image) for _ in range(4)]
    for crop in crops:
        assert (crop.shape, crop.dtype) == ((64, 64, bands), image.dtype)
        assert crop.min() >= 0 and crop.max() <= high * 1.000001
    assert not np.array_equal(crops[0], crops[1])


@pytest.mark.parametrize("bands, dtype, high", DEPTHS)
def test_seeds_repeat(bands, dtype, high):
    image = picture(bands=bands, dtype=dtype, high=high)

    def make(seed):
        return augmentation(AugmentSettings(**STRONG), 64, statistics(bands, dtype, high), seed)

    first, again, other = make(3), make(3), make(4)
    for _ in range(3):
        crop = first(image)
        assert np.array_equal(crop, again(image)) and not np.array_equal(crop, other(image))


@pytest.mark.parametrize("name", [*STRONG, *COLOURS])
def test_each_setting_changes_something(name):
    image = picture()
    change = augmentation(alone(**{name: (STRONG | COLOURS)[name]}), 64, statistics(), 0)
    assert any(not np.array_equal(change(image), centre_crop(image, 64)) for _ in range(8))


@pytest.mark.parametrize(
    "shape", [(80, 72), (64, 64), (64, 91), (200, 7), (63, 65), (5, 5), (1, 2)]
)
@pytest.mark.parametrize("bands, dtype, high", DEPTHS)
def test_nothing_asked_is_the_centre_crop(shape, bands, dtype, high):
    image = picture(*shape, bands, dtype, high)
    crop = augmentation(alone(), 64, statistics(bands, dtype, high), 0)(image)
    assert crop.dtype == image.dtype
    np.testing.assert_array_equal(crop, centre_crop(image, 64))


@pytest.mark.parametrize("shape", [(40, 72), (5, 5), (1, 2)])
def test_images_smaller_than_the_crop_are_filled_up_with_their_own_pixels(shape):
    image = picture(*shape, 13, "uint16", 9000) + 1
    for settings in (
        AugmentSettings(brightness=0, contrast=0),
        alone(rotation=90),
        alone(resized_crop=0.5),
        alone(elastic=1),
    ):
        crop = augmentation(settings, 64, statistics(13, "uint16", 9000), 0)(image)
        assert crop.shape == (64, 64, 13)
        assert crop.min() >= image.min() and crop.max() <= image.max(), "no border of zeros"


def test_random_crops_are_windows_of_the_image():
    image = np.arange(80 * 72, dtype=np.uint16).reshape(80, 72, 1)
    change = augmentation(alone(random_crop=True), 64, statistics(1, "uint16", 6000), 0)
    corners = set()
    for _ in range(200):
        crop = change(image)
        row, column = divmod(int(crop[0, 0, 0]), 72)
        assert np.array_equal(crop, image[row : row + 64, column : column + 64])
        corners.add((row, column))
    rows, columns = zip(*corners, strict=True)
    assert (min(rows), max(rows), min(columns), max(columns)) == (0, 16, 0, 8)


def test_flips_have_their_own_probabilities():
    image = picture(64, 64)
    across = augmentation(alone(horizontal_flip=1), 64, statistics(), 0)(image)
    down = augmentation(alone(vertical_flip=1), 64, statistics(), 0)(image)
    assert np.array_equal(across, image[:, ::-1]) and np.array_equal(down, image[::-1])


def test_turns_have_no_black_corners_and_keep_within_their_angle():
    change = augmentation(alone(rotation=30), 64, statistics(1), 0)
    bright = np.full((96, 96, 1), 200, np.uint8)
    half = np.repeat(np.uint8([50, 200]), 48 * 96).reshape(96, 96, 1)
    angles = []
    for _ in range(20):
        assert (change(bright) == 200).all()
        middle = change(half)[16:48, 16:48, 0].astype(float)
        angles.append(
            np.degrees(
                np.arctan2(np.gradient(middle, axis=1).sum(), np.gradient(middle, axis=0).sum())
            )
        )
    assert max(np.abs(angles)) <= 32 and min(angles) < -10 and max(angles) > 10


@pytest.mark.parametrize("dtype, high", [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_brightness_is_a_fraction_of_the_range_and_never_wraps(dtype, high):
    image = np.full((64, 64, 3), high * 0.95, dtype)
    change = augmentation(alone(brightness=0.2), 64, statistics(3, dtype, high), 0)
    means = [change(image).mean() / high for _ in range(50)]
    assert 0.74 < min(means) < 0.85 and 0.99 < max(means) <= 1.000001


def test_hue_is_in_degrees_and_saturation_a_fraction():
    red = np.full((64, 64, 3), (255, 0, 0), np.uint8)
    turned = [augmentation(alone(hue=60), 64, statistics(), seed)(red)[0, 0] for seed in range(30)]
    assert all(value == 255 for value, _, _ in turned), (
        "60 degrees of red are yellow one way and magenta the other"
    )
    assert max(green for _, green, _ in turned) > 180 and max(blue for _, _, blue in turned) > 180
    paled = [
        augmentation(alone(saturation=0.5), 64, statistics(), seed)(red)[0, 0] for seed in range(30)
    ]
    assert 20 < max(green for _, green, _ in paled) <= 38, "half of red's grey value, 76"


def test_cutout_is_one_hole_of_the_training_mean():
    for dtype, high in (("uint8", 200), ("uint16", 40000), ("float32", 3)):
        change = augmentation(alone(cutout=1), 90, statistics(2, dtype, high), 0)
        holes = [np.argwhere(change(np.zeros((90, 90, 2), dtype)).any(axis=2)) for _ in range(20)]
        for hole in holes:
            height, width = np.ptp(hole, axis=0) + 1
            assert (
                len(hole) == height * width and 9 <= min(height, width) <= max(height, width) <= 30
            )
        np.testing.assert_allclose(
            change(np.zeros((90, 90, 2), dtype)).max(axis=(0, 1)), high / 2, rtol=1e-6
        )


def test_elastic_displacements_are_as_moderate_at_the_border():
    ramp = np.mgrid[:96, :96].transpose(1, 2, 0).astype(np.float32)
    change = augmentation(alone(elastic=1), 96, statistics(2, "float32", 96), 0)
    moved = np.stack([change(ramp) - ramp for _ in range(40)])
    assert 0.012 < moved[:, 24:72, 24:72].std() / 96 < 0.018
    assert moved[:, :4].std() / 96 < 0.02 and np.abs(moved).max() / 96 < 0.1


@pytest.mark.parametrize("name, value", [("hue", 10), ("saturation", 0.1)])
@pytest.mark.parametrize("bands, dtype", [(1, "uint8"), (4, "uint8"), (3, "uint16")])
def test_colours_need_rgb_of_8_bits(name, value, bands, dtype):
    with pytest.raises(
        InputError,
        match=rf"augment.{name} needs 8-bit RGB, .* {bands} bands? of {dtype}. Set it to 0",
    ):
        augmentation(AugmentSettings(**{name: value}), 64, statistics(bands, dtype), 0)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
)
def test_integers_are_rounded_and_never_wrap(dtype):
    limits = np.iinfo(dtype)
    pixels = as_dtype(np.array([-1e30, 2.6, limits.max, 1e30], np.float32), dtype)
    assert pixels.dtype == dtype and pixels[0] == limits.min and pixels[1] == 3
    assert pixels[2] == pixels[3] >= limits.max * (1 - 1e-6)
