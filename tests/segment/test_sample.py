"""Procedural scenes: any window equals the whole, truth and colours are what they say."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import jaccard_score

from segment.core.errors import InputError
from segment.core.palette import Palette, load_palette
from segment.sample import BLOCK, GROUND_SAMPLING_DISTANCE, SAMPLE_CLASSES, Town, write_sample

HEIGHT, WIDTH = 1100, 1400


@pytest.fixture(scope="module")
def whole() -> tuple[np.ndarray, np.ndarray]:
    return Town(HEIGHT, WIDTH, seed=1).render(0, 0, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def town() -> Town:
    return Town(HEIGHT, WIDTH, seed=1)


def span(length: int) -> st.SearchStrategy[tuple[int, int]]:
    """First position and past-the-end position within `length`."""
    return st.lists(st.integers(0, length), min_size=2, max_size=2, unique=True).map(lambda p: (min(p), max(p)))


@settings(max_examples=40, deadline=None)
@given(rows=span(HEIGHT), columns=span(WIDTH))
def test_any_window_equals_the_same_window_of_the_whole(whole, town, rows, columns):
    (top, bottom), (left, right) = rows, columns
    image, truth = town.render(top, left, bottom - top, right - left)
    np.testing.assert_array_equal(image, whole[0][top:bottom, left:right])
    np.testing.assert_array_equal(truth, whole[1][top:bottom, left:right])


def test_a_window_equals_the_whole_when_it_is_the_first_that_is_rendered(whole):
    image, truth = Town(HEIGHT, WIDTH, seed=1).render(900, 1000, 200, 100)
    np.testing.assert_array_equal(image, whole[0][900:1100, 1000:1100])
    np.testing.assert_array_equal(truth, whole[1][900:1100, 1000:1100])


def test_the_ground_does_not_depend_on_the_size_of_the_scene(whole):
    image, truth = Town(300, 517, seed=1).render(0, 0, 300, 517)
    assert (image.shape, truth.shape) == ((300, 517, 3), (300, 517))
    np.testing.assert_array_equal(image, whole[0][:300, :517])
    np.testing.assert_array_equal(truth, whole[1][:300, :517])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (1, 90), (90, 1)])
def test_small_scenes(town, height, width):
    image, truth = town.render(0, 0, height, width)
    assert (image.shape, image.dtype) == ((height, width, 3), np.uint8)
    assert (truth.shape, truth.dtype) == ((height, width), np.uint8)


def test_a_window_outside_the_scene_is_refused(town):
    with pytest.raises(ValueError, match=r"1100 x 1400 px.*Received: row=1099"):
        town.render(1099, 0, 2, 10)


def test_seeds_differ(whole):
    image, truth = Town(200, 200, seed=2).render(0, 0, 200, 200)
    assert (truth != whole[1][:200, :200]).mean() > 0.2
    assert (image != whole[0][:200, :200]).mean() > 0.5


def test_squares_meet_without_a_seam(whole):
    image, truth = whole
    rows = np.abs(np.diff(image[:, :BLOCK].astype(float), axis=0)).mean((1, 2))
    columns = np.abs(np.diff(image[:BLOCK].astype(float), axis=1)).mean((0, 2))
    for steps in (rows, columns):
        near = steps[BLOCK - 30 : BLOCK + 30]
        assert steps[BLOCK - 1] < near.mean() + 4 * near.std()
    # The square to the right, painted from another corner, draws the same truth where both can.
    across = Town(HEIGHT, WIDTH, seed=1)._paint(0, 512, BLOCK)[1]
    assert (across[:, : WIDTH - 512] != truth[:BLOCK, 512:]).mean() < 1e-3


def test_every_class_occurs_in_a_scene_of_1024_pixels(whole):
    truth = whole[1][:1024, :1024]
    assert set(np.unique(truth)) == {c.value for c in SAMPLE_CLASSES}
    shares = [(truth == c.value).mean() for c in SAMPLE_CLASSES if not c.ignore]
    assert min(shares) > 0.01
    assert (truth == 255).mean() < 0.04


def test_colour_alone_does_not_solve_it(whole):
    image, truth = whole
    rng = np.random.default_rng(0)
    known = rng.choice(np.flatnonzero(truth.ravel() != 255), 20_000, replace=False)
    colours, classes = image.reshape(-1, 3)[known] / 255, truth.ravel()[known]
    model = LogisticRegression(max_iter=300).fit(colours[:10_000], classes[:10_000])
    jaccard = jaccard_score(classes[10_000:], model.predict(colours[10_000:]), average="macro")
    assert 0.15 < jaccard < 0.6


def test_written_rasters(tmp_path: Path, whole):
    told: list[tuple[int, int]] = []
    folder = write_sample(tmp_path / "town", HEIGHT, WIDTH, seed=1, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (HEIGHT * WIDTH, HEIGHT * WIDTH)
    assert load_palette(folder / "classes.yaml") == Palette(SAMPLE_CLASSES)
    with rasterio.open(folder / "scene.tif") as scene, rasterio.open(folder / "truth.tif") as truth:
        np.testing.assert_array_equal(np.moveaxis(scene.read(), 0, -1), whole[0])
        np.testing.assert_array_equal(truth.read(1), whole[1])
        for raster in (scene, truth):
            assert raster.crs.to_epsg() == 32640
            assert raster.res == (GROUND_SAMPLING_DISTANCE, GROUND_SAMPLING_DISTANCE)
            assert raster.transform.e < 0
            assert (raster.profile["tiled"], raster.profile["compress"]) == (True, "deflate")
        assert (scene.count, truth.count) == (3, 1)
        assert (scene.nodata, truth.nodata) == (None, 255)
        assert truth.colormap(1)[4][:3] == SAMPLE_CLASSES[4].rgb
        assert truth.tags(1)["class_2"] == "road"


def test_a_scene_that_cannot_be_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="0x10"):
        write_sample(tmp_path / "town", 0, 10)
    with pytest.raises(InputError, match="--overwrite"):
        write_sample(tmp_path, 10, 10)
    assert list(tmp_path.iterdir()) == []
