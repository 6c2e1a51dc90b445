"""Maps and labels that a cluster makes, against those of one machine."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.crs import CRS
from rasterio.transform import from_origin

from classify.cli import predict as classify_predict
from classify.cluster.scenes import label_scenes
from classify.labelling.scene import label_scene
from segment.annotations.vector_labels import VectorLabels
from segment.cli import predict
from segment.cluster.map_job import MapJob
from segment.cluster.scenes import predict_scenes
from segment.core.cli.command import DONE, INCOMPLETE, INPUT_FAULT, run
from segment.core.cluster.block_folder import BlockFolder
from segment.core.disk import sample_file
from segment.core.errors import InputError
from segment.core.raster.sources import Source
from segment.mapping.options import MapOptions
from segment.mapping.predict import predict_scene
from segment.mapping.result import SceneMap
from tests.cluster.conftest import write_model
from tests.cluster.processes import ROOT, Cluster
from tests.conftest import write_raster
from tests.core.onnx_models.graphs import deepness, write_onnx
from tests.fakes import NAMES
from tests.segment.annotations.test_vector_labels import write

pytestmark = pytest.mark.heavy


pytest.importorskip("distributed")


def write_scene(path: Path, height: int, width: int, seed: int = 0, **profile: object) -> Path:
    pixels = (
        np.random.default_rng(seed)
        .integers(0, 255, (height, width, 3))
        .astype(profile.get("dtype", np.uint8))
    )
    return write_raster(path, pixels, **profile)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


def assert_same_files(left: Path, right: Path) -> None:
    """The same outputs, byte for byte; reports but for time and memory, GeoPackages but for the
    moment they were written at, pages but for that moment too.
    """
    names = sorted(file.name for file in left.iterdir())
    assert sorted(file.name for file in right.iterdir()) == names
    for name in names:
        if not name.endswith((".gpkg", ".json")):
            contents = [(folder / name).read_bytes() for folder in (left, right)]
            if name.endswith(".html"):
                contents = [re.sub(rb"mapped on [0-9: -]+ UTC", b"", page) for page in contents]
            assert contents[0] == contents[1], name


def figures(report: dict) -> dict:
    left_out = ("megapixels_per_second", "peak_memory_mb", "made_of", "created")
    return {key: value for key, value in report.items() if key not in left_out}


def map_both_ways(
    scene: Path,
    model: Path,
    folder: Path,
    cluster: Cluster,
    block: int,
    options: dict[str, Any],
    **inputs: Any,
) -> tuple[SceneMap, SceneMap]:
    """Maps a scene into `alone` and, by a cluster, into `together`: all files are the same."""
    alone = predict_scene(scene, model, folder / "alone", **inputs, **options)
    inputs |= {"options": MapOptions(**options), "block": block}
    together = folder / "together"
    (done,) = predict_scenes([scene], model, together, cluster=cluster.address, **inputs)
    assert not done.problems
    assert_same_files(folder / "alone", together)
    assert figures(done.result.report) == figures(alone.report)
    return alone, done.result


def test_a_map_is_that_of_one_machine(tmp_path: Path, cluster: Cluster, model: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 301, 215, nodata=3)
    truth = write_raster(
        tmp_path / "truth.tif",
        np.random.default_rng(1).choice([0, 10, 20, 30, 40, 7], (301, 215, 1)).astype("u1"),
    )
    colors = tmp_path / "own.yaml"
    colors.write_text(f'- {{name: {NAMES[1]}, color: "#FF00FF"}}\n')
    options = {"tile": 64, "overlap": 0.4, "confidence": True, "polygons": True, "min_area": 0.5}
    options |= {"colors": colors}
    map_both_ways(scene, model, tmp_path, cluster, 100, options, truth=truth)
    # either knows the map that the other made
    (again,) = predict_scenes(
        [scene],
        model,
        tmp_path / "alone",
        cluster=cluster.address,
        truth=truth,
        options=MapOptions(**options),
    )
    assert again.result.report["notes"][-1] == "The files existed already; nothing was computed."
    assert (
        predict_scene(scene, model, tmp_path / "together", truth=truth, **options).report["notes"][
            -1
        ]
        == "The files existed already; nothing was computed."
    )


def test_a_map_of_an_onnx_file_is_that_of_one_machine(tmp_path: Path, cluster: Cluster) -> None:
    file = write_onnx(tmp_path / "m.onnx", size=64, metadata=deepness())
    scene = write_scene(tmp_path / "scene.tif", 301, 215, nodata=3)
    predict_scene(scene, file, tmp_path / "alone")
    (done,) = predict_scenes(
        [scene], file, tmp_path / "together", cluster=cluster.address, block=100
    )
    assert not done.problems
    assert_same_files(tmp_path / "alone", tmp_path / "together")
    again = predict_scene(scene, file, tmp_path / "together")
    assert again.report["notes"][-1] == "The files existed already; nothing was computed."


def test_an_area_of_interest_is_mapped_alike(tmp_path: Path, cluster: Cluster, model: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", 301, 215, nodata=3)
    truth = write_raster(
        tmp_path / "truth.tif",
        np.random.default_rng(1).choice([0, 10, 20, 30, 40], (301, 215, 1)).astype("u1"),
    )
    ring = shapely.Point(500_032, 2_699_955).buffer(28) - shapely.Point(500_032, 2_699_955).buffer(
        9
    )
    wkb = shapely.to_wkb(np.array([ring]))
    pyogrio.raw.write(
        tmp_path / "area.gpkg", wkb, [], [], geometry_type="Polygon", crs="EPSG:32640"
    )
    areas = {"polygons": tmp_path / "area.gpkg", "box": "500010,2699940,500050,2699990"}
    for name, aoi in areas.items():
        options = {"tile": 64, "overlap": 0.4, "polygons": True, "aoi": aoi, "suggest": 2}
        alone, together = map_both_ways(
            scene, model, tmp_path / name, cluster, 50, options, truth=truth
        )
        assert alone.report["area_of_interest"]["polygons"] == (name == "polygons")
        left, right = (
            pyogrio.raw.read(result.suggestions, layer="suggestions")
            for result in (alone, together)
        )
        assert left[2].tolist() == right[2].tolist()
        assert [column.tolist() for column in left[3]] == [column.tolist() for column in right[3]]


def test_a_truth_on_another_grid_is_read_alike_by_all(
    tmp_path: Path, cluster: Cluster, model: Path
) -> None:
    scene = write_scene(tmp_path / "scene.tif", 150, 115)
    values = np.random.default_rng(1).choice([0, 10, 20, 30, 40, 7], (200, 180, 1)).astype("u1")
    place = {
        "crs": CRS.from_epsg(4326),
        "transform": from_origin(57.00005, 24.4133, 1.9e-6, 1.7e-6),
    }
    truth = write_raster(tmp_path / "truth.tif", values, **place)
    alone, _ = map_both_ways(scene, model, tmp_path, cluster, 40, {"tile": 64}, truth=truth)
    notes = " ".join(alone.report["notes"])
    assert "in EPSG:4326" in notes and "outside the mask" in notes


def test_vector_labels_are_read_alike_by_all(
    tmp_path: Path, cluster: Cluster, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = write_scene(tmp_path / "scene.tif", 150, 115)
    with rasterio.open(scene) as file:
        place, crs = file.transform, file.crs
    corners = np.random.default_rng(1).uniform(-20, 160, (40, 3, 2))
    drawn = [shapely.Polygon([place @ tuple(point) for point in one]) for one in corners]
    names = np.random.default_rng(2).choice([*NAMES, "pond"], len(drawn))
    labels = write(tmp_path / "labels.gpkg", drawn, str(crs), kind=names.tolist())
    monkeypatch.chdir(tmp_path)  # workers run in other folders
    truth = VectorLabels(path=Path(labels.name), field="kind", codes={n: n for n in NAMES})
    options = {"tile": 64, "boundary_width": 5}
    alone, _ = map_both_ways(scene, model, tmp_path, cluster, 40, options, truth=truth)
    assert 0 < alone.report["mean_boundary_jaccard"] < 1
    with pytest.raises(InputError, match="Did you mean 'kind'"):
        predict_scene(scene, model, tmp_path / "b", truth=replace(truth, field="knid"))


def test_a_resampled_and_a_small_scene_are_mapped_alike(tmp_path: Path, cluster: Cluster) -> None:
    coarse = write_model(tmp_path / "coarse")
    info = (coarse / "model.yaml").read_text()
    (coarse / "model.yaml").write_text(
        info.replace("ground_sampling_distance: null", "ground_sampling_distance: 0.5")
    )
    scenes = [write_scene(tmp_path / "a.tif", 150, 190), write_scene(tmp_path / "b.tif", 5, 7)]
    for scene in scenes:
        predict_scene(scene, coarse, tmp_path / "alone", tile=32, resample=True)
    asked = MapOptions(tile=32, resample=True)
    done = list(
        predict_scenes(
            scenes, coarse, tmp_path / "together", cluster=cluster.address, block=60, options=asked
        )
    )
    assert all(one.result and not one.problems for one in done)
    assert_same_files(tmp_path / "alone", tmp_path / "together")


def test_what_is_resampled_by_default_or_by_a_stated_pixel_size_is_mapped_alike(
    tmp_path: Path, cluster: Cluster
) -> None:
    """Whatever decides the size that the network sees travels to the workers."""
    ranged = write_model(tmp_path / "ranged")
    info = (ranged / "model.yaml").read_text()
    (ranged / "model.yaml").write_text(
        info.replace("ground_sampling_range: null", "ground_sampling_range: [0.5, 2.0]")
    )
    pixels = np.random.default_rng(0).integers(0, 255, (150, 190, 3), np.uint8)
    cases = [
        (write_scene(tmp_path / "default.tif", 150, 190), {}),
        (write_scene(tmp_path / "plain.tif", 150, 190), {"resample": False}),
        (write_raster(tmp_path / "stated.png", pixels), {"gsd": 0.2}),
        (write_raster(tmp_path / "coarse.png", pixels[:60, :50]), {"gsd": 100.0}),
    ]
    for scene, options in cases:
        alone = predict_scene(scene, ranged, tmp_path / "alone", tile=32, **options)
        asked = MapOptions(tile=32, **options)
        (done,) = predict_scenes(
            [scene], ranged, tmp_path / "together", cluster=cluster.address, block=60, options=asked
        )
        assert not done.problems
        assert (
            figures(done.result.report) == figures(alone.report) and len(alone.report["notes"]) >= 1
        )
    assert_same_files(tmp_path / "alone", tmp_path / "together")


@pytest.mark.parametrize("resample", [None, True])
@pytest.mark.parametrize("kind", ["named", "palette"])
def test_chosen_bands_and_ranges_are_those_of_one_machine(
    tmp_path: Path, cluster: Cluster, kind: str, resample: bool | None
) -> None:
    model = write_model(tmp_path / "model")
    text = (model / "model.yaml").read_text()
    assert "ground_sampling_distance: null" in text
    (model / "model.yaml").write_text(
        text.replace("ground_sampling_distance: null", "ground_sampling_distance: 0.4")
    )
    pixels = np.random.default_rng(0).integers(0, 250, (120, 90, 4), np.uint8)
    pixels[:40] //= 80
    if kind == "palette":
        scene = write_raster(tmp_path / "scene.tif", pixels[..., :1])
        with rasterio.open(scene, "r+") as file:
            file.write_colormap(1, {i: (i, 255 - i, 7 * i % 256, 255) for i in range(256)})
    else:
        scene = write_raster(tmp_path / "scene.tif", pixels, photometric="minisblack")
        with rasterio.open(scene, "r+") as file:
            file.descriptions = ("B08", "B02", "B03", "B04")
    gsd = None if resample is None else 0.2
    options = {"tile": 64, "resample": resample, "gsd": gsd}
    alone, _ = map_both_ways(scene, model, tmp_path, cluster, 50, options, nodata=(0, 3))
    assert any("are read as red, green" in note for note in alone.report["notes"])
    hidden = (pixels[..., : 1 if kind == "palette" else 4] < 4).all(axis=2)
    np.testing.assert_array_equal(
        read(alone.classes) == 255,
        hidden if kind == "palette" else (pixels[..., 1:] < 4).all(axis=2),
    )


@pytest.mark.parametrize(("grid", "smooth"), [(16, True), (40, False)])
def test_cells_are_labelled_as_on_one_machine(
    tmp_path: Path, cluster: Cluster, grid: int, smooth: bool
) -> None:
    model, scene = (
        write_model(tmp_path / "labels", "classify"),
        write_scene(tmp_path / "scene.tif", 130, 107, nodata=9),
    )
    alone = label_scene(scene, model, tmp_path / "alone", grid=grid, smooth=smooth)
    where = tmp_path / "together"
    (done,) = label_scenes(
        [scene], model, where, cluster=cluster.address, grid=grid, block=50, smooth=smooth
    )
    assert not done.problems
    assert_same_files(tmp_path / "alone", tmp_path / "together")
    assert figures(done.result.report) == figures(alone.report)
    (again,) = label_scenes(
        [scene], model, where, cluster=cluster.address, grid=grid, smooth=smooth
    )
    assert again.result.report["notes"][-1] == "The files existed already; nothing was computed."
    (other,) = label_scenes(
        [scene], model, where, cluster=cluster.address, grid=grid, smooth=not smooth
    )
    assert other.problems  # what is there is another map


def test_forty_scenes_of_which_two_are_broken(
    tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    model, random = write_model(tmp_path / "model", dtype="float32"), np.random.default_rng(0)
    grids = [(32640, 0.3), (4326, 1e-5), (3857, 0.5)]
    for number in range(38):
        code, size = grids[number % 3]
        place = {"crs": CRS.from_epsg(code), "transform": from_origin(55, 25, size, size)}
        height, width = random.integers(20, 70, 2)
        write_scene(
            tmp_path / "in" / f"s{number:02}.tif",
            height,
            width,
            number,
            dtype=["float32", "float64"][number % 2],
            **place,
        )
    (tmp_path / "in" / "broken.tif").write_bytes(b"II*\0 no raster")
    whole = write_scene(tmp_path / "in" / "cut.tif", 60, 60, dtype="float32").read_bytes()
    (tmp_path / "in" / "cut.tif").write_bytes(whole[: len(whole) // 2])
    arguments = [str(tmp_path / "in"), "--model", str(model), "--tile", "32"]
    arguments += ["--output", str(tmp_path / "out"), "--cluster", cluster.address, "--block", "40"]
    assert run(predict.__wrapped__, arguments) == INPUT_FAULT
    reported = capsys.readouterr()
    lines = [line for line in reported.err.splitlines() if line.startswith("segment-predict: ")]
    assert len(lines) == 3
    assert (
        sum("broken.tif" in line for line in lines) == sum("cut.tif" in line for line in lines) == 1
    )
    assert "2 of 40 inputs failed, see above." in lines[-1]
    assert reported.out.count("megapixels/s") == 38
    maps = sorted((tmp_path / "out").glob("*_classes.tif"))
    assert len(maps) == 38
    for scene in ("s00.tif", "s01.tif", "s02.tif"):
        predict_scene(tmp_path / "in" / scene, model, tmp_path / "alone", tile=32)
    for file in (tmp_path / "alone").glob("*.tif"):
        assert file.read_bytes() == (tmp_path / "out" / file.name).read_bytes()


def test_a_block_that_fails_is_a_hole_which_the_same_command_fills(
    tmp_path: Path, cluster: Cluster, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    scene = write_scene(
        tmp_path / "scene.tif",
        256,
        256,
        tiled=True,
        blockxsize=64,
        blockysize=64,
        compress="deflate",
    )
    predict_scene(scene, model, tmp_path / "alone", tile=32, confidence=True)
    with rasterio.open(scene) as file:
        place = int(file.get_tag_item("BLOCK_OFFSET_3_0", "TIFF", bidx=1))
    before, content = scene.stat(), scene.read_bytes()

    def put(damaged: bytes) -> None:
        scene.write_bytes(damaged)
        os.utime(scene, ns=(before.st_atime_ns, before.st_mtime_ns))

    put(content[:place] + b"\0" * 64 + content[place + 64 :])
    arguments = [str(scene), "--model", str(model), "--tile", "32", "--confidence"]
    arguments += ["--output", str(tmp_path / "out"), "--cluster", cluster.address, "--block", "128"]
    assert run(predict.__wrapped__, arguments) == INCOMPLETE
    reported = capsys.readouterr()
    hole, summary = reported.err.splitlines()
    assert "scene.tif, rows 0 to 1" in hole and "Get a whole copy" in hole
    assert "1 block failed, see above" in summary
    assert "1 of 4 blocks could not be computed" in reported.out
    holed, whole = (read(tmp_path / folder / "scene_classes.tif") for folder in ("out", "alone"))
    missing = holed != whole
    assert (holed[missing] == 255).all()
    assert missing[:120, 140:].all() and not missing[140:].any() and not missing[:, :120].any()

    assert run(predict.__wrapped__, arguments) == INCOMPLETE  # and does nothing but the hole
    capsys.readouterr()
    put(content)
    assert run(predict.__wrapped__, arguments) == DONE
    assert_same_files(tmp_path / "alone", tmp_path / "out")


def test_dask_is_loaded_when_it_is_asked_for_and_tensorflow_not_at_all_with_openvino(
    tmp_path: Path, model: Path
) -> None:
    scene = write_scene(tmp_path / "scene.tif", 64, 64)
    code = f"""
