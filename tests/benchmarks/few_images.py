"""Gain of tuning with twenty images per class.

A small network is tuned in forty short trials and compared with its defaults.
"""

import random
import shutil
from pathlib import Path

from classify.config import Config
from segment.core.choices import Sampler
from segment.core.cli.command import show_progress
from segment.core.config import load_settings
from segment.core.tuning.search import Search
from tests.benchmarks.material import FOLDER
from tests.benchmarks.measure import report_figure

COUNTS = {"train": 20, "test": 100}
"""Images of each class.

40 % of "train" are drawn for validation, different ones in each repeat. The study does not use the
test part.
"""
REPEATS = 3
SETTINGS = (
    "model.backbone=baseline",
    "model.weights=none",
    "data.resize=64",
    "data.size=64",
    "training.epochs=20",
    "data.val_fraction=0.4",
)


def few_images(images: Path, seed: int = 0, sampler: Sampler = "gp") -> None:
    """Compares the best settings of a study with the defaults, with three seeds each.

    `images` has class folders with 120 images or more each. `seed` draws the images that are used
    and is the seed of the sampler.
    """
    from classify.tuning import tune

    folder, study = FOLDER / "few-images", FOLDER / "few-images-study"
    for earlier in (folder, study):
        shutil.rmtree(earlier, ignore_errors=True)
    for classes in sorted(path for path in images.iterdir() if path.is_dir()):
        files = sorted(classes.glob("*.jpg"))
        random.Random(f"{seed} {classes.name}").shuffle(files)
        for part, count in COUNTS.items():
            (folder / part / classes.name).mkdir(parents=True)
            for file in files[:count]:
                (folder / part / classes.name / file.name).symlink_to(file.resolve())
            files = files[count:]
    search = Search(trials=40, repeats=REPEATS, sampler=sampler, seed=seed)
    settings = load_settings(Config, overrides=SETTINGS)
    with show_progress(quiet=False) as progress:
        found = tune(folder, study, settings, search=search, progress=progress)
    gain = found.confirmation
    assert gain is not None
    scores = {
        "defaults": sum(gain.defaults) / len(gain.defaults),
        "best": sum(gain.best) / len(gain.best),
    }
    report_figure(
        "test accuracy gained by 40 trials, 20 images a class",
        gain.gain,
        sampler=sampler,
        seed=seed,
        standard_error=gain.error,
        **scores,
    )
