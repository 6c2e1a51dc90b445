"""Training on collections with other labels, and scores of their folders by the label map."""

import json
from functools import partial

import pytest

from classify.training.evaluation import evaluate
from classify.training.train import train
from segment.core.errors import InputError
from segment.core.model.folder import load_model_info
from tests.classify.conftest import Lines, config, write_class

pytestmark = pytest.mark.heavy
TABLE = [
    {"name": name, "color": color}
    for name, color in [("field", "#00FF00"), ("river", "#0000FF"), ("town", "#FF0000")]
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A model of `own`, and of `other`, where wet is river or town."""
    root = tmp_path_factory.mktemp("collections")
    for label, name in enumerate(("Field", "River", "Town")):
        write_class(root / "own" / name, label, 12)
    write_class(root / "other" / "crop", 0, 12, first=50)
    write_class(root / "other" / "wet", 1, 6, first=50)
    write_class(root / "other" / "wet", 2, 6, first=70)
    write_class(root / "other" / "sky", 2, 4, first=90)
    other = "{path: other, classes: {crop: field, wet: [river, town], sky: null}}"
    settings = config(
        f"data.classes={TABLE}",
        f"data.root={root}",
        f"data.collections=[{{path: own}}, {other}]",
        "training.epochs=6",
        "augment.mixup=0.2",
        "loss.label_smoothing=0.1",
    )
    lines = Lines()
    return root, train(None, root / "run", settings, progress=lines), lines.lines


def test_the_label_map_is_kept_and_each_collection_scored(run):
    root, result, lines = run
    info = load_model_info(root / "run")
    assert info.labels.label_maps["other"] == {
        "crop": ["field"],
        "sky": [],
        "wet": ["river", "town"],
    }
    assert info.training["data"] == ["own", "other"]
    assert "note: other: sky: 4 images of no class, left out" in lines
    report = json.loads((root / "run/report.json").read_text())["test"]
    assert report["classes"] == ["field", "river", "town"]
    apart = report["collections"]
    assert apart["other"]["classes"] == ["crop", "wet"]
    assert apart["own"]["images"] + apart["other"]["images"] == report["images"]
    assert "other, by its own labels: accuracy" in str(result)
    page = (root / "run/report.html").read_text()
    assert "other, 4 images: accuracy" in page


def test_folders_of_a_collection_are_scored_by_its_own_labels(run):
    root, result, _ = run
    lines, score = Lines(), partial(evaluate, model=root / "run", runtime="keras")
    found = score([root / "other"], part="test", progress=lines, output=root / "scores")
    assert found.report["classes"] == ["crop", "wet"]
    assert found.report["accuracy"] == result.test.report["collections"]["other"]["accuracy"]
    assert found.report["label_map"]["other"]["wet"] == ["river", "town"]
    assert any("the sum of those of the classes that it may be" in line for line in lines.lines)
    assert "river, town" in (root / "scores/report.html").read_text()
    both = score([root / "own", root / "other"], part="test")
    assert both.report["images"] == result.test.report["images"]
    assert both.report["accuracy"] == result.test.report["accuracy"]


def test_folders_with_the_models_names_are_scored_as_ever(run):
    root, _, _ = run
    for label, name in enumerate(("field", "river")):
        write_class(root / "new" / name, label, 4, first=200)
    found = evaluate([root / "new"], root / "run", runtime="keras")
    assert found.view is None and found.report["images"] == 8
    write_class(root / "new" / "swamp", 1, 2, first=300)
    with pytest.raises(InputError, match="the model has no label 'swamp'"):
        evaluate([root / "new"], root / "run", runtime="keras")


def test_another_split_is_refused(run):
    root, _, _ = run
    write_class(root / "moved" / "crop", 0, 4, first=400)
    write_class(root / "moved" / "wet", 1, 4, first=400)
    with pytest.raises(InputError, match="moved: not the images that training drew its parts from"):
        evaluate([root / "moved"], root / "run", part="test", runtime="keras")
    assert evaluate([root / "moved"], root / "run", runtime="keras").report["classes"] == [
        "crop",
        "wet",
    ]
