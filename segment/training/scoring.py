"""Scores of a model over tiles: of all pixels, of each tile, of each collection."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import BOUNDARY_WIDTH
from segment.core.labels.classes import IGNORED
from segment.core.model.recognised import Familiarity
from segment.core.progress import Progress
from segment.data.dataset import TileDataset
from segment.data.patches import Patch
from segment.data.recognition import Recognizer
from segment.label_sets import LabelSets
from segment.scores import Confusion
from segment.training.score_view import plot_scores, scores_html

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True)
class Evaluation:
    """What a model scores on patches.

    Attributes:
        confusion: Scores over all pixels.
        patches: Positions of the tiles.
        patch_scores: Mean Jaccard of each patch; NaN where there is nothing to score.
        collections: Scores of each of several collections; empty where there is only one tile
            folder.
        familiar: Keys of report.json on how many of these pixels the model was trained on, see
            `Familiarity`; empty where that is not asked.
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
        means = {
            "mean_jaccard": self.mean_jaccard,
            "mean_boundary_jaccard": self.mean_boundary_jaccard,
            "accuracy": self.accuracy,
            "calibration_error": self.calibration_error,
        }
        return whole | {
            "mean_of_collections": {
                name: None if np.isnan(value) else round(value, 6) for name, value in means.items()
            },
            "collections": {
                name: confusion.report() for name, confusion in self.collections.items()
            },
        }

    @property
    def mean_jaccard(self) -> float:
        """Mean Jaccard; with several collections the mean of theirs."""
        return self._mean(lambda confusion: confusion.mean_jaccard)

    @property
    def mean_boundary_jaccard(self) -> float:
        """Mean boundary Jaccard; with several collections the mean of theirs."""
        return self._mean(lambda confusion: confusion.mean_boundary_jaccard)

    @property
    def accuracy(self) -> float:
        """Accuracy; with several collections the mean of theirs."""
        return self._mean(lambda confusion: confusion.accuracy)

    @property
    def calibration_error(self) -> float:
        """Calibration error; with several collections the mean of theirs."""
        return self._mean(lambda confusion: confusion.reliability.error)

    def _mean(self, score: Callable[[Confusion], float]) -> float:
        found = np.array(
            [score(confusion) for confusion in self.collections.values() or [self.confusion]]
        )
        scored = found[~np.isnan(found)]
        return float(scored.mean()) if len(scored) else float("nan")

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """See `plot_scores`."""
        return plot_scores(self.confusion, axes)

    def _repr_html_(self) -> str:
        title = str(self).split("\n")[0].split("  (")[0]
        return scores_html(title, self.confusion, self.collections)

    def __repr__(self) -> str:
        if not self.collections:
            return _in_a_line(self.confusion)
        lines = [
            f"{name:20}  {_in_a_line(confusion)}" for name, confusion in self.collections.items()
        ]
        means = _means(self, self.calibration_error)
        return "\n".join([f"mean of {len(lines)} collections  {means}", *lines])


def _means(scores: "Evaluation | Confusion", calibration_error: float) -> str:
    jaccard, boundary = (
        "-" if np.isnan(value) else f"{value:.3f}"
        for value in (scores.mean_jaccard, scores.mean_boundary_jaccard)
    )
    return (
        f"mean Jaccard {jaccard}  boundary Jaccard {boundary}  accuracy {scores.accuracy:.3f}"
        f"  calibration error {calibration_error:.3f}"
    )


def _in_a_line(c: Confusion) -> str:
    scored = [
        (name, value)
        for name, value in zip(c.names, c.jaccard, strict=True)
        if c.labels.used is None or not np.isnan(value)
    ]
    classes = "  ".join(f"{name} {value:.3f}" for name, value in scored)
    return f"{_means(c, c.reliability.error)}  ({classes})"


def score_patches(
    predict: Predict,
    dataset: TileDataset,
    names: Sequence[str],
    progress: Progress,
    on_batch: Callable[[NDArray[np.uint8], NDArray[np.float32]], None] | None = None,
    labels: Mapping[str, LabelSets] = MappingProxyType({}),
    boundary_width: int = BOUNDARY_WIDTH,
) -> Evaluation:
    """Scores the patches of a dataset, batch by batch.

    Args:
        predict: Returns class probabilities (batch, tile, tile, classes) of a batch of images.
        dataset: The tiles to score, in order.
        names: Names of the classes.
        progress: Receives the number of batches scored.
        on_batch: Called with the reference (batch, tile, tile) and the probabilities (batch, tile,
            tile, classes) of each batch.
        labels: What the codes of each collection admit; if empty, masks hold class indices.
        boundary_width: Width in pixels of the boundaries that are scored.

    Returns:
        The scores.
    """
    collections = {name: Confusion(names, sets, boundary_width) for name, sets in labels.items()}
    whole = replace(next(iter(labels.values())), used=None) if labels else None
    confusion, scores = Confusion(names, whole, boundary_width), list[float]()
    for index in range(len(dataset)):
        images, reference = dataset[index]
        probabilities = predict(images)
        predicted = probabilities.argmax(axis=-1).astype(np.uint8)
        if not collections:
            confusion.add(reference, predicted, probabilities)
        for number, (one_reference, one_predicted) in enumerate(
            zip(reference, predicted, strict=True)
        ):
            name = dataset.patches[len(scores)].pair.collection
            patch = Confusion(names, labels.get(name))
            patch.add(one_reference, one_predicted)
            scores.append(patch.mean_jaccard)
            if collections:
                collections[name].add(one_reference, one_predicted, probabilities[number])
        if on_batch:
            on_batch(reference, probabilities)
        progress.advance("scoring", index + 1, len(dataset))
    # others have no pixel in this part
    collections = {name: found for name, found in collections.items() if found.matrix.any()}
    for found in collections.values():
        confusion.merge(found.state())
    return Evaluation(confusion, dataset.patches, scores, collections)


def score_known(
    predict: Predict,
    dataset: TileDataset,
    names: Sequence[str],
    progress: Progress,
    recognizer: Recognizer | None,
    labels: Mapping[str, LabelSets] = MappingProxyType({}),
    boundary_width: int = BOUNDARY_WIDTH,
) -> tuple[Evaluation, str]:
    """Scores as `score_patches` does, and counts the pixels that the model was trained on.

    Args:
        predict: Returns class probabilities (batch, tile, tile, classes) of a batch of images.
        dataset: The tiles to score, in order.
        names: Names of the classes.
        progress: Receives the number of batches scored.
        recognizer: Recognises what the model was trained on; None where that is not known.
        labels: What the codes of each collection admit; if empty, masks hold class indices.
        boundary_width: Width in pixels of the boundaries that are scored.

    Returns:
        The scores, and a sentence on the pixels that the model was trained on, empty where there
        are none.
    """
    if recognizer is None:
        found = score_patches(predict, dataset, names, progress, None, labels, boundary_width)
        return found, ""
    familiarity, patches = Familiarity(), iter(dataset.patches)

    def count(reference: NDArray[np.uint8], _: NDArray[np.float32]) -> None:
        for one in reference:
            familiarity.add(recognizer.codes(next(patches)), one != IGNORED)

    evaluation = score_patches(predict, dataset, names, progress, count, labels, boundary_width)
    return replace(evaluation, familiar=familiarity.report), str(familiarity)