import sys
from segment.core.cluster.connect import connect
from segment.cluster.map_job import MapJob
from segment.cluster.scenes import predict_scenes
assert not {{"dask", "distributed"}} & set(sys.modules), "loaded before a cluster is asked for"
def loaded():
    return sorted({{"tensorflow", "keras"}} & set(sys.modules))
if __name__ == "__main__":
    with connect("local:2") as client:
        scene, model, output = {str(scene)!r}, {str(model)!r}, {str(tmp_path / "out")!r}
        address = client.cluster.scheduler_address
        (done,) = predict_scenes([scene], model, output, cluster=address, block=32)
        assert done.result and not done.problems, done
        found = client.run(loaded)
        assert len(found) == 2 and not any(found.values()), found
    assert "tensorflow" not in sys.modules
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    ended = subprocess.run(
        [sys.executable, script], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""


def environment() -> dict[str, str]:

    return os.environ | {"PYTHONPATH": str(ROOT)}


def test_scenes_of_which_none_can_be_begun_are_reported(
    tmp_path: Path, cluster: Cluster, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scenes = [str(write_scene(tmp_path / f"{name}.tif", 20, 20)) for name in "ab"]
    (tmp_path / "file").touch()
    arguments = [
        "--model",
        str(model),
        "--output",
        str(tmp_path / "file" / "sub"),
        "--cluster",
        cluster.address,
    ]
    assert run(predict.__wrapped__, [*scenes[:1], *arguments]) == INPUT_FAULT
    (line,) = capfd.readouterr().err.splitlines()
    assert str(tmp_path / "file") in line and "fault of ours" not in line
    assert run(predict.__wrapped__, [*scenes, *arguments]) == INPUT_FAULT
    assert len(capfd.readouterr().err.splitlines()) == 3


def test_one_scene_is_given_out_by_one_process(
    tmp_path: Path, cluster: Cluster, model: Path
) -> None:
    scene = write_scene(tmp_path / "scene.tif", 20, 20)
    other = BlockFolder(tmp_path / "out", "scene_classes.tif", "something else")
    other.open()
    (done,) = predict_scenes([scene], model, tmp_path / "out", cluster=cluster.address)
    other.close()
    assert done.result is None
    assert "is being written by process" in done.problems[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--cluster", "nowhere"], "not the address of a Dask scheduler"),
        (["--cluster", "local:0"], "not the address of a Dask scheduler"),
        (["--cluster", "tcp://127.0.0.1:1"], "no Dask scheduler found"),
        (["--block", "100"], "--block belongs to --cluster"),
    ],
)
def test_wrong_options_are_reported_in_a_line(
    tmp_path: Path,
    model: Path,
    options: list[str],
    expected: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("segment.core.cluster.connect._PATIENCE", 0.5)
    scene = write_scene(tmp_path / "scene.tif", 20, 20)
    assert (
        run(
            predict.__wrapped__,
            [str(scene), "--model", str(model), "--output", str(tmp_path), *options],
        )
        == INPUT_FAULT
    )
    (line,) = capfd.readouterr().err.splitlines()
    assert expected in line


def test_a_cluster_labels_scenes_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = write_scene(tmp_path / "scene.tif", 20, 20)
    assert run(classify_predict.__wrapped__, [str(scene), "--cluster", "local:1"]) == INPUT_FAULT
    assert "Add --grid" in capsys.readouterr().err


@pytest.mark.parametrize("other", [(20, 21, 0), (20, 20, 1)])
def test_another_scene_of_the_same_name_is_refused(
    tmp_path: Path, other: tuple[int, int, int]
) -> None:
    scene = Source(write_scene(tmp_path / "scene.tif", 20, 20))
    with scene.open() as raster:
        likeness = raster.likeness
    os.utime(tmp_path / "scene.tif", (1, 1))  # as a copy has it
    scene.require_alike(likeness)
    write_scene(tmp_path / "scene.tif", *other)
    with pytest.raises(ValueError, match="not the raster that the cluster was asked to map"):
        scene.require_alike(likeness)


def test_another_reference_of_the_same_name_is_refused(tmp_path: Path) -> None:
    scene = Source(write_scene(tmp_path / "scene.tif", 20, 20))
    mask = write_scene(tmp_path / "mask.tif", 20, 20)
    with scene.open() as raster:
        likeness = raster.likeness
    job: Any = partial(MapJob, folder=tmp_path, reference_table=None, confidence=False)
    job = partial(job, model=None, view=SimpleNamespace(source=scene), likeness=likeness)
    job = job(reference=Source(mask), samples=[sample_file(mask)])
    job.check_input()
    write_scene(mask, 20, 20, seed=1)
    with pytest.raises(ValueError, match="mask.tif: not the reference that the cluster"):
        job.check_input()
