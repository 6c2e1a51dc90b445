"""Evaluation of a generator: a classifier names its pictures and compares them with real images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.data.dataset import ImageDataset
from classify.data.images import Data, LabelledImage
from classify.generator.autoencoder import Pictures
from classify.generator.comparison import (
    FEWEST,
    choose_real,
    find_labels,
    find_training_data,
    frechet_distance,
)
from classify.generator.config import GeneratorConfig
from classify.generator.generator import load_generator
from classify.generator.latents import check_draw
from classify.generator.sample_grids import arrange_in_rows, draw_classes
from classify.labelling.inference import Predict, answer, as_seen
from classify.scores import Scores, score
from segment.core.choices import BANDWIDTH, Runtime
from segment.core.config import CONFIG_FILE, load_settings
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import load_model
from segment.core.outputs import refuse_existing
from segment.core.progress import Progress, Silent
from segment.core.reports.figures import plot_confusion
from segment.core.reports.page import REPORT_FILES, Report, write_report_folder

_BATCH = 32
_REAL = 40  # real images on the page


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Which pictures are drawn for an evaluation.

    Attributes:
        count: Number of pictures, and of real images, in each set; Frechet distances need at least
            50. By default as many as validation and test hold, at most 10,000.
        bandwidth: Bandwidth of the draws, see `Generator.draw`.
        seed: Seed of the draws, see `Generator.draw`.
    """

    count: int | None = None
    bandwidth: float = BANDWIDTH
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks seed and bandwidth, see `check_draw`."""
        check_draw(self.seed, self.bandwidth)


@dataclass(frozen=True)
class GeneratorEvaluation:
    """Evaluation of drawn pictures by a classifier.

    Distances are Frechet distances of features (see `frechet_distance`) from the real images that
    the generator did not learn from, with as many pictures of each class. Their keys are "drawn",
    and "real" for images that were learned from, which is the lowest distance to expect.

    Attributes:
        drawn: Scores of drawn pictures; their reference is the class that they were drawn for.
        real: Scores of real images that the generator did not learn from, at its size. They show
            what to expect of this classifier.
        distances: Frechet distance by key. Empty with fewer than 50 pictures, for which it means
            too little.
    """

    drawn: Scores
    real: Scores
    distances: dict[str, float]

    @property
    def report(self) -> dict[str, Any]:
        """Keys and values of report.json."""
        return {
            **self.drawn.report,
            "real_accuracy": self.real.report["accuracy"],
            "frechet_distance": (
                {name: round(distance, 3) for name, distance in self.distances.items()} or None
            ),
        }

    def __str__(self) -> str:
        count = len(self.drawn.reference)
        drawn, real = (str(scores).splitlines()[0] for scores in (self.drawn, self.real))
        distance = (
            "{drawn:.4g} (real {real:.4g})".format_map(self.distances)
            if self.distances
            else f"not computed: {count} pictures are too few, {FEWEST} are needed"
        )
        return (
            f"drawn pictures  {drawn}\nreal images     {real}\n"
            f"Frechet distance from real images  {distance}"
        )


def judge(
    run: Path | str,
    classifier: Path | str = BUNDLED,
    output: Path | str | None = None,
    *,
    data: Data | None = None,
    draws: Draws = Draws(),
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> GeneratorEvaluation:
    """Draws pictures of each class and evaluates them with a classifier.

    The classifier names the pictures, by its classes or by the labels of a collection that it
    learned from, and its features are compared with those of real images.
    Pictures are in memory batch by batch, except for real ones in the cache (`data.cache_mb` of the
    training).

    Args:
        run: Run folder of the generator.
        classifier: Model folder of the classifier.
        output: Folder for report.json and report.html. By default nothing is written.
        data: Where the images are that the generator was trained on. By default where they were in
            training.
        draws: Which pictures are drawn.
        runtime: What computes the classifier.
        overwrite: Whether an existing `output` is replaced.
        progress: Where progress and warnings are reported.

    Returns:
        The evaluation.

    Raises:
        InputError: If the classifier does not know the classes of the generator or takes other
            pixels, if the data are not those of the training, or if `output` exists.
    """
    run, progress = Path(run), progress or Silent()
    if output is not None:
        refuse_existing(Path(output), overwrite, REPORT_FILES)
    generator, model = load_generator(run), load_model(classifier, runtime, progress=progress)
    view, known = find_labels(model.info, generator.info, Path(classifier))
    config = load_settings(GeneratorConfig, run / CONFIG_FILE)
    perceptual_model = config.loss.perceptual_model or BUNDLED
    if config.loss.perceptual and perceptual_model.resolve() == Path(classifier).resolve():
        progress.say(
            f"warning: {run} was trained with features of {classifier}, whose scores are therefore"
            " too good. Use another classifier"
        )
    found = find_training_data(run, data, config, generator.info, progress)
    held, learned = choose_real(found, draws.count)
    labels = np.array([image.labels[0] for image in held])
    pixels, size = found.pixels(config.data), config.data.size

    def drawn() -> Iterator[Pictures]:
        for first in range(0, len(labels), _BATCH):
            batch = labels[first : first + _BATCH]
            yield generator.draw(batch, draws.seed, first, draws.bandwidth)

    def real(images: Sequence[LabelledImage]) -> Iterator[Pictures]:
        dataset = ImageDataset(images, pixels, len(found.class_table), size, _BATCH)
        return (dataset[index][0] for index in range(len(dataset)))

    predicts: list[Predict] = [partial(answer, model)]
    if len(labels) >= FEWEST:
        predicts.append(load_model(classifier, runtime, features=True).predict)
    predict = partial(_predict, info=model.info, count=len(labels), progress=progress)
    expected, received = predict(predicts, real(held)), predict(predicts, drawn())
    distances = {}
    if len(labels) >= FEWEST:
        (floor,) = predict(predicts[1:], real(learned))
        distances = {
            "drawn": frechet_distance(received[1], expected[1]),
            "real": frechet_distance(floor, expected[1]),
        }
    reference = np.eye(len(view.names), dtype=np.float32)[np.array(known)[labels]]
    drawings, photographs = (
        score(reference, view.probabilities(given[0]), names=view.names)
        for given in (received, expected)
    )
    evaluation = GeneratorEvaluation(drawings, photographs, distances)
    if output is not None:
        shown = [held[i] for i in np.unique(np.linspace(0, len(held) - 1, _REAL).astype(int))]
        page = _page(evaluation, generator.info.name)
        page.picture(*draw_classes(generator, draws.seed, draws.bandwidth))
        page.picture(
            arrange_in_rows(np.concatenate(list(real(shown))), 10),
            "Real images, from class to class.",
        )
        write_report_folder(Path(output), evaluation.report, page, overwrite)
    return evaluation


def _predict(
    predicts: Sequence[Predict],
    batches: Iterator[Pictures],
    info: ModelInfo,
    count: int,
    progress: Progress,
) -> list[NDArray[np.float32]]:
    """What each of some functions returns for all pictures of a set."""
    answers = []
    for pictures in batches:
        pixels = np.stack([as_seen(picture, info) for picture in pictures])
        answers.append([predict(pixels) for predict in predicts])
        progress.advance("evaluating", min(len(answers) * _BATCH, count), count)
    return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def _page(evaluation: GeneratorEvaluation, name: str) -> Report:
    """The scores and distances of the generator of a name."""
    page = Report(f"Evaluation of {name} by a classifier")
    for line in str(evaluation).splitlines():
        page.text(line)
    page.text(
        "Real images are those that the generator did not learn from, at its size. In brackets,"
        " real is the Frechet distance of images that it learned from: the lowest to expect."
    )
    for scores, caption in (
        (evaluation.drawn, "Drawn pictures: class drawn, class named."),
        (evaluation.real, "Real images: class, class named."),
    ):
        page.figure(plot_confusion(scores.confusion, scores.names), caption)
    return page
