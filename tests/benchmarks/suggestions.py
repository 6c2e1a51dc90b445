"""What labelling suggested windows gains over labelling windows at random places.

Usage: python -m tests.benchmarks.suggestions [--dubai TILE] [--size PIXELS] [--seeds N] [--steps N]

From the bundled model, in rounds: the scene is mapped, windows of 256 px are labelled from its
reference, and the bundled model is trained further on all windows labelled so far.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.transform import from_origin

from segment.bundled import BUNDLED
from segment.config import Config
from segment.core.config import load_settings
from segment.core.labels.classes import ClassTable, save_class_table
from segment.core.model.backend import load_keras
from segment.core.raster.opening import open_raster
from segment.data.pixels import decode_mask
from segment.data.tiles import find_pairs
from segment.map_outputs.suggestions import WINDOW
from segment.sample import SAMPLE_CLASSES
from tests.benchmarks.material import FOLDER, scene
from tests.benchmarks.measure import report_figure

ROUNDS, WINDOWS, ACROSS, TOWN = 3, 20, 3, 2031
TABLE = ClassTable(SAMPLE_CLASSES)

Place = tuple[int, int]


def main() -> None:
    """Compares both ways on a sample town, and on a tile of the Dubai data if it is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dubai", type=Path, help="a tile that the bundled model never saw")
    parser.add_argument(
        "--size", type=int, default=4096, help="edge of the sample town, pixels; 0: none"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100, help="steps of 16 tiles of 128 px")
    given = parser.parse_args()
    load_keras()
    grounds = {}
    if given.size:
        town = scene(given.size, given.size, TOWN)
        with rasterio.open(town.with_name("truth.tif")) as file:
            grounds["a sample town"] = town, file.read(1)
    if given.dubai:
        grounds[f"Dubai, {given.dubai.name}"] = _mosaic(given.dubai)
    for name, (image, reference) in grounds.items():
        first = _map(BUNDLED, image, reference, 0)[0]
        report_figure(f"mean Jaccard, {name}, bundled model", first)
        ways: dict[str, list[list[float]]] = {"suggested": [], "random": []}
        for seed in range(given.seeds):
            for way, found in ways.items():
                found.append(_rounds(image, reference, way, seed, given.steps))
        gains = np.subtract(ways["suggested"], ways["random"])
        error = gains.std(axis=0, ddof=1) / given.seeds**0.5 if given.seeds > 1 else 0 * gains[0]
        for number in range(ROUNDS):
            for way, found in ways.items():
                scores = np.array(found)[:, number]
                spread = scores.std(ddof=min(1, given.seeds - 1))
                label = f"mean Jaccard, {name}, round {number + 1}, {way} windows"
                report_figure(label, scores.mean(), spread=round(float(spread), 4))
            report_figure(
                f"gain of suggestions over random windows, {name}, round {number + 1}",
                gains[:, number].mean(),
                at_least=float(error[number]),
            )


def _mosaic(tile: Path) -> tuple[Path, NDArray[np.uint8]]:
    """Lays the nine parts of a tile side by side; returns the scene's path and its reference."""
    read: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for pair in find_pairs(tile):
        with open_raster(pair.image) as raster:
            read.append((raster.read()[0], decode_mask(pair.mask, TABLE)[0]))
    height, width = np.min([mask.shape for _, mask in read], axis=0)
    image, mask = (
        np.concatenate(
            [
                np.concatenate(
                    [one[which][:height, :width] for one in read[k : k + ACROSS]], axis=1
                )
                for k in range(0, len(read), ACROSS)
            ]
        )
        for which in (0, 1)
    )
    path = FOLDER / "suggestions" / f"{tile.name.replace(' ', '')}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    ground = {"crs": "EPSG:32640", "transform": from_origin(5e5, 2.8e6, 0.3, 0.3)}
    _write(path, image.transpose(2, 0, 1), **ground)
    return path, mask


def _write(path: Path, bands: NDArray[np.uint8], **grid: Any) -> None:
    count, height, width = bands.shape
    shape = {"width": width, "height": height, "count": count, "dtype": "uint8"}
    layout = {"driver": "GTiff", "tiled": True, "compress": "deflate"}
    with rasterio.open(path, "w", **layout, **shape, **grid) as file:
        file.write(bands)


def _rounds(
    image: Path, reference: NDArray[np.uint8], way: str, seed: int, steps: int
) -> list[float]:
    """Returns the mean Jaccard after each round."""
    from segment.training.train import train

    folder = FOLDER / "suggestions"
    save_class_table(TABLE, folder / "classes.yaml")
    random = np.random.default_rng(seed)
    model, labelled, scores = BUNDLED, list[Place](), []
    for number in range(ROUNDS):
        if way == "random":
            candidates = random.permutation(_places(reference.shape)).tolist()
        else:
            # a person passes over windows that are labelled already
            candidates = _map(model, image, reference, WINDOWS * (number + 1))[1]
        new = [(r, c) for r, c in candidates if (r, c) not in labelled]
        labelled += new[:WINDOWS]
        mask = np.full(reference.shape, 255, np.uint8)
        for row, column in labelled:
            here = np.s_[row : row + WINDOW, column : column + WINDOW]
            mask[here] = reference[here]
        _write(folder / "mask.tif", mask[np.newaxis])
        settings = [
            f"data.labels.path={folder / 'mask.tif'}",
            "data.tile=128",
            "data.crops=random",
            "data.sampling=balanced",
            "augment.quarter_turns=true",
            "model.weights=bundled",
            "training.batch_size=16",
            "training.epochs=4",
            f"training.steps_per_epoch={max(1, steps // 4)}",
            "training.learning_rate=0.0003",
            f"training.seed={seed}",
        ]
        config = load_settings(Config, None, settings)
        model = train(image, folder / "run", config, overwrite=True).folder
        scores.append(_map(model, image, reference, 0)[0])
    return scores


def _places(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Returns the first pixels of all windows of a scene, on the grid of the suggestions."""
    starts = [side % WINDOW // 2 + np.arange(side // WINDOW) * WINDOW for side in shape]
    return np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)


def _map(
    model: Path, image: Path, reference: NDArray[np.uint8], suggest: int
) -> tuple[float, list[Place]]:
    """Maps a scene; returns the mean Jaccard and the suggested places, best first."""
    from segment.mapping.predict import predict_scene

    truth = FOLDER / "suggestions" / "reference.tif"
    truth.parent.mkdir(parents=True, exist_ok=True)
    _write(truth, reference[np.newaxis])
    save_class_table(TABLE, truth.with_name("classes.yaml"))
    output = FOLDER / "suggestions" / "map"
    found = predict_scene(
        image, model, output, truth=truth, suggest=suggest, resume=False, overwrite=True
    )
    score = float(found.report["mean_jaccard"])
    if found.suggestions is None:
        return score, []
    with rasterio.open(image) as file:
        from_ground = ~file.transform
    _, _, shapes, fields = pyogrio.raw.read(found.suggestions, columns=["rank"])
    corners = [shapely.bounds(shapely.from_wkb(shapes[k]))[[0, 3]] for k in np.argsort(fields[0])]
    pixels = [np.round(from_ground * tuple(corner)).astype(int).tolist() for corner in corners]
    return score, [(row, column) for column, row in pixels]


if __name__ == "__main__":
    main()
