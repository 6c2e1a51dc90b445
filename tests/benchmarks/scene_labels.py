"""Scene labels on public data: each row is a training on a fixed split, with its test scores."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.material import FOLDER
from tests.benchmarks.measure import report_figure

_SEEN_FROM_ABOVE = (
    "data.duplicates=drop",
    "data.normalise=imagenet_statistics",
    "augment.quarter_turns=true",
    "augment.resized_crop=0.6",
    "augment.brightness=0.1",
    "augment.contrast=0.1",
    "augment.mixup=0.2",
    "loss.label_smoothing=0.1",
    "training.optimizer=adamw",
    "training.warmup_epochs=0.5",
    "training.precision=mixed",
)
_RESNET50 = (
    "model.backbone=resnet50",
    "training.batch_norm=frozen",
    "training.learning_rate=0.001",
    "training.fine_tuning_rate=0.0001",
)
_LITE0 = (
    "model.backbone=efficientnet_lite0",
    "model.batch_norm_momentum=0.98",
    "training.learning_rate=0.002",
    "training.fine_tuning_rate=0.0005",
    "training.average=0.998",
    "training.clip_norm=1",
)
_BASELINE = ("model.backbone=baseline", "model.weights=none", "augment.mixup=0")
_PCA = ("model.kind=pca",)
_KOREA = ("data.normalise=standardise", "data.sampling=weighted")


def _edge(pixels: int) -> tuple[str, str]:
    return f"data.resize={pixels}", f"data.size={pixels}"


def _epochs(frozen: int, tuned: int) -> tuple[str, str]:
    return f"training.epochs={frozen + tuned}", f"training.frozen_epochs={frozen}"


@dataclass(frozen=True)
class Row:
    """A training.

    Attributes:
        data: Folder of the data.
        settings: Its settings, after those of `config`.
        config: Recipe that it starts from; None for the defaults.
        weights: File of ImageNet weights; None where the settings have them or none are used.
    """

    data: str
    settings: tuple[str, ...]
    config: str | None = None
    weights: str | None = None


_RESNET50_FILE = "resnet50_imagenet_stem-stage3.npz"  # stage 4 starts from nothing
_LITE0_FILE = "efficientnet_lite0_imagenet_fp16.npz"

ROWS = {
    # the head of the project that this one follows: 256, ReLU, dropout; frozen, then tuned
    "eurosat-wide-resnet50": Row("eurosat_rgb", (), "eurosat-rgb"),
    "eurosat-resnet50": Row(
        "eurosat_rgb",
        (*_SEEN_FROM_ABOVE, *_RESNET50, *_edge(128), *_epochs(2, 8)),
        weights=_RESNET50_FILE,
    ),
    "eurosat-lite0": Row(
        "eurosat_rgb",
        (*_SEEN_FROM_ABOVE, *_LITE0, *_edge(128), *_epochs(2, 18)),
        weights=_LITE0_FILE,
    ),
    "eurosat-baseline": Row(
        "eurosat_rgb", (*_SEEN_FROM_ABOVE, *_BASELINE, *_edge(64), "training.epochs=30")
    ),
    "eurosat-pca": Row("eurosat_rgb", (*_PCA, *_edge(64))),
    "aid-resnet50": Row(
        "aid150",
        (*_SEEN_FROM_ABOVE, *_RESNET50, *_edge(192), *_epochs(6, 24)),
        weights=_RESNET50_FILE,
    ),
    "aid-lite0": Row(
        "aid150",
        (*_SEEN_FROM_ABOVE, *_LITE0, *_edge(192), *_epochs(2, 28)),
        weights=_LITE0_FILE,
    ),
    "aid-pca": Row("aid150", (*_PCA, "data.duplicates=drop", *_edge(128))),
    "rsscn7-resnet50": Row(
        "rsscn7",
        ("data.normalise=imagenet_statistics", "training.precision=mixed"),
        "terrain-resnet50",
        _RESNET50_FILE,
    ),
    "rsscn7-lite0": Row(
        "rsscn7",
        (*_SEEN_FROM_ABOVE, *_LITE0, *_edge(224), *_epochs(2, 28)),
        weights=_LITE0_FILE,
    ),
    "korea-three-bands": Row(
        "korea",
        (*_SEEN_FROM_ABOVE, *_LITE0, *_edge(128), *_epochs(2, 18), *_KOREA, "data.bands=[1,2,3]"),
        weights=_LITE0_FILE,
    ),
    "korea-four-bands": Row(
        "korea",
        (*_SEEN_FROM_ABOVE, *_LITE0, *_edge(128), *_epochs(2, 18), *_KOREA),
        weights=_LITE0_FILE,
    ),
}
"""The trainings; `korea` is made of the tile folder s2_korea_landcover by `majority_classes`."""


def scene_labels(
    data: Path,
    weights: Path | None,
    rows: Sequence[str] = (),
    settings: Sequence[str] = (),
    seed: int = 0,
) -> None:
    """Trains each row, exports it to int8, and scores both forms on the test part.

    A row that was interrupted goes on where it was; one that is finished is scored again.

    Args:
        data: Folder that holds the data of all rows.
        weights: Folder of the weights files; None for weights that packages have or download.
        rows: Names of the rows; all by default.
        settings: Further settings, `key=value`.
        seed: Seed of the split and of the training.
    """
    for name in rows or ROWS:
        train_row(name, data, weights, settings, seed)


def train_row(
    name: str, data: Path, weights: Path | None, settings: Sequence[str], seed: int
) -> None:
    """Trains and scores one row."""
    import keras

    from classify.config import Config
    from classify.training.evaluation import evaluate
    from classify.training.export import export_model
    from classify.training.train import train
    from segment.core.cli.command import show_progress
    from segment.core.config import load_settings

    row, run = ROWS[name], FOLDER / "scene-labels" / f"{name}-{seed}"
    if row.data == "korea":
        folder = majority_classes(next(data.rglob("s2_korea_landcover")), FOLDER / "korea")
    else:
        folder = data / row.data
    changes = [*row.settings, f"training.seed={seed}"]
    if row.weights:
        changes.append(f"model.weights={weights / row.weights if weights else 'imagenet'}")
    config = load_settings(Config, row.config and Path(row.config), [*changes, *settings])
    keras.backend.clear_session()
    with show_progress(quiet=False) as progress:
        resume = (run / "checkpoints" / "last.npz").exists()
        result = train(folder, run, config, resume=resume, overwrite=True, progress=progress)
        assert result.test is not None
        scores = {"float32": result.test.report}
        if config.model.kind == "network":
            export_model(run, int8=folder, overwrite=True, progress=progress)
            scores["int8"] = evaluate(
                folder, run, part="test", runtime="openvino", progress=progress
            ).report
    for form, report in scores.items():
        report_figure(
            f"test accuracy, {name}, {form}",
            report["accuracy"],
            interval=report["accuracy_interval"],
            top3=report["top3_accuracy"],
            f1_macro=report["f1_macro"],
            calibration_error=report["calibration_error"],
            images=report["images"],
            seed=seed,
        )


def majority_classes(tiles: Path, output: Path, edge: int = 64, share: float = 0.6) -> Path:
    """Cuts a tile folder into images of one class each.

    An image has the class of most of its pixels, and is left out if these are fewer than `share`.
    Tiles of one number show the same ground at two dates: they are in the same part, drawn by
    number.

    Args:
        tiles: Tile folder whose images are called DATE_patchN_NUMBER.tif.
        output: Folder to write: train, val and test with class folders.
        edge: Edge of the images in pixels.
        share: Share of the pixels that are of the class.

    Returns:
        The folder.
    """
    import rasterio

    from segment.core.labels.classes import load_class_table

    if output.exists():
        return output
    names = {c.value: c.name for c in load_class_table(tiles / "classes.yaml").classes}
    files = sorted((tiles / "images").glob("*.tif"))
    numbers = sorted({int(file.stem.rpartition("_")[2]) for file in files})
    # of the first seeds, one that leaves about twenty fields in validation and in the test
    drawn = np.random.default_rng(5).permutation(numbers)
    parts = {int(n): "test" if i < 3 else "val" if i < 6 else "train" for i, n in enumerate(drawn)}
    staged = output.with_name(f"{output.name}.part")
    shutil.rmtree(staged, ignore_errors=True)
    for file in files:
        part = parts[int(file.stem.rpartition("_")[2])]
        with (
            rasterio.open(file) as image,
            rasterio.open(tiles / "masks" / f"{file.stem}.png") as mask,
        ):
            pixels, values, profile = image.read(), mask.read(1), image.profile
            interpretation, descriptions = image.colorinterp, image.descriptions
        profile |= {"width": edge, "height": edge, "compress": "deflate", "tiled": False}
        for top in range(0, values.shape[0] - edge + 1, edge):
            for left in range(0, values.shape[1] - edge + 1, edge):
                window = slice(top, top + edge), slice(left, left + edge)
                found, counts = np.unique(values[window], return_counts=True)
                best = counts.argmax()
                if counts[best] < share * edge**2 or found[best] not in names:
                    continue
                folder = staged / part / names[found[best]]
                folder.mkdir(parents=True, exist_ok=True)
                place = folder / f"{file.stem}_{top}_{left}.tif"
                with rasterio.open(place, "w", **profile) as cut:
                    # else GDAL calls the fourth band alpha
                    cut.colorinterp, cut.descriptions = interpretation, descriptions
                    cut.write(pixels[(slice(None), *window)])
    staged.rename(output)
    return output
