"""The pixel size that a network sees a scene at, and that the map is the scene's own all
the same.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.transform import from_origin

from segment.core.cli.command import run
from segment.core.errors import InputError, Interrupted
from segment.mapping.options import MapOptions
from segment.mapping.predict import predict_scene
from segment.mapping.result import SceneMap
from segment.mapping.scale import choose_scale
from segment.mapping.window import predict_probabilities, predict_window
from tests.conftest import write_raster
from tests.fakes import FakeModel, PlaceModel
from tests.segment.mapping.test_predict import outputs, stopping

NOISE = np.random.default_rng(0).integers(0, 255, (120, 150, 3), np.uint8)
WINDOWS = ((0, 0, 9, 9), (30, 11, 20, 30), (119, 149, 1, 1), (57, 0, 3, 150))


def place(pixel: float) -> Affine:
    return from_origin(500_000, 2_700_000, pixel, pixel)


def knowing(smallest: float, largest: float, **info: Any) -> PlaceModel:
    return PlaceModel(
        bands=3,
        **({"ground_sampling_range": (smallest, largest), "ground_sampling_distance": 0.3} | info),
    )


def classes(result: SceneMap) -> np.ndarray:
    with rasterio.open(result.classes) as file:
        return file.read(1)


def assert_windows_are_the_whole(
    scene: Path, model: FakeModel, whole: np.ndarray, **options: Any
) -> None:
    for top, left, height, width in WINDOWS:
        alone = predict_window(scene, model, top, left, height, width, tile=32, **options)
        np.testing.assert_array_equal(alone, whole[top : top + height, left : left + width])


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("pixel", "known", "seen"),
    [
        (0.3, (0.1, 2), None),
        (0.05, (0.1, 2), 0.1),
        (3, (0.1, 2), 2),
        (0.0995, (0.1, 2), None),
        (2.01, (0.1, 2), None),
        (0.3, (0.6, 0.6), 0.6),
    ],
)
def test_pixels_outside_the_range_are_brought_to_its_nearer_end(
    tmp_path: Path, pixel: float, known: tuple[float, float], seen: float | None
) -> None:
    scene, model = (
        write_raster(tmp_path / "scene.tif", NOISE, transform=place(pixel)),
        knowing(*known),
    )
    found = predict_scene(scene, model, tmp_path / "found", tile=32)
    if seen is None:
        expected, notes = (
            predict_scene(scene, PlaceModel(bands=3), tmp_path / "expected", tile=32),
            [],
        )
    else:
        at_end = PlaceModel(bands=3, ground_sampling_distance=seen)
        expected = predict_scene(scene, at_end, tmp_path / "expected", tile=32, resample=True)
        learned = f"{known[0]:g} to {known[1]:g} m" if known[0] < known[1] else f"{known[0]:g} m"
        said = f"it sees the scene at {seen:g} m (as they are: --no-resample)."
        notes = [f"Pixels are {pixel:g} m, the model learned from {learned}: {said}"]
    np.testing.assert_array_equal(classes(found), classes(expected))
    assert found.report["notes"] == notes == json.loads(found.report_file.read_text())["notes"]
    assert all(f"Note: {note}" in repr(found) for note in notes)
    assert found.report["ground_sampling_distance"] == pytest.approx(pixel)
    with rasterio.open(scene) as given, rasterio.open(found.classes) as made:
        assert (given.shape, given.transform, given.crs) == (made.shape, made.transform, made.crs)
    assert_windows_are_the_whole(scene, model, classes(found))


@pytest.mark.parametrize("pixel", [0.02, 0.3, 5.0])
def test_no_resample_maps_pixels_as_they_are(tmp_path: Path, pixel: float) -> None:
    scene, model = (
        write_raster(tmp_path / "scene.tif", NOISE, transform=place(pixel)),
        knowing(0.1, 2),
    )
    plain = predict_scene(scene, PlaceModel(bands=3), tmp_path / "plain", tile=32)
    found = predict_scene(scene, model, tmp_path / "found", tile=32, resample=False)
    np.testing.assert_array_equal(classes(found), classes(plain))
    assert [
        f"{pixel:g} m, the model learned from 0.1 to 2 m: pixels are mapped as they are." in n
        for n in found.report["notes"]
    ] == ([] if pixel == 0.3 else [True])


@pytest.mark.heavy
def test_a_model_of_one_known_size_is_shown_pixels_as_they_are(tmp_path: Path) -> None:
    """As long as no range is known, a note advises --resample, which helps; beyond what that
    bridges it warns.
    """
    model = PlaceModel(bands=3, ground_sampling_distance=0.3)
    for pixel, note in (
        (0.4, None),
        (0.6, "Pixels are 0.6 m, the model learned from 0.3 m: map it with --resample."),
        (
            10,
            (
                "Warning: Pixels are 10 m, the model learned from 0.3 m: pixels are mapped as they"
                " are. Expect a wrong map."
            ),
        ),
    ):
        scene = write_raster(tmp_path / f"{pixel:g}m.tif", NOISE, transform=place(pixel))
        found = predict_scene(scene, model, tmp_path / "out", tile=32)
        assert found.report["notes"] == ([note] if note else [])
        plain = predict_scene(scene, PlaceModel(bands=3), tmp_path / "plain", tile=32)
        np.testing.assert_array_equal(classes(found), classes(plain))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("pixel", "resample", "seen", "most"),
    [
        (10, None, 2.5, 4),
        (1000, None, 250, 4),
        (10, True, 1, 10),
        (30, True, 3, 10),
        (0.001, None, 0.016, 1 / 16),
        (1e-5, True, 0.00016, 1 / 16),
    ],
)
def test_however_far_its_pixels_are_a_scene_is_mapped_with_a_warning(
    tmp_path: Path, pixel: float, resample: bool | None, seen: float, most: float
) -> None:
    scene, model = (
        write_raster(tmp_path / "scene.tif", NOISE, transform=place(pixel)),
        knowing(0.1, 2),
    )
    found = predict_scene(scene, model, tmp_path / "out", tile=64, overlap=0.0, resample=resample)
    (note,) = found.report["notes"]
    learned = "0.3 m" if resample else "0.1 to 2 m"
    sees = f"it sees the scene at {seen:g} m. Expect a wrong map."
    assert note == f"Warning: Pixels are {pixel:g} m, the model learned from {learned}: {sees}"
    assert note in repr(found).splitlines()
    # the work stays bounded
    assert model.tiles <= 2 * max(1, 120 * most / 64 + 1) * max(1, 150 * most / 64 + 1) + 8
    assert (classes(found) != 255).all()
    assert_windows_are_the_whole(
        scene,
        knowing(0.1, 2),
        classes(predict_scene(scene, model, tmp_path / "b", tile=32, resample=resample)),
        resample=resample,
    )


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["scene.png", "scene.jpg", "scene.tif", "placed.tif"])
@pytest.mark.parametrize("gsd", [0.02, 0.13, 3.0, 50.0])
def test_gsd_states_what_a_file_without_a_crs_does_not(
    tmp_path: Path, name: str, gsd: float
) -> None:
    profile = (
        {"crs": None, "transform": place(0.3) if name == "placed.tif" else Affine.identity()}
        if ".tif" in name
        else {}
    )
    scene, model = write_raster(tmp_path / name, NOISE, **profile), knowing(0.1, 2)
    found = predict_scene(scene, model, tmp_path / "out", tile=32, gsd=gsd)
    assert (
        found.report["notes"][0]
        == f"Pixels are taken for {gsd:g} m, as --gsd says; areas are not known: the scene has no"
        " CRS."
    )
    assert [n.startswith("Warning: ") for n in found.report["notes"][1:]] == (
        [gsd == 50.0] if gsd != 0.13 else []
    )
    assert (found.report["ground_sampling_distance"], found.report["area_m2"]) == (gsd, None)
    with rasterio.open(found.classes) as made:
        assert made.shape == (120, 150) and made.crs is None
    assert_windows_are_the_whole(scene, model, classes(found), gsd=gsd)
    probabilities = predict_probabilities(scene, model, 30, 40, 7, 5, tile=32, gsd=gsd)
    np.testing.assert_array_equal(probabilities.argmax(axis=2) * 10, classes(found)[30:37, 40:45])


def test_without_a_crs_the_map_is_that_of_the_same_scene_with_one(tmp_path: Path) -> None:
    """Blocks of ground keep their class and their place."""
    blocks = np.random.default_rng(3).integers(0, 5, (12, 15)).astype(np.uint8)
    for pixel, block in ((0.3, 16), (1.2, 4)):
        pixels = np.kron(blocks, np.ones((block, block), np.uint8))[..., None]
        model = FakeModel(ground_sampling_range=(0.6, 0.6))
        middle = np.s_[block // 2 :: block, block // 2 :: block]
        for name in ("scene.png", "scene.tif"):
            scene = write_raster(
                tmp_path / f"{block}" / name,
                pixels,
                **({"transform": place(pixel)} if ".tif" in name else {}),
            )
            labels = classes(
                predict_scene(scene, model, tmp_path / f"{block}" / name[-3:], tile=32, gsd=pixel)
            )
            np.testing.assert_array_equal(labels[middle], blocks * 10)
            assert (labels == pixels[..., 0] * 10).mean() > 0.8


@pytest.mark.parametrize("gsd", [0.02, 4.0])
@pytest.mark.parametrize("hidden_by", ["nodata", "mask", "nan", "control points", "option"])
def test_what_is_hidden_stays_hidden_pixel_by_pixel_without_a_crs(
    tmp_path: Path, gsd: float, hidden_by: str
) -> None:
    pixels, hidden = np.full((90, 120, 1), 3, np.uint8), np.zeros((90, 120), bool)
    hidden[31:57, 11:78] = True
    profile: dict[str, Any] = {"crs": None, "transform": Affine.identity()}
    if hidden_by in ("nodata", "control points", "option"):
        pixels[hidden] = 0
        profile |= {} if hidden_by == "option" else {"nodata": 0}
    if hidden_by == "control points":
        corners = ((0, 0, 10, 60), (0, 120, 10.1, 60), (90, 0, 10, 59.9), (90, 120, 10.1, 59.91))
        points = [GroundControlPoint(*corner) for corner in corners]
        profile = {"gcps": points, "nodata": 0, "crs": CRS.from_epsg(4326), "transform": None}
    if hidden_by == "nan":
        pixels = np.where(hidden[..., None], np.nan, pixels).astype(np.float32)
    scene = write_raster(tmp_path / "scene.tif", pixels, **profile)
    if hidden_by == "mask":
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(scene, "r+") as file:
            file.write_mask(~hidden)
    options = {"gsd": gsd, "nodata": 0 if hidden_by == "option" else None}
    model = FakeModel(ground_sampling_range=(0.1, 2), dtype=pixels.dtype.name)
    found = classes(predict_scene(scene, model, tmp_path / "out", tile=32, **options))
    np.testing.assert_array_equal(found == 255, hidden)
    assert set(np.unique(found)) == {30, 255}
    np.testing.assert_array_equal(
        predict_window(scene, model, 20, 5, 41, 29, tile=32, **options), found[20:61, 5:34]
    )


@pytest.mark.parametrize("gsd", [0.02, 4.0])
def test_turned_pictures_and_alpha_are_resampled_as_they_are_seen(
    tmp_path: Path, gsd: float
) -> None:
    model, alpha = (
        FakeModel(bands=3, ground_sampling_range=(0.1, 2)),
        np.zeros((96, 128, 1), np.uint8),
    )
    alpha[10:70, 30:100] = 255
    pixels = np.repeat(
        np.kron(np.arange(12).reshape(3, 4) % 5, np.ones((32, 32)))[..., None], 3, axis=2
    ).astype(np.uint8)
    plain = write_raster(tmp_path / "plain.png", np.concatenate([pixels, alpha], axis=2))
    whole = classes(predict_scene(plain, model, tmp_path / "out", tile=32, gsd=gsd))
    np.testing.assert_array_equal(whole == 255, alpha[..., 0] == 0)
    # stored so that it is upright once turned clockwise
    for number, turns in ((3, 2), (6, 1), (8, 3)):
        stored = np.rot90(np.concatenate([pixels, alpha], axis=2), turns)
        exif = Image.Exif()
        exif[0x0112] = number
        path = tmp_path / f"turned{number}.png"
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
        found = classes(predict_scene(path, model, tmp_path / "out", tile=32, gsd=gsd))
        np.testing.assert_array_equal(found == 255, whole == 255)
        assert (found == whole).mean() > 0.98  # GDAL's means may round the other way
        alone = predict_window(path, model, 20, 33, 41, 29, tile=32, gsd=gsd)
        np.testing.assert_array_equal(alone, found[20:61, 33:62])


def test_gsd_overrules_the_file_with_a_note(tmp_path: Path) -> None:
    scene, model = (
        write_raster(tmp_path / "scene.tif", NOISE, transform=place(0.3)),
        knowing(0.1, 2),
    )
    for gsd, notes in (
        (0.3, []),
        (0.301, []),
        (
            0.6,
            ["taken for 0.6 m, as --gsd says, not 0.3 m, as the file does; areas are by the file."],
        ),
    ):
        found = predict_scene(scene, model, tmp_path / f"{gsd}", tile=32, gsd=gsd)
        assert [note.removeprefix("Pixels are ") for note in found.report["notes"]] == notes
        assert sum(found.report["area_m2"].values()) == pytest.approx(120 * 150 * 0.09)
    fine = predict_scene(scene, model, tmp_path / "fine", tile=32, gsd=0.02)
    expected = predict_scene(
        write_raster(tmp_path / "again.tif", NOISE, transform=place(0.3)),
        PlaceModel(bands=3, ground_sampling_distance=0.1),
        tmp_path / "expected",
        tile=32,
        gsd=0.02,
        resample=True,
    )
    np.testing.assert_array_equal(classes(fine), classes(expected))


def test_geographic_pixels_count_by_their_size_on_the_ground(tmp_path: Path) -> None:
    # degrees at 60 north: about 2.4 cm and 3.9 m
    for pixel, seen in ((3e-7, "0.1 m"), (5e-5, "2 m")):
        scene = write_raster(
            tmp_path / f"{pixel}.tif",
            NOISE,
            crs=CRS.from_epsg(4326),
            transform=from_origin(10, 60, pixel, pixel),
        )
        model = knowing(0.1, 2)
        found = predict_scene(scene, model, tmp_path / "out", tile=32)
        assert [f"it sees the scene at {seen}" in note for note in found.report["notes"]] == [True]
        assert_windows_are_the_whole(scene, model, classes(found))


def test_what_is_not_known_of_pixel_sizes_is_a_note(tmp_path: Path) -> None:
    plain = write_raster(tmp_path / "plain.png", NOISE)
    local = write_raster(
        tmp_path / "local.tif", NOISE, crs=CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    )
    for scene, lack in (
        (plain, "the scene has no CRS"),
        (local, "the scene's CRS is not tied to the ground"),
    ):
        (note,) = predict_scene(scene, knowing(0.1, 2), tmp_path / "out", tile=32).report["notes"]
        said = (
            f"The scene's pixel size is not known ({lack}), the model learned from 0.1 to 2 m: map"
            " it with --gsd METRES."
        )
        assert note == said
        assert not predict_scene(
            scene, knowing(0.1, 2), tmp_path / "as-it-is", tile=32, resample=False
        ).report["notes"]
        with pytest.raises(InputError, match=f"{lack}. State it: --gsd METRES."):
            predict_scene(scene, knowing(0.1, 2), tmp_path / "asked", resample=True)
        model = knowing(0.1, 2)
        labels = classes(predict_scene(scene, model, tmp_path / "stated", tile=32, gsd=0.05))
        assert_windows_are_the_whole(scene, model, labels, gsd=0.05)
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("gsd", [0, -0.3, float("nan"), float("inf"), 10**400, True, "0.3"])
def test_pixels_that_there_are_not_are_refused(tmp_path: Path, gsd: Any) -> None:
    scene = write_raster(tmp_path / "scene.png", NOISE)
    for do in (
        predict_scene,
        lambda *a, **k: predict_window(*a[:2], 0, 0, 5, 5, **k),
        lambda *_, **k: MapOptions(**k),
    ):
        with pytest.raises(InputError, match="--gsd: metres per pixel, above 0"):
            do(scene, knowing(0.1, 2), tmp_path / "out", gsd=gsd)
    assert not (tmp_path / "out").exists()


@pytest.mark.heavy
def test_a_stopped_map_that_is_resampled_by_default_goes_on_and_ends_the_same(
    tmp_path: Path,
) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (150, 61, 3), np.uint8)
    for name, options in (("scene.tif", {}), ("scene.png", {"gsd": 5.0})):
        scene = write_raster(
            tmp_path / name, pixels, **({"transform": place(5)} if name.endswith(".tif") else {})
        )
        options = options | {"tile": 32, "confidence": True, "batch_size": 1}
        whole = knowing(0.1, 2)
        expected = outputs(predict_scene(scene, whole, tmp_path / f"whole{name}", **options))
        for tiles in (whole.tiles // 3, whole.tiles // 4):
            with pytest.raises(Interrupted, match="goes on from there"):
                predict_scene(
                    scene, stopping(knowing(0.1, 2), tiles), tmp_path / f"parts{name}", **options
                )
        model = knowing(0.1, 2)
        assert (
            outputs(predict_scene(scene, model, tmp_path / f"parts{name}", **options)) == expected
        )
        assert 0 < model.tiles < 0.7 * whole.tiles


def test_a_map_of_another_scale_is_another_map(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "scene.tif", NOISE, transform=place(0.05))
    predict_scene(scene, knowing(0.1, 2), tmp_path / "out", tile=32)
    assert (
        "existed already"
        in predict_scene(scene, knowing(0.1, 2), tmp_path / "out", tile=32).report["notes"][-1]
    )
    for change in ({"resample": False}, {"resample": True}, {"gsd": 0.02}, {"gsd": 0.3}):
        with pytest.raises(InputError, match="exists. Add --overwrite"):
            predict_scene(scene, knowing(0.1, 2), tmp_path / "out", tile=32, **change)


@pytest.mark.heavy
def test_tiny_and_narrow_scenes_keep_a_pixel(tmp_path: Path) -> None:
    for shape in ((1, 1), (1, 90), (75, 2), (17, 17)):
        for gsd in (0.001, 7.0, 500.0):
            pixels = np.full((*shape, 1), 3, np.uint8)
            scene = write_raster(tmp_path / f"{shape}{gsd}.png", pixels)
            model = FakeModel(ground_sampling_range=(0.1, 2))
            assert set(
                np.unique(classes(predict_scene(scene, model, tmp_path / "out", gsd=gsd)))
            ) == {30}


@pytest.mark.heavy
def test_the_command_takes_three_ways_and_a_pixel_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segment.cli import predict

    scene, seen = write_raster(tmp_path / "scene.png", NOISE), []
    monkeypatch.setattr("segment.core.model.runtime.load_model", lambda *_, **__: knowing(0.1, 2))
    monkeypatch.setattr(
        "segment.mapping.predict.predict_scene",
        lambda *_, **options: seen.append(options) or SimpleNamespace(files=[]),
    )
    arguments = [str(scene), "--output", str(tmp_path / "out"), "--quiet"]
    for more in ([], ["--resample"], ["--no-resample", "--gsd", "0.05"]):
        assert run(predict.__wrapped__, [*arguments, *more]) == 0
    assert [(options["resample"], options["gsd"]) for options in seen] == [
        (None, None),
        (True, None),
        (False, 0.05),
    ]
    for wrong in ("0", "-1", "nan", "inf", "five"):
        assert run(predict.__wrapped__, [*arguments, "--gsd", wrong]) == 2
    assert len(seen) == 3 and not (tmp_path / "out").exists()


def test_the_choice_is_plain_arithmetic(tmp_path: Path) -> None:
    from segment.core.raster.opening import open_raster

    with open_raster(
        write_raster(tmp_path / "scene.tif", NOISE[:8, :8], transform=place(0.05))
    ) as raster:
        for model, resample, gsd, factor in (
            (knowing(0.1, 2), None, None, 0.5),
            (knowing(0.1, 2), None, 8.0, 4.0),
            (knowing(0.1, 2), None, 9.0, 4.0),
            (knowing(0.1, 2), True, 0.15, 0.5),
            (knowing(0.1, 2), False, 8.0, 1.0),
            (knowing(0.1, 2, ground_sampling_distance=None), None, None, 0.5),
            (PlaceModel(bands=3), None, 9.0, 1.0),
        ):
            assert choose_scale(raster, model.info, resample, gsd).factor == pytest.approx(factor)
