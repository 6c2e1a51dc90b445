from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio.transform import from_origin

from classify.config import DataSettings
from classify.data.headers import ground_sampling_distance
from classify.data.images import LabelledImage
from classify.data.survey import conflict_notes, survey
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from tests.classify.conftest import picture
from tests.conftest import write_raster

OFF = PreprocessSettings()


def image(path: Path) -> LabelledImage:
    return LabelledImage(path, (0,), None, "a")


def write(folder: Path, name: str, seed: int, **options) -> LabelledImage:
    return image(write_raster(folder / name, picture(0, seed, **options)))


def parts(train=(), val=(), test=()) -> dict:
    return {"train": list(train), "val": list(val), "test": list(test)}


def truncated(path: Path) -> LabelledImage:
    write_raster(path, picture(0, 99))
    path.write_bytes(path.read_bytes()[:1500])
    return image(path)


@pytest.mark.heavy
def test_statistics_are_of_the_training_images_alone(tmp_path):
    values = {"a": 10, "b": 20, "c": 200, "d": 250}
    a, b, c, d = (
        image(write_raster(tmp_path / f"{n}.png", np.full((20, 30, 3), v, np.uint8)))
        for n, v in values.items()
    )
    reported = []
    found = survey(
        parts([a, b], [c], [d]), DataSettings(), OFF, lambda *step: reported.append(step)
    )
    statistics = found.statistics
    np.testing.assert_allclose([statistics.mean, statistics.deviation], [[15] * 3, [5] * 3])
    assert (statistics.count, statistics.dtype, statistics.bands) == (1200, "uint8", 3)
    assert found.parts == parts([a, b], [c], [d]) and found.unreadable == {}
    assert (found.bands.numbers, found.bands.file_bands, found.bands.rgb) == (None, 3, (0, 1, 2))
    assert reported == [(done, 4) for done in (1, 2, 3, 4)]


def test_images_may_differ_in_size(tmp_path):
    images = [write(tmp_path, f"{size}.png", size, size=size) for size in (20, 33, 64)]
    assert survey(parts(images), DataSettings(), OFF).statistics.count == 20**2 + 33**2 + 64**2


@pytest.mark.parametrize("broken", ["truncated", "empty", "text"])
def test_an_image_that_cannot_be_read_is_refused_or_left_out(tmp_path, broken):
    good = [write(tmp_path, f"{seed}.png", seed) for seed in range(4)]
    bad = truncated(tmp_path / "bad.png")
    if broken != "truncated":
        bad.path.write_bytes(b"" if broken == "empty" else b"no image at all")
    with pytest.raises(InputError) as error:
        survey(parts([bad, *good]), DataSettings(), OFF)
    words = ["bad.png", "read as a raster", "Get a whole copy", "--set data.unreadable=skip"]
    assert [word for word in words if word not in str(error.value)] == [] and "\n" not in str(
        error.value
    )
    found = survey(parts([bad, *good]), DataSettings(unreadable="skip"), OFF)
    assert found.parts["train"] == good
    assert list(found.unreadable) == [bad.path] and "bad.png" in found.unreadable[bad.path]
    assert found.statistics.count == survey(parts(good), DataSettings(), OFF).statistics.count


def test_how_many_more_cannot_be_read_is_reported(tmp_path):
    bad = [truncated(tmp_path / f"bad{number}.png") for number in range(3)]
    good = write(tmp_path, "a.png", 0)
    with pytest.raises(InputError, match=r"bad0\.png.* 2 more cannot be used\."):
        survey(parts([good, *bad]), DataSettings(), OFF)


def test_nothing_left_to_train_on(tmp_path):
    bad = truncated(tmp_path / "bad.png")
    with pytest.raises(
        InputError, match=r"No training image can be used: 1 were left out.*bad\.png"
    ):
        survey(parts([bad], [write(tmp_path, "a.png", 0)]), DataSettings(unreadable="skip"), OFF)


OTHERS = {
    "4 of uint8": {"bands": 4, "photometric": "MINISBLACK"},
    "1 of uint8": {"bands": 1},
    "3 of uint16": {"dtype": "uint16"},
}


