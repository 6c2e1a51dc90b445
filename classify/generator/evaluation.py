"""Evaluation of a generator: a classifier names its pictures and compares them with real images."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.data.dataset import ImagePixels
from classify.data.images import Data, LabelledImage
from classify.data.pixels import centre_crop
from classify.data.training_data import TrainingData
from classify.generator.config import GeneratorConfig
from classify.generator.data import choose_real, find_again
from classify.generator.frechet import FEWEST, frechet_distance
from classify.generator.generator import Generator, Pictures, load_generator
from classify.generator.latents import ClassDensities, check_draw
from classify.generator.sample_grids import arrange_in_rows, draw_classes
from classify.generator.training import build_network
from classify.labelling.inference import answer, as_seen, label_info
from classify.scores import Scores, score
from segment.core.choices import BANDWIDTH, Runtime
from segment.core.config import CONFIG_FILE, load_settings
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import load_model
from segment.core.outputs import refuse_existing
from segment.core.progress import Progress, Silent
from segment.core.reports.figures import plot_confusion
from segment.core.reports.page import REPORT_FILES, Report, write_report_folder

_BATCH = 32
_REAL = 40  # real images on the page

Show = Callable[[int, int], Pictures]
"""Function that returns the pictures of a set from one number up to another.

Sets are too large to be in memory as a whole.
"""


@dataclass(frozen=True)
class Judgement:
    """Evaluation of drawn pictures by a classifier.

    Distances are Frechet distances of features (see `frechet_distance`) from the real images that
    the generator did not learn from, with as many pictures of each class. Their keys are "drawn";
    "real", for images that were learned from, which is the lowest distance to expect; "noise", for
    random pixels; and "untrained", for pictures drawn by the same network before its training.

    Attributes:
        drawn: Scores of drawn pictures; their reference is the class that they were drawn for.
        real: Scores of real images that the generator did not learn from, at its size. They show
            what to expect of this classifier.
        distances: Frechet distance by key. Empty with fewer than 50 pictures, for which it says too
            little.
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
        others = ", ".join(
            f"{name} {distance:.4g}" for name, distance in self.distances.items() if name != "drawn"
        )
        distance = f"{self.distances['drawn']:.4g} ({others})" if self.distances else _too_few(self)
        return (
            f"drawn pictures  {_first_line(self.drawn)}\nreal images     {_first_line(self.real)}\n"
            f"Frechet distance from real images  {distance}"
        )


@contextmanager
def _keep_random_state() -> Iterator[None]:
    """Restores the state of Python's random generator, from which Keras draws for each layer."""
    before = random.getstate()
    try:
        yield
    finally:
        random.setstate(before)


