"""Folders that are scored by the labels of a collection, without a network."""

import numpy as np
import pytest

from classify.config import ImageSettings
from classify.data.collections import read_collection, split_collection
from classify.data.images import LabelledImage, find_images
from classify.data.splits import digest_split
from classify.labelling.seen_images import scored_dataset
from classify.training.scored_images import find_scored
from classify.training.scoring import score_images, views_of
from segment.core.errors import InputError
from segment.core.model.info import LabelInfo, ModelInfo
from tests.conftest import write_raster
from tests.fakes import tiny_info

NAMES = ["field", "river", "town"]


def described(label_maps: dict[str, dict[str, list[str]]]) -> ModelInfo:
    classes = [{"name": name, "color": f"#0000{i}0"} for i, name in enumerate(NAMES)]
    labels = LabelInfo(resize=8, label_maps=label_maps)
    return tiny_info(task="classify", classes=classes, labels=labels)


def folders(root, counts):
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            (root / folder / f"{number}.png").touch()
    return root


def test_a_label_within_another_can_be_right(tmp_path):
    info = described({"a": {"wet": ["river"], "open": ["field", "river"]}})
    labels = [(1,), (1,), (0, 1), (0, 1)]
    images = [
        LabelledImage(tmp_path / f"{i}.png", some, None, "a") for i, some in enumerate(labels)
    ]
    p = np.array([[0.2, 0.8, 0], [0.8, 0.2, 0], [0.2, 0.8, 0], [0.8, 0.2, 0]], np.float32)
    found = score_images(images, p, info, views_of(info))
    assert found.scores.names == ["field", "river"]
    assert found.scores.right.tolist() == [True, False, True, True]


def test_a_folder_of_the_classes_may_be_called_as_a_collection_is(tmp_path):
    info = described({"a": {"crop": ["field"], "wet": ["river", "town"]}})
    first = folders(tmp_path / "a", {"crop": 2, "wet": 2})
    second = folders(tmp_path / "new" / "a", {"river": 3, "town": 1})
    found = find_scored([first, second], info)
    p = np.full((8, 3), 1 / 3, np.float32)
    scored = score_images(found.images, p, info, found.views)
    (apart,) = scored.apart
    assert (len(scored.images), len(apart.images)) == (8, 4)


def test_a_folder_is_scored_once(tmp_path):
    info = described({"a": {"crop": ["field"], "wet": ["river", "town"]}})
    data = folders(tmp_path / "a", {"crop": 2, "wet": 2})
    with pytest.raises(InputError, match=r"crop/0.png: is in two of the folders\. Name each"):
        find_scored([data, tmp_path / "a" / ".." / "a"], info)


def test_an_image_of_nodata_alone_is_not_scored(tmp_path):
    write_raster(tmp_path / "a.tif", np.zeros((8, 8, 3), np.uint8), nodata=0)
    images = [LabelledImage(tmp_path / "a.tif", (0,), None, "")]
    with pytest.raises(InputError, match=r"a\.tif: no pixel is valid"):
        scored_dataset(images, described({}), 1)


@pytest.mark.parametrize("is_collection", [False, True])
def test_validation_is_not_drawn_from_folders_that_were_not_trained_on(tmp_path, is_collection):
    info = described({"a": {"field": ["field"], "wet": ["river"]}} if is_collection else {})
    names = ("field", "wet" if is_collection else "river")
    data = tmp_path / "a"
    for part in ("train", "test"):
        folders(data / part, dict.fromkeys(names, 4))
    assert len(find_scored([data], info, "test").images) == 8
    assert len(find_scored([data], info).images) == 16
    for part in ("val", "train"):
        with pytest.raises(InputError, match="not the images that training drew its parts from"):
            find_scored([data], info, part)
    settings = ImageSettings(classes=info.classes) if not is_collection else ImageSettings()
    images = (
        read_collection(data)[1]
        if is_collection
        else find_images([data], settings, complete=False).images
    )
    digest = digest_split(split_collection(images, settings, 0))
    training = {"split": {"a": digest} if is_collection else digest}
    trained = info.model_copy(update={"training": training})
    counts = [len(find_scored([data], trained, part).images) for part in ("train", "val", "test")]
    assert counts == [6, 2, 8]
