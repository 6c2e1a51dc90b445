import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import segment.mapping.tally as module
from segment.mapping.tally import ConfidenceCounts

NAMES = ["land", "water"]


def test_known_answers() -> None:
    counts = ConfidenceCounts(2, 2, 3)
    labels = np.array([[0, 0, 255], [0, 1, 1]], np.uint8)
    sure = np.array([[0.6, 1.0, 0.9], [0.8, 0.55, 0.65]], np.float32)
    counts.add(0, 0, labels, np.where(labels[..., None] == [0, 1], sure[..., None], 0))
    report = counts.report(NAMES)
    assert report["confidence"]["land"] == pytest.approx(0.8, abs=0.002)
    assert report["confidence"]["water"] == pytest.approx(0.6, abs=0.002)
    assert report["mean_confidence"] == pytest.approx(0.72, abs=0.002)
    assert report["confidence_shares"] == [0, 0, 0, 0, 0, 0.2, 0.4, 0, 0.2, 0.2]


@pytest.mark.parametrize("classes", [1, 2, 5, 12])
@pytest.mark.parametrize("step", [1, 4])
def test_the_highest_probability_counts(
    classes: int, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(classes)
    probabilities = random.random((23, 31, classes), np.float32)
    labels = probabilities.argmax(axis=2).astype(np.uint8)
    labels[random.random(labels.shape) < 0.2] = 255
    monkeypatch.setattr(module, "_ALL", 0 if step == 4 else 1000)
    counts = ConfidenceCounts(classes, 23, 31)
    counts.add(0, 0, labels, probabilities)
    some = slice(None, None, step)
    found = probabilities[some, some].max(axis=2)[labels[some, some] != 255]
    bins, _ = np.histogram(found, np.linspace(0, 1, 11))
    assert np.sum(counts.state()["bins"], axis=0).tolist() == bins.tolist()
    assert sum(counts.state()["sums"]) == np.rint(found * 254).sum()


def test_without_pixels_nothing_is_known() -> None:
    report = ConfidenceCounts(2, 5, 5).report(NAMES)
    assert report["mean_confidence"] is None
    assert report["confidence"] == {"land": None, "water": None}


@pytest.mark.parametrize("step", [1, 4])
@given(seed=st.integers(0, 99), height=st.integers(1, 30), width=st.integers(1, 30), data=st.data())
@settings(max_examples=30)
def test_pieces_in_any_order_add_up_to_the_whole(
    step: int, seed: int, height: int, width: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(seed)
    labels = random.choice(np.array([0, 1, 255], np.uint8), (height, width))
    probabilities = random.random((height, width, 2), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ALL", height * width if step == 1 else 0)
        whole, parts, resumed = (ConfidenceCounts(2, height, width) for _ in range(3))
    whole.add(0, 0, labels, probabilities)
    rows, columns = (
        sorted({0, side, data.draw(st.integers(0, side)), data.draw(st.integers(0, side))})
        for side in (height, width)
    )
    places = [
        (slice(*rows[i : i + 2]), slice(*columns[j : j + 2]))
        for i in range(len(rows) - 1)
        for j in range(len(columns) - 1)
    ]
    for place in reversed(places):
        parts.add(place[0].start, place[1].start, labels[place], probabilities[place])
    resumed.merge(parts.state())
    assert parts.state() == whole.state()
    assert resumed.report(NAMES) == whole.report(NAMES)
    assert np.sum(whole.state()["bins"]) == (labels[::step, ::step] != 255).sum()
