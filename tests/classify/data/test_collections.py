"""Collections: folders with labels of their own, split each by itself."""

import pytest

from classify.config import Config
from classify.data.collections import find_training_images
from classify.data.images import find_images
from classify.data.splits import check_parts, digest_split, split_images
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.splits import PARTS

TABLE = [
    {"name": name, "color": f"#{number:06X}"}
    for number, name in enumerate(("forest", "meadow", "pond", "river"))
]


def make(root, counts):
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            (root / folder / f"{number}.png").touch()
    return root


@pytest.fixture
def two(tmp_path):
    make(tmp_path / "aid", {"Forest": 8, "Meadow": 8, "Pond": 8, "River": 8, "Cloud": 4})
    make(tmp_path / "rsscn", {"forest": 20, "grass": 9, "river_lake": 9})
    return tmp_path


def settings(root, *more, aid="{path: aid, classes: {cloud: null}}", rsscn=None):
    rsscn = rsscn or "{path: rsscn, classes: {grass: meadow, river_lake: [river, pond]}}"
    changes = [f"data.classes={TABLE}", f"data.collections=[{aid}, {rsscn}]", f"data.root={root}"]
    return load_settings(Config, None, [*changes, *more]).data


def test_labels_are_sets_of_classes(two):
    found = find_training_images([], settings(two), 0)
    assert found.class_table.names == ["forest", "meadow", "pond", "river"]
    assert not found.multi_label
    labels = {(i.collection, i.path.parent.name): i.labels for i in found.images}
    assert labels == {
        ("aid", "Forest"): (0,),
        ("aid", "Meadow"): (1,),
        ("aid", "Pond"): (2,),
        ("aid", "River"): (3,),
        ("rsscn", "forest"): (0,),
        ("rsscn", "grass"): (1,),
        ("rsscn", "river_lake"): (2, 3),
    }
    assert found.notes == ["aid: Cloud: 4 images of no class, left out"]
    assert found.label_maps["rsscn"]["river_lake"] == ["pond", "river"]


@pytest.mark.parametrize("name", ["aid", "rsscn"])
def test_each_is_split_as_if_it_were_alone(two, name):
    """The test of a collection is the same, whatever it is joined with."""
    found = find_training_images([], settings(two), 5)
    alone = split_images(find_images([two / name], Config().data).images, 0.15, 0.15, 5)
    for part in PARTS:
        of_part = [i.path for i in alone[part] if i.path.parent.name != "Cloud"]
        joined = [i.path for i in found.images if (i.collection, i.part) == (name, part)]
        assert of_part and sorted(joined) == sorted(of_part)
    assert found.digests[name] == digest_split(alone)


def test_a_class_needs_images_that_are_no_other(two):
    for folder in ("Pond",):
        for image in (two / "aid" / folder).iterdir():
            image.unlink()
        (two / "aid" / folder).rmdir()
    found = find_training_images([], settings(two), 0)
    parts = split_images(found.images, 0.15, 0.15, 0)
    with pytest.raises(InputError, match="train has no images of the class pond"):
        check_parts(parts, found.class_table, False)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"rsscn": "{path: aid, name: b, classes: {cloud: null}}"}, ["two collections", "'b'"]),
        ({"aid": "{path: aid, name: RSSCN, classes: {cloud: null}}"}, ["'rsscn'", "`name`"]),
        ({"aid": "{path: nowhere}"}, ["nowhere", "no such path"]),
        ({"aid": "{path: aid}"}, ["'Cloud'", "null"]),
    ],
)
def test_faults_of_collections(two, change, words):
    with pytest.raises(InputError) as caught:
        find_training_images([], settings(two, **change), 0)
    for word in words:
        assert word in str(caught.value)


def test_a_csv_and_an_empty_folder_are_refused(two):
    (two / "rsscn" / "void").mkdir()
    with pytest.raises(InputError, match=r"void: class folder has no images"):
        find_training_images([], settings(two), 0)
    (two / "rsscn" / "labels.csv").write_text("file,labels\nforest/0.png,forest\n")
    with pytest.raises(InputError, match=r"rsscn: has labels.csv"):
        find_training_images([], settings(two), 0)


def test_folders_and_collections_exclude_each_other(two):
    with pytest.raises(InputError, match=r"data.collections lists data folders too"):
        find_training_images([two / "aid"], settings(two), 0)
    with pytest.raises(InputError, match="No data folder given"):
        find_training_images([], Config().data, 0)
    with pytest.raises(InputError, match="label_map"):
        settings(two, "data.label_map={a: forest}")
    with pytest.raises(InputError, match=r"collections need data.classes"):
        load_settings(Config, None, ["data.collections=[{path: aid}]"])


def test_a_root_without_collections_is_refused():
    with pytest.raises(InputError, match=r"data\.root is of data\.collections, which is missing"):
        load_settings(Config, None, ["data.root=x"])


def test_only_training_reads_collections(two):
    with pytest.raises(InputError, match="which only classify-train reads. Leave it out"):
        find_images([two / "aid"], settings(two))
