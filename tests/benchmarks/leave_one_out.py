"""Scores of models on ground that they were not trained on.

Each collection in turn is left out of the training, and scored.
"""

from collections.abc import Sequence
from pathlib import Path

from segment.config import Config
from segment.core.config import load_settings
from segment.data.collections import name_of
from tests.benchmarks.material import FOLDER
from tests.benchmarks.measure import tell

RECIPE = Path(__file__).parents[2] / "configs" / "segment" / "bundled.yaml"
TILES, EPOCHS = 1600, 5
"""Per fold: about 25 minutes on two cores for a U-Net with EfficientNet-Lite0."""


def leave_one_out(data: Path, changes: Sequence[str] = ()) -> None:
    """Scores each collection of the recipe with a model that was trained on all others.

    The scores are mean Jaccard and accuracy. Collections are left out together if the name of one
    begins with that of the other, because they come from one source.

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
    for left_out in config.data.collections:
        name = name_of(left_out)
        if name == "towns":  # generated: it shows nothing about real ground
            continue
        fold = config.model_copy(deep=True)
        assert fold.data.collections
        for one in fold.data.collections:
            if name_of(one).startswith(name) or name.startswith(name_of(one)):
                one.weight, one.val_groups = 0, []
            elif one.test_groups:
                # used for training only, else the test part would have two collections
                one.val_fraction, one.val_groups, one.test_groups = 0, [], []
        run = train(None, FOLDER / "leave-one-out" / name, fold, overwrite=True)
        assert run.test is not None
        score = run.test.collections[name]
        scores.append(score.mean_jaccard)
        tell(
            f"mean Jaccard, {name}, which was left out", score.mean_jaccard, accuracy=score.accuracy
        )
    tell("mean Jaccard, mean of collections that were left out", sum(scores) / len(scores))
