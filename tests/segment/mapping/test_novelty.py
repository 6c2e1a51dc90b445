"""Tiles and scenes that look unlike all that a model was trained on."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from segment.core.errors import InputError
from segment.core.model.folder import NOVELTY_FILE, load_model_info
from segment.core.model.weight_files import load_novelty
from segment.core.pixels.novelty import NoveltyDetector
from segment.core.raster.grid import PixelGrid
from segment.core.raster.sources import Source
from segment.mapping.area_tiles import spread_tiles
from segment.mapping.familiarity import describe_share, unfamiliar_share
from segment.mapping.predict import predict_scene
from tests.cluster.conftest import write_model
from tests.conftest import two_class_scene, write_raster

EDGE = 32
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def tiles(count: int, seed: int, bands: int = 3, dtype: str = "uint8") -> list[np.ndarray]:
    """Land and water, each of its own shape."""
    images = [
        two_class_scene(EDGE, EDGE, 1000 * seed + i)[0][..., np.arange(bands) % 3]
        for i in range(count)
    ]
    factor = {"uint8": 1, "uint16": 16, "float32": 1 / 255}[dtype]
    return [(image * factor).astype(dtype) for image in images]


@pytest.fixture(scope="module")
def detector() -> NoveltyDetector:
    return NoveltyDetector.fit(tiles(200, 1), tiles(100, 2))


def test_one_in_twenty_known_tiles_is_unfamiliar(detector: NoveltyDetector) -> None:
    assert np.mean([detector.score(tile) > 1 for tile in tiles(100, 2)]) == 0.05
    assert np.mean([detector.score(tile) > 1 for tile in tiles(200, 3)]) < 0.15


@pytest.mark.parametrize(
    "change",
    [
        lambda tile, random: random.integers(0, 256, tile.shape).astype(np.uint8),
        lambda tile, random: np.full_like(tile, random.integers(0, 256)),
        lambda tile, random: tile[..., ::-1],
        lambda tile, random: tile[..., [1, 2, 0]],
        lambda tile, random: 255 - tile,
        lambda tile, random: tile // 16,
        lambda tile, random: tile // 8 + 200,
        lambda tile, random: np.where(
            (np.indices(tile.shape[:2]).sum(axis=0) // 2 % 2 == 0)[..., None], tile, 255
        ),
    ],
    ids=["noise", "blank", "blue first", "bands turned", "negative", "night", "haze", "pattern"],
)
def test_other_kinds_of_tiles_are_unfamiliar(detector: NoveltyDetector, change: Change) -> None:
    random = np.random.default_rng(0)
    assert np.mean([detector.score(change(tile, random)) > 1 for tile in tiles(50, 4)]) > 0.8


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("bands", "dtype"), [(1, "uint8"), (4, "uint16"), (5, "float32"), (12, "uint16")]
)
def test_any_bands_and_units_are_compared(bands: int, dtype: str) -> None:
    detector = NoveltyDetector.fit(tiles(60, 1, bands, dtype), tiles(40, 2, bands, dtype))
    known = [detector.score(tile) for tile in tiles(40, 3, bands, dtype)]
    other = [
        detector.score(tile.transpose(1, 0, 2)[::-1] * 0 + tile.max())
        for tile in tiles(40, 4, bands, dtype)
    ]
    assert np.median(known) < 1 < min(other)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_of_any_size_are_compared(dtype: str) -> None:
    """Among the tiles that are learned, and among those that are compared."""
    plain = [tile.astype(dtype) for tile in tiles(60, 1, dtype="float32")]
    learned = NoveltyDetector.fit(plain[:40], plain[40:])
    odd = []
    for value in (1e18, 1e30, -3e38, *([1e300] if dtype == "float64" else [])):
        odd += [np.full_like(plain[0], value), plain[0] * value, plain[0].copy()]
        odd[-1][::3, ::2] = value
    scores = [learned.score(tile) for tile in odd]
    assert np.isfinite(scores).all() and min(scores) > 1
    assert learned.score(plain[0]) < 1
    everything = NoveltyDetector.fit([*plain[:40], *odd], plain[40:])
    everything.require_whole(3)


@pytest.mark.parametrize("edge", [1, 2, 7, 33])
def test_tiles_of_any_size_are_compared(edge: int) -> None:
    some = [two_class_scene(edge, edge, seed)[0] for seed in range(40)]
    detector = NoveltyDetector.fit(some[:20], some[20:])
    assert np.isfinite(detector.score(some[0]))


def test_pixels_without_data_are_not_looked_at(detector: NoveltyDetector) -> None:
    tile = tiles(1, 5)[0]
    valid = np.ones((EDGE, EDGE), bool)
    valid[:, 24:] = False
    left, right = tile.copy(), tile.copy()
    left[:, 25:], right[:, 25:] = 0, 255
    assert detector.score(left, valid) == pytest.approx(detector.score(right, valid), abs=0.05)
    assert abs(detector.score(left, valid) - detector.score(tile)) < abs(
        detector.score(left) - detector.score(tile)
    )


def test_a_detector_comes_back_from_its_file(detector: NoveltyDetector, tmp_path: Path) -> None:
    info = load_model_info(write_model(tmp_path / "model"))
    assert load_novelty(tmp_path / "model", info) is None
    detector.save(tmp_path / "model")
    again = load_novelty(tmp_path / "model", info)
    assert again is not None
    for tile in tiles(5, 6):
        assert again.score(tile) == detector.score(tile)


@pytest.mark.parametrize(
    "damage",
    ["cut", "no archive", "other bands", "other shapes", "not finite", "missing", "no tiles"],
)
def test_a_damaged_file_is_refused(detector: NoveltyDetector, tmp_path: Path, damage: str) -> None:
    info = load_model_info(write_model(tmp_path / "model"))
    file, arrays = tmp_path / "model" / NOVELTY_FILE, dict(vars(detector))
    changes = {
        "other shapes": {"mean": arrays["mean"][1:]},
        "not finite": {"axes": arrays["axes"] * np.nan},
        "no tiles": {"known": arrays["known"][:0]},
        "missing": {},
    }
    if damage == "other bands":
        NoveltyDetector.fit(tiles(20, 1, 4, "uint16"), tiles(20, 2, 4, "uint16")).save(
            tmp_path / "model"
        )
    else:
        detector.save(tmp_path / "model")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-200])
    elif damage == "no archive":
        file.write_bytes(b"novelty")
    elif damage in changes:
        arrays |= changes[damage]
        np.savez(
            file,
            **{
                name: value
                for name, value in arrays.items()
                if damage != "missing" or name != "axes"
            },
        )
    with pytest.raises(
        InputError,
        match=(
            r"novelty\.npz: damaged: .+\. Restore it, or delete"
            r" it\."
        ),
    ):
        load_novelty(tmp_path / "model", info)


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (255, 10_000), (256, 256), (257, 511), (2048, 2048), (5000, 300), (90_000, 90_001)],
)
def test_tiles_are_spread_over_a_scene(height: int, width: int) -> None:
    places = spread_tiles(PixelGrid(height, width, None, Affine.identity()), 256, 64)
    assert places == sorted(places) and 1 <= len(places) <= 64
    if height >= 2048 and width >= 2048:
        assert len(places) == 64
    for top, left in places:
        assert top == 0 or (top > 0 and top + 256 <= height)
        assert left == 0 or (left > 0 and left + 256 <= width)
    tops, lefts = (sorted({place[axis] for place in places}) for axis in (0, 1))
    assert all(second - first >= 256 for some in (tops, lefts) for first, second in pairwise(some))


@pytest.mark.heavy
def test_a_scene_of_another_kind_is_warned_of(detector: NoveltyDetector, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    columns = [np.concatenate(tiles(5, seed)) for seed in range(10, 15)]
    known = np.concatenate(columns, axis=1)
    scene = write_raster(tmp_path / "known.tif", known)
    assert predict_scene(scene, model, tmp_path / "maps").report["unfamiliar"] is None
    detector.save(model)
    report = predict_scene(scene, model, tmp_path / "maps", overwrite=True).report
    assert 0 <= report["unfamiliar"] < 0.25 and not any(
        "unlike" in note for note in report["notes"]
    )
    scene = write_raster(tmp_path / "odd.tif", known[..., ::-1])
    odd = predict_scene(scene, model, tmp_path / "maps")
    assert odd.report["unfamiliar"] > 0.9
    (warning,) = (note for note in odd.report["notes"] if "unlike" in note)
    assert warning.startswith("Warning: 2") and "of 25 tiles" in warning and warning in str(odd)
    half = np.concatenate([known, known[..., ::-1]], axis=1)
    info = load_model_info(model)
    unfamiliar, seen = unfamiliar_share(
        detector, Source(write_raster(tmp_path / "half.tif", half)), info
    )
    assert seen == 50 and unfamiliar / seen == pytest.approx(
        (report["unfamiliar"] + odd.report["unfamiliar"]) / 2
    )


def test_a_scene_without_valid_tiles_is_not_judged(
    detector: NoveltyDetector, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model")
    detector.save(model)
    scene = write_raster(tmp_path / "empty.tif", np.zeros((64, 64, 3), np.uint8), nodata=0)
    assert predict_scene(scene, model, tmp_path / "maps").report["unfamiliar"] is None
    assert describe_share(0, 0) is None
    small = write_raster(tmp_path / "small.tif", tiles(1, 8)[0][:5, :7])
    assert predict_scene(small, model, tmp_path / "maps").report["unfamiliar"] in (0, 1)