@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize("received", OTHERS)
def test_an_image_of_another_kind_than_most_is_refused_or_left_out(tmp_path, received, part):
    good = [write(tmp_path, f"{seed}.tif", seed) for seed in range(4)]
    options = dict(OTHERS[received])
    profile = {"photometric": options.pop("photometric")} if "photometric" in options else {}
    other = image(write_raster(tmp_path / "other.tif", picture(0, 9, **options), **profile))
    images = {"train": [other, *good]} if part == "train" else {"train": good, "val": [other]}
    with pytest.raises(InputError) as error:
        survey(parts(**images), DataSettings(), OFF)
    words = [
        "other.tif",
        f"has {received}".replace(" of ", " band of " if received[0] == "1" else " bands of "),
        "0.tif, have 3 of uint8",
        "data.bands",
        "data.unreadable=skip",
    ]
    assert [word for word in words if word not in str(error.value)] == [] and "\n" not in str(
        error.value
    )
    found = survey(parts(**images), DataSettings(unreadable="skip"), OFF)
    assert found.parts == parts(good) and list(found.unreadable) == [other.path]
    assert (found.statistics.bands, found.statistics.dtype, found.bands.file_bands) == (
        3,
        "uint8",
        3,
    )


def test_named_bands_that_all_have_make_images_alike(tmp_path):
    good = [write(tmp_path, f"{seed}.tif", seed) for seed in range(3)]
    other = image(
        write_raster(tmp_path / "other.tif", picture(0, 9, bands=4), photometric="MINISBLACK")
    )
    found = survey(parts([*good, other]), DataSettings(bands=[1, 2, 3]), OFF)
    assert len(found.parts["train"]) == 4 and found.statistics.bands == 3


def test_what_most_images_are_like_decides_whichever_comes_first(tmp_path):
    other = write(tmp_path, "a.tif", 9, bands=5)
    good = [write(tmp_path, f"{seed}.tif", seed, bands=13, dtype="uint16") for seed in range(4)]
    found = survey(parts([other, *good]), DataSettings(unreadable="skip", leave_out=["B10"]), OFF)
    assert (found.parts["train"], found.bands.file_bands, found.bands.rgb) == (good, 13, (3, 2, 1))


def test_pictures_with_a_palette_are_rgb(tmp_path):
    images = []
    for seed in range(3):
        Image.fromarray(picture(0, seed)).convert("P").save(tmp_path / f"{seed}.png")
        images.append(image(tmp_path / f"{seed}.png"))
    found = survey(parts(images), DataSettings(), OFF)
    assert (found.statistics.bands, found.bands.rgb) == (3, (0, 1, 2))


def test_alpha_is_no_band(tmp_path):
    images = [write(tmp_path, "a.png", 0), write(tmp_path, "b.png", 1, bands=4)]
    assert survey(parts(images), DataSettings(), OFF).statistics.bands == 3


@pytest.mark.heavy
def test_bands_are_chosen_by_name_and_rgb_is_found_among_them(tmp_path):
    images = [write(tmp_path, f"{seed}.tif", seed, bands=13, dtype="uint16") for seed in range(2)]
    found = survey(parts(images), DataSettings(leave_out=["B10", "B01"]), OFF)
    assert found.bands.numbers == (2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13)
    assert (found.bands.file_bands, found.bands.rgb, found.statistics.bands) == (13, (2, 1, 0), 11)
    swapped = survey(parts(images), DataSettings(bands=["B04", "B03", "B02"]), OFF)
    assert (swapped.bands.numbers, swapped.bands.rgb) == ((4, 3, 2), (0, 1, 2))
    pixels = np.concatenate(
        [picture(0, seed, bands=13, dtype="uint16").reshape(-1, 13) for seed in range(2)]
    )
    np.testing.assert_allclose(swapped.statistics.mean, pixels.mean(axis=0)[[3, 2, 1]])
    with pytest.raises(InputError, match=r"data\.bands: images have no band 'B99'.*B01.*B8A"):
        survey(parts(images), DataSettings(bands=["B99"]), OFF)


def test_training_images_that_are_scored_too_are_found(tmp_path):
    a, b, c = (write(tmp_path, f"{name}.png", seed, size=64) for seed, name in enumerate("abc"))
    again = write(tmp_path, "a-again.png", 0, size=64)
    smooth = np.kron(picture(0, 5, size=8), np.ones((8, 8, 1))).astype(np.uint8)
    near = [
        image(write_raster(tmp_path / f"{n}.png", p))
        for n, p in (("s", smooth), ("brighter", smooth + np.uint8(9)))
    ]
    chosen_by = write(tmp_path, "c-again.png", 2, size=64)
    found = survey(parts([a, b, near[0]], [again, chosen_by], [c, near[1]]), DataSettings(), OFF)
    assert [(leak.image, leak.other, leak.other_part, leak.exact) for leak in found.leaks] == [
        (a, again, "val", True),
        (near[0], near[1], "test", False),
        (chosen_by, c, "test", True),
    ]
    assert str(found.leaks[0]) == f"{a.path} (train) is the same as {again.path} (val)"
    assert (
        str(found.leaks[1]) == f"{near[0].path} (train) is nearly the same as {near[1].path} (test)"
    )


