"""The mapping loop: where tiles are, what of a scene is read, and which rows are yielded."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import rasterio
import rasterio.control
from affine import Affine
from rasterio.transform import from_origin

from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.pixels.preprocessing import preprocess
from segment.core.raster.sources import Source
from segment.mapping.loop import TileRowReader, cut_batches, map_window
from segment.mapping.model_view import TILE, choose_tile, plan_tiles
from segment.mapping.predict import predict_scene
from segment.mapping.window import predict_window
from segment.tile_window import Window
from tests.cluster.conftest import write_model
from tests.conftest import write_raster
from tests.fakes import FakeModel, PlaceModel

ROOT = Path(__file__).parents[3]
NOISE = np.random.default_rng(0).integers(0, 255, (120, 150, 3), np.uint8)


@pytest.mark.heavy
def test_names_of_outputs_are_safe(tmp_path: Path) -> None:
    odd = ["what?.tif", "wow!.tif", "-dash.tif", "a b.tif", "layer_styles.tif", "é&<'.tif"]
    for name in odd:
        scene = write_raster(tmp_path / name, NOISE)
        result = predict_scene(
            str(scene), FakeModel(bands=3), tmp_path / "out!x", tile=32, polygons=True
        )
        assert result.classes == tmp_path / "out!x" / f"{name[:-4]}_classes.tif"
        assert all(file.is_file() for file in result.files)
    assert len(list((tmp_path / "out!x").iterdir())) == len(odd) * 9
    with pytest.raises(InputError, match="no file name"):
        Source("://").stem  # noqa: B018
    assert Source.of("s3://bucket/a.tif?sig=a/b").stem == "a"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dtype": "complex64"}, "complex numbers"),
        ({"transform": Affine(0, 0, 1, 0, 0, 1)}, "degenerate geotransform"),
    ],
)
def test_rasters_that_are_no_scene_are_reported_in_one_line(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    scene = write_raster(
        tmp_path / "odd.tif", NOISE.astype(change.get("dtype", np.uint8)), **change
    )
    with pytest.raises(InputError, match=words):
        predict_scene(scene, FakeModel(bands=3), tmp_path / "out")


def test_alpha_counts_beside_nodata(tmp_path: Path) -> None:
    pixels = np.full((40, 40, 4), 255, np.uint8)
    pixels[..., :3] = 3
    pixels[:20, :, 3] = 0
    pixels[30:, :, :3] = 7
    scene = write_raster(tmp_path / "rgba.tif", pixels, photometric="RGB", alpha="yes", nodata=7)
    with rasterio.open(
        predict_scene(scene, FakeModel(bands=3), tmp_path / "out", tile=32).classes
    ) as file:
        assert [set(part.ravel()) for part in np.split(file.read(1), [20, 30])] == [
            {255},
            {30},
            {255},
        ]


def test_control_points_alone_are_noted(tmp_path: Path) -> None:
    corners = [
        (0, 0, 500_000, 2_700_000),
        (0, 150, 500_045, 2_700_000),
        (120, 0, 500_000, 2_699_964),
        (120, 150, 500_045, 2_699_964),
    ]
    points = [rasterio.control.GroundControlPoint(*corner) for corner in corners]
    scene = write_raster(tmp_path / "scene.tif", NOISE, crs=None, transform=None)
    with rasterio.open(scene, "r+") as file:
        file.gcps = (points, rasterio.CRS.from_epsg(32640))
    result = predict_scene(scene, FakeModel(bands=3), tmp_path / "out", tile=32)
    assert "gdalwarp" in result.report["notes"][0]
    assert result.report["area_m2"] is None


def test_nodata_is_not_gathered_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long stretch without a valid pixel goes through row by row of tiles, as any other."""
    scene = write_raster(tmp_path / "empty.tif", np.zeros((3000, 40, 1), np.uint8), nodata=0)
    model = FakeModel()
    with Source(scene).open() as raster:
        plan = plan_tiles(raster, model.info, 32, 0.25)
    readers: list[TileRowReader] = []

    class Seen(TileRowReader):
        def __init__(self, *arguments: object):
            super().__init__(*arguments)
            readers.append(self)

    monkeypatch.setattr("segment.mapping.loop.TileRowReader", Seen)
    window = Window(plan, 0, 3000, 0, 40)
    most = [len(readers[0].valid) for _ in map_window(Source(scene), window, model, rows=64)]
    assert len(most) > 100
    assert max(most) < 40
    assert model.tiles == 0


CLEARER = PreprocessSettings(denoise=3, clahe=2, clahe_cell=16, sharpen=0.5)


