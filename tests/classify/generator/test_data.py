"""Which real images a generator is compared with."""

from collections import Counter
from pathlib import Path

import pytest

from classify.data.images import LabelledImage
from classify.data.training_data import TrainingData
from classify.generator.config import GeneratorConfig
from classify.generator.data import choose_real, find_again
from segment.core.errors import InputError
from segment.core.progress import Silent
from segment.core.raster.classes import Class, ClassTable


def data(train: list[int], val: list[int], test: list[int]) -> TrainingData:
    """So many images of each class in each part."""
    parts = {
        part: [
            LabelledImage(Path(f"{part}/{label}/{number:05}.png"), (label,), part, "data")
            for label, count in enumerate(counts)
            for number in range(count)
        ]
        for part, counts in {"train": train, "val": val, "test": test}.items()
    }
    table = [Class(name=name, color=f"#00000{number}") for number, name in enumerate("abc")]
    return TrainingData(ClassTable(table), False, parts, "", None, None)


def classes(images: list[LabelledImage]) -> Counter:
    return Counter(image.labels[0] for image in images)


@pytest.mark.parametrize("count", [None, 40, 7])
def test_both_sets_have_the_same_of_each_class(count):
    """Else the floor of a distance would hold how classes are mixed."""
    held, learned = choose_real(data([100, 40, 10], [5, 10, 15], [5, 10, 15]), count)
    assert classes(held) == classes(learned) and len(held) == (count or 40)
    if count is None:
        assert classes(held) == {0: 10, 1: 20, 2: 10}
    assert (
        [image.labels for image in held]
        == [image.labels for image in learned]
        == sorted(image.labels for image in held)
    )
    assert {image.part for image in learned} == {"train"} and {image.part for image in held} == {
        "val",
        "test",
    }
    assert len(set(held)) == len(held) and len(set(learned)) == len(learned)


def test_there_are_ten_thousand_at_most():
    many = data([9000, 9000, 1], [9000, 9000, 1], [0, 0, 0])
    assert len(choose_real(many, None)[0]) == 10_000
    with pytest.raises(InputError, match="count: 1 to 10000, .*Received 100000"):
        choose_real(many, 100_000)


@pytest.mark.parametrize("count", [0, -3, 41])
def test_more_than_there_are_is_refused(count):
    with pytest.raises(InputError, match=f"count: 1 to 40, .*Received {count}"):
        choose_real(data([100, 40, 10], [5, 10, 15], [5, 10, 15]), count)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[]",
        '{"task": "generate"}',
        '{"data": "images"}',
        '{"data": []}',
        '{"data": [3]}',
    ],
)
def test_a_report_that_does_not_say_where_images_were_asks_for_them(tmp_path, text):
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(InputError, match=r"report\.json: .*--data FOLDER"):
        find_again(tmp_path, None, GeneratorConfig(), None, Silent())
