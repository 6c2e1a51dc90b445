"""Windows to label next: uncertain, unlike each other, spread over the scene."""

import numpy as np
import pyogrio
import pytest

from segment.core.raster.opening import open_raster
from segment.mapping.journal import CLASSES, CONFIDENCE, Journal
from segment.mapping.suggestions import (
    WINDOW,
    WindowStatistics,
    choose_windows,
    write_suggestions,
)
from tests.conftest import write_raster
from tests.fakes import PlaceModel


def finished(folder, labels: np.ndarray, confidence: np.ndarray):
    """A scene, its model, and the journal of a map of it."""
    file = write_raster(folder / "scene.tif", np.zeros((*labels.shape, 3), np.uint8))
    journal = Journal(folder, labels.shape[1])
    steps = np.round(confidence * 254).astype(np.uint8)
    values = np.where(labels == 255, 255, 10 * labels).astype(np.uint8)
    journal.append({CLASSES: values, CONFIDENCE: steps}, {})
    return file, PlaceModel(bands=3, classes=3).info, journal


def test_statistics_count_each_window_once(tmp_path):
    random = np.random.default_rng(0)
    labels = random.choice([0, 1, 2, 255], (300, 600))
    confidence = random.integers(0, 255, (300, 600)) / 254
    file, info, journal = finished(tmp_path, labels, confidence)
    with open_raster(file) as scene:
        found = WindowStatistics(journal, scene, info)
    assert found.places.tolist() == [[0, 0], [0, 256], [0, 512], [256, 0], [256, 256], [256, 512]]
    for (top, left), pixels, doubt in zip(found.places, found.pixels, found.doubt, strict=True):
        part = np.s_[top : top + WINDOW, left : left + WINDOW]
        for k in range(3):
            chosen = labels[part] == k
            assert pixels[k] == chosen.sum()
            assert doubt[k] == pytest.approx((1 - confidence[part])[chosen].sum())
    assert (found.uncertainty[2:] == 0).all() and found.uncertainty[:2].min() > 0.4


def test_the_most_uncertain_comes_first_and_its_copies_last():
    places = np.array([[0, 0], [0, 256], [0, 512], [2560, 2560]])
    features = np.array([[1.0, 0], [1, 0], [0, 1], [1, 0]])
    uncertainty = np.array([0.5, 0.49, 0.3, 0.3])
    assert choose_windows(uncertainty, features, places, 4).tolist() == [0, 2, 3, 1]
    assert choose_windows(uncertainty, features, places, 1).tolist() == [0]
    assert choose_windows(np.zeros(4), features, places, 2).tolist() == []


def test_suggestions_are_polygons_with_an_empty_class(tmp_path):
    labels = np.zeros((600, 700), int)
    confidence = np.full((600, 700), 1.0)
    labels[:256, 256:512], confidence[:100, 300:400] = 1, 0.4
    labels[256:512, :256], confidence[256:512, :256] = 255, 0.2  # nodata is never suggested
    file, info, journal = finished(tmp_path, labels, confidence)
    with open_raster(file) as scene:
        count = write_suggestions(journal, tmp_path / "suggest.gpkg", scene, info, 3)
        corner = scene.transform @ (256, 0)
    assert count == 1
    meta, _, geometry, values = pyogrio.raw.read(tmp_path / "suggest.gpkg")
    fields = dict(zip(meta["fields"], values, strict=True))
    assert fields["class"].tolist() == [None] and fields["rank"].tolist() == [1]
    assert fields["reason"][0].startswith("uncertain where it is mapped as")
    left, _, right, _ = pyogrio.read_info(tmp_path / "suggest.gpkg")["total_bounds"]
    assert left == pytest.approx(corner[0]) and right - left == pytest.approx(256 * 0.3)
    assert len(geometry) == 1
