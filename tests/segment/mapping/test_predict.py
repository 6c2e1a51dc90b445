import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score

from segment.annotations.vector_labels import VectorLabels
from segment.bundled import BUNDLED
from segment.core.errors import InputError, Interrupted
from segment.core.labels.classes import Class, ClassTable, save_class_table
from segment.core.progress import Silent
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.mapping.loop import predict_batch
from segment.mapping.options import MapOptions
from segment.mapping.predict import check_inputs, predict_scene
from segment.mapping.result import SceneMap
from segment.mapping.window import predict_probabilities, predict_window
from tests.conftest import SHARED, write_raster
from tests.fakes import COLORS, NAMES, ConstantModel, FakeModel, PlaceModel

SIZES = [(64, 96), (33, 70), (20, 13), (1, 1), (97, 32)]
SCENES = [
    "bahamas_rgba",
    "naip_5m_rgbn",
    "sentinel2_10m_tci",
    "spacenet_50cm_uint16",
    "urban_bridge_10cm_rgb_nodata",
]
ROTATED = Affine.translation(500_000, 2_700_000) @ Affine.rotation(30) @ Affine.scale(0.3, -0.3)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segment.mapping.model_view.TILE", 32)


def write_scene(
    path: Path, height: int = 50, width: int = 90, bands: int = 1, **profile: object
) -> tuple[Path, np.ndarray]:
    """A scene of blocks of class indices 0 to 4 in its first band, and those indices."""
    blocks = np.random.default_rng(height).integers(0, 5, (height // 6 + 1, width // 6 + 1))
    indices = np.kron(blocks, np.ones((6, 6), int))[:height, :width].astype(np.uint8)
    pixels = np.repeat(indices[..., None], bands, axis=2).astype(profile.get("dtype", np.uint8))
    return write_raster(path, pixels, **profile), indices


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


@pytest.mark.heavy
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("overlap", [0, 0.5, 0.3])
def test_identity_and_constant_models(
    tmp_path: Path, height: int, width: int, overlap: float
) -> None:
    scene, indices = write_scene(tmp_path / "scene.tif", height, width, transform=ROTATED)
    same = predict_scene(scene, FakeModel(), tmp_path / "same", overlap=overlap)
    np.testing.assert_array_equal(read(same.classes), indices * 10)  # values, not indices
    constant = predict_scene(
        scene, ConstantModel(), tmp_path / "constant", overlap=overlap, confidence=True
    )
    assert set(np.unique(read(constant.classes))) == {20}
    assert set(np.unique(read(constant.confidence))) == {round(0.4 * 254)}
    with rasterio.open(same.classes) as file:
        assert file.transform.almost_equals(ROTATED)
        assert file.crs.to_epsg() == 32640


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_map_depends_neither_on_batch_size_nor_on_rows_read(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (75, 101, 3), np.uint8)
    scene = write_raster(tmp_path / f"scene{suffix}", pixels)
    maps = []
    for number, (batch, rows) in enumerate([(1, 1), (3, 7), (8, 256), (64, 30)]):
        model = PlaceModel(bands=3)
        result = predict_scene(
            scene, model, tmp_path / str(number), batch_size=batch, rows=rows, confidence=True
        )
        assert model.shapes == {(batch, 32, 32, 3)}
        maps.append((read(result.classes), read(result.confidence)))
    for labels, confidence in maps[1:]:
        np.testing.assert_array_equal(labels, maps[0][0])
        np.testing.assert_array_equal(confidence, maps[0][1])


def test_nodata_and_alpha_are_left_out(tmp_path: Path) -> None:
    scene, indices = write_scene(tmp_path / "declared.tif", nodata=3)
    result = predict_scene(scene, FakeModel(), tmp_path)
    np.testing.assert_array_equal(read(result.classes), np.where(indices == 3, 255, indices * 10))
    assert result.report["pixels_by_class"]["vegetation"] == 0
    scene, indices = write_scene(tmp_path / "known.tif")
    result = predict_scene(scene, FakeModel(), tmp_path, nodata=2)
    np.testing.assert_array_equal(read(result.classes) == 255, indices == 2)

    rgba = np.repeat(indices[..., None], 4, axis=2)
    rgba[..., 3] = 255
    rgba[:20, :, 3] = 0
    for suffix in (".tif", ".png"):
        path = write_raster(
            tmp_path / f"alpha{suffix}",
            rgba,
            **({"photometric": "RGB", "alpha": "yes"} if suffix == ".tif" else {}),
        )
        result = predict_scene(path, FakeModel(bands=3), tmp_path / suffix[1:])
        np.testing.assert_array_equal(
            read(result.classes), np.where(rgba[..., 3] == 0, 255, indices * 10)
        )
        assert sum(result.report["pixels_by_class"].values()) == 30 * 90


def test_tiles_without_a_valid_pixel_are_not_predicted(tmp_path: Path) -> None:
    pixels = np.zeros((160, 160, 1), np.uint8)
    pixels[140:, 140:] = 1
    model = FakeModel()
    seen: list[tuple[int, int]] = []
    scene = write_raster(tmp_path / "corner.tif", pixels, nodata=0)

    class Recorded(Silent):
        def advance(self, task: str, done: int, total: int, note: str = "") -> None:
            seen.append((done, total))

    result = predict_scene(scene, model, tmp_path, overlap=0.5, batch_size=1, progress=Recorded())
    assert 0 < model.tiles < 10
    assert seen[-1] == (110, 110)
    assert seen == sorted(seen)
    assert (read(result.classes) == 10).sum() == 400
    empty = write_raster(tmp_path / "empty.tif", pixels * 0, nodata=0)
    result = predict_scene(empty, model, tmp_path)
    assert set(np.unique(read(result.classes))) == {255}
    assert "No pixel" in repr(result)


def test_scores_are_those_of_the_written_map(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (75, 101, 3), np.uint8)
    scene = write_raster(tmp_path / "scene.tif", pixels)
    truth = np.random.default_rng(2).choice(
        np.array([0, 10, 20, 30, 40, 255], np.uint8), (75, 101, 1)
    )
    mask = write_raster(tmp_path / "truth.tif", truth)
    result = predict_scene(scene, PlaceModel(bands=3), tmp_path / "out", truth=mask)
    scored = truth[..., 0] != 255
    true, found = truth[..., 0][scored], read(result.classes)[scored]
    report = json.loads(result.report_file.read_text())
    assert report == result.report
    labels = [0, 10, 20, 30, 40]
    np.testing.assert_allclose(
        list(report["jaccard"].values()),
        jaccard_score(true, found, labels=labels, average=None),
        atol=1e-6,
    )
    np.testing.assert_allclose(
        list(report["f1"].values()), f1_score(true, found, labels=labels, average=None), atol=1e-6
    )
    np.testing.assert_array_equal(report["confusion"], confusion_matrix(true, found, labels=labels))
    assert report["pixels"] == scored.sum()
    assert 0 < report["soft_jaccard"] < 1
    assert sum(report["area_m2"].values()) == pytest.approx(75 * 101 * 0.09, rel=1e-4)
    assert {"megapixels_per_second", "peak_memory_mb", "mean_jaccard", "accuracy"} <= report.keys()
    assert "mean Jaccard" in repr(result)
    assert str(result.classes) in repr(result)


def test_truth_in_colours_and_with_its_own_classes(tmp_path: Path) -> None:
    scene, indices = write_scene(tmp_path / "scene.tif")
    colors = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in COLORS], np.uint8)
    mask = colors[indices]
    mask[0, :7] = 1
    truth = write_raster(tmp_path / "colours" / "truth.png", mask)
    report = predict_scene(scene, FakeModel(), tmp_path / "a", truth=truth).report
    assert report["accuracy"] == 1
    assert report["undeclared"] == {"#010101": 7}

    table = [
        Class(name=name.upper(), color=color, value=4 - i)
        for i, (name, color) in enumerate(zip(NAMES, COLORS, strict=True))
    ]
    truth = write_raster(tmp_path / "own" / "truth.tif", 4 - indices[..., None])
    save_class_table(ClassTable(table[1:]), truth.with_name("classes.yaml"))
    report = predict_scene(scene, FakeModel(), tmp_path / "b", truth=truth).report
    assert report["accuracy"] == 1
    assert report["pixels"] == (indices > 0).sum()
    assert "does not have" not in " ".join(report["notes"])

    table[2] = table[2].model_copy(update={"name": "rail"})
    save_class_table(ClassTable(table), truth.with_name("classes.yaml"))
    report = predict_scene(scene, FakeModel(), tmp_path / "c", truth=truth).report
    assert report["pixels"] == (indices != 2).sum()
    share = (indices == 2).mean()
    lacking = f"classes that the model does not have are not scored: rail ({share:.1%})."
    assert f"Truth: {lacking}" in report["notes"]


