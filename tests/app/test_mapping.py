"""Mapping an uploaded scene: what the page shows of it."""

import threading
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from segment.app.jobs.job import Job
from segment.app.jobs.labelling import LabelSettings, label_uploads
from segment.app.jobs.mapping import Settings, find_probabilities
from segment.app.jobs.models import OfferedModels
from segment.app.jobs.queue import Jobs
from segment.core.errors import InputError
from segment.core.maps.scene_outputs import format_areas
from tests.classify.labelling.test_mixed_images import Labeller as ByFirstBand
from tests.classify.training.test_scored_as_labelled import Labeller
from tests.conftest import write_raster
from tests.fakes import NAMES


def test_scenes_too_large_for_a_page_are_mapped_whole_and_shown_reduced(map_it, monkeypatch):
    monkeypatch.setattr("segment.app.jobs.map_pictures.SHOWN", 50)
    pixels = np.zeros((60, 200, 3), np.uint8)
    pixels[:, 100:] = 4
    mapped = map_it(pixels, pixels[..., :1] * 10)
    assert mapped.size == (60, 200) and mapped.files.report["mean_jaccard"] == 1
    assert mapped.files.report["pixels_by_class"] == dict.fromkeys(NAMES, 0) | {
        "building": 6000,
        "water": 6000,
    }
    shown = [
        cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        for file in (mapped.pictures.photograph, mapped.pictures.classes)
    ]
    assert [picture.shape for picture in shown] == [(27, 91, 3), (27, 91, 4)]
    assert shown[1][12, 18].tolist() == [0x98, 0x10, 0x3C, 255] and shown[1][12, 72].tolist() == [
        0x29,
        0xA9,
        0xE2,
        255,
    ]
    assert next(iter(find_probabilities(mapped, 59, 199))) == "water"
    with pytest.raises(InputError, match="Row 60, column .* rows 0 to 59, columns 0 to 199"):
        find_probabilities(mapped, 60, 0)


@pytest.mark.parametrize("shape", [(400, 4), (4, 400)])
def test_long_scenes_keep_their_short_side(map_it, monkeypatch, shape):
    monkeypatch.setattr("segment.app.jobs.map_pictures.SHOWN", 30)
    monkeypatch.setattr("segment.app.jobs.map_pictures.LONGEST_SHOWN", 300)
    mapped = map_it(np.full((*shape, 3), 2, np.uint8))
    assert cv2.imread(str(mapped.pictures.classes), cv2.IMREAD_UNCHANGED).shape[:2] == tuple(
        side * 3 // 4 for side in shape
    )


def test_bands_are_chosen(map_it):
    """The class is the value of the first band that is read; also where a pixel is looked up."""
    pixels = np.full((40, 40, 4), 1, np.uint8)
    pixels[..., 3] = 3
    mapped = map_it(pixels, photometric="minisblack")
    assert next(iter(find_probabilities(mapped, 0, 0))) == "land"
    assert any("which of its 4 bands are red" in note for note in mapped.notes)


def test_bands_that_do_not_fit_are_refused_with_the_setting_that_cures_it(map_it):
    with pytest.raises(InputError, match=r"Received 2 bands of uint8\. .*: (--)?bands 1,1,1"):
        map_it(np.full((40, 40, 2), 1, np.uint8), photometric="minisblack")


@pytest.mark.parametrize("nodata", ["1", " 0-1 "])
def test_a_visitor_names_nodata(map_it, nodata):
    pixels = np.full((40, 40, 3), 1, np.uint8)
    pixels[:10] = 2
    mapped = map_it(pixels, settings=Settings("bundled", 0.25, nodata=nodata))
    assert sum(mapped.files.report["pixels_by_class"].values()) == 400
    assert find_probabilities(mapped, 30, 5) is None
    with pytest.raises(InputError, match="neither a value nor a range"):
        Settings("bundled", nodata="black").check()


@pytest.mark.parametrize(("bands", "name"), [("4,1,2", "vegetation"), (" 1,2,4 ", "land")])
def test_bands_are_read_in_their_order(map_it, bands, name):
    pixels = np.full((40, 40, 4), 1, np.uint8)
    pixels[..., 3] = 3
    mapped = map_it(
        pixels, settings=Settings("bundled", 0.25, bands=bands), photometric="minisblack"
    )
    assert (
        mapped.files.report["pixels_by_class"][name] == 1600
        and next(iter(find_probabilities(mapped, 0, 0))) == name
    )


def test_remarks_on_how_images_are_read_are_those_of_each_image(monkeypatch):
    jobs, shelf, random = Jobs(), OfferedModels(), np.random.default_rng(0)
    place, turned = jobs.uploads / "a", Image.Exif()
    place.mkdir()
    turned[0x0112] = 6
    Image.new("RGB", (40, 30)).save(place / "turned.jpg", exif=turned)
    write_raster(place / "deep.tif", random.integers(0, 4000, (40, 40, 3), np.uint16))
    four = random.integers(1, 255, (40, 40, 4), np.uint8)
    write_raster(place / "four.tif", four, photometric="minisblack")
    write_raster(place / "plain.png", np.full((40, 40, 3), 42, np.uint8))
    said = {
        "turned.jpg": "EXIF orientation 6",
        "deep.tif": "are brought to 8 bits",
        "four.tif": "which of its 4 bands",
        "plain.png": None,
    }
    files = [place / name for name in said]
    monkeypatch.setattr(shelf, "load", lambda task, name: ByFirstBand())
    job = jobs.begin("me", "classify")
    settings = LabelSettings("bundled")
    found = job.do(
        lambda: label_uploads(job, shelf, jobs.received, files, settings, pictures=False)
    )
    jobs.close()
    for one, expected in zip(found.predictions, said.values(), strict=True):
        assert [expected in note for note in one.notes] == ([True] if expected else [])
    assert not any("--" in note for note in found.notes)  # options are settings here
    for name, expected in said.items():  # together, with the names that visitors know
        assert sum(f"{name}: " in note and str(expected) in note for note in found.notes) == bool(
            expected
        )


