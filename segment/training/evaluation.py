"""Scoring a model on a tile folder."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from segment.bundled import BUNDLED
from segment.core.choices import Runtime
from segment.core.errors import InputError
from segment.core.model.folder import ModelInfo
from segment.core.model.record import UNKNOWN, Familiarity, known_record
from segment.core.model.runtime import Model, describe_use, folder_of, load_model
from segment.core.outputs import refuse_existing
from segment.core.progress import Progress, Silent
from segment.core.raster.classes import IGNORED
from segment.core.reports.page import REPORT_FILES, write_report_folder
from segment.core.splits import PartChoice
from segment.data.dataset import TileDataset, TilePixels
from segment.data.mask_census import take_census
from segment.data.mask_reading import MaskReading, choose_reading
from segment.data.recognition import Recognizer, choose_part
from segment.data.tiles import Pair, Patch, find_pairs, find_palette, grid_patches
from segment.label_sets import LabelSets
from segment.mapping.inference import predict_batch
from segment.scores import Confusion
from segment.training.report import scores_page

_CACHE_MB = 64  # the images of a batch, which are looked at twice

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True)
class Evaluation:
    """What a model scores on patches: over all pixels, and the mean Jaccard of each patch (NaN: nothing to score).

    collections: the same for each of several collections; empty where there is but one tile folder. familiar: keys of report.json
    that say how many of these pixels it was trained on, see `Familiarity`; empty where that is not asked.
    """

    confusion: Confusion
    patches: list[Patch]
    patch_scores: list[float]
    collections: dict[str, Confusion] = field(default_factory=dict)
    familiar: dict[str, Any] = field(default_factory=dict)

    @property
    def report(self) -> dict[str, Any]:
        """The keys of report.json."""
        whole = self.confusion.report() | self.familiar
        if not self.collections:
            return whole
        means = {"mean_jaccard": self.mean_jaccard, "accuracy": self.accuracy, "calibration_error": self.calibration_error}
        return whole | {
            "mean_of_collections": {name: None if np.isnan(value) else round(value, 6) for name, value in means.items()},
            "collections": {name: confusion.report() for name, confusion in self.collections.items()},
        }

    @property
    def mean_jaccard(self) -> float:
        """Mean Jaccard; of several collections the mean of theirs."""
        return self._mean(lambda confusion: confusion.mean_jaccard)

    @property
    def accuracy(self) -> float:
        """Accuracy; of several collections the mean of theirs."""
        return self._mean(lambda confusion: confusion.accuracy)

    @property
    def calibration_error(self) -> float:
        """Calibration error; of several collections the mean of theirs."""
        return self._mean(lambda confusion: confusion.reliability.error)

    def _mean(self, score: Callable[[Confusion], float]) -> float:
        found = np.array([score(confusion) for confusion in self.collections.values() or [self.confusion]])
        scored = found[~np.isnan(found)]
        return float(scored.mean()) if len(scored) else float("nan")

    def __str__(self) -> str:
        if not self.collections:
            return _in_a_line(self.confusion)
        means = (
            f"mean Jaccard {_figure(self.mean_jaccard)}  accuracy {self.accuracy:.3f}  "
            f"calibration error {self.calibration_error:.3f}"
        )
        lines = [f"{name:20}  {_in_a_line(confusion)}" for name, confusion in self.collections.items()]
        return "\n".join([f"mean of {len(lines)} collections  {means}", *lines])


def _figure(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _in_a_line(c: Confusion) -> str:
    scored = [
        (name, value) for name, value in zip(c.names, c.jaccard, strict=True) if c.labels.used is None or not np.isnan(value)
    ]
    classes = "  ".join(f"{name} {value:.3f}" for name, value in scored)
    scores = f"mean Jaccard {_figure(c.mean_jaccard)}  accuracy {c.accuracy:.3f}  calibration error {c.reliability.error:.3f}"
    return f"{scores}  ({classes})"


def score_patches(
    predict: Predict,
    dataset: TileDataset,
    names: Sequence[str],
    progress: Progress,
    on_batch: Callable[[NDArray[np.uint8], NDArray[np.float32]], None] | None = None,
    labels: Mapping[str, LabelSets] = MappingProxyType({}),
) -> Evaluation:
    """Scores a dataset's patches, batch by batch.

    on_batch: also gets each batch's truth (batch, tile, tile) and probabilities (batch, tile, tile, classes).
    labels: what the codes of each collection admit; without, masks hold class indices.
    """
    collections = {name: Confusion(names, sets) for name, sets in labels.items()}
    whole = replace(next(iter(labels.values())), used=None) if labels else None
    confusion, scores = Confusion(names, whole), list[float]()
    for index in range(len(dataset)):
        images, truth = dataset[index]
        probabilities = predict(images)
        predicted = probabilities.argmax(axis=-1).astype(np.uint8)
        if not collections:
            confusion.add(truth, predicted, probabilities)
        for number, (one_truth, one_predicted) in enumerate(zip(truth, predicted, strict=True)):
            name = dataset.patches[len(scores)].pair.collection
            patch = Confusion(names, labels.get(name))
            patch.add(one_truth, one_predicted)
            scores.append(patch.mean_jaccard)
            if collections:
                collections[name].add(one_truth, one_predicted, probabilities[number])
        if on_batch:
            on_batch(truth, probabilities)
        progress.advance("scoring", index + 1, len(dataset))
    collections = {name: found for name, found in collections.items() if found.matrix.any()}  # others are of other parts
    for found in collections.values():
        confusion.merge(found.state())
    return Evaluation(confusion, dataset.patches, scores, collections)


def score_known(
    predict: Predict,
    dataset: TileDataset,
    names: Sequence[str],
    progress: Progress,
    recognizer: Recognizer,
    labels: Mapping[str, LabelSets] = MappingProxyType({}),
) -> tuple[Evaluation, str]:
    """As `score_patches`, with how many of the scored pixels the model was trained on, and a sentence about it, which is empty
    where there are none."""
    familiarity, patches = Familiarity(), iter(dataset.patches)

    def count(truth: NDArray[np.uint8], _: NDArray[np.float32]) -> None:
        for one in truth:
            familiarity.add(recognizer.codes(next(patches)), one != IGNORED)

    evaluation = score_patches(predict, dataset, names, progress, count, labels)
    return replace(evaluation, familiar=familiarity.report), str(familiarity)


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
    part: PartChoice = "all",
    batch_size: int = 8,
    augment: bool = False,
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Scores a model on a tile folder, each pixel once, and reports how many of these pixels it was trained on.

    model: a model folder, or one that is loaded. part: as folders name it, or as the model's training had it; of these, only
    "test" is new to the model. Tiles that are neither are in no part. augment: averages over the eight flips and quarter
    turns, at eight times the work. runtime: what computes, where `model` is a folder. output: a folder for report.json and
    report.html. Masks are read with the model's classes, unless a classes.yaml beside them says how.

    Raises InputError for a tile folder that does not fit the model, and when `output` exists.
    """
    tiles, progress = Path(tiles), progress or Silent()
    if part not in get_args(PartChoice):
        raise InputError(f"Parts are {', '.join(get_args(PartChoice))}. Received {part!r}. Choose one of them.")
    if output is not None:
        refuse_existing(Path(output), overwrite, REPORT_FILES)
    pairs = find_pairs(tiles)
    model = load_model(model, runtime, progress=progress) if isinstance(model, (str, Path)) else model
    info = model.info
    info.require_task("segment")
    pairs = require_fit(pairs, info)
    if note := pairs[0].info.alpha_note:
        progress.say(f"note: {tiles}: {note}")
    reading, share = read_masks_of(tiles, pairs, info, progress)
    pixels = TilePixels(reading.palette, "ignore", megabytes=_CACHE_MB, names=info.palette.names)
    record = known_record(folder_of(model), progress)
    recognizer = None if record is None else Recognizer(record, lambda pair: pixels.load(pair).image, info.tile)
    patches = grid_patches(pairs, info.tile)
    if part != "all":
        every = len(patches)
        patches, left_out = choose_part(patches, part, recognizer, tiles)
        if left_out:
            progress.say(f"note: {left_out:,} of {every:,} tiles are new to the model and in no part: left out")
    dataset = TileDataset(patches, pixels, info.tile, batch_size, preprocessing=info.preprocess)
    predict = partial(predict_batch, model, augment=augment)
    known = ""
    if recognizer is None:
        evaluation = score_patches(predict, dataset, info.palette.names, progress)
        if folder_of(model) is not None:
            evaluation = replace(evaluation, familiar=UNKNOWN)
    else:
        evaluation, known = score_known(predict, dataset, info.palette.names, progress, recognizer)
    if known:
        progress.say(f"warning: {known}")
    for value, count in sum(pixels.unknown.values(), Counter[str]()).most_common(5):
        progress.say(f"warning: {count:,} mask pixels hold {value}, which no class has: ignored")
    if share:
        progress.say(f"warning: {share:.1%} of the labelled mask pixels are of no class: not scored")
    require_scores(evaluation.confusion, tiles)
    if output is not None:
        page = scores_page(f"{describe_use(model, augment)} on {tiles.name}", evaluation, dataset, predict, info.palette, known)
        figures = evaluation.report | {"runtime": model.runtime, "augment": augment}
        write_report_folder(Path(output), figures, page, overwrite)
    return evaluation


