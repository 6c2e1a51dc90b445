import random
from collections import Counter
from pathlib import Path

import pytest

from classify.data.images import LabelledImage
from classify.data.splits import check_parts, split_images
from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable
from segment.core.splits import PARTS


def images(
    count: int, *labels: int, part: str | None = None, collection: str = "a"
) -> list[LabelledImage]:
    name = "-".join(map(str, labels))
    return [
        LabelledImage(Path(f"/{collection}/{part}/{name}/{k}.png"), labels, part, collection)
        for k in range(count)
    ]


def sizes(parts: dict, label: int) -> list[int]:
    return [sum(label in image.labels for image in parts[part]) for part in PARTS]


def test_every_class_of_every_collection_is_divided_alike_and_nothing_is_lost():
    everything = images(100, 0) + images(20, 1) + images(40, 0, collection="b")
    parts = split_images(everything, 0.2, 0.1, seed=0)
    counts = {
        part: Counter((i.collection, i.labels) for i in found) for part, found in parts.items()
    }
    assert counts["train"] == {("a", (0,)): 70, ("a", (1,)): 14, ("b", (0,)): 28}
    assert counts["val"] == {("a", (0,)): 20, ("a", (1,)): 4, ("b", (0,)): 8}
    assert Counter(i.path for found in parts.values() for i in found) == Counter(
        i.path for i in everything
    )


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    everything = images(30, 0) + images(30, 1)
    shuffled = random.Random(1).sample(everything, len(everything))
    assert split_images(everything, 0.2, 0.2, 0) == split_images(shuffled, 0.2, 0.2, 0)
    assert split_images(everything, 0.2, 0.2, 0) != split_images(everything, 0.2, 0.2, 1)


def test_validation_is_drawn_again_and_the_test_stays():
    everything = images(30, 0) + images(30, 1) + images(3, 2)
    splits = [split_images(everything, 0.2, 0.2, 0, val_seed) for val_seed in (None, 1, 2)]
    assert all(split["test"] == splits[0]["test"] for split in splits)
    assert splits[0]["val"] != splits[1]["val"] != splits[2]["val"]
    assert all(len(split["val"]) == len(splits[0]["val"]) for split in splits)
    assert all(
        Counter(i.path for found in split.values() for i in found)
        == Counter(i.path for i in everything)
        for split in splits
    )


def test_the_split_does_not_depend_on_where_the_data_lie():
    def names(collection: str) -> list[str]:
        return [
            image.path.name
            for image in split_images(images(30, 0, collection=collection), 0.2, 0.2, 0)["val"]
        ]

    assert names("a") == names("z")


@pytest.mark.parametrize(
    "count,expected",
    [(1, [1, 0, 0]), (2, [2, 0, 0]), (3, [2, 1, 0]), (4, [2, 1, 1]), (10, [6, 2, 2])],
)
def test_small_classes_keep_training_and_three_images_give_validation(count, expected):
    fraction = 0.15 if count < 4 else 0.2
    assert sizes(split_images(images(count, 0), fraction, fraction, 0), 0) == expected


@pytest.mark.parametrize("val_fraction,test_fraction", [(0.5, 0.49), (0.9, 0.05), (0.05, 0.9)])
@pytest.mark.parametrize("count", range(1, 12))
def test_large_fractions_leave_something_to_train_on(val_fraction, test_fraction, count):
    found = sizes(split_images(images(count, 0), val_fraction, test_fraction, 0), 0)
    assert found[0] >= 1 and sum(found) == count and (count < 3 or found[1] >= 1)


def test_without_a_test_fraction_there_is_no_test():
    assert split_images(images(20, 0), 0.2, 0, 0)["test"] == []


def test_a_class_in_single_images_of_many_collections_has_validation():
    everything = [i for c in "abc" for i in images(1, 0, collection=c)] + images(10, 1)
    assert sizes(split_images(everything, 0.1, 0.1, 0), 0) == [2, 1, 0]


def test_fixed_parts_stay():
    everything = images(5, 0, part="train") + images(3, 0, part="val") + images(2, 0, part="test")
    assert sizes(split_images(everything, 0.5, 0.4, 0), 0) == [5, 3, 2]


def test_training_and_validation_without_test_get_none():
    assert sizes(
        split_images(images(20, 0, part="train") + images(3, 0, part="val"), 0.2, 0.2, 0), 0
    ) == [20, 3, 0]


@pytest.mark.parametrize("tests", [0, 6])
def test_validation_is_drawn_from_training_where_folders_fix_none(tests):
    parts = split_images(images(20, 0, part="train") + images(tests, 0, part="test"), 0.2, 0.3, 0)
    assert sizes(parts, 0) == [16, 4, tests]
    assert all(image.part == "train" for image in parts["val"])