@pytest.mark.parametrize("overlap", [0.6, -1, float("nan"), "wide", None])
def test_overlaps_that_tiles_cannot_have_are_refused(overlap):
    with pytest.raises(InputError, match="0 to 0.5"):
        Settings("bundled", overlap).check()


def test_labels_of_the_first_of_several_pictures_are_reported_as_such(tmp_path):
    pages = [Image.fromarray(np.full((16, 16, 3), value, np.uint8)) for value in (9, 99)]
    files = [tmp_path / "one.tif", tmp_path / "pages.tif"]
    pages[0].save(files[0])
    pages[0].save(files[1], save_all=True, append_images=pages[1:])
    job = Job("me", "classify", tmp_path / "job", threading.Semaphore(), None)
    models = SimpleNamespace(load=lambda *_: Labeller())
    found = label_uploads(job, models, [tmp_path], files, LabelSettings("tiny"), pictures=False)
    assert found.notes == [
        "pages.tif: The file holds 2 images, and one is read. Another is GTIFF_DIR:2:pages.tif"
    ]


@pytest.mark.parametrize("augment", ["no", "false", "", None, 2, []])
def test_augment_is_true_or_false(augment):
    with pytest.raises(InputError, match="augment: .* is unknown. Choose true or false"):
        Settings("bundled", augment=augment).check()
    with pytest.raises(InputError, match="augment: .* is unknown. Choose true or false"):
        label_uploads(None, None, (), [Path("a.png")], LabelSettings("bundled", augment=augment))


@pytest.mark.parametrize(
    "settings",
    [
        {"gsd": 0},
        {"gsd": -1.0},
        {"gsd": "wide"},
        {"gsd": float("nan")},
        {"gsd": 10**400},
        {"resample": "yes"},
        {"resample": []},
    ],
)
def test_pixel_sizes_that_there_are_not_are_refused(settings):
    with pytest.raises(
        InputError, match="gsd: metres per pixel|resample: .* Choose true, false or null"
    ):
        Settings("bundled", 0.25, **settings).check()


def test_pixel_sizes_are_stated_also_where_a_pixel_is_looked_up(map_it):
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, 32:] = 2
    mapped = map_it(pixels, settings=Settings("bundled", 0.25, gsd=0.01), crs=None)
    assert mapped.notes[0].startswith("Pixels are taken for 0.01 m, as gsd says")
    assert next(iter(find_probabilities(mapped, 10, 60))) == "road"


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        ((0, 99_999), ["0 m²", "99,999 m²"]),
        ((0, 100_000), ["0.00 ha", "10.00 ha"]),
        ((13_800, 4_870_000), ["1.38 ha", "487.00 ha"]),
        ((999_999, 5_453_648_735), ["1.00 km²", "5,453.65 km²"]),
    ],
)
def test_areas_of_a_table_have_one_unit_that_can_be_read(areas, expected):
    named = dict(zip("ab", areas, strict=True))
    assert list(format_areas(named).values()) == expected


def test_nodata_is_transparent_and_has_no_class(map_it):
    pixels = np.full((40, 40, 3), 2, np.uint8)
    pixels[:20] = 255
    mapped = map_it(pixels, nodata=255)
    picture = cv2.imread(str(mapped.pictures.classes), cv2.IMREAD_UNCHANGED)
    assert not picture[:20, :, 3].any() and picture[20:, :, 3].all()
    assert (
        find_probabilities(mapped, 0, 0) is None
        and next(iter(find_probabilities(mapped, 30, 0))) == "road"
    )


def test_scenes_of_more_than_8_bits_are_scaled_and_shown_so(map_it):
    pixels = np.zeros((48, 64, 3), np.uint16)
    pixels[:, 32:] = 2 * 257
    mapped = map_it(pixels, settings=Settings("bundled", 0.25, scale="0,65535"))
    assert mapped.files.report["pixels_by_class"]["building"] == 48 * 32
    assert mapped.files.report["pixels_by_class"]["road"] == 48 * 32
    assert any("brought to 8 bits: 0 to 65,535 become 0 to 255" in note for note in mapped.notes)
    assert next(iter(find_probabilities(mapped, 5, 40))) == "road"
    assert cv2.imread(str(mapped.pictures.photograph)).max() < 20  # as the network sees it


@pytest.mark.parametrize("scale", ["often", "9,3", "2%,101%", "a.json", "/etc/x.JSON ", 3, None])
def test_scales_that_there_are_not_are_refused(scale):
    with pytest.raises(InputError, match=r"scale: ") as error:
        Settings("bundled", 0.25, scale=scale).check()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("scale", "is_mapped"), [("", True), ("auto", True), ("never", False)])
def test_the_scale_may_be_left_out(map_it, scale, is_mapped):
    pixels = np.random.default_rng(0).integers(0, 4000, (48, 64, 3)).astype(np.uint16)
    if is_mapped:
        mapped = map_it(pixels, settings=Settings("bundled", 0.25, scale=scale))
        assert mapped.files.report["scale"]["dtype"] == "uint16"
        return
    with pytest.raises(InputError, match="choose another --scale"):
        map_it(pixels, settings=Settings("bundled", 0.25, scale=scale))
