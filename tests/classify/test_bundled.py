"""The model that comes with classify holds what its card says, in every form, and is what commands
take by default.
"""

import json

import numpy as np
import pytest

from classify.bundled import BUNDLED
from classify.cli import predict
from classify.config import Config, ModelSettings
from classify.labelling.predict import predict_images
from classify.training.evaluation import evaluate
from classify.training.models import build_model
from segment.app.pages.samples import write_photographs
from segment.core.cli.command import run
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.model.folder import load_model_info
from segment.core.pixels.normalise import BandStatistics
from tests.conftest import SHARED, assert_fit_to_bundle, write_raster

pytestmark = pytest.mark.heavy


RSSCN7 = SHARED / "data" / "rsscn7"


def test_it_is_small_and_says_what_it_is():
    info = load_model_info(BUNDLED)
    recipe = load_settings(Config, BUNDLED.parents[1] / "configs" / "classify" / "bundled.yaml")
    bundled, wanted = (
        [(c.name, c.color) for c in some] for some in (info.classes, recipe.data.classes)
    )
    assert len(bundled) == 30 and bundled == wanted
    labels = info.labels
    assert labels.label_maps["rsscn7"]["residential"] == [
        "dense residential",
        "medium residential",
        "sparse residential",
    ]
    assert labels.unsure is not None and (BUNDLED / "novelty.npz").is_file()
    assert (info.task, info.bands, info.dtype) == ("classify", 3, "uint8")
    assert_fit_to_bundle(BUNDLED)


def test_commands_take_it_by_default(tmp_path, capsys):
    """The thirty probabilities sum to 1; noise is none of the places."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    photo = write_raster(tmp_path / "photo.png", noise)
    assert run(predict.__wrapped__, [str(photo), "--json", "--top", "30"]) == 0
    (printed,) = json.loads(capsys.readouterr().out)
    assert sum(label["probability"] for label in printed["labels"]) == pytest.approx(1, abs=1e-3)
    assert printed["unsure"] and printed["given"] == ["unsure"]


def test_it_names_drawn_houses_and_fields(tmp_path):
    drawn = write_photographs(tmp_path)
    houses, fields = predict_images([drawn["Houses"], drawn["Fields"]])
    assert "residential" in houses.given[0] and fields.given == ["farmland"]


@pytest.mark.parametrize("collection", ["aid150", "rsscn7"])
def test_it_knows_the_images_kept_for_the_test(collection):
    data = SHARED / "data" / collection
    if not data.is_dir():
        pytest.skip(f"{collection} is not here")
    scores = load_model_info(BUNDLED).scores["test"]["collections"][collection]
    assert evaluate(data, part="test").report["accuracy"] == pytest.approx(
        scores["accuracy"], abs=0.006
    )


def test_training_starts_from_it():
    values = np.full(3, 128.0)
    statistics = BandStatistics("uint8", 1, 0 * values, values, values, values)
    assert not build_model(ModelSettings(weights="bundled"), 4, statistics, "auto").loaded.missing
    with pytest.raises(InputError, match="resnet50/linear, model.backbone is mobilenetv2"):
        build_model(ModelSettings(weights="bundled", backbone="mobilenetv2"), 4, statistics, "auto")
