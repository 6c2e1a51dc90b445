"""Tiny test data: class tables, rasters and tile folders of a few pixels."""

import gc
import multiprocessing.process
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

from segment.core.labels.classes import Class, ClassTable, save_class_table
from segment.core.model.folder import load_model_info

# background processes ignore Ctrl-C, and so would their children
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")

RUN_FILES = {
    *("model.keras", "model.yaml", "tiles.npz", "config.yaml", "history.csv", "curves.png"),
    *("precision.json", "report.json", "report.html", "checkpoints"),
}
"""Names of the files of a finished run."""
SHARED = Path(__file__).parents[1].parent / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --fast."""
    parser.addoption("--fast", action="store_true", help="leave out tests marked slow or heavy")


def pytest_configure(config: pytest.Config) -> None:
    """Refuses Keras with --fast, also to test modules as they are collected: it takes seconds.

    Cyclic garbage is collected rarely: looking for it takes a sixth of the time of imports.
    """
    gc.set_threshold(50_000, 20, 100)
    if config.getoption("fast"):
        sys.modules.update(dict.fromkeys(("keras", "tensorflow")))


_HEAVY = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.heavy", re.MULTILINE)


class _LeftOut(pytest.File):
    """A module without tests."""

    def collect(self) -> list[pytest.Item]:
        return []


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    """Leaves out modules that are marked heavy as a whole: importing them imports Keras."""
    if parent.config.getoption("fast") and _HEAVY.search(module_path.read_text(encoding="utf-8")):
        return _LeftOut.from_parent(parent, path=module_path)
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that --fast does not run."""
    if not config.getoption("fast"):
        return
    left_out = {"slow", "heavy", "browser"}
    chosen = [item for item in items if left_out.isdisjoint(m.name for m in item.iter_markers())]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


@pytest.fixture(autouse=True, scope="session")
def _light(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuses other processes with --fast: tests that need them are marked heavy."""
    if not request.config.getoption("fast"):
        yield
        return

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("needs another process: mark it with pytest.mark.heavy", pytrace=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", refuse)
        patch.setattr(multiprocessing.process.BaseProcess, "start", refuse)
        yield


@pytest.fixture(autouse=True, scope="session")
def _float32(request: pytest.FixtureRequest) -> Iterator[None]:
    """Trains in float32 on every machine where nothing else is set."""
    if request.config.getoption("fast"):  # which trains nothing
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        times = {"float32": 1.0, "mixed_bfloat16": 1.0}
        patch.setattr("segment.core.training.precision.measure", lambda: times)
        yield


@pytest.fixture(scope="session")
def tiny_backbone() -> None:
    """Lets `model.backbone=tiny` be an encoder of five convolutions.

    A training of it takes a fraction of the time and of the disk space of one of resnet18.
    """
    from segment.core.networks.backbones import segmentation_models
    from tests.fakes import TINY_FEATURES, tiny_encoder

    package = segmentation_models()
    preprocess = package.get_preprocessing("efficientnetb0")
    package.Backbones._models_update["tiny"] = [tiny_encoder, preprocess]
    package.Backbones._default_feature_layers["tiny"] = TINY_FEATURES


@contextmanager
def without_pictures() -> Iterator[None]:
    """Trainings report without figures, which take longer to draw than these networks to train."""
    with pytest.MonkeyPatch.context() as patch:
        for package in ("segment", "classify"):
            patch.setattr(f"{package}.training.results.add_scores", lambda *_: None)
        patch.setattr("segment.core.training.finished_run.encode_figure", lambda *_: b"")
        yield


@pytest.fixture
def no_pictures() -> Iterator[None]:
    """Leaves figures out of the reports of trainings."""
    with without_pictures():
        yield


@pytest.fixture
def class_table() -> ClassTable:
    """Class table of land and water."""
    return ClassTable([Class(name="land", color="#804000"), Class(name="water", color="#0000FF")])


@pytest.fixture(scope="session")
def dubai() -> Path:
    """Folder of the Dubai data; tests are skipped without it."""
    folder = SHARED / "data" / "dubai"
    if not folder.is_dir():
        pytest.skip("the Dubai images are not here")
    return folder


def run_python(code: str, folder: Path) -> None:
    """Runs code of a document in a folder, in a process of its own without a display."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


def write_raster(path: Path, pixels: np.ndarray, **profile: object) -> Path:
    """Writes (rows, columns, bands) as a raster; GeoTIFFs get a CRS and 30 cm pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = pixels.shape
    options = {"height": height, "width": width, "count": count, "dtype": pixels.dtype}
    if path.suffix == ".tif":
        options |= {
            "crs": CRS.from_epsg(32640),
            "transform": from_origin(500_000, 2_700_000, 0.3, 0.3),
        }
    drivers = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG"}
    with rasterio.open(path, "w", driver=drivers[path.suffix], **(options | profile)) as file:
        file.write(pixels.transpose(2, 0, 1))
    return path


def write_bands(path: Path, pixels: np.ndarray, names: object = None, **profile: object) -> Path:
    """Writes (rows, columns, bands) as a raster whose bands are no colours but by their names."""
    if pixels.shape[2] > 3:
        profile = {"photometric": "minisblack", "alpha": "no"} | profile
    write_raster(path, pixels, **profile)
    if names:
        with rasterio.open(path, "r+") as file:
            file.descriptions = names
    return path


def two_class_scene(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draws an image whose blue half plane is water.

    Returns the image (rows, columns, 3) and its class indices (rows, columns, 1), both uint8.
    """
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    angle, offset = random.uniform(0, 2 * np.pi), random.uniform(-0.2, 0.2)
    water = np.cos(angle) * (rows / height - 0.5) + np.sin(angle) * (columns / width - 0.5) > offset
    colors = np.where(water[..., None], (30, 60, 160), (150, 120, 80))
    return np.clip(colors + random.normal(0, 10, (height, width, 3)), 0, 255).astype(
        np.uint8
    ), water[..., None].astype(np.uint8)


@pytest.fixture
def tile_folder(tmp_path: Path, class_table: ClassTable) -> Callable[..., Path]:
    """Function that makes a tile folder of some groups with `count` tiles of `size` pixels each."""

    def make(groups: int = 3, count: int = 2, size: int = 64) -> Path:
        root = tmp_path / "tiles"
        for group in range(groups):
            for tile in range(count):
                image, mask = two_class_scene(size, size, seed=group * 100 + tile)
                write_raster(root / f"scene{group}" / "images" / f"t{tile}.png", image)
                write_raster(root / f"scene{group}" / "masks" / f"t{tile}.png", mask)
        save_class_table(class_table, root / "classes.yaml")
        return root

    return make


def assert_fit_to_bundle(folder: Path) -> None:
    """Asserts that a model folder is small, int8 loses little, and the model card is complete."""
    assert (folder / "model.keras").stat().st_size <= 50e6
    assert sum(file.stat().st_size for file in (folder / "openvino").iterdir()) <= 25e6
    openvino = load_model_info(folder).openvino
    assert openvino.precision == "int8"
    for name, score in openvino.scores["keras"].items():
        assert openvino.scores["int8"][name] >= score - 0.005
    card = (folder / "README.md").read_text()
    for heading in ("## Data", "## Recipe", "## Figures", "## Not good at", "## Intended use"):
        assert heading in card
