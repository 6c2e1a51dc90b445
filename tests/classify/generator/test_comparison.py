"""Which real images a generator is compared with, and the distance from them."""

import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

from classify.data.images import LabelledImage
from classify.data.training_data import TrainingData
from classify.generator.comparison import choose_real, find_training_data, frechet_distance
from classify.generator.config import GeneratorConfig
from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable
from segment.core.progress import Silent


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
    with pytest.raises(InputError, match="count: 100000, but .* Give 1 to 10000"):
        choose_real(many, 100_000)


@pytest.mark.parametrize("count", [0, -3, 41])
def test_more_than_there_are_is_refused(count):
    with pytest.raises(InputError, match=f"count: {count}, but .* Give 1 to 40"):
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
        find_training_data(tmp_path, None, GeneratorConfig(), None, Silent())


def features(count, seed, shift=0.0, scale=1.0):
    random = np.random.default_rng(seed)
    return (
        random.standard_normal((count, 6))
        @ np.random.default_rng(9).standard_normal((6, 6))
        * scale
        + shift
    ).astype(np.float32)


@pytest.mark.parametrize("second", [(80, 1), (200, 2, 1.0, 2.0), (3, 3, -4.0)])
def test_it_is_that_of_the_textbook(second):
    a, b = features(100, 0), features(*second)
    s, t = np.cov(a.T), np.cov(b.T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s + t - 2 * np.real(sqrtm(s @ t)))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-3)


def test_a_set_lies_at_no_distance_from_itself_and_at_the_square_of_a_shift():
    a = features(100, 0)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-4)
    assert frechet_distance(a, a + np.float32(2)) == pytest.approx(24, rel=1e-3)


def test_fewer_images_than_features_will_do():
    wide = np.random.default_rng(0).standard_normal((2, 5, 300)).astype(np.float32)
    assert frechet_distance(wide[0], wide[1]) > 0


def test_many_images_take_no_more_memory_than_their_features():
    many = np.random.default_rng(0).standard_normal((2, 5000, 8)).astype(np.float32)
    tracemalloc.start()
    distance = frechet_distance(many[0], many[1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert distance == pytest.approx(0, abs=0.05) and peak < 5e6  # 5000 x 5000 are 200 MB
