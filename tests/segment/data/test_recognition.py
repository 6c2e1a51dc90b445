"""What a model was trained on is known again, whatever file it is in and however it is cut."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine, from_origin
from rasterio.warp import calculate_default_transform, reproject

import segment
from segment.config import Config
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.model.folder import RECORD_FILE
from segment.core.model.record import NEW, RecordEntry, TrainingRecord, load_record
from segment.core.model.runtime import Model
from segment.core.pixels.near_duplicates import digest_pixels
from segment.core.raster.grid import PixelGrid
from tests.conftest import two_class_scene, without_pictures, write_raster

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("tiny_backbone")]


EDGE = 64


class Recorded:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, *_: object) -> None:
        pass


def place(row: int, column: int, size: float = 0.3) -> Affine:
    """The transform of what begins at a row and column of a scene with pixels of 30 cm."""
    return from_origin(500_000 + column * 0.3, 2_700_000 - row * 0.3, size, size)


def write_pair(
    root: Path,
    name: str,
    image: np.ndarray,
    mask: np.ndarray,
    ending: str = ".tif",
    **profile: object,
) -> None:
    write_raster(root / "images" / f"{name}{ending}", image, **profile)
    write_raster(root / "masks" / f"{name}{ending}", mask, **profile)


@pytest.fixture(scope="module")
def ground() -> tuple[np.ndarray, np.ndarray]:
    return two_class_scene(4 * EDGE, 4 * EDGE, seed=5)


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, ground: tuple[np.ndarray, np.ndarray]
) -> tuple[Path, Path]:
    """Tiles of the upper half of a scene, by rows of tiles: train and val; below them one of test.
    And a run.
    """
    root = tmp_path_factory.mktemp("recognised")
    image, mask = ground
    for part, tile_row in (("train", 0), ("val", 1), ("test", 2)):
        for column in range(0, 4 * EDGE, EDGE):
            window = slice(tile_row * EDGE, (tile_row + 1) * EDGE), slice(column, column + EDGE)
            transform = place(tile_row * EDGE, column)
            write_pair(
                root / "tiles" / part / "town",
                str(column),
                image[window],
                mask[window],
                transform=transform,
            )
    (root / "tiles" / "classes.yaml").write_text(
        "- {name: land, color: '#804000', value: 0}\n- {name: water, color: '#0000FF', value: 1}\n"
    )
    with without_pictures():
        train(root / "tiles", root / "run")
    return root / "tiles", root / "run"


@pytest.fixture(scope="module")
def model(trained: tuple[Path, Path]) -> Model:
    return segment.load_model(trained[1])


def train(tiles: Path, run: Path, *changes: str, **options: object) -> object:
    settings = [
        f"data.tile={EDGE}",
        "training.epochs=1",
        "training.batch_size=4",
        "model.backbone=tiny",
    ]
    config = load_settings(Config, None, [*settings, "model.encoder_weights=none", *changes])
    return segment.train(tiles, run, config, **options)


def scores(tiles: Path, run: Path | Model, **options: object) -> tuple[dict, list[str]]:
    reported = Recorded()
    found = segment.evaluate(tiles, run, progress=reported, **options)
    return found.report, [
        line for line in reported.lines if "trained on" in line or "validation" in line
    ]


def test_pixels_are_counted_by_what_the_training_did_with_them(trained, tmp_path):
    tiles, run = trained
    report, lines = scores(tiles, run, output=tmp_path / "scores")
    assert report["trained_on"] == {
        "pixels": 4 * EDGE**2,
        "share": pytest.approx(1 / 3),
        "tiles": 4,
    }
    assert report["validated_on"] == report["trained_on"]
    assert len(lines) == 1
    assert "16,384 of 49,152 scored pixels (33.3 %) in 4 of 12 tiles were trained on" in lines[0]
    assert "chose the epoch" in lines[0]
    assert (
        json.loads((tmp_path / "scores" / "report.json").read_text())["trained_on"]
        == report["trained_on"]
    )
    assert "16,384 of 49,152 scored pixels" in (tmp_path / "scores" / "report.html").read_text()
    reported = json.loads((run / "report.json").read_text())
    assert reported["trained_on"]["pixels"] == reported["test"]["trained_on"]["pixels"] == 0
    assert reported["validated_on"]["share"] == 1 and reported["test"]["validated_on"]["share"] == 0


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("layout", ["as it was", "flat", "elsewhere as PNG"])
def test_parts_are_found_by_folders_or_by_what_the_model_remembers(
    trained, model, tmp_path, part, layout
):
    tiles, _ = trained
    if layout != "as it was":
        for name in ("train", "val", "test"):
            for file in (tiles / name).rglob("*.tif"):
                with rasterio.open(file) as raster:
                    pixels = raster.read().transpose(1, 2, 0)
                ending = ".tif" if layout == "flat" else ".png"
                profile = {"transform": raster.transform} if layout == "flat" else {}
                write_raster(
                    tmp_path / "flat" / file.parent.name / f"{name}{file.stem}{ending}",
                    pixels,
                    **profile,
                )
        shutil.copy(tiles / "classes.yaml", tmp_path / "flat")
        tiles = tmp_path / "flat"
    report, _ = scores(tiles, model, part=part)
    assert report["pixels"] == 4 * EDGE**2
    assert (report["trained_on"]["share"], report["validated_on"]["share"]) == (
        part == "train",
        part == "val",
    )


def test_tiles_of_no_part_are_left_out_and_reported(trained, tmp_path):
    tiles, run = trained
    shutil.copytree(tiles / "train" / "town", tmp_path / "mixed" / "town")
    write_pair(
        tmp_path / "mixed" / "town",
        "new",
        *two_class_scene(EDGE, EDGE, seed=9),
        transform=place(900, 900),
    )
    reported = Recorded()
    assert (
        segment.evaluate(tmp_path / "mixed", run, part="train", progress=reported).report["pixels"]
        == 4 * EDGE**2
    )
    assert "note: 1 of 5 tiles are new to the model and in no part: left out" in reported.lines
    with pytest.raises(InputError, match="no tiles of test"):
        segment.evaluate(tmp_path / "mixed", run, part="test")
    shutil.rmtree(tmp_path / "mixed" / "town")
    write_pair(
        tmp_path / "mixed" / "town",
        "new",
        *two_class_scene(EDGE, EDGE, seed=9),
        transform=place(900, 900),
    )
    with pytest.raises(
        InputError, match="--part train needs folders train, val and test, or tiles"
    ):
        segment.evaluate(tmp_path / "mixed", run, part="train")
    with pytest.raises(InputError, match="part: .tests."):
        segment.evaluate(tmp_path / "mixed", run, part="tests")


def recut(image: np.ndarray, mask: np.ndarray, root: Path) -> int:
    """Other tiles, half a tile further: a quarter of each trained tile is in the first of them.
    Returns trained pixels.
    """
    for row in (32, 96):
        window = slice(row, row + EDGE), slice(32, 32 + EDGE)
        write_pair(root / "town", f"r{row}", image[window], mask[window], transform=place(row, 32))
    return 32 * EDGE


def larger(image: np.ndarray, mask: np.ndarray, root: Path) -> int:
    write_pair(root / "town", "whole", image, mask, transform=place(0, 0))
    return EDGE * 4 * EDGE


def south_up(image: np.ndarray, mask: np.ndarray, root: Path) -> int:
    transform = place(0, 0) @ Affine.translation(0, 4 * EDGE) @ Affine.scale(1, -1)
    write_pair(root / "town", "whole", image[::-1].copy(), mask[::-1].copy(), transform=transform)
    return EDGE * 4 * EDGE


def coarser(image: np.ndarray, mask: np.ndarray, root: Path) -> int:
    write_pair(
        root / "town",
        "half",
        image[::2, ::2].copy(),
        mask[::2, ::2].copy(),
        transform=place(0, 0, 0.6),
    )
    return EDGE * EDGE


def sharpened(image: np.ndarray, mask: np.ndarray, root: Path) -> int:
    """Other pixels of the same ground."""
    write_pair(
        root / "town", "first", (image[:EDGE] // 2).copy(), mask[:EDGE], transform=place(0, 0)
    )
    return EDGE * 4 * EDGE


def neighbours(image: np.ndarray, mask: np.ndarray, root: Path) -> int:
    write_pair(
        root / "town",
        "right",
        image[:EDGE, :EDGE].copy() // 3,
        mask[:EDGE, :EDGE],
        transform=place(0, 4 * EDGE),
    )
    write_pair(
        root / "town",
        "above",
        image[:EDGE, :EDGE].copy() // 3,
        mask[:EDGE, :EDGE],
        transform=place(-EDGE, 0),
    )
    return 0


def another_zone(image: np.ndarray, mask: np.ndarray, root: Path) -> int:
    write_pair(
        root / "town", "far", image // 3, mask, crs=CRS.from_epsg(32633), transform=place(0, 0)
    )
    return 0


@pytest.mark.parametrize(
    "cut", [recut, larger, south_up, coarser, sharpened, neighbours, another_zone]
)
def test_the_same_ground_is_known_however_it_is_cut(model, ground, tmp_path, cut):
    expected = cut(*ground, tmp_path / "new")
    report, lines = scores(tmp_path / "new", model)
    assert report["trained_on"]["pixels"] == expected
    assert bool(lines) == bool(expected)


def test_ground_is_known_in_another_crs(model, ground, tmp_path):
    target, bounds = (
        CRS.from_epsg(3857),
        (
            500_000,
            2_700_000 - 4 * EDGE * 0.3,
            500_000 + 4 * EDGE * 0.3,
            2_700_000,
        ),
    )
    transform, width, height = calculate_default_transform(
        CRS.from_epsg(32640), target, 4 * EDGE, 4 * EDGE, *bounds
    )
    warped = []
    for pixels in (*ground, np.ones_like(ground[1])):
        found = np.zeros((pixels.shape[2], height, width), np.uint8)
        reproject(
            pixels.transpose(2, 0, 1).copy(),
            found,
            src_transform=place(0, 0),
            src_crs=CRS.from_epsg(32640),
            dst_transform=transform,
            dst_crs=target,
            resampling=Resampling.nearest,
        )
        warped.append(found.transpose(1, 2, 0))
    image, mask, inside = warped
    write_pair(
        tmp_path / "new" / "town",
        "a",
        image,
        np.where(inside, mask, 255).astype(np.uint8),
        crs=target,
        transform=transform,
    )
    report, _ = scores(tmp_path / "new", model)
    assert report["trained_on"]["share"] == pytest.approx(1 / 4, abs=0.01)
    assert report["validated_on"]["share"] == pytest.approx(1 / 4, abs=0.01)


def test_a_scene_with_truth_reports_what_was_trained_on(trained, model, ground, tmp_path):
    image, mask = ground
    scene = write_raster(tmp_path / "scene.tif", image, transform=place(0, 0), nodata=None)
    ignored = mask.copy()
    ignored[:8] = 255
    truth = write_raster(tmp_path / "truth.tif", ignored, transform=place(0, 0))
    report = segment.predict_scene(
        scene, trained[1], tmp_path / "map", truth=truth, tile=EDGE
    ).report
    assert report["trained_on"]["pixels"] == 56 * 4 * EDGE
    assert report["validated_on"]["pixels"] == EDGE * 4 * EDGE
    assert any("were trained on" in note for note in report["notes"])
    picture = write_raster(tmp_path / "scene.png", image)  # without a place
    report = segment.predict_scene(picture, model, tmp_path / "map2", truth=truth, tile=EDGE).report
    assert report["trained_on"]["pixels"] == 56 * 4 * EDGE
    assert report["validated_on"]["pixels"] == EDGE * 4 * EDGE
    elsewhere = write_raster(tmp_path / "other.tif", image // 2, transform=place(5000, 0))
    there = write_raster(tmp_path / "there.tif", ignored, transform=place(5000, 0))
    report = segment.predict_scene(
        elsewhere, model, tmp_path / "map", truth=there, tile=EDGE
    ).report
    assert report["trained_on"] == {"pixels": 0, "share": 0}
    assert not [note for note in report["notes"] if "trained on" in note]
    assert (
        "trained_on"
        not in segment.predict_scene(scene, model, tmp_path / "plain", tile=EDGE).report
    )


def test_models_that_do_not_say_are_reported_once(trained, tmp_path):
    tiles, run = trained
    shutil.copytree(run, tmp_path / "old")
    (tmp_path / "old" / RECORD_FILE).unlink()
    report, lines = scores(tiles, tmp_path / "old")
    assert len(lines) == 1 and "old has no record of what it was trained on" in lines[0]
    assert report["trained_on"] is None
    (tmp_path / "old" / RECORD_FILE).write_bytes(b"PK no archive")
    with pytest.raises(InputError, match=r"tiles\.npz: not as training wrote it"):
        segment.evaluate(tiles, tmp_path / "old")


@pytest.mark.slow
def test_a_run_remembers_what_its_weights_learned_from(trained, ground, tmp_path, no_pictures):
    tiles, run = trained
    for group in "ab":
        write_pair(
            tmp_path / "new" / group,
            "a",
            *two_class_scene(EDGE, EDGE, seed=ord(group)),
            ending=".png",
        )
    shutil.copy(tiles / "classes.yaml", tmp_path / "new")
    train(tmp_path / "new", tmp_path / "second", f"model.weights={run / 'model.keras'}")
    report, _ = scores(tiles, tmp_path / "second")
    assert report["trained_on"]["tiles"] == report["validated_on"]["tiles"] == 4
    assert scores(tmp_path / "new", tmp_path / "second")[0]["trained_on"]["tiles"] == 1
    assert scores(tmp_path / "new", run)[0]["trained_on"]["tiles"] == 0
    reported = Recorded()
    wanted = f"model.weights={run / 'model.keras'}"
    train(
        tmp_path / "new",
        tmp_path / "second",
        wanted,
        "training.epochs=2",
        resume=True,
        progress=reported,
    )
    assert scores(tiles, tmp_path / "second")[0]["trained_on"]["tiles"] == 4
    assert not [line for line in reported.lines if "scores are too high" in line]
    (tiles_again := tmp_path / "swapped").mkdir()
    shutil.copytree(tiles / "train", tiles_again / "test")
    shutil.copytree(tiles / "val", tiles_again / "train")
    shutil.copytree(tiles / "test", tiles_again / "val")
    shutil.copy(tiles / "classes.yaml", tiles_again)
    train(tiles_again, tmp_path / "third", wanted, progress=reported)
    assert [
        line
        for line in reported.lines
        if line.startswith("warning: test: 16,384 of 16,384 scored pixels (100 %)")
    ]


@pytest.mark.slow
def test_patches_of_one_image_have_parts_of_their_own(tmp_path, ground, no_pictures):
    for ending in (".png", ".tif"):
        root = tmp_path / ending[1:]
        write_pair(root / "tiles" / "town", "a", *ground, ending=ending)
        (root / "tiles" / "classes.yaml").write_text(
            "- {name: land, color: '#804000', value: 0}\n- {name: water, color: '#0000FF', value:"
            " 1}\n"
        )
        train(root / "tiles", root / "run", "data.split=patch", "data.val_fraction=0.25")
        report, _ = scores(root / "tiles", root / "run")
        assert (report["trained_on"]["tiles"], report["validated_on"]["tiles"]) == (12, 4)
        assert report["trained_on"]["share"] == 0.75
        assert scores(root / "tiles", root / "run", part="val")[0]["pixels"] == 4 * EDGE**2


def test_records_join_and_say_the_worst(tmp_path):
    pixels = [np.full((2, 3, 1), value, np.uint8) for value in range(3)]
    first = TrainingRecord.of(
        [
            RecordEntry(digest_pixels(pixels[0]), "test"),
            RecordEntry(digest_pixels(pixels[1]), "val"),
        ]
    )
    grid = PixelGrid(2, 3, CRS.from_epsg(32640), place(0, 0))
    local = PixelGrid(2, 3, CRS.from_wkt('LOCAL_CS["mine",UNIT["metre",1]]'), place(0, 0))
    second = TrainingRecord.of(
        [
            RecordEntry(digest_pixels(pixels[0]), "train", grid),
            RecordEntry(digest_pixels(pixels[2]), "val", local),
        ]
    )
    joined = first.join(second, first)
    assert len(joined) == 4
    joined.save(tmp_path)
    loaded = load_record(tmp_path)
    assert [
        loaded.find(digest_pixels(found)) for found in (*pixels, pixels[0].astype(np.uint16))
    ] == [0, 1, 1, NEW]
    covered = loaded.cover(PixelGrid(2, 3, grid.crs, place(1, 1)), 0, 0, 2, 3)
    np.testing.assert_array_equal(covered, [[0, 0, NEW], [NEW, NEW, NEW]])
    assert (loaded.cover(local, 0, 0, 2, 3) == NEW).all()
    assert load_record(tmp_path / "none") is None
    assert len(TrainingRecord.of([]).join(TrainingRecord.of([]))) == 0


def test_a_record_of_many_tiles_is_small_and_quick(tmp_path):
    random = np.random.default_rng(0)
    crs = CRS.from_epsg(32640)
    tiles = [
        RecordEntry(
            random.bytes(16),
            "train",
            PixelGrid(256, 256, crs, place(256 * (i // 100), 256 * (i % 100))),
        )
        for i in range(20_000)
    ]
    record = TrainingRecord.of(tiles)
    record.save(tmp_path)
    assert (tmp_path / RECORD_FILE).stat().st_size < 6e5
    loaded = load_record(tmp_path)
    grid = PixelGrid(256, 256 * 100, crs, place(100, 0))
    assert (loaded.cover(grid, 0, 0, 256, 256 * 100) == 0).all()


def test_a_record_whose_header_declares_terabytes_is_named(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / RECORD_FILE, "w") as archive,
        archive.open("digests.npy", "w") as array,
    ):
        np.lib.format.write_array_header_1_0(
            array, {"descr": "<u8", "fortran_order": False, "shape": (1 << 45,)}
        )
    with pytest.raises(InputError, match=r"tiles\.npz: not as training wrote it"):
        load_record(tmp_path)
