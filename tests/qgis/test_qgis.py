"""The plug-in in a real QGIS, without a window: as a command, in a session, in a model."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import rasterio
import yaml
from PIL import Image

from segment import write_sample

ROOT = Path(__file__).parents[2]
# qgis_process of Debian is a script that passes on an option which qgis_process lacks
PROCESS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
PYTHON = "/usr/bin/python3"
COMMANDS = ("segment-predict", "classify-predict", "segment-tile", "segment-train")
CLASSES = ["building", "land", "road", "vegetation", "water"]


def knows_qgis() -> bool:
    if PROCESS is None or not Path(PYTHON).exists():
        return False
    search = [PYTHON, "-c", "import qgis.core"]
    return subprocess.run(search, capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.heavy,
    pytest.mark.skipif(not knows_qgis(), reason="QGIS is not installed"),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Town, output folder, and the environment variables of a QGIS that has the plug-in."""
    base = tmp_path_factory.mktemp("qgis")
    town, folder = base / "neue Stadt", base / "out"
    write_sample(town, 256, 256)
    large = write_sample(base / "large", 768, 768)
    (large / "scene.tif").rename(town / "large.tif")
    folder.mkdir()
    Image.new("RGB", (64, 64), "green").save(folder / "plain.png")
    commands = base / "environment" / "bin"
    commands.mkdir(parents=True)
    for name in COMMANDS:
        package, function = name.split("-")
        script = commands / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            f"sys.argv[0] = {name!r}\nfrom {package}.cli import {function}\n{function}()\n"
        )
        script.chmod(0o755)
    (base / "run").mkdir(mode=0o700)
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment = kept | {
        "HOME": str(base),
        "PATH": "/usr/bin:/bin",
        "QT_QPA_PLATFORM": "offscreen",
        "XDG_RUNTIME_DIR": str(base / "run"),
        "QGIS_PLUGINPATH": str(ROOT / "qgis"),
        "AERIAL_SEGMENT_ENVIRONMENT": str(commands.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    enable = [PROCESS, "plugins", "enable", "aerial_segment"]
    subprocess.run(enable, env=environment, check=True, capture_output=True)
    return town, folder, environment


def process(environment, algorithm, *parameters):
    """Runs an algorithm with qgis_process; returns what it prints as JSON, and its status."""
    command = [PROCESS, "--json", "run", algorithm, "--", *parameters]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    start = done.stdout.find("{")
    return json.loads(done.stdout[start:]) if start >= 0 else {}, done


@pytest.fixture(scope="module")
def found(places):
    town, folder, environment = places
    script = Path(__file__).with_name("session.py")
    command = [PYTHON, str(script), str(ROOT / "qgis"), str(town), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (folder / "found.json").exists(), done.stderr
    return json.loads((folder / "found.json").read_text())


def test_a_map_is_loaded_with_its_styles(found, places):
    shown = found["map_and_load"]
    assert shown["problems"] == []
    assert shown["legends"]["scene: land cover"][1:] == CLASSES
    assert shown["legends"]["scene: land cover polygons"] == CLASSES
    assert shown["renderers"]["scene: confidence"] == "singlebandpseudocolor"
    with rasterio.open(shown["results"]["CLASSES"]) as raster:
        pixels, table = raster.read(1), raster.colormap(1)
    shares = {
        "#{:02x}{:02x}{:02x}".format(*table[value][:3]): (pixels == value).mean()
        for value in set(pixels.ravel().tolist())
    }
    assert shown["colors"] == pytest.approx(shares, abs=0.02)


def test_messages_and_progress_arrive(found):
    shown = found["map_and_load"]
    assert shown["tasks"][0] == "mapping scene.tif"
    assert 100 in shown["steps"]
    assert "256 x 256 px" in shown["info"][0] and "building" in shown["info"][0]
    assert shown["console"] == []


def test_an_area_alone_is_mapped_and_not_loaded(found):
    shown = found["map_area"]
    assert shown["problems"] == [] and shown["added"] == 0
    whole = found["map_and_load"]["results"]["CLASSES"]
    with rasterio.open(shown["results"]["CLASSES"]) as part, rasterio.open(whole) as raster:
        mapped = part.read(1, masked=True)
        left, bottom, _, top = part.bounds
        assert (left, bottom, top) == (raster.bounds.left, raster.bounds.bottom, raster.bounds.top)
        assert mapped[:, :128].count() == 128 * 256 and mapped[:, 128:].count() == 0


@pytest.mark.parametrize(
    "kind, classes",
    [
        ("memory", {"house", "road", "rest"}),
        ("selected", {"house", "rest"}),
        ("stored", {"house", "road", "rest"}),
        ("filtered", {"road", "rest"}),
        ("path", {"house", "road", "rest"}),
    ],
)
def test_labels_are_the_features_that_the_layer_shows(found, places, kind, classes):
    assert found["cut_tiles"][kind] == []
    table = yaml.safe_load((places[1] / "tiles" / kind / "classes.yaml").read_text())
    assert {entry["name"] for entry in table} == classes


def test_problems_are_one_line_each(found):
    edits = "Labels: edited has edits that are not saved. Save them first."
    assert found["cut_tiles"]["edited"] == [edits]
    expected = {
        "server": r"Scene: Karte is no file \(wms\)\. Save it as a GeoTIFF first: Layer, Save As\.",
        "moved scene": r"Scene: moved is shown in .* EPSG:3857 .*, but its file has .*",
        "moved labels": r"Labels: lost is shown in .* EPSG:3857 .*, but its file has .*",
        "neither": r"Give either labels or a mask\. Received neither\.",
        "both": r"Give either labels or a mask\. Received both\.",
        "no field": r"Labels need the field of the class\.",
        "no place": r"Area: the scene has no coordinate system\. Leave the area empty\.",
        "no tiles": r"segment-train: .*no `images` and `masks` side by side.*",
    }
    for name, pattern in expected.items():
        (problem,) = found["refusals"][name]
        assert re.fullmatch(pattern, problem)
    (problem,) = found["map_and_load"]["again"]
    assert 'exists. Add "Replace an earlier map" to replace it' in problem
    assert not (Path(found["map_area"]["results"]["OUTPUT"]).parent / "refused").exists()


def test_cancelling_ends_the_command(found, places):
    assert found["cancel"]["results"] == {} and found["cancel"]["problems"] == []
    assert any("stopped" in line for line in found["cancel"]["console"])
    assert not list(places[1].glob("stopped/*_classes.tif"))


def test_a_model_maps_and_counts(found, places):
    town, folder, environment = places
    assert found["save_model"] is True
    table = folder / "shares.csv"
    scene = f"scene={town / 'scene.tif'}"
    model = str(folder / "shares.model3")
    _, done = process(environment, model, scene, f"count:table={table}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(table.read_text().splitlines()) > 3


def test_the_command_line_of_qgis_labels_cuts_and_trains(places):
    town, folder, environment = places
    scene = f"INPUT={town / 'scene.tif'}"
    labels, _ = process(
        environment, "aerial_segment:labelcells", scene, "CELL=64", "OUTPUT=TEMPORARY_OUTPUT"
    )
    assert labels["results"]["LABELS"].endswith("scene_labels.tif")
    assert labels["results"]["CELLS"].endswith("scene_labels.gpkg")
    tiles, run = folder / "town tiles", folder / "run"
    mask = f"MASK={town / 'truth.tif'}"
    process(environment, "aerial_segment:cuttiles", scene, mask, f"OUTPUT={tiles}", "SIZE=64")
    assert len(list((tiles / "images").iterdir())) == 16
    trained, done = process(
        environment, "aerial_segment:train", f"TILES={tiles}", "EPOCHS=1", f"OUTPUT={run}"
    )
    assert trained.get("results", {}).get("OUTPUT") == str(run), done.stdout + done.stderr
    assert (run / "model.keras").exists()


def test_the_zip_holds_the_plug_in(tmp_path):
    shutil.copytree(ROOT / "qgis", tmp_path / "qgis")
    for name in ("Makefile", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "qgis/aerial_segment/__pycache__").mkdir(exist_ok=True)
    (tmp_path / "qgis/aerial_segment/__pycache__/plugin.pyc").write_text("")
    subprocess.run(["make", "qgis"], cwd=tmp_path, check=True, capture_output=True)
    with zipfile.ZipFile(tmp_path / "dist/aerial_segment_qgis.zip") as file:
        names = set(file.namelist())
    assert {"aerial_segment/metadata.txt", "aerial_segment/LICENSE"} <= names
    assert all(name.startswith("aerial_segment/") for name in names)
    assert not any("pycache" in name for name in names)