def seen_tiles(
    scene: Path, model: FakeModel, tile: int, overlap: float
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Padded row and column of each tile of a scene, and its pixels."""
    with Source(scene).open() as raster:
        plan = plan_tiles(raster, model.info, tile, overlap)
    tile_rows = TileRowReader(Source(scene), Window(plan, 0, plan.height, 0, plan.width))
    for batch in cut_batches(tile_rows, 1, model.info):
        yield *batch.places[0], batch.pixels[0]


@pytest.mark.heavy
def test_tiles_are_preprocessed_as_training_does_it(tmp_path: Path) -> None:
    pixels = NOISE[:64, :64].copy()
    pixels[20:40, :30] = 0
    scene = write_raster(tmp_path / "scene.tif", pixels, nodata=0)
    with Source(scene).open() as raster:
        _, valid = raster.read()
    ((_, _, seen),) = seen_tiles(scene, FakeModel(bands=3, multiple=1, preprocess=CLEARER), 64, 0)
    np.testing.assert_array_equal(seen, preprocess(pixels, CLEARER, valid))
    assert (seen[20:40, :30] == 0).all() and (seen != pixels).any()


@pytest.mark.heavy
def test_tiles_see_the_ground_that_they_share_alike(tmp_path: Path) -> None:
    """Cells of enhanced contrast that divide the grid of the tiles hold the same in all, but for
    the outermost.
    """
    scene = write_raster(
        tmp_path / "scene.tif", np.random.default_rng(2).integers(90, 140, (300, 300, 3), np.uint8)
    )
    shown, times = np.zeros((512, 512, 3), np.uint8), np.zeros((512, 512), int)
    for row, column, pixels in seen_tiles(
        scene, FakeModel(bands=3, multiple=16, preprocess=CLEARER), 128, 0.75
    ):
        place, inside = np.s_[row + 32 : row + 96, column + 32 : column + 96], pixels[32:96, 32:96]
        again = times[place] > 0
        np.testing.assert_array_equal(shown[place][again], inside[again])
        shown[place] = inside
        times[place] += 1
    assert (times > 1).sum() > 10_000


@pytest.mark.heavy
def test_a_preprocessed_window_is_mapped_as_in_the_whole(tmp_path: Path) -> None:
    noise = NOISE.copy()
    noise[50:80, 30:100] = 0
    scene, model = (
        write_raster(tmp_path / "scene.tif", noise, nodata=0),
        PlaceModel(bands=3, preprocess=CLEARER),
    )
    with rasterio.open(predict_scene(scene, model, tmp_path / "out", tile=32).classes) as file:
        whole = file.read(1)
    with rasterio.open(
        predict_scene(scene, PlaceModel(bands=3), tmp_path / "plain", tile=32).classes
    ) as file:
        np.testing.assert_array_equal(file.read(1) == 255, whole == 255)
        assert (file.read(1) != whole).any()
    for top, left, height, width in (
        (0, 0, 9, 9),
        (30, 11, 20, 30),
        (119, 149, 1, 1),
        (40, 0, 60, 150),
    ):
        alone = predict_window(scene, model, top, left, height, width, tile=32)
        np.testing.assert_array_equal(alone, whole[top : top + height, left : left + width])


def test_tiles_are_those_of_the_model_or_the_fastest() -> None:
    info = FakeModel(multiple=32).info
    assert choose_tile(info) == TILE == 512
    assert choose_tile(info, 96) == 96
    assert choose_tile(info, longest=100) == 128
    assert choose_tile(FakeModel(fixed_tile=True, tile=48).info) == 48


@pytest.mark.parametrize(
    "transform",
    [from_origin(500_000, 2_700_000, 0.3, 0.3), Affine.rotation(20) @ Affine.scale(0.5, -0.5)],
)
def test_scenes_of_one_pixel_grid_see_the_ground_alike(tmp_path: Path, transform: Affine) -> None:
    """A crop's tiles differ from those of the whole by multiples of what the network reduces by,
    wherever it is cut.
    """
    model = FakeModel(multiple=8)
    whole = write_raster(tmp_path / "whole.tif", NOISE, transform=transform)
    with Source(whole).open() as raster:
        plan = plan_tiles(raster, model.info, 32, 0.25)
    for down, right in ((37, 91), (1, 2), (8, 16)):
        crop = write_raster(
            tmp_path / "crop.tif",
            NOISE[down:, right:],
            transform=transform @ Affine.translation(right, down),
        )
        with Source(crop).open() as raster:
            part = plan_tiles(raster, model.info, 32, 0.25)
        assert (part.rows[0] - part.top + down - (plan.rows[0] - plan.top)) % 8 == 0
        assert (part.columns[0] - part.left + right - (plan.columns[0] - plan.left)) % 8 == 0


def test_without_georeference_the_grid_starts_at_the_corner(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "scene.png", NOISE)
    with Source(scene).open() as raster:
        assert raster.grid_position(120, 150) == (0, 0)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Serves tmp_path from another process (GDAL keeps Python from running meanwhile), for so many
    requests.
    """
    for name, value in {
        "VSI_CACHE": "FALSE",
        "CPL_VSIL_CURL_CACHE_SIZE": "16384",
        "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
    }.items():
        monkeypatch.setenv(name, value)
    running: list[subprocess.Popen[str]] = []

    def start(requests: int) -> str:
        script = Path(__file__).parents[2] / "range_server.py"
        command = [sys.executable, str(script), str(tmp_path), str(requests)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout is not None
        return f"/vsicurl/http://127.0.0.1:{int(running[-1].stdout.readline())}"

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.heavy
def test_a_scene_on_a_server_is_mapped_as_if_it_were_here(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    local = write_raster(tmp_path / "scene.tif", NOISE)
    model, server = PlaceModel(bands=3), serve(10**6)
    here = predict_scene(local, model, tmp_path / "here", tile=32)
    there = predict_scene(f"{server}/scene.tif", model, tmp_path / "there", tile=32)
    assert there.classes.read_bytes() == here.classes.read_bytes()
    with pytest.raises(InputError, match="read as a raster"):
        predict_scene(f"{server}/missing.tif", model, tmp_path / "missing")


@pytest.mark.heavy
def test_a_server_that_vanishes_is_one_line_and_nothing_looks_finished(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (700, 700, 3), np.uint8)
    write_raster(tmp_path / "scene.tif", noise, tiled=True, blockxsize=64, blockysize=64)
    with pytest.raises(InputError, match="read as a raster") as error:
        predict_scene(
            f"{serve(90)}/scene.tif", PlaceModel(bands=3), tmp_path / "out", tile=32, rows=32
        )
    assert "\n" not in str(error.value)
    assert "rows are kept" in str(error.value)
    assert [p.name for p in (tmp_path / "out").glob("[!.]*")] == []


def test_a_scene_cut_half_way_is_one_line(tmp_path: Path) -> None:
    scene = write_raster(
        tmp_path / "scene.tif", np.random.default_rng(1).integers(0, 255, (900, 300, 3), np.uint8)
    )
    scene.write_bytes(scene.read_bytes()[: scene.stat().st_size // 2])
    with pytest.raises(InputError, match=r"Get a whole copy\. The first \d+ of 900 rows are kept"):
        predict_scene(scene, PlaceModel(bands=3), tmp_path / "out", tile=32, rows=32)
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".scene_classes.tif.partial"]


@pytest.mark.heavy
def test_resampling_maps_at_the_models_pixels_on_the_scenes_grid(tmp_path: Path) -> None:
    """A model that knows pixels of 60 cm, scenes of 30 cm and 1.2 m: blocks of ground keep their
    class and their place.
    """
    model = FakeModel(ground_sampling_distance=0.6)
    blocks = np.random.default_rng(3).integers(0, 5, (12, 15)).astype(np.uint8)
    for pixel, block in ((0.3, 16), (1.2, 4)):
        pixels = np.kron(blocks, np.ones((block, block), np.uint8))[..., None]
        scene = write_raster(
            tmp_path / f"scene{block}.tif",
            pixels,
            transform=from_origin(500_000, 2_700_000, pixel, pixel),
        )
        result = predict_scene(scene, model, tmp_path / "out", resample=True, tile=32)
        with rasterio.open(result.classes) as found, rasterio.open(scene) as source:
            labels = found.read(1)
            assert (found.shape, found.transform, found.crs) == (
                source.shape,
                source.transform,
                source.crs,
            )
        middle = np.s_[block // 2 :: block, block // 2 :: block]
        np.testing.assert_array_equal(labels[middle], blocks * 10)
        assert (labels == pixels[..., 0] * 10).mean() > 0.8
        assert not [note for note in result.report["notes"] if "--nodata" not in note]
        for top, left, height, width in ((0, 0, 5, 5), (9, 17, 21, 30), (20, 3, 28, 57)):
            alone = predict_window(scene, model, top, left, height, width, resample=True, tile=32)
            np.testing.assert_array_equal(alone, labels[top : top + height, left : left + width])
    assert (
        "resample" in predict_scene(scene, model, tmp_path / "as-it-is", tile=32).report["notes"][0]
    )


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize("pixel", [2.0, 4.0, 5.9])
def test_resampling_of_coarse_scenes_passes_over_rows_rightly(tmp_path: Path, pixel: float) -> None:
    pixels = np.random.default_rng(4).integers(0, 255, (61, 47, 3), np.uint8)
    scene = write_raster(
        tmp_path / "scene.tif", pixels, transform=from_origin(500_000, 2_700_000, pixel, pixel)
    )
    model = PlaceModel(bands=3, ground_sampling_distance=0.6)
    with rasterio.open(
        predict_scene(scene, model, tmp_path / "out", resample=True, tile=32).classes
    ) as file:
        whole = file.read(1)
    for top, left, height, width in ((0, 0, 9, 9), (30, 11, 20, 30), (60, 46, 1, 1)):
        alone = predict_window(scene, model, top, left, height, width, resample=True, tile=32)
        np.testing.assert_array_equal(alone, whole[top : top + height, left : left + width])
    bars = np.repeat(np.arange(61) // 10 % 5, 47).reshape(61, 47, 1).astype(np.uint8)
    scene = write_raster(
        tmp_path / "bars.tif", bars, transform=from_origin(500_000, 2_700_000, pixel, pixel)
    )
    result = predict_scene(
        scene, FakeModel(ground_sampling_distance=0.6), tmp_path / "out", resample=True, tile=32
    )
    with rasterio.open(result.classes) as file:
        assert (file.read(1) == bars[..., 0] * 10).mean() > 0.85


@pytest.mark.heavy
def test_resampling_keeps_what_a_mask_band_hides(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "scene.tif", np.full((60, 60, 1), 2, np.uint8))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(scene, "r+") as file:
        file.write_mask(np.kron(np.eye(2), np.ones((30, 30))).astype(bool))
    result = predict_scene(
        scene, FakeModel(ground_sampling_distance=0.6), tmp_path / "out", resample=True, tile=32
    )
    with rasterio.open(result.classes) as file:
        np.testing.assert_array_equal(
            file.read(1), np.kron([[20, 255], [255, 20]], np.ones((30, 30)))
        )


@pytest.mark.heavy
def test_resampling_keeps_nodata_pixel_by_pixel(tmp_path: Path) -> None:
    pixels = np.full((90, 120, 1), 3, np.uint8)
    pixels[31:57, 11:78] = 0
    scene = write_raster(
        tmp_path / "scene.tif",
        pixels,
        nodata=0,
        transform=from_origin(500_000, 2_700_000, 0.25, 0.25),
    )
    model = FakeModel(ground_sampling_distance=0.6)
    result = predict_scene(scene, model, tmp_path / "out", resample=True, tile=32)
    with rasterio.open(result.classes) as found:
        np.testing.assert_array_equal(found.read(1) == 255, pixels[..., 0] == 0)
        assert set(np.unique(found.read(1))) == {30, 255}


def test_resampling_needs_pixel_sizes(tmp_path: Path) -> None:
    plain, far = (
        write_raster(tmp_path / "plain.png", NOISE),
        write_raster(tmp_path / "far.tif", NOISE),
    )
    cases = [
        (plain, FakeModel(bands=3, ground_sampling_distance=0.6), "no CRS"),
        (far, FakeModel(bands=3), "learned from images without a CRS"),
    ]
    for scene, model, words in cases:
        with pytest.raises(InputError, match=words):
            predict_scene(scene, model, tmp_path / "out", resample=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.heavy
def test_a_strip_passes_few_modules_on_its_way_to_the_rows(tmp_path: Path) -> None:
    """From reading a strip of a scene to writing its rows, so that the way can be read in one
    sitting.
    """
    scene = write_raster(
        tmp_path / "scene.tif", np.random.default_rng(0).integers(0, 255, (700, 300, 3), np.uint8)
    )
    model, entered = write_model(tmp_path / "model"), set[str]()
    state = {"reading": False, "written": False}

    def trace(frame: FrameType, event: str, _: object) -> None:
        file, name = Path(frame.f_code.co_filename), frame.f_code.co_name
        if event == "call" and file.is_relative_to(ROOT / "segment"):
            state["reading"] |= name == "read"
            # the rows are written then, what follows is about the whole map
            state["written"] |= name == "note_change"
            if state["reading"] and not state["written"]:
                entered.add(file.relative_to(ROOT).as_posix())

    sys.setprofile(trace)
    threading.setprofile(trace)
    try:
        predict_scene(scene, model, tmp_path / "maps")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert {
        "segment/core/raster/reader.py",
        "segment/mapping/loop.py",
        "segment/mapping/journal.py",
    } <= entered
    assert len(entered) <= 10, " ".join(sorted(entered))
