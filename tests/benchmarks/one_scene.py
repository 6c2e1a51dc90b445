"""How much better scores are where neighbours leak: one scene, split by blocks and by patches."""

import shutil

import numpy as np

from segment.annotations.cutting import cut_scene
from segment.config import Config
from segment.core.config import load_settings
from tests.benchmarks.material import FOLDER, scene
from tests.benchmarks.measure import report_figure

SIZE, TILE, STEPS, EPOCHS = 2048, 128, 40, 5
TOWN, OTHER = 2021, 2022
"""Seeds of the town that is split and learned from, and of one that no model learns from."""


def one_scene(seeds: int = 3) -> None:
    """Scores the same short training with both splits, and on ground that neither has learned from.

    Args:
        seeds: Number of seeds, of the split and of the training.
    """
    # after `load_keras`, or the backend of Keras would print messages
    from segment.training.evaluation import evaluate
    from segment.training.train import train

    folders = {}
    for seed in (TOWN, OTHER):
        file, folder = scene(SIZE, SIZE, seed), FOLDER / f"one-scene-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        cut_scene(file, file.with_name("truth.tif"), folder / "town", TILE)
        folders[seed] = folder
    for split in ("block", "patch"):
        found = []
        for seed in range(seeds):
            config = load_settings(
                Config,
                None,
                [
                    "model.backbone=efficientnet_lite0",
                    "model.encoder_weights=imagenet",
                    f"data.split={split}",
                    f"data.tile={TILE}",
                    f"training.epochs={EPOCHS}",
                    f"training.steps_per_epoch={STEPS}",
                    f"training.seed={seed}",
                ],
            )
            run = train(folders[TOWN], FOLDER / "one-scene-run", config, overwrite=True)
            unseen = evaluate(folders[OTHER], run.folder).confusion.mean_jaccard
            found.append((run.validation.confusion.mean_jaccard, unseen))
        own, other = np.mean(found, axis=0)
        spread = np.std(found, axis=0, ddof=min(1, seeds - 1))
        report_figure(f"mean Jaccard of validation, split by {split}", own, spread=spread[0])
        report_figure(f"mean Jaccard of another town, split by {split}", other, spread=spread[1])