def test_rows_without_part_are_drawn_beside_fixed_ones():
    parts = split_images(images(10, 0, part="train") + images(10, 0), 0.2, 0.2, 0)
    assert sizes(parts, 0) == [16, 2, 2]
    assert all(image.part is None for image in parts["val"])


def test_another_collection_may_be_test_alone():
    parts = split_images(images(10, 0) + images(4, 0, part="test", collection="b"), 0.2, 0, 0)
    assert sizes(parts, 0) == [8, 2, 4]


@pytest.mark.parametrize(
    "others",
    [
        images(20, 0),
        images(14, 0, part="train") + images(3, 0, part="val"),
        images(14, 0, part="train") + images(6, 0, part="test"),
        images(14, 0, part="train") + images(3, 0, part="val", collection="c"),
    ],
    ids=["class folders", "val", "no val", "val in another"],
)
def test_a_collection_of_training_alone_is_trained_on_beside_others(others):
    added = images(40, 0, part="train", collection="b")
    before, after = (split_images(found, 0.2, 0.2, 0, 5) for found in (others, others + added))
    assert len(before["val"]) > 0
    if {image.collection for image in others} == {"a"}:
        assert after == before | {
            "train": sorted(before["train"] + added, key=lambda image: image.path.as_posix())
        }
    else:
        assert sizes(after, 0) == [54, 3, 0]


def test_a_collection_of_training_alone_gives_validation_beside_a_test_alone():
    parts = split_images(
        images(20, 0, part="train") + images(6, 0, part="test", collection="b"), 0.2, 0.3, 0
    )
    assert sizes(parts, 0) == [16, 4, 6]


@pytest.mark.parametrize("tests", [0, 6])
def test_of_several_collections_of_training_alone_none_is_chosen(tests):
    alone = [image for name in "ab" for image in images(9, 0, part="train", collection=name)]
    with pytest.raises(
        InputError, match=r"No images for validation: a, b hold train only\. Add val"
    ) as caught:
        split_images(alone + images(tests, 0, part="test", collection="c"), 0.2, 0.2, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["val", "test"])
def test_parts_without_training_are_refused(part):
    with pytest.raises(
        InputError, match=rf"train on, only images in {part}. Add a folder train"
    ) as caught:
        split_images(images(4, 0, part=part), 0.2, 0.2, 0)
    assert "\n" not in str(caught.value)


def test_images_of_several_labels_count_to_the_rarest():
    everything = images(80, 0) + images(10, 0, 1) + images(10, 0, 1, 2) + images(10)
    parts = split_images(everything, 0.2, 0.1, 0)
    assert [sizes(parts, label) for label in range(3)] == [[70, 20, 10], [14, 4, 2], [7, 2, 1]]
    assert [sum(not image.labels for image in parts[part]) for part in PARTS] == [7, 2, 1]


def test_a_label_that_is_never_the_rarest_still_has_validation():
    everything = [i for rare in range(1, 5) for i in images(1, 0, rare)]  # one stratum an image
    parts = split_images(everything + images(30, 9), 0.2, 0.1, 0)
    # a move would take the only image of a rarer label from training
    assert sizes(parts, 0) == [4, 0, 0]
    parts = split_images(everything + images(1, 0, 1, collection="b") + images(30, 9), 0.2, 0.1, 0)
    assert sizes(parts, 0) == [4, 1, 0]


PALETTE = ClassTable([Class(name="land", color="#804000"), Class(name="water", color="#0000FF")])


def test_parts_with_all_classes_pass_and_the_test_may_lack_some():
    check_parts(
        {"train": images(1, 0) + images(1, 1), "val": images(1, 1) + images(1, 0), "test": []},
        PALETTE,
        False,
    )
    check_parts({"train": images(1, 0, 1), "val": images(1, 0, 1), "test": []}, PALETTE, True)


@pytest.mark.parametrize(
    "part,multi_label,words",
    [
        (
            "train",
            False,
            [
                "train has no images of the class water",
                "Add images",
                "data.split_seed",
                "lower data.val_fraction",
            ],
        ),
        (
            "val",
            True,
            [
                "val has no images of the label water",
                "Add images",
                "data.split_seed",
                "raise data.val_fraction",
            ],
        ),
    ],
)
def test_a_class_missing_from_training_or_validation_is_named(part, multi_label, words):
    parts = {"train": images(1, 0, 1), "val": images(1, 0, 1), "test": []} | {part: images(2, 0)}
    with pytest.raises(InputError) as caught:
        check_parts(parts, PALETTE, multi_label)
    assert [word for word in words if word not in str(caught.value)] == [] and "\n" not in str(
        caught.value
    )
