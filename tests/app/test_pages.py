"""Parts of the page: classes of models, samples, areas and pixels of a map."""

import cv2
import numpy as np
import pytest
from rasterio.transform import Affine, from_origin

from classify.labelling.prediction import Prediction
from segment.app.jobs.labelling import Labelled
from segment.app.jobs.map_position import find_position
from segment.app.jobs.mapping import find_probabilities
from segment.app.jobs.models import OfferedModels
from segment.app.pages.html import show_models
from segment.app.pages.results import show_areas, show_labels, show_pixel
from segment.app.pages.samples import write_photographs
from segment.core.labels.classes import Class, ClassTable
from segment.core.raster.sources import Source
from tests.conftest import write_raster


def test_the_classes_of_all_models_are_shown():
    tables = OfferedModels().classes("segment")
    assert list(tables) == ["bundled"] and "vegetation" in tables["bundled"].names
    shown = show_models(tables)
    assert shown.count("<li>") == len(tables["bundled"].names) and "<dt>" not in shown
    table = ClassTable([Class(name="a < b", color="#102030")])
    several = show_models({"one": table, "two & three": table})
    assert "<dt>two &amp; three</dt>" in several and "a &lt; b" in several
    assert "<details>" not in several
    assert "<details>" in show_models({str(number): table for number in range(4)})


@pytest.mark.heavy
def test_sample_photographs_are_drawn_and_the_same_each_time(tmp_path):
    first, second = (write_photographs(tmp_path / name) for name in ("a", "b"))
    assert list(first) == ["Houses", "Industry", "Water", "Fields"]
    for name, file in first.items():
        pixels = cv2.imread(str(file))
        assert pixels.shape == (256, 256, 3) and pixels.std() > 10
        assert file.read_bytes() == second[name].read_bytes()


def test_an_unsure_image_has_no_probability_and_names_the_likeliest_labels(tmp_path):
    labels = [("pond", 0.6), ("river", 0.3), ("port", 0.1)]
    predictions = [
        Prediction("sure.png", labels, ["pond"]),
        Prediction("noise.png", labels, ["unsure"], unsure=True),
    ]
    (listing := tmp_path / "labels.csv").write_text("image\n")
    page = show_labels(Labelled(predictions, [None, None], listing))
    sure, unsure = page.split("sure.png")[1].split("noise.png")[0], page.split("noise.png")[1]
    assert "<strong>pond</strong>" in sure and "60.0 %" in sure and "river 30.0 %" in sure
    assert "pond 60.0 %" not in sure and "port" not in sure
    assert "<strong>unsure</strong>" in unsure
    assert "pond 60.0 %" in unsure and "river 30.0 %" in unsure and "port" not in unsure


@pytest.mark.parametrize(
    ("crs", "transform", "text", "name"),
    [
        (
            "EPSG:32640",
            from_origin(400_000, 2_800_000, 0.5, 0.5),
            "x 400001.00, y 2799998.50",
            "WGS 84 / UTM zone 40N (EPSG:32640)",
        ),
        (
            "EPSG:4326",
            from_origin(10, 50, 1e-5, 1e-5),
            "longitude 10.000020, latitude 49.999970",
            "WGS 84 (EPSG:4326)",
        ),
        (None, from_origin(7000, 9000, 100, 100), "x 7200, y 8700", ""),
        ("EPSG:32640", Affine(0, 2, 1000, 2, 0, 5000), "x 1006.0, y 5004.0", "WGS 84 / UTM"),
    ],
)
def test_points_have_coordinates_of_the_file(tmp_path, crs, transform, text, name):
    pixels = np.zeros((20, 30, 3), np.uint8)
    file = write_raster(tmp_path / "a.tif", pixels, crs=crs, transform=transform)
    position = find_position(Source(file))
    assert position.describe(3, 2) == text and position.crs.startswith(name)


def test_files_without_a_georeference_have_no_coordinates(tmp_path):
    file = write_raster(tmp_path / "a.png", np.zeros((20, 30, 3), np.uint8))
    assert find_position(Source(file)) is None


def test_confidence_is_shown_as_numbers_and_as_a_picture(map_it):
    pixels = np.full((40, 40, 3), 2, np.uint8)
    pixels[:10] = 255
    mapped = map_it(pixels, nodata=255)
    assert "Mean confidence 100.0 %" in show_areas(mapped)
    picture = cv2.imread(str(mapped.pictures.confidence), cv2.IMREAD_UNCHANGED)
    assert not picture[:10, :, 3].any() and picture[30, 5].tolist() == [36, 231, 253, 255]
    assert mapped.downloads["Confidence (GeoTIFF)"].is_file()
    found = show_pixel(mapped, 30, 5, find_probabilities(mapped, 30, 5))
    assert "confidence 100.0 %" in found["shown"] and "UTM zone 40N" in found["shown"]
    nothing = show_pixel(mapped, 2, 5, find_probabilities(mapped, 2, 5))
    assert "No data at row 2, column 5" in nothing["shown"] and "UTM zone" in nothing["shown"]


def test_maps_without_a_valid_pixel_have_no_confidence(map_it):
    shown = show_areas(map_it(np.full((40, 40, 3), 255, np.uint8), nodata=255))
    assert "Mean confidence" not in shown and shown.count("<td>–</td>") == 5
