"""What a classifier says of a generator's pictures: whether they show their class, and how near they come to real ones."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from classify.album import arrange, draw_classes
from classify.bundled import BUNDLED
from classify.frechet import frechet_distance
from classify.generator import Generator, Pictures, load_generator
from classify.generator_config import GeneratorConfig
from classify.generator_data import choose_real, find_again
from classify.images import Data
from classify.inference import answer, as_seen, label_info, require_input
from classify.latents import ClassDensities
from classify.scores import Scores, score
from classify.synthesis import build_network
from classify.training_data import TrainingData
from segment.core.choices import BANDWIDTH, Runtime
from segment.core.config import CONFIG_FILE, load_settings
from segment.core.errors import InputError
from segment.core.figures import plot_confusion
from segment.core.model_folder import ModelInfo
from segment.core.output import refuse_existing
from segment.core.progress import Progress, Silent
from segment.core.report import REPORT_FILES, Report, write_report_folder
from segment.core.runtime import load_model

_BATCH = 16


@dataclass(frozen=True)
class Judgement:
    """What a classifier says of drawn pictures.

    drawn: scores of the pictures, whose truth is the class they were drawn for. real: the same of real images that the generator
    did not learn from, at its size: what can be expected of this classifier.
    distances: Frechet distances of features (see `frechet_distance`) from these real images, of as many
    pictures each: "drawn"; "real", of images that were learned from, which is the floor; "noise", of random pixels; and
    "untrained", drawn by the same network before its training.
    """

    drawn: Scores
    real: Scores
    distances: dict[str, float]

    @property
    def report(self) -> dict[str, Any]:
        """The keys of report.json."""
        return {
            **self.drawn.report,
            "real_accuracy": self.real.report["accuracy"],
            "frechet_distance": {name: round(distance, 3) for name, distance in self.distances.items()},
        }

    def __str__(self) -> str:
        others = ", ".join(f"{name} {distance:.4g}" for name, distance in self.distances.items() if name != "drawn")
        return (
            f"drawn pictures  {_first_line(self.drawn)}\nreal images     {_first_line(self.real)}\n"
            f"Frechet distance from real images  {self.distances['drawn']:.4g} ({others})"
        )


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
    """Draws pictures of each class and lets a classifier name them and compare them with real images.

    run: folder of the generator's training. classifier: a model folder. data: where the images that the generator was trained
    on lie, if not where they were. count: pictures, and real images, of each set, 2 or more; by default as many as the
    training's validation and test hold. bandwidth, seed: of the draws, see `Generator.draw`. runtime: what computes the
    classifier. output: a folder for report.json and report.html.

    Raises InputError when the classifier does not know the generator's classes or takes other pixels, when the data are not
    those of the training, and when `output` exists.
    """
    run, progress = Path(run), progress or Silent()
    if output is not None:
        refuse_existing(Path(output), overwrite, REPORT_FILES)
    generator, namer = load_generator(run), load_model(classifier, runtime)
    known = _require_judge(namer.info, generator.info, Path(classifier))
    config = load_settings(GeneratorConfig, run / CONFIG_FILE)
    taught = config.loss.perceptual_model or BUNDLED
    if config.loss.perceptual > 0 and taught.resolve() == Path(classifier).resolve():
        progress.say(f"warning: {run} was trained to please {classifier}: the judgement flatters. Ask another classifier")
    found = find_again(run, data, config, generator.info, progress)
    real, labels, learned = choose_real(found, config, count)
    random = np.random.default_rng(seed)
    sets = {
        "drawn": generator.draw(labels, seed, bandwidth=bandwidth),
        "real": learned,
        "noise": random.integers(0, 256, real.shape, np.uint8),
        "untrained": _untrained(generator, config, found, seed).draw(labels, seed, bandwidth=1),
    }
    truth = np.eye(len(namer.info.palette), dtype=np.float32)[np.array(known)[labels]]
    tell = partial(_ask, progress=progress)

    def name(pictures: Pictures) -> Scores:
        return score(truth, tell(partial(answer, namer), namer.info, pictures), namer.info.palette.names)

    features = load_model(classifier, runtime, features=True)
    expected = tell(features.predict, namer.info, real)
    distances = {key: frechet_distance(tell(features.predict, namer.info, shown), expected) for key, shown in sets.items()}
    judgement = Judgement(name(sets["drawn"]), name(real), distances)
    if output is not None:
        page = _page(judgement, generator, real)
        write_report_folder(Path(output), judgement.report, page, overwrite)
    return judgement


def _require_judge(judge: ModelInfo, generator: ModelInfo, folder: Path) -> list[int]:
    """Where the generator's classes stand among the classifier's."""
    if label_info(judge).multi_label:
        raise InputError(f"{folder}: the judge gives one label an image. Received a model of several. Give another classifier.")
    require_input("generated pictures", generator.bands, generator.dtype, judge)
    names = [name.casefold() for name in judge.palette.names]
    missing = [name for name in generator.palette.names if name.casefold() not in names]
    if missing:
        raise InputError(
            f"{folder}: the judge must know the generator's classes. Received one of {', '.join(judge.palette.names)}, "
            f"without {', '.join(missing)}. Give a classifier of the generator's classes."
        )
    return [names.index(name.casefold()) for name in generator.palette.names]


def _untrained(generator: Generator, config: GeneratorConfig, data: TrainingData, seed: int) -> Generator:
    keras.utils.set_random_seed(seed)
    standard = ClassDensities.standard(len(generator.info.palette), generator.latent)
    return Generator(generator.info, build_network(config, data), standard)


def _ask(predict: Any, info: ModelInfo, pictures: Pictures, progress: Progress) -> NDArray[np.float32]:
    """What a classifier answers on pictures."""
    answers = []
    for first in range(0, len(pictures), _BATCH):
        answers.append(predict(np.stack([as_seen(picture, info) for picture in pictures[first : first + _BATCH]])))
        progress.advance("judging", min(first + _BATCH, len(pictures)), len(pictures))
    return np.concatenate(answers)


def _first_line(scores: Scores) -> str:
    return str(scores).splitlines()[0]


def _page(judgement: Judgement, generator: Generator, real: Pictures) -> Report:
    names = ", ".join(generator.info.palette.names)
    page = Report(f"What a classifier says of {generator.info.name}")
    page.heading("Whether pictures show their class")
    drawn, held = _first_line(judgement.drawn), _first_line(judgement.real)
    page.text(f"Drawn: {drawn}. Real images that the generator did not learn from, at its size: {held}.")
    page.figure(plot_confusion(judgement.drawn.confusion, judgement.drawn.names), "Drawn pictures: class drawn, class named.")
    page.figure(plot_confusion(judgement.real.confusion, judgement.real.names), "Real images: class, class named.")
    page.heading("How near they come to real ones")
    page.text("Frechet distances of the classifier's features from those real images; real against real is the floor.")
    page.table(("Pictures", "Distance"), list(judgement.distances.items()))
    page.picture(arrange(draw_classes(generator)), f"Drawn pictures, a row each of {names}.")
    shown = np.linspace(0, len(real) - 1, 40).astype(int)
    page.picture(arrange([real[row] for row in shown.reshape(4, 10)]), "Real images, from class to class.")
    return page
