"""A training on images of 16 bits for a model of 8 bits."""

import numpy as np
import pytest

from classify.labelling.predict import predict_images
from classify.training.evaluation import evaluate
from classify.training.train import train
from segment.core.model.folder import load_model_info
from tests.classify.conftest import CLASSES, config, picture
from tests.conftest import write_raster

pytestmark = pytest.mark.heavy


def test_the_scale_of_a_training_is_that_of_its_predictions(tmp_path, no_pictures) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    images = [
        write_raster(
            data / part / name / f"{seed}.tif", picture(label, seed).astype(np.uint16) * 40
        )
        for part, seeds in (("train", range(4)), ("val", range(4, 7)), ("test", range(7, 9)))
        for label, name in enumerate(CLASSES)
        for seed in seeds
    ]
    train(data, run, config("model.kind=pca", "data.scale=2%,98%"))
    info = load_model_info(run)
    assert info.dtype == "uint8" and info.range[1] == 255
    assert info.scale and info.scale.dtype == "uint16" and max(info.scale.high) < 255 * 40
    found = list(predict_images(images, run))
    assert not any(prediction.problem for prediction in found)
    right = [p.given == [image.parent.name] for p, image in zip(found, images, strict=True)]
    assert np.mean(right) > 0.8
    scores = evaluate(data, run, tmp_path / "scores", part="test")
    assert scores.report["images"] == 6
    known = evaluate(data, run, part="train")
    assert known.familiar["trained_on"]["pixels"]