def read_masks_of(tiles: Path, pairs: Sequence[Pair], info: ModelInfo, progress: Progress) -> tuple[MaskReading, float]:
    """How the masks of a tile folder are read, by their own class table or else the model's, and the share of their labelled
    pixels that it does not name. Says what it assumes.

    Raises InputError when a mask cannot be read, or none of them for what it shows.
    """
    own = find_palette(tiles, pairs)
    census, problems = take_census(pairs, progress)
    if problems:
        raise InputError(problems[0])
    reading = choose_reading(own or info.palette, census, of_model=own is None)
    for line in reading.lines:
        progress.say(line)
    for refusal in reading.refusals:
        raise InputError(f"{tiles}: {refusal}")
    return reading, census.undeclared_share(reading.palette)


def require_fit(pairs: Sequence[Pair], info: ModelInfo) -> list[Pair]:
    """The pairs, which are all alike, as a model reads them. Raises InputError when it does not read such images."""
    pairs = [replace(pair, info=pair.info.fitted(info.bands)) for pair in pairs]
    first = pairs[0].info
    if (first.bands, first.dtype) != (info.bands, info.dtype):
        raise InputError(
            f"{first.path}: the model reads {info.bands} bands of {info.dtype}. Received {first.bands} of {first.dtype}. "
            "Export the images so, or use another model."
        )
    return pairs


def require_scores(confusion: Confusion, tiles: Path) -> None:
    """Raises InputError when no pixel of a tile folder was scored."""
    if not confusion.matrix.any():
        raise InputError(
            f"{tiles}: masks must hold classes of the model ({', '.join(confusion.names)}). Received none. "
            "Lay the masks' own classes.yaml beside them, with the model's class names."
        )