def test_the_same_pixels_with_other_labels_are_reported(tmp_path):
    copies = [write(tmp_path, f"{name}.png", 0) for name in "abcd"]
    others = [write(tmp_path, f"{name}.png", 7) for name in "ef"]
    digests = survey(parts([*copies, *others]), DataSettings(), OFF).digests
    labels = [(0,), (0,), (1,), (2,), (0,), (0,)]
    images = [replace(i, labels=some) for i, some in zip([*copies, *others], labels, strict=True)]
    (note,) = conflict_notes(parts(images[3:], images[:1], images[1:3]), digests)
    assert note == (
        f"{copies[2].path} is the same as {copies[0].path}, with another label (and 1 more):"
        " correct or remove one of them"
    )
    images[2:4] = [replace(i, labels=(0, 1)) for i in images[2:4]]  # may be the class of the others
    assert conflict_notes(parts(images), digests) == []


@pytest.mark.parametrize("resize, metres", [(0, 0.3), (72, 0.15), (18, 0.6)])
def test_ground_sampling_distance_is_that_of_resized_images(tmp_path, resize, metres):
    assert ground_sampling_distance([write(tmp_path, "a.png", 0)], resize) is None
    images = [write(tmp_path, f"{seed}.tif", seed) for seed in range(3)]
    found = ground_sampling_distance([*images, write(tmp_path, "b.png", 1)], resize)
    assert found == pytest.approx(metres, rel=1e-3)


def test_ground_sampling_distance_is_asked_of_images_from_first_to_last(tmp_path):
    near, far = (
        image(write_raster(tmp_path / f"{m}.tif", picture(0, 0), transform=from_origin(0, 0, m, m)))
        for m in (0.5, 2.0)
    )
    assert ground_sampling_distance([near] * 30 + [far] * 60, 0) == pytest.approx(2.0, rel=1e-3)


@pytest.mark.heavy
def test_what_is_nodata_does_not_count_in_the_statistics(tmp_path):
    pixels = np.random.default_rng(0).uniform(3000, 3100, (36, 36, 2)).astype(np.float32)
    pixels[:12] = np.nan
    found = survey(
        parts([image(write_raster(tmp_path / "a.tif", pixels))], [], []), DataSettings(), OFF
    ).statistics
    np.testing.assert_allclose(found.mean, pixels[12:].reshape(-1, 2).mean(axis=0, dtype=float))
    assert found.minimum.min() >= 3000 and found.count == 24 * 36


def test_an_image_of_nodata_alone_teaches_nothing(tmp_path):
    empty = image(write_raster(tmp_path / "empty.tif", np.zeros((36, 36, 3), np.uint8), nodata=0))
    good = [write(tmp_path, f"{seed}.tif", seed) for seed in range(2)]
    with pytest.raises(InputError, match=r"empty\.tif: no pixel is valid"):
        survey(parts(good, [empty]), DataSettings(), OFF)
    found = survey(parts([empty, *good]), DataSettings(unreadable="skip"), OFF)
    assert found.parts == parts(good) and [*found.unreadable] == [empty.path]


def test_statistics_are_of_preprocessed_pixels(tmp_path):
    pixels = np.full((48, 64, 3), 100, np.uint8)
    pixels[4::8, 4::8] = 255
    pixels[:10] = 7
    images = [image(write_raster(tmp_path / "a.tif", pixels, nodata=7))]
    plain, found = (
        survey(
            parts(images), DataSettings(resize=0, size=32), PreprocessSettings(denoise=denoise)
        ).statistics
        for denoise in (0, 3)
    )
    assert plain.maximum.tolist() == [255] * 3 and plain.count == found.count == 38 * 64
    assert found.maximum.tolist() == found.minimum.tolist() == [100] * 3
    resized = survey(
        parts(images), DataSettings(resize=96, size=32), PreprocessSettings(denoise=3)
    ).statistics
    assert resized.count == pytest.approx(38 * 64 * 4, rel=0.03), (
        "at the size that the network sees"
    )


def test_what_cannot_be_preprocessed_is_reported_with_its_file(tmp_path):
    floats = [write(tmp_path, f"{seed}.tif", seed, dtype="float32") for seed in range(2)]
    with pytest.raises(InputError, match=r"0\.tif: data.preprocess.clahe: .*pixels are float32"):
        survey(parts(floats), DataSettings(), PreprocessSettings(clahe=2))
