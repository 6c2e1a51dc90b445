"""Procedural scenes: any window equals the whole, truth and colours are what they say."""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import jaccard_score

from segment.cli import sample
from segment.core.cli.command import run
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable, load_class_table
from segment.core.progress import Silent
from segment.sample import SAMPLE_CLASSES, write_sample
from segment.town.climates import varied_season
from segment.town.district import SETTLEMENTS
from segment.town.materials import LABELS, Material
from segment.town.town import BLOCK, GROUND_SAMPLING_DISTANCE, Town

HEIGHT, WIDTH = 1100, 1400


@pytest.fixture(scope="module")
def town() -> Town:
    return Town(HEIGHT, WIDTH, seed=1)


@pytest.fixture(scope="module")
def whole(town: Town) -> tuple[np.ndarray, np.ndarray]:
    return town.render(0, 0, HEIGHT, WIDTH)


def span(length: int) -> st.SearchStrategy[tuple[int, int]]:
    """First position and past-the-end position within `length`."""
    return st.lists(st.integers(0, length), min_size=2, max_size=2, unique=True).map(
        lambda p: (min(p), max(p))
    )


@settings(max_examples=40)
@given(rows=span(HEIGHT), columns=span(WIDTH))
def test_any_window_equals_the_same_window_of_the_whole(whole, town, rows, columns):
    (top, bottom), (left, right) = rows, columns
    image, truth = town.render(top, left, bottom - top, right - left)
    np.testing.assert_array_equal(image, whole[0][top:bottom, left:right])
    np.testing.assert_array_equal(truth, whole[1][top:bottom, left:right])


@pytest.mark.heavy
def test_a_window_equals_the_whole_when_it_is_the_first_that_is_rendered(whole):
    image, truth = Town(HEIGHT, WIDTH, seed=1).render(900, 1000, 200, 100)
    np.testing.assert_array_equal(image, whole[0][900:1100, 1000:1100])
    np.testing.assert_array_equal(truth, whole[1][900:1100, 1000:1100])


@pytest.mark.heavy
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
    with pytest.raises(ValueError, match=r"row=1099.*1100 x 1400 px"):
        town.render(1099, 0, 2, 10)


@pytest.mark.heavy
def test_seeds_differ(whole):
    image, truth = Town(200, 200, seed=2).render(0, 0, 200, 200)
    assert (truth != whole[1][:200, :200]).mean() > 0.2
    assert (image != whole[0][:200, :200]).mean() > 0.5


@pytest.mark.heavy
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


@pytest.mark.heavy
def test_written_rasters(tmp_path: Path, whole):
    reported: list[tuple[int, int]] = []

    class Recorded(Silent):
        def advance(self, task: str, done: int, total: int, note: str = "") -> None:
            reported.append((done, total))

    folder = write_sample(tmp_path / "town", HEIGHT, WIDTH, seed=1, progress=Recorded())
    assert reported[-1] == (HEIGHT * WIDTH, HEIGHT * WIDTH)
    assert load_class_table(folder / "classes.yaml") == ClassTable(SAMPLE_CLASSES)
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


EDGE = 400


@pytest.fixture(scope="module")
def varied() -> list[tuple[np.ndarray, np.ndarray]]:
    return [Town(EDGE, EDGE, seed, "varied")._paint(0, 0, EDGE) for seed in range(8)]


