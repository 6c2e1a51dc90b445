"""Scoring a model on a tile folder."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.bundled import BUNDLED
from segment.core.choices import Runtime
from segment.core.errors import InputError
from segment.core.model_folder import ModelInfo
from segment.core.output import refuse_existing
from segment.core.palette import IGNORED
from segment.core.progress import Progress, Silent
from segment.core.report import REPORT_FILES, write_report_folder
from segment.core.runtime import Model, describe_use, load_model
from segment.dataset import TileDataset, TilePixels
from segment.inference import predict_batch
from segment.report import scores_page
from segment.scores import Confusion
from segment.tiles import Pair, Patch, find_pairs, find_palette, grid_patches

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True)
class Evaluation:
    """What a model scores on patches: over all pixels, and the mean Jaccard of each patch (NaN: nothing to score)."""

    confusion: Confusion
    patches: list[Patch]
    patch_scores: list[float]

    @property
    def report(self) -> dict[str, Any]:
        """The keys of report.json."""
        return self.confusion.report()

    def __str__(self) -> str:
        c = self.confusion
        classes = "  ".join(f"{name} {value:.3f}" for name, value in zip(c.names, c.jaccard, strict=True))
        scores = f"mean Jaccard {c.mean_jaccard:.3f}  accuracy {c.accuracy:.3f}  calibration error {c.reliability.error:.3f}"
        return f"{scores}  ({classes})"


def score_patches(
    predict: Predict,
    dataset: TileDataset,
    names: Sequence[str],
    progress: Progress,
    on_batch: Callable[[NDArray[np.uint8], NDArray[np.float32]], None] | None = None,
) -> Evaluation:
    """Scores a dataset's patches, batch by batch.

    on_batch: also gets each batch's truth (batch, tile, tile) and probabilities (batch, tile, tile, classes).
    """
    confusion, scores = Confusion(names), []
    for index in range(len(dataset)):
        images, truth = dataset[index]
        probabilities = predict(images)
        labels = probabilities.argmax(axis=-1).astype(np.uint8)
        confusion.add(truth, labels, probabilities)
        for one_truth, one_labels in zip(truth, labels, strict=True):
            patch = Confusion(names)
            patch.add(one_truth, one_labels)
            scores.append(patch.mean_jaccard)
        if on_batch:
            on_batch(truth, probabilities)
        progress.advance("scoring", index + 1, len(dataset))
    return Evaluation(confusion, dataset.patches, scores)


def sample_answers(
    predict: Predict, dataset: TileDataset, progress: Progress, most: int = 300_000, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pixels drawn by seed from a dataset's patches, as many of each batch: truth (n,) uint8, probabilities (n, classes) float32.

    most: n at most, unless there are more batches. Ignored pixels are not drawn.
    """
    random = np.random.default_rng(seed)
    truths, answers = [], []
    for index in range(len(dataset)):
        images, truth = dataset[index]
        places = np.flatnonzero(truth != IGNORED)
        chosen = random.choice(places, min(len(places), max(most // len(dataset), 1)), replace=False)
        probabilities = predict(images)
        truths.append(truth.ravel()[chosen])
        answers.append(probabilities.reshape(-1, probabilities.shape[-1])[chosen])
        progress.advance("calibrating", index + 1, len(dataset))
    return np.concatenate(truths), np.concatenate(answers)


def evaluate(
    tiles: Path | str,
    model: Model | Path | str = BUNDLED,
    output: Path | str | None = None,
    *,
    batch_size: int = 8,
    augment: bool = False,
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Scores a model on all of a tile folder, each pixel once.

    model: a model folder, or one that is loaded. augment: averages over the eight flips and quarter turns, at eight times the
    work. runtime: what computes, where `model` is a folder. output: a folder for report.json and report.html.
    Masks are read with the model's classes, unless a classes.yaml beside them says how.

    Raises InputError for a tile folder that does not fit the model, and when `output` exists.
    """
    tiles, progress = Path(tiles), progress or Silent()
    if output is not None:
        refuse_existing(Path(output), overwrite, REPORT_FILES)
    pairs = find_pairs(tiles)
    model = load_model(model, runtime) if isinstance(model, (str, Path)) else model
    info = model.info
    info.require_task("segment")
    require_fit(pairs, info)
    palette = find_palette(tiles, pairs) or info.palette
    pixels = TilePixels(palette, "ignore", megabytes=0, names=info.palette.names)
    dataset = TileDataset(grid_patches(pairs, info.tile), pixels, info.tile, batch_size, preprocessing=info.preprocess)
    predict = partial(predict_batch, model, augment=augment)
    evaluation = score_patches(predict, dataset, info.palette.names, progress)
    for value, count in sum(pixels.unknown.values(), Counter[str]()).most_common(5):
        progress.say(f"warning: {count:,} mask pixels hold {value}, which no class has: ignored")
    require_scores(evaluation.confusion, tiles)
    if output is not None:
        page = scores_page(f"{describe_use(model, augment)} on {tiles.name}", evaluation, dataset, predict, info.palette)
        figures = evaluation.report | {"runtime": model.runtime, "augment": augment}
        write_report_folder(Path(output), figures, page, overwrite)
    return evaluation


def require_fit(pairs: Sequence[Pair], info: ModelInfo) -> None:
    """Raises InputError when a model does not read images like these, which are all alike."""
    first = pairs[0].info
    if (first.bands, first.dtype) != (info.bands, info.dtype):
        raise InputError(
            f"{first.path}: the model reads {info.bands} bands of {info.dtype}. Received {first.bands} of {first.dtype}. "
            "Export the images so, or use another model."
        )


def require_scores(confusion: Confusion, tiles: Path) -> None:
    """Raises InputError when no pixel of a tile folder was scored."""
    if not confusion.matrix.any():
        raise InputError(
            f"{tiles}: masks must hold classes of the model ({', '.join(confusion.names)}). Received none. "
            "Lay the masks' own classes.yaml beside them, with the model's class names."
        )
