"""Tiny collections: class folders, a CSV, and scenes of 13 bands whose classes differ outside red,
green and blue only.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from classify.config import Config
from classify.data.bands import EUROSAT_BANDS
from segment.core.config import load_settings
from segment.core.progress import Silent
from tests.conftest import write_raster

QUICK = [
    "model.backbone=baseline",
    "model.weights=none",
    "data.size=32",
    "data.resize=0",
    "training.batch_size=8",
]
SMALL = ["model.backbone=baseline", "model.weights=none", "data.size=32", "data.resize=32"]
"""Settings of a small network for pictures of 32 pixels."""
CLASSES = ("field", "river", "town")


def config(*more: str) -> Config:
    """Settings of a training of seconds: one epoch unless told otherwise."""
    return load_settings(Config, None, [*QUICK, "training.epochs=1", *more])


class Lines(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def picture(
    label: int, seed: int, size: int = 36, bands: int = 3, dtype: str = "uint8"
) -> np.ndarray:
    """Noise (size, size, bands) around a level that tells three classes apart; no two seeds are
    alike.
    """
    noise = np.random.default_rng([label, seed]).normal(
        60 + 60 * (label % 3), 30, (size, size, bands)
    )
    return np.clip(noise, 0, 255).astype(dtype)


def write_shades(
    folder: Path, levels: Mapping[str, float], count: int, spread: float = 10, size: int = 32
) -> None:
    """Pictures of noise in a folder per class, which differ in brightness."""
    for name, level in levels.items():
        for number in range(count):
            noise = np.random.default_rng(number).normal(level, spread, (size, size, 3))
            write_raster(folder / name / f"{number}.png", noise.clip(0, 255).astype(np.uint8))


def write_class(
    folder: Path, label: int, count: int, first: int = 0, suffix: str = ".png", **options: int | str
) -> list[Path]:
    """Images of one class in its folder, of seeds from `first` on."""
    seeds = range(first, first + count)
    return [
        write_raster(folder / f"{seed}{suffix}", picture(label, seed, **options)) for seed in seeds
    ]


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """Makes a data folder with `count` images of each class; counts of single classes by name go
    before.
    """

    def make(
        count: int = 8, name: str = "data", classes: tuple[str, ...] = CLASSES[:2], **counts: int
    ) -> Path:
        for label, folder in enumerate(classes):
            write_class(tmp_path / name / folder, label, counts.get(folder, count))
        return tmp_path / name

    return make


def write_parts(
    root: Path,
    counts: Mapping[str, int],
    classes: tuple[str, ...] = CLASSES[:2],
    **options: int | str,
) -> Path:
    """A data folder with train, val and test of so many images of each class, no image in two of
    them.
    """
    first = 0
    for part, count in counts.items():
        for label, folder in enumerate(classes):
            write_class(root / part / folder, label, count, first, **options)
        first += count
    return root


def save_weights(path: Path, weights: Mapping[str, list[np.ndarray]]) -> Path:
    """Weights by layer name as .npz with keys LAYER/WEIGHT."""
    names = {1: ["kernel"], 4: ["gamma", "beta", "moving_mean", "moving_variance"]}
    np.savez(
        path,
        **{
            f"{layer}/{n}": w
            for layer, ws in weights.items()
            for n, w in zip(names[len(ws)], ws, strict=True)
        },
    )
    return path


@pytest.fixture
def labels_csv(tmp_path: Path) -> Callable[..., Path]:
    """Makes a data folder with labels.csv: each image is `red`, `blue`, both or neither, as its
    bands show.
    """

    def make(count: int = 6, name: str = "tagged") -> Path:
        rows = ["file,labels"]
        for number in range(4 * count):
            red, blue = number % 2, number // 2 % 2
            image = np.random.default_rng(number).normal(
                (60 + 120 * red, 60, 60 + 120 * blue), 20, (36, 36, 3)
            )
            write_raster(tmp_path / name / f"{number}.png", np.clip(image, 0, 255).astype(np.uint8))
            rows.append(f"{number}.png,{';'.join(['red'] * red + ['blue'] * blue)}")
        (tmp_path / name / "labels.csv").write_text("\n".join(rows))
        return tmp_path / name

    return make


def sentinel_scene(label: int, seed: int, size: int = 64) -> np.ndarray:
    """(size, size, 13) uint16 in EuroSAT's order. Red, green and blue are of one distribution
    whatever the label.

    Label 1 has a grain of two pixels in B08, of the same mean and deviation as the noise of label
    0, and is brighter in B11.
    """
    random = np.random.default_rng([label, seed])
    scene = random.normal(1500, 250, (size, size, 13))
    if label:
        rows, columns = np.mgrid[:size, :size]
        grain = np.where((rows // 2 + columns // 2) % 2, 250, -250)
        scene[..., EUROSAT_BANDS.index("B08")] = 1500 + grain + random.normal(0, 20, (size, size))
        scene[..., EUROSAT_BANDS.index("B11")] += 400
    return np.clip(scene, 0, 10_000).astype(np.uint16)


@pytest.fixture(scope="session")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders forest and pasture of 13-band GeoTIFFs: 24 to train on, 8 for validation and 40
    for the test each.
    """
    root = tmp_path_factory.mktemp("sentinel")
    first = 0
    for part, count in {"train": 24, "val": 8, "test": 40}.items():
        for label, name in enumerate(("forest", "pasture")):
            for seed in range(first, first + count):
                write_raster(root / part / name / f"{seed}.tif", sentinel_scene(label, seed))
        first += count
    return root