@_keep_random_state()
def judge(
    run: Path | str,
    classifier: Path | str = BUNDLED,
    output: Path | str | None = None,
    *,
    data: Data | None = None,
    count: int | None = None,
    bandwidth: float = BANDWIDTH,
    seed: int = 0,
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Judgement:
    """Draws pictures of each class and evaluates them with a classifier.

    The classifier names the pictures, and its features are compared with those of real images.
    Pictures are in memory batch by batch, except for real ones in the cache (`data.cache_mb` of the
    training). The state of Python's random generator stays as it was.

    Args:
        run: Run folder of the generator.
        classifier: Model folder of the classifier.
        output: Folder for report.json and report.html. By default nothing is written.
        data: Where the images are that the generator was trained on. By default where they were in
            training.
        count: Number of pictures, and of real images, in each set; Frechet distances need at least
            50. By default as many as validation and test hold, at most 10,000.
        bandwidth: Bandwidth of the draws, see `Generator.draw`.
        seed: Seed of the draws, see `Generator.draw`.
        runtime: What computes the classifier.
        overwrite: Whether an existing `output` is replaced.
        progress: Where progress and warnings are reported.

    Returns:
        The evaluation.

    Raises:
        InputError: If the classifier does not know the classes of the generator or takes other
            pixels, if the data are not those of the training, if `output` exists, and as in
            `check_draw`.
    """
    run, progress = Path(run), progress or Silent()
    check_draw(seed, bandwidth)
    if output is not None:
        refuse_existing(Path(output), overwrite, REPORT_FILES)
    generator, namer = load_generator(run), load_model(classifier, runtime, progress=progress)
    known = _require_judge(namer.info, generator.info, Path(classifier))
    config = load_settings(GeneratorConfig, run / CONFIG_FILE)
    taught = config.loss.perceptual_model or BUNDLED
    if config.loss.perceptual > 0 and taught.resolve() == Path(classifier).resolve():
        progress.say(
            f"warning: {run} was trained to please {classifier}: the judgement flatters. Ask"
            " another classifier"
        )
    found = find_again(run, data, config, generator.info, progress)
    held, learned = choose_real(found, count)
    labels, pixels = np.array([image.labels[0] for image in held]), found.pixels(config.data)
    drawn, real = (
        partial(_draw, generator, labels, seed, bandwidth),
        partial(_load, held, pixels, config.data.size),
    )
    tell = partial(_ask, info=namer.info, count=len(labels), progress=progress)
    truth = np.eye(len(namer.info.class_table), dtype=np.float32)[np.array(known)[labels]]
    named = [
        score(truth, tell(partial(answer, namer), show=show), namer.info.class_table.names)
        for show in (drawn, real)
    ]
    distances = {}
    if len(labels) >= FEWEST:
        features = load_model(classifier, runtime, features=True)
        expected = tell(features.predict, show=real)
        sets: dict[str, Show] = {
            "drawn": drawn,
            "real": partial(_load, learned, pixels, config.data.size),
            "noise": partial(_scatter, config.data.size, seed),
            "untrained": partial(
                _draw, _untrained(generator, config, found, seed), labels, seed, 1.0
            ),
        }
        distances = {
            key: frechet_distance(tell(features.predict, show=show), expected)
            for key, show in sets.items()
        }
    judgement = Judgement(named[0], named[1], distances)
    if output is not None:
        shown = [held[i] for i in np.unique(np.linspace(0, len(held) - 1, _REAL).astype(int))]
        grid, real_ones = (
            draw_classes(generator, seed, bandwidth),
            _load(shown, pixels, config.data.size, 0, _REAL),
        )
        page = _page(judgement, generator.info.name, grid, real_ones)
        write_report_folder(Path(output), judgement.report, page, overwrite)
    return judgement


def _require_judge(judge: ModelInfo, generator: ModelInfo, folder: Path) -> list[int]:
    """Positions of the generator's classes among those of the classifier."""
    if label_info(judge).multi_label:
        raise InputError(
            f"{folder}: the judge gives one label an image. Received a model of several. Give"
            " another classifier."
        )
    read, drawn = label_info(judge), label_info(generator)
    if (judge.bands, judge.dtype, read.rgb) != (generator.bands, generator.dtype, drawn.rgb):
        raise InputError(
            f"{folder}: the judge takes what is drawn, {generator.bands} bands of {generator.dtype}"
            f" with red, green and blue at {drawn.rgb}. Received a model of {judge.bands} of"
            f" {judge.dtype} with these at {read.rgb}. Give another classifier."
        )
    names = [name.casefold() for name in judge.class_table.names]
    missing = [name for name in generator.class_table.names if name.casefold() not in names]
    if missing:
        raise InputError(
            f"{folder}: the judge must know the generator's classes. Received one of"
            f" {', '.join(judge.class_table.names)}, without {', '.join(missing)}. Give a"
            " classifier of the generator's classes."
        )
    return [names.index(name.casefold()) for name in generator.class_table.names]


def _untrained(
    generator: Generator, config: GeneratorConfig, data: TrainingData, seed: int
) -> Generator:
    random.seed(seed)  # Keras draws initial weights from it
    standard = ClassDensities.standard(len(generator.info.class_table), generator.latent)
    return Generator(generator.info, build_network(config, data), standard)


def _draw(
    generator: Generator,
    labels: NDArray[np.intp],
    seed: int,
    bandwidth: float,
    first: int,
    last: int,
) -> Pictures:
    return generator.draw(labels[first:last], seed, first, bandwidth)


def _load(
    images: Sequence[LabelledImage], pixels: ImagePixels, size: int, first: int, last: int
) -> Pictures:
    return np.stack([centre_crop(pixels.load(image), size) for image in images[first:last]])


def _scatter(size: int, seed: int, first: int, last: int) -> Pictures:
    return np.random.default_rng([seed, first]).integers(
        0, 256, (last - first, size, size, 3), np.uint8
    )


def _ask(
    predict: Any, info: ModelInfo, show: Show, count: int, progress: Progress
) -> NDArray[np.float32]:
    """What a classifier predicts for all pictures of a set."""
    answers = []
    for first in range(0, count, _BATCH):
        last = min(first + _BATCH, count)
        answers.append(predict(np.stack([as_seen(picture, info) for picture in show(first, last)])))
        progress.advance("judging", last, count)
    return np.concatenate(answers)


def _first_line(scores: Scores) -> str:
    return str(scores).splitlines()[0]


def _too_few(judgement: Judgement) -> str:
    return (
        f"not told: of {len(judgement.drawn.truth)} pictures it says too little, it takes {FEWEST}"
    )


def _page(
    judgement: Judgement, name: str, drawn_classes: tuple[NDArray[np.uint8], str], real: Pictures
) -> Report:
    """The report page.

    `name` is that of the generator, `drawn_classes` comes from `draw_classes`, and `real` are some
    real pictures in the order of their classes.
    """
    page = Report(f"What a classifier says of {name}")
    page.heading("Whether pictures show their class")
    drawn, held = _first_line(judgement.drawn), _first_line(judgement.real)
    page.text(
        f"Drawn: {drawn}. Real images that the generator did not learn from, at its size: {held}."
    )
    page.figure(
        plot_confusion(judgement.drawn.confusion, judgement.drawn.names),
        "Drawn pictures: class drawn, class named.",
    )
    page.figure(
        plot_confusion(judgement.real.confusion, judgement.real.names),
        "Real images: class, class named.",
    )
    page.heading("How near they come to real ones")
    if judgement.distances:
        page.text(
            "Frechet distances of the classifier's features from those real images; real against"
            " real is the floor."
        )
        page.table(("Pictures", "Distance"), list(judgement.distances.items()))
    else:
        page.text(f"Frechet distance {_too_few(judgement)}.")
    page.picture(*drawn_classes)
    page.picture(arrange_in_rows(real, 10), "Real images, from class to class.")
    return page
