"""Gain of starting from the bundled model, and not from scratch, with few tiles."""

import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.config import Config
from segment.core.config import load_settings
from segment.core.labels.classes import ClassTable, save_class_table
from segment.core.raster.opening import open_raster
from segment.data.pixels import decode_mask
from segment.data.tiles import find_pairs
from segment.sample import SAMPLE_CLASSES
from segment.tiling import tile_starts
from tests.benchmarks.material import FOLDER, scene
from tests.benchmarks.measure import report_figure

TILE, STEPS, EPOCHS, VALIDATING = 256, 200, 4, 10
RECIPE = Path(__file__).parents[2] / "configs" / "segment" / "bundled.yaml"
TOWNS = {"learned": range(2001, 2015), "scored": range(2015, 2017)}
"""Seeds of sample towns that the bundled model was not trained on."""

PALETTE = ClassTable(SAMPLE_CLASSES)

Labelled = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def few_tiles(
    dubai: Path | None = None, counts: Sequence[int] = (10, 50, 200), seed: int = 0
) -> None:
    """Scores models on ground that none of them was trained on.

    Both starts are trained with 200 steps of 8 tiles by the bundled recipe. The bundled model is
    also scored without training. Ten further tiles are used to choose the epoch. If there are fewer
    tiles than a count, all are used.

    Args:
        dubai: Tile of the Dubai data that the bundled model was not trained on. Parts 1 to 6 are
            used for training, 7 to 9 for scores. Sample towns are used in any case.
        counts: Numbers of training tiles.
        seed: Seed by which tiles are chosen.
    """
    # after `load_keras`, or the backend of Keras would print messages
    from segment.training.evaluation import evaluate
    from segment.training.train import train

    towns = {part: [_town(number) for number in seeds] for part, seeds in TOWNS.items()}
    grounds = {"sample towns": (towns["learned"], towns["scored"])}
    if dubai is not None:
        parts = [_read(pair.image, pair.mask) for pair in find_pairs(dubai)]
        grounds[f"Dubai, {dubai.name}"] = parts[:6], parts[6:]
    for ground, (learned, scored) in grounds.items():
        tiles = [tile for scene_ in learned for tile in _cut(*scene_)]
        order = np.random.default_rng(seed).permutation(len(tiles))
        validating, pool = (
            [tiles[i] for i in some] for some in (order[:VALIDATING], order[VALIDATING:])
        )
        # float32, like the trained models
        untrained = evaluate(_lay_out({"test": scored}), runtime="keras").confusion
        report_figure(
            f"mean Jaccard, {ground}, bundled model as it comes",
            untrained.mean_jaccard,
            accuracy=untrained.accuracy,
        )
        for chosen in (pool[:count] for count in counts):
            folder = _lay_out({"train": chosen, "val": validating, "test": scored})
            for start in ("none", "bundled"):
                own = [
                    f"model.weights={start}",
                    f"model.encoder_weights={'imagenet' if start == 'none' else 'none'}",
                    "data.collections=[]",
                    "data.split=group",
                    "data.epoch_tiles=0",
                    "augment.pixel_size=null",
                    "data.crops=fixed",
                    "training.precision=auto",
                    f"training.epochs={EPOCHS}",
                ]
                run = train(
                    folder,
                    FOLDER / "few-tiles-run",
                    load_settings(Config, RECIPE, own),
                    overwrite=True,
                )
                assert run.test is not None
                score = run.test.confusion
                report_figure(
                    f"mean Jaccard, {ground}, {len(chosen)} tiles, start: {start}",
                    score.mean_jaccard,
                    accuracy=score.accuracy,
                )


def _town(seed: int) -> Labelled:
    file = scene(1024, 1024, seed)
    return _read(file, file.with_name("truth.tif"))


def _read(image: Path, mask: Path) -> Labelled:
    with open_raster(image) as raster:
        return raster.read()[0], decode_mask(mask, PALETTE)[0]


def _cut(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Iterator[Labelled]:
    for row in tile_starts(mask.shape[0], TILE, TILE):
        for column in tile_starts(mask.shape[1], TILE, TILE):
            window = slice(row, row + TILE), slice(column, column + TILE)
            yield image[window], mask[window]


def _lay_out(parts: dict[str, list[Labelled]]) -> Path:
    """Writes a tile folder with copies of the training tiles, so that an epoch has enough steps."""
    folder = FOLDER / "few-tiles"
    shutil.rmtree(folder, ignore_errors=True)
    for part, tiles in parts.items():
        often = math.ceil(STEPS * 8 / EPOCHS / len(tiles)) if part == "train" else 1
        for name, pixels in (("images", 0), ("masks", 1)):
            (folder / part / name).mkdir(parents=True)
            for number in range(often * len(tiles)):
                picture = tiles[number % len(tiles)][pixels]
                cv2.imwrite(
                    str(folder / part / name / f"{number}.png"),
                    picture[..., ::-1] if name == "images" else picture,
                )
    save_class_table(PALETTE, folder / "classes.yaml")
    return folder