@pytest.mark.heavy
def test_dry_towns_are_what_figures_were_given_of():
    image, truth = Town(256, 256, 64).render(0, 0, 256, 256)
    np.testing.assert_allclose(image.mean((0, 1)), (159.3956, 151.8002, 129.6842), atol=0.01)
    values, counts = np.unique(truth, return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {
        1: 33560,
        2: 4998,
        3: 5098,
        4: 21538,
        255: 342,
    }
    same = Town(256, 256, 64, "dry").render(0, 0, 256, 256)
    np.testing.assert_array_equal(same[0], image)


@pytest.mark.heavy
def test_a_window_of_a_varied_town_equals_the_whole():
    whole = Town(64, 1200, 7, "varied").render(0, 0, 64, 1200)
    part = Town(64, 1200, 7, "varied").render(10, 1010, 20, 50)
    np.testing.assert_array_equal(part[0], whole[0][10:30, 1010:1060])
    np.testing.assert_array_equal(part[1], whole[1][10:30, 1010:1060])


@pytest.mark.parametrize("seed", [7, 27])  # long shadows of orchards, and of halls
def test_long_shadows_cross_squares_without_a_seam(seed: int):
    town = Town(BLOCK, BLOCK, seed, "varied")
    image, truth = town._paint(0, 0, EDGE)
    other, classes = town._paint(0, EDGE // 2, EDGE)
    assert (classes[:, : EDGE // 2] != truth[:, EDGE // 2 :]).mean() < 1e-3
    # no grain
    smooth = [
        cv2.blur(part.astype(np.float32), (5, 5))
        for part in (image[:, EDGE // 2 :], other[:, : EDGE // 2])
    ]
    assert (np.abs(smooth[0] - smooth[1]).max(-1) > 20).mean() < 1e-3


@pytest.mark.heavy
def test_varied_towns_are_unlike_each_other(varied):
    def unlike(scenes: list[tuple[np.ndarray, np.ndarray]], value: int) -> float:
        """Mean distance between the towns' mean colours of a class."""
        means = [
            image[truth == value].mean(0) for image, truth in scenes if (truth == value).sum() > 300
        ]
        assert len(means) >= 4
        return float(np.mean([np.linalg.norm(a - b) for a, b in combinations(means, 2)]))

    dry = [Town(EDGE, EDGE, seed)._paint(0, 0, EDGE) for seed in range(8)]
    for value in range(5):
        assert unlike(varied, value) > 1.3 * unlike(dry, value)


def test_varied_towns_hold_all_classes_together_and_mostly_each(varied):
    shares = np.array([[(truth == c.value).mean() for c in SAMPLE_CLASSES] for _, truth in varied])
    assert (shares.mean(0)[:5] > 0.01).all()
    assert ((shares[:, :4] > 0.001).sum(1) >= 4).sum() >= 4
    assert shares[:, 5].mean() < 0.04


def test_dirt_roads_are_roads_and_all_that_a_climate_names_is_known():
    assert LABELS[Material.DIRT] == 2
    seasons = [varied_season(seed) for seed in range(300)]
    assert {s.settlement for s in seasons} == set(SETTLEMENTS)
    assert any(s.unpaved > 0.9 for s in seasons) and any(s.river == 0 for s in seasons)
    assert all(0 < d < 1 for s in seasons for d in s.dark)
    assert all(np.hypot(*s.shadow) <= 1.8 and np.hypot(*s.slope) < 2 for s in seasons)


@pytest.mark.heavy
def test_coarse_pixels_are_means_of_drawn_ones_and_hold_what_most_of_them_are(tmp_path: Path):
    fine = Town(60, 90, 1).render(0, 0, 60, 90)
    coarse = Town(20, 30, 1, reduction=3)
    image, truth = coarse.render(0, 0, 20, 30)
    blocks = fine[0].reshape(20, 3, 30, 3, 3).astype(float).mean((1, 3))
    assert np.abs(image - blocks).max() <= 0.51
    squares = fine[1].reshape(20, 3, 30, 3).transpose(0, 2, 1, 3).reshape(20, 30, 9)
    held = (squares == truth[..., None]).sum(-1)
    assert all((held >= (squares == c.value).sum(-1)).all() for c in SAMPLE_CLASSES)
    part = coarse.render(7, 11, 9, 8)
    np.testing.assert_array_equal(part[0], image[7:16, 11:19])
    np.testing.assert_array_equal(part[1], truth[7:16, 11:19])
    folder = write_sample(tmp_path / "town", 20, 30, 1, gsd=0.9)
    with rasterio.open(folder / "scene.tif") as scene:
        assert scene.res == (0.9, 0.9)
        np.testing.assert_array_equal(np.moveaxis(scene.read(), 0, -1), image)


@pytest.mark.parametrize("gsd", [0.0, -0.3, 0.1, 0.45, 3.3, float("nan"), float("inf")])
def test_pixel_sizes_that_cannot_be_drawn_are_refused(tmp_path: Path, gsd: float):
    with pytest.raises(InputError, match=r"multiples of 0\.3 m per pixel"):
        write_sample(tmp_path / "town", 10, 10, gsd=gsd)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_style_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"style 'wet'\. Choose dry or varied"):
        write_sample(tmp_path / "town", 10, 10, style="wet")


@pytest.mark.heavy
def test_the_command_writes_varied_towns(tmp_path: Path):
    options = ["--size", "64", "--seed", "3", "--style", "varied", "--quiet"]
    assert run(sample.__wrapped__, [str(tmp_path / "town"), *options]) == 0
    with rasterio.open(tmp_path / "town/scene.tif") as scene:
        np.testing.assert_array_equal(
            np.moveaxis(scene.read(), 0, -1), Town(64, 64, 3, "varied").render(0, 0, 64, 64)[0]
        )
    assert run(sample.__wrapped__, [str(tmp_path / "other"), "--style", "wet"]) == 2
    assert run(sample.__wrapped__, [str(tmp_path / "other"), "--gsd", "0.5"]) == 2
    assert not (tmp_path / "other").exists()