@pytest.mark.heavy
def test_a_truth_on_another_grid_scores_as_on_the_scenes(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif", 70, 90, transform=ROTATED)
    truth = (
        np.random.default_rng(3).choice([0, 10, 20, 30, 40, 7, 255], (70, 90, 1)).astype(np.uint8)
    )
    right = write_raster(tmp_path / "right.tif", truth, transform=ROTATED)
    fine = truth.repeat(2, 0).repeat(2, 1)
    others = {
        "south-up": write_raster(
            tmp_path / "up.tif", truth[::-1], transform=ROTATED @ Affine(1, 0, 0, 0, -1, 70)
        ),
        "0.5 times": write_raster(
            tmp_path / "fine.tif", fine[::-1], transform=ROTATED @ Affine(0.5, 0, 0, 0, -0.5, 70)
        ),
        "shifted by -3": write_raster(
            tmp_path / "larger.tif",
            np.pad(truth, ((5, 0), (3, 4), (0, 0))),
            transform=ROTATED @ Affine.translation(-3, -5),
        ),
    }
    expected = predict_scene(scene, PlaceModel(), tmp_path / "right", truth=right).report
    for number, (words, other) in enumerate(others.items()):
        model = PlaceModel()
        if number == 0:  # stopped on the way
            stopping(model, 9)
            with pytest.raises(Interrupted):
                predict_scene(
                    scene, model, tmp_path / str(number), truth=other, rows=16, batch_size=1
                )
            model = PlaceModel()
        found = predict_scene(scene, model, tmp_path / str(number), truth=other, rows=16).report
        assert {k: found[k] for k in ("confusion", "jaccard", "undeclared")} == {
            k: expected[k] for k in ("confusion", "jaccard", "undeclared")
        }
        assert any(words in note and other.name in note for note in found["notes"])
    half = write_raster(tmp_path / "half.tif", truth[:35], transform=ROTATED)
    found = predict_scene(scene, PlaceModel(), tmp_path / "half", truth=half).report
    assert sum(map(sum, found["confusion"])) == np.isin(truth[:35], [0, 10, 20, 30, 40]).sum()
    assert "half.tif: 50.0 % of the scene lie outside the mask and are ignored." in found["notes"]
    assert found["undeclared"] == {"7": (truth[:35] == 7).sum()}


def test_augmentation_turns_answers_back(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 5, (2, 16, 16, 1), np.uint8)
    model = FakeModel()
    np.testing.assert_array_equal(predict_batch(model, pixels, augment=True), model.answer(pixels))
    assert model.tiles == 16


def test_float_scene_and_class_count(tmp_path: Path) -> None:
    scene, indices = write_scene(tmp_path / "scene.tif", dtype=np.float64)
    result = predict_scene(scene, FakeModel(dtype="float32"), tmp_path)
    np.testing.assert_array_equal(read(result.classes), indices * 10)
    with pytest.raises(InputError, match="output of the network has the shape"):
        predict_scene(scene, ConstantModel(dtype="float32", classes=3), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_input_is_reported_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    two, _ = write_scene(tmp_path / "two.tif", bands=2, photometric="minisblack")
    grey16, _ = write_scene(tmp_path / "grey16.tif", dtype=np.uint16)
    scene, _ = write_scene(tmp_path / "scene.tif")
    small = write_raster(tmp_path / "small.png", np.zeros((5, 5, 1), np.uint8))
    alien = write_raster(tmp_path / "alien.png", np.full((50, 90, 1), 77, np.uint8))
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    cut = write_raster(tmp_path / "cut.jpg", noise)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    rgb, one = FakeModel(bands=3), FakeModel()
    out = tmp_path / "deep" / "out"
    cases: list[tuple[str, Callable[[], object]]] = [
        ("as grey: --bands 1,1,1", lambda: predict_scene(two, rgb, out)),
        ("choose another --scale", lambda: predict_scene(grey16, one, out, scale="never")),
        ("4 bands", lambda: predict_scene(scene, FakeModel(bands=4), out)),
        ("a multiple of 8", lambda: predict_scene(scene, one, out, tile=33)),
        (
            "tiles of 32 pixels only",
            lambda: predict_scene(scene, FakeModel(fixed_tile=True), out, tile=64),
        ),
        ("below 1", lambda: predict_scene(scene, one, out, overlap=1)),
        ("batch_size=0", lambda: predict_scene(scene, one, out, batch_size=0)),
        ("size of its scene", lambda: predict_scene(scene, one, out, truth=small)),
        ("holds no class of the model", lambda: predict_scene(scene, one, out, truth=alien)),
        ("no such file", lambda: predict_scene(tmp_path / "none.tif", one, out)),
        ("no such file", lambda: predict_scene(scene, one, out, truth=tmp_path / "none.tif")),
        ("read as a raster", lambda: predict_scene(cut, rgb, out)),
        ("Choose from 1 to 1", lambda: predict_scene(scene, one, out, bands=[2])),
        ("a model folder", lambda: predict_scene(scene, tmp_path, out)),
        ("a file", lambda: predict_scene(scene, one, small)),
    ]
    for expected, call in cases:
        with pytest.raises(InputError, match=expected) as error:
            call()
        assert "\n" not in str(error.value)
        assert ". " in str(error.value)  # the cure follows
        assert not (tmp_path / "deep").exists(), expected


def test_existing_outputs_are_kept_without_overwrite(tmp_path: Path) -> None:
    scene, indices = write_scene(tmp_path / "scene.tif")
    first = predict_scene(scene, ConstantModel(), tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(InputError, match="exists. Add --overwrite"):
        predict_scene(scene, FakeModel(), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert set(np.unique(read(first.classes))) == {20}
    again = predict_scene(scene, FakeModel(), tmp_path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    np.testing.assert_array_equal(read(again.classes), indices * 10)
    truth, _ = write_scene(tmp_path / "truth_mask.png")
    truth.rename(tmp_path / "scene_mask.png")
    with pytest.raises(InputError, match="input would be replaced by an output"):
        predict_scene(
            scene, FakeModel(), tmp_path, truth=tmp_path / "scene_mask.png", overwrite=True
        )


def stopping(model: FakeModel, tiles: int) -> FakeModel:
    """The model, stopped by Ctrl-C once it was asked for more than some tiles."""
    answer = model.answer

    def answer_or_stop(pixels: np.ndarray) -> np.ndarray:
        if model.tiles > tiles:
            raise KeyboardInterrupt
        return answer(pixels)

    model.answer = answer_or_stop  # type: ignore[method-assign]
    return model


@pytest.mark.parametrize("stage", ["predict", "pictures", "last file"])
def test_interruption_without_resuming_leaves_nothing_and_restores_what_was(
    tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    earlier = predict_scene(scene, ConstantModel(), tmp_path / "earlier")
    before = {p: p.read_bytes() for p in earlier.classes.parent.iterdir()}
    model = FakeModel()

    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    if stage == "predict":
        stopping(model, 8)
    elif stage == "pictures":
        monkeypatch.setattr("segment.mapping.scene.write_pictures", interrupt)
    else:
        rename = Path.rename

        def rename_or_stop(self: Path, target: Path) -> Path:
            if self.name == "scene_report.json" and self.parent.name == "new":
                raise KeyboardInterrupt
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", rename_or_stop)
    with pytest.raises(KeyboardInterrupt):
        predict_scene(scene, model, tmp_path / "new" / "folder", resume=False)
    assert not (tmp_path / "new").exists()
    with pytest.raises(KeyboardInterrupt):
        predict_scene(scene, model, tmp_path / "earlier", overwrite=True, resume=False)
    assert {p: p.read_bytes() for p in earlier.classes.parent.iterdir()} == before


def outputs(result: SceneMap) -> dict[str, bytes]:
    """All files of a map, its report and its page less what differs from run to run."""
    found = {p.name: p.read_bytes() for p in result.classes.parent.iterdir()}
    report = json.loads(found.pop(result.report_file.name))
    minute = report["created"][:16].replace("T", " ").encode()
    assert found[result.page.name].count(minute) == 1
    found[result.page.name] = found[result.page.name].replace(minute, b"")
    timed = ("megapixels_per_second", "peak_memory_mb", "created")
    return found | {
        "report": json.dumps({k: v for k, v in report.items() if k not in timed}).encode()
    }


@pytest.mark.heavy
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_interrupted_work_goes_on_and_ends_the_same(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(1).integers(1, 255, (275, 101, 3), np.uint8)
    pixels[40:60, 30:70] = 0
    scene = write_raster(tmp_path / f"scene{suffix}", pixels)
    truth = write_raster(
        tmp_path / "truth.tif",
        np.random.default_rng(2).integers(0, 6, (275, 101, 1)).astype(np.uint8) * 10,
    )
    options = {"truth": truth, "nodata": 0, "overlap": 0.4, "confidence": True, "batch_size": 1}
    whole = PlaceModel(bands=3)
    expected = outputs(predict_scene(scene, whole, tmp_path / "whole", **options))
    folder = tmp_path / "parts"
    for tiles in (2, 40, 45, 9):
        model = stopping(PlaceModel(bands=3), tiles)
        with pytest.raises((KeyboardInterrupt, Interrupted)) as stop:
            predict_scene(scene, model, folder, **options)
        if tiles > 2:
            assert "goes on from there" in str(stop.value)
        assert not folder.exists() or [p.name for p in folder.iterdir()] == [
            ".scene_classes.tif.partial"
        ]
    model = PlaceModel(bands=3)
    result = predict_scene(scene, model, folder, **options)
    assert outputs(result) == expected
    assert 0 < model.tiles < 0.8 * whole.tiles


@pytest.mark.heavy
def test_only_the_same_work_goes_on(tmp_path: Path) -> None:
    scene, indices = write_scene(tmp_path / "scene.tif", 200, 40)
    changes: list[dict[str, object]] = [
        {},
        {"overlap": 0.1},
        {"tile": 40},
        {"nodata": 3},
        {"confidence": True},
    ]
    for number, change in enumerate(changes):
        whole = FakeModel()
        predict_scene(scene, whole, tmp_path / str(number), batch_size=1, **change)  # type: ignore[arg-type]
        with pytest.raises(Interrupted):
            predict_scene(scene, stopping(FakeModel(), 11), tmp_path / "out", batch_size=1)
        model = FakeModel()
        result = predict_scene(scene, model, tmp_path / "out", batch_size=1, **change)  # type: ignore[arg-type]
        assert (model.tiles < whole.tiles) == (change == {})
        np.testing.assert_array_equal(
            read(result.classes), np.where(indices == change.get("nodata"), 255, indices * 10)
        )
        for file in (tmp_path / "out").iterdir():
            file.unlink()
    with pytest.raises(Interrupted):
        predict_scene(scene, stopping(FakeModel(), 11), tmp_path / "out", batch_size=1)
    other, indices = write_scene(tmp_path / "other.tif", 201, 40)
    other.replace(scene)
    np.testing.assert_array_equal(
        read(predict_scene(scene, FakeModel(), tmp_path / "out").classes), indices * 10
    )


@pytest.mark.parametrize(
    "garbage", ["", "[]", "{}", "\x00", '{"rows": 99999, "state": {}, "checksums": {"classes": 1}}']
)
def test_damaged_work_starts_afresh(tmp_path: Path, garbage: str) -> None:
    scene, indices = write_scene(tmp_path / "scene.tif", 200, 40)
    with pytest.raises(Interrupted):
        predict_scene(scene, stopping(FakeModel(), 11), tmp_path / "out", batch_size=1)
    (tmp_path / "out" / ".scene_classes.tif.partial" / "work" / "journal.json").write_text(garbage)
    np.testing.assert_array_equal(
        read(predict_scene(scene, FakeModel(), tmp_path / "out").classes), indices * 10
    )


def test_rows_that_lost_bytes_start_afresh(tmp_path: Path) -> None:
    scene, indices = write_scene(tmp_path / "scene.tif", 200, 40)
    with pytest.raises(Interrupted):
        predict_scene(scene, stopping(FakeModel(), 11), tmp_path / "out", batch_size=1)
    (tmp_path / "out" / ".scene_classes.tif.partial" / "work" / "classes.rows").write_bytes(
        b"\0" * 10
    )
    np.testing.assert_array_equal(
        read(predict_scene(scene, FakeModel(), tmp_path / "out").classes), indices * 10
    )


def test_work_on_a_mosaic_or_with_a_model_that_changed_starts_afresh(tmp_path: Path) -> None:
    part, _ = write_scene(tmp_path / "part.tif", 200, 40)
    mosaic = tmp_path / "mosaic.vrt"
    rasterio.shutil.copy(part, mosaic, driver="VRT")
    with pytest.raises(Interrupted):
        predict_scene(mosaic, stopping(FakeModel(), 11), tmp_path / "out", batch_size=1)
    write_raster(part, np.full((200, 40, 1), 4, np.uint8))
    with pytest.raises(Interrupted):
        predict_scene(mosaic, stopping(FakeModel(), 11), tmp_path / "out", batch_size=1)
    model = FakeModel()
    classes = [
        Class(name=name, color=color, value=index)
        for index, (name, color) in enumerate(zip(NAMES, COLORS, strict=True))
    ]
    model.info = model.info.model_copy(update={"classes": classes})
    assert set(np.unique(read(predict_scene(mosaic, model, tmp_path / "out").classes))) == {4}


def in_mosaic_of_mosaics(folder: Path, value: int) -> Path | str:
    scene = write_raster(folder / "part.tif", np.full((40, 40, 1), value, np.uint8))
    for source, target in ((scene, "inner.vrt"), (folder / "inner.vrt", "outer.VRT")):
        if not (folder / target).exists():
            rasterio.shutil.copy(source, folder / target, driver="VRT")
    return folder / "outer.VRT"


def in_archive(folder: Path, value: int) -> Path | str:
    scene = write_raster(folder / "part.tif", np.full((40, 40, 1), value, np.uint8))
    with ZipFile(folder / "scenes.zip", "w") as archive:
        archive.write(scene, "may/scene.tif")
    return f"/vsizip/{folder}/scenes.zip/may/scene.tif"


def in_braced_archive(folder: Path, value: int) -> Path | str:
    in_archive(folder, value)
    return f"/vsizip/{{{folder}/scenes.zip}}/may/scene.tif"


def in_part_of_file(folder: Path, value: int) -> Path | str:
    scene = write_raster(folder / "part.tif", np.full((40, 40, 1), value, np.uint8))
    return f"/vsisubfile/0_{scene.stat().st_size},{scene}"


@pytest.mark.parametrize(
    "scene", [in_mosaic_of_mosaics, in_archive, in_braced_archive, in_part_of_file]
)
def test_a_change_behind_the_scene_is_seen(
    tmp_path: Path, scene: Callable[[Path, int], Path | str]
) -> None:
    named = scene(tmp_path, 1)
    first = predict_scene(named, FakeModel(), tmp_path / "out")
    assert set(np.unique(read(first.classes))) == {10}
    assert "existed already" in repr(predict_scene(named, FakeModel(), tmp_path / "out"))
    scene(tmp_path, 2)
    with pytest.raises(InputError, match="exists. Add --overwrite"):
        predict_scene(named, FakeModel(), tmp_path / "out")


@pytest.mark.parametrize("changes", [False, True])
def test_a_scene_that_changes_while_it_is_mapped_is_reported(tmp_path: Path, changes: bool) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif", 100, 40)

    class Changing(Silent):
        def advance(self, task: str, done: int, total: int, note: str = "") -> None:
            if changes and done < total:
                write_scene(scene, 100, 40)

    result = predict_scene(scene, FakeModel(), tmp_path / "out", rows=32, progress=Changing())
    found = [note for note in result.report["notes"] if "changed while it was mapped" in note]
    assert bool(found) == changes


def test_sidecars_count_by_what_they_say_of_the_pixels(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif", 100, 40)
    sidecar = Path(f"{scene}.aux.xml")
    band = '<PAMDataset><PAMRasterBand band="1">{}</PAMRasterBand></PAMDataset>'
    tag = "<Metadata><MDI key='STATISTICS_MEAN'>{}</MDI></Metadata>"
    sidecar.write_text(band.format(tag.format(6)))

    class Shown(Silent):
        def advance(self, task: str, done: int, total: int, note: str = "") -> None:
            sidecar.write_text(band.format(tag.format(7.5)))  # as QGIS does

    result = predict_scene(scene, FakeModel(), tmp_path / "out", rows=32, progress=Shown())
    assert "changed while" not in str(result.report["notes"])
    sidecar.unlink()
    assert "existed already" in repr(predict_scene(scene, FakeModel(), tmp_path / "out"))
    sidecar.write_text(band.format("<NoDataValue>3</NoDataValue>"))
    with pytest.raises(InputError, match="exists. Add --overwrite"):
        predict_scene(scene, FakeModel(), tmp_path / "out")


def test_what_is_finished_is_not_mapped_again(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    first = predict_scene(scene, FakeModel(), tmp_path / "out", polygons=True)
    model = FakeModel()
    again = predict_scene(scene, model, tmp_path / "out", polygons=True)
    assert model.tiles == 0
    assert again.classes == first.classes
    assert "The files existed already" in repr(again)
    first.polygons.unlink()  # type: ignore[union-attr]
    for change in ({"polygons": True}, {"min_area": 2.0, "polygons": True}, {"resume": False}):
        with pytest.raises(InputError, match="exists. Add --overwrite"):
            predict_scene(scene, FakeModel(), tmp_path / "out", **change)  # type: ignore[arg-type]


def test_nothing_of_an_earlier_map_stays_beside_a_new_one(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    predict_scene(scene, FakeModel(), tmp_path / "out", confidence=True, polygons=True)
    result = predict_scene(scene, FakeModel(), tmp_path / "out", overwrite=True)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {p.name for p in result.files} | {
        "scene_classes.tif.aux.xml", "scene_classes.qml", "scene_mask.png.aux.xml"
    }  # fmt: skip


def test_vector_files_of_others_stay_beside_a_map(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    predict_scene(scene, FakeModel(), tmp_path / "out")
    others = [tmp_path / "out" / name for name in ("scene.gpkg", "scene.parquet")]
    for other in others:
        other.write_text("drawn by hand")
    predict_scene(scene, FakeModel(), tmp_path / "out", overlap=0.5, overwrite=True)
    with pytest.raises(InputError, match="gpkg exists, and no report beside it says"):
        predict_scene(scene, FakeModel(), tmp_path / "out", polygons=True, overwrite=True)
    assert {other.read_text() for other in others} == {"drawn by hand"}
    others[0].unlink()
    for polygons in (True, True, False):
        predict_scene(scene, FakeModel(), tmp_path / "out", polygons=polygons, overwrite=True)
        assert others[0].exists() == polygons


def test_checks_of_commands_are_those_of_maps(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    labels = tmp_path / "scene.gpkg"
    labels.write_text("drawn by hand")
    check = partial(check_inputs, [Source(scene)], BUNDLED, tmp_path)
    check(truth=VectorLabels(path=labels, field="class"))
    (tmp_path / "scene_report.json").write_text('{"settings": {"polygons": "gpkg"}}')
    with pytest.raises(InputError, match="input would be replaced by an output"):
        check(truth=VectorLabels(path=labels, field="class"))
    with ZipFile(tmp_path / "masks.zip", "w") as archive:
        archive.write(scene, "mask.tif")
    check(truth=Path(f"/vsizip/{tmp_path}/masks.zip/mask.tif"))
    with pytest.raises(InputError, match="no such file"):
        check(truth=tmp_path / "mask.tif")
    scene.rename(tmp_path / "scene_classes.qml")
    with pytest.raises(InputError, match="input would be replaced by an output"):
        check(truth=tmp_path / "scene_classes.qml")


def test_an_area_does_not_become_an_output(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    drawn = predict_scene(scene, FakeModel(), tmp_path, polygons=True).polygons
    assert drawn
    content = drawn.read_bytes()
    for polygons in (True, False):
        with pytest.raises(InputError, match="input would be replaced by an output"):
            predict_scene(
                scene, FakeModel(), tmp_path, aoi=drawn, polygons=polygons, overwrite=True
            )
    assert drawn.read_bytes() == content


def test_a_kill_while_files_move_is_made_good(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    expected = outputs(predict_scene(scene, FakeModel(), tmp_path / "whole"))
    result = predict_scene(scene, FakeModel(), tmp_path / "out")
    partial = tmp_path / "out" / ".scene_classes.tif.partial"
    (partial / "new").mkdir(parents=True)
    names = [p.name for p in (tmp_path / "out").iterdir() if p != partial]
    (partial / "moving").write_text(json.dumps([names, ["scene.gpkg"]]))
    for name in names[::2]:
        (tmp_path / "out" / name).rename(partial / "new" / name)
    (tmp_path / "out" / "scene.gpkg").write_text("of an earlier map")
    model = FakeModel()
    assert predict_scene(scene, model, tmp_path / "out").classes == result.classes
    assert model.tiles == 0
    assert outputs(result) == expected


def test_scenes_do_not_become_outputs(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "a.tif")
    other, _ = write_scene(tmp_path / "a_classes.tif")
    with pytest.raises(InputError, match="input would be replaced by an output"):
        SceneMap.planned(Source(scene), tmp_path, MapOptions()).refuse_inputs([scene, other, None])


def test_a_second_process_has_to_wait(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    model = FakeModel()

    def map_the_same(pixels: np.ndarray) -> np.ndarray:
        with pytest.raises(InputError, match="is being written by process"):
            predict_scene(scene, FakeModel(), tmp_path)
        return FakeModel.answer(model, pixels)

    model.answer = map_the_same  # type: ignore[method-assign]
    predict_scene(scene, model, tmp_path)
    assert model.tiles


@pytest.mark.heavy
@given(st.data())
@settings(max_examples=15)
def test_a_window_alone_equals_the_same_window_of_the_map(data: st.DataObject) -> None:
    pixels, model = (
        np.random.default_rng(1).integers(0, 255, (75, 101, 3), np.uint8),
        PlaceModel(bands=3),
    )
    pixels[20:50, 10:40] = 0
    overlap = data.draw(st.floats(0, 0.9))
    with TemporaryDirectory() as folder:
        scene = write_raster(Path(folder) / "scene.tif", pixels, nodata=0)
        whole = read(predict_scene(scene, model, folder, overlap=overlap).classes)
        for _ in range(4):
            top, left = data.draw(st.integers(0, 74)), data.draw(st.integers(0, 100))
            height, width = (
                data.draw(st.integers(1, 75 - top)),
                data.draw(st.integers(1, 101 - left)),
            )
            alone = predict_window(scene, model, top, left, height, width, overlap=overlap)
            np.testing.assert_array_equal(alone, whole[top : top + height, left : left + width])
    with pytest.raises(InputError, match="not inside the scene"):
        predict_window(write_scene(Path(folder) / "s.tif")[0], FakeModel(), 40, 0, 20, 20)


def test_probabilities_of_a_window_are_those_of_its_classes(tmp_path: Path) -> None:
    pixels, model = (
        np.random.default_rng(1).integers(0, 255, (75, 101, 3), np.uint8),
        PlaceModel(bands=3),
    )
    pixels[20:50, 10:40] = 0
    scene = write_raster(tmp_path / "scene.tif", pixels, nodata=0)
    found = predict_probabilities(Source(scene, driver="GTiff"), model, 15, 5, 40, 50)
    assert found.shape == (40, 50, 5) and found.dtype == np.float32
    classes = predict_window(scene, model, 15, 5, 40, 50)
    np.testing.assert_array_equal(np.isnan(found).any(axis=2), classes == 255)
    seen = classes != 255
    np.testing.assert_array_equal(found[seen].argmax(axis=1) * 10, classes[seen])
    np.testing.assert_allclose(found[seen].sum(axis=1), 1, atol=1e-5)


def test_a_scene_may_be_opened_as_one_format_only(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    as_png = Source(scene, driver="PNG")
    with pytest.raises(InputError, match="cannot be read as a raster"):
        predict_scene(as_png, FakeModel(), tmp_path)
    with pytest.raises(InputError, match="cannot be read as a raster"):
        predict_scene(scene, FakeModel(), tmp_path, truth=as_png)
    assert predict_scene(
        Source(scene, driver="GTiff"), FakeModel(), tmp_path, truth=Source(scene, driver="GTiff")
    ).report["classes"]


@pytest.mark.parametrize("name", SCENES)
def test_real_rasters_map_or_say_what_to_change(tmp_path: Path, name: str) -> None:
    path = SHARED / "data" / "scenes" / f"{name}.tif"
    if not path.is_file():
        pytest.skip("the scenes are not here")
    model = FakeModel(bands=3, tile=256)
    if name == "spacenet_50cm_uint16":
        with pytest.raises(InputError, match="choose another --scale"):
            predict_scene(path, model, tmp_path / "out", scale="never")
        assert not (tmp_path / "out").exists()
        return
    result = predict_scene(path, model, tmp_path, overlap=0, nodata=0 if "bridge" in name else None)
    with rasterio.open(path) as source, rasterio.open(result.classes) as written:
        assert written.crs == source.crs
        assert written.transform.almost_equals(source.transform)
        expected = (
            source.read([1, 2, 3]).any(axis=0) if "bridge" in name else source.dataset_mask() > 0
        )
        np.testing.assert_array_equal(written.read(1) != 255, expected)


class BrokenModel(ConstantModel):
    """Answers something that is no probability in one pixel of tiles whose first band holds 3."""

    value = np.nan

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        found = super().answer(pixels).copy()
        found[(pixels[..., 0] == 3).any(axis=(1, 2)), -1, -1, 2] = self.value
        return found


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("augment", [False, True])
def test_answers_that_are_no_probabilities_are_refused(
    tmp_path: Path, value: float, augment: bool
) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif")
    model = BrokenModel()
    model.value = value
    with pytest.raises(
        InputError, match=r"scene\.tif: fake computed NaN.*pixels of 0 to 255.*--nodata"
    ):
        predict_scene(scene, model, tmp_path / "out", augment=augment, resume=False)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="computed NaN"):
        predict_window(scene, model, 0, 0, 40, 60)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("bands", [3, 4])
def test_infrared_tagged_as_alpha_masks_nothing(tmp_path: Path, suffix: str, bands: int) -> None:
    _, indices = write_scene(tmp_path / "first.tif")
    pixels = np.repeat(indices[..., None], 4, axis=2)
    pixels[..., 3] = np.random.default_rng(0).integers(40, 200, indices.shape)
    pixels[:, :30, 3] = 0  # a lake, a tile wide
    options = {"photometric": "RGB", "alpha": "yes"} if suffix == ".tif" else {}
    scene = write_raster(tmp_path / f"scene{suffix}", pixels, **options)
    result = predict_scene(scene, FakeModel(bands=bands), tmp_path / "maps")
    np.testing.assert_array_equal(read(result.classes), indices * 10)
    assert any("tagged as alpha" in note for note in result.report["notes"])
    window = predict_window(scene, FakeModel(bands=bands), 5, 2, 20, 25)  # of the lake alone
    np.testing.assert_array_equal(window, indices[5:25, 2:27] * 10)
    chosen = predict_scene(scene, FakeModel(bands=3), tmp_path / "chosen", bands=(1, 2, 3))
    np.testing.assert_array_equal(read(chosen.classes), indices * 10)


def test_bands_without_alpha_leave_its_mask_out(tmp_path: Path) -> None:
    _, indices = write_scene(tmp_path / "first.tif")
    pixels = np.repeat(indices[..., None], 4, axis=2)
    pixels[..., 3] = 255
    pixels[:20, :, 3] = 0
    scene = write_raster(tmp_path / "rgba.tif", pixels, photometric="RGB", alpha="yes")
    result = predict_scene(scene, FakeModel(bands=3), tmp_path / "chosen", bands=(1, 2, 3))
    np.testing.assert_array_equal(read(result.classes), indices * 10)
    assert any("its mask is not used" in note for note in result.report["notes"])


def test_timing_is_in_the_report_if_it_is_asked_for(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif", 200, 40)
    begun = time.monotonic()
    result = predict_scene(scene, FakeModel(), tmp_path / "out", timing=True)
    took = time.monotonic() - begun
    timing = json.loads(result.report_file.read_text())["timing"]
    parts = ("start", "read", "cut", "wait", "merge", "write", "outputs")
    assert timing.keys() == {*parts, "total", "threads"}
    assert sum(timing[part] for part in parts) == pytest.approx(timing["total"], abs=0.01)
    assert 0 < timing["total"] <= took
    assert all(timing[part] >= 0 for part in parts)
    assert timing["threads"].keys() == {"read", "cut", "model"}
    assert "  wait for model " in repr(result) and result.report["settings"]["timing"] is True
    earlier = predict_scene(
        scene, FakeModel(), tmp_path / "early", timing=time.monotonic() - 3600
    ).report
    assert earlier["timing"]["start"] > 3599 and earlier["settings"]["timing"] is True
    plain = predict_scene(scene, FakeModel(), tmp_path / "plain")
    assert "timing" not in plain.report and "wait for model" not in repr(plain)
    assert plain.classes.read_bytes() == result.classes.read_bytes()


def test_the_seconds_of_a_map_that_existed_are_named_so(tmp_path: Path) -> None:
    scene, _ = write_scene(tmp_path / "scene.tif", 40, 40)
    for first, again, note in (
        (False, True, "Its time was not measured. Add --overwrite to map it again."),
        (True, False, "The seconds are those of the call that mapped it."),
    ):
        out = tmp_path / f"{first}"
        predict_scene(scene, FakeModel(), out, timing=first)
        found = predict_scene(scene, FakeModel(), out, timing=again)
        assert found.report["notes"][-1] == note and note in repr(found)


@pytest.mark.parametrize("timing", [None, 1, "yes", float("nan")])
def test_a_timing_that_is_no_moment_is_refused(tmp_path: Path, timing: object) -> None:
    with pytest.raises(InputError, match=r"timing: True, False or a moment .* Received"):
        predict_scene(tmp_path / "scene.tif", FakeModel(), timing=timing)


@pytest.mark.parametrize("augment", [False, True])
def test_a_scene_is_read_once_for_map_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augment: bool
) -> None:
    """Flips and turns are those of the tiles that were read."""
    scene, _ = write_scene(tmp_path / "scene.tif", 300, 40)
    rows: list[int] = []
    stored = Raster.read_stored

    def remember(raster: Raster, *place: object) -> object:
        found = stored(raster, *place)  # type: ignore[arg-type]
        rows.append(len(found[0]))
        return found

    monkeypatch.setattr(Raster, "read_stored", remember)
    predict_scene(scene, FakeModel(), tmp_path / "out", rows=64, augment=augment)
    assert sum(rows) == 300
