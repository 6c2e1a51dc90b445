"""Scores of models on ground that they were not trained on.

Each collection in turn is left out of the training, and scored.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from segment.config import Config
from segment.core.config import load_settings
from segment.core.reports.page import REPORT_FILE
from segment.data.collections import name_of
from tests.benchmarks.material import FOLDER
from tests.benchmarks.measure import report_figure

RECIPE = Path(__file__).parents[2] / "configs" / "segment" / "bundled.yaml"
TILES, EPOCHS = 1600, 5
"""Per fold: about 25 minutes on two cores for a U-Net with EfficientNet-Lite0."""


def leave_one_out(data: Path, changes: Sequence[str] = ()) -> None:
    """Scores each collection of the recipe with a model that was trained on all others.

    The scores are mean Jaccard and accuracy. Collections of one source are left out together: those
    whose names begin with that of the other. Folds that an earlier call has finished are not
    trained again.

    Args:
        data: Folder that the paths of collections start from.
        changes: Settings such as "model.encoder_weights=FILE".
    """
    # after `load_keras`, or the backend of Keras would print messages
    from segment.training.train import train

    own = [
        f"data.root={data}",
        "model.backbone=efficientnet_lite0",
        f"training.epochs={EPOCHS}",
        f"data.epoch_tiles={TILES}",
        "training.average=0.99",
        *changes,
    ]
    config = load_settings(Config, RECIPE, own)
    assert config.data.collections
    scores = []
    names = [name_of(one) for one in config.data.collections]
    for name in names:
        if name == "towns":  # generated: it shows nothing about real ground
            continue
        related = [one for one in names if one.startswith(name) or name.startswith(one)]
        folder = FOLDER / "leave-one-out" / related[0]
        if not (folder / REPORT_FILE).is_file():
            train(None, folder, _without(config, related), overwrite=True)
        score = json.loads((folder / REPORT_FILE).read_text())["test"]["collections"][name]
        scores.append(score["mean_jaccard"])
        report_figure(
            f"mean Jaccard, {name}, which was left out", scores[-1], accuracy=score["accuracy"]
        )
    report_figure("mean Jaccard, mean of collections that were left out", sum(scores) / len(scores))


def _without(config: Config, left_out: Sequence[str]) -> Config:
    """Returns the settings of a training that learns from the other collections."""
    fold = config.model_copy(deep=True)
    for one in fold.data.collections or []:
        if name_of(one) in left_out:
            one.weight, one.val_groups = 0, []
        elif one.test_groups:
            # used for training only, else the test part would have other collections
            one.val_fraction, one.val_groups, one.test_groups = 0, [], []
    return fold
