"""A running app with the bundled model of maps and a tiny one of scene labels, and files that
nobody should upload.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from segment.core.labels.classes import Class
from segment.core.model.backend import load_keras
from segment.core.model.folder import save_model_folder
from segment.core.model.info import LabelInfo
from tests.conftest import write_raster
from tests.fakes import FakeModel, tiny_info

gradio = pytest.importorskip("gradio", reason="the extra app is not installed")


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder of model folders with a tiny one of scene labels, made by hand, which tells dark
    from bright.
    """
    keras = load_keras()
    inputs = keras.Input((32, 32, 3))
    mean = keras.initializers.Constant(1 / 27 / 255)
    convolution = keras.layers.Conv2D(4, 3, strides=4, activation="relu", kernel_initializer=mean)
    logits = keras.layers.Dense(2, name="logits")
    x = keras.layers.GlobalAveragePooling2D(name="features")(convolution(inputs))
    network = keras.Model(inputs, keras.layers.Softmax()(logits(x)))
    logits.set_weights([np.array([[-5, 5]] * 4, np.float32), np.array([10, -10], np.float32)])
    classes = [Class(name="dark", color="#202020"), Class(name="bright", color="#E0E0E0")]
    labels = LabelInfo(resize=32)
    info = tiny_info(task="classify", classes=classes, labels=labels)
    folder = tmp_path_factory.mktemp("models")
    (folder / "tiny").mkdir()
    save_model_folder(folder / "tiny", network, info)
    return folder


@pytest.fixture(scope="module")  # another server of the process would take its uploads
def server(models) -> Iterator[object]:
    from segment.app.server import Server

    with Server(port=0, models=models) as running:
        yield running
    assert not running.jobs.root.exists()


@pytest.fixture
def map_it(monkeypatch):
    """Maps a file with a model whose class is the value of the first band."""
    from segment.app.jobs.mapping import Settings, map_upload
    from segment.app.jobs.models import OfferedModels
    from segment.app.jobs.queue import Jobs

    jobs, shelf = Jobs(), OfferedModels()
    monkeypatch.setattr(shelf, "load", lambda task, name: FakeModel(bands=3))

    def run(pixels, truth=None, settings=None, **profile):
        place = jobs.uploads / "a"
        place.mkdir()
        scene = write_raster(place / "scene.tif", pixels, **profile)
        mask = None if truth is None else write_raster(place / "truth.tif", truth)
        job = jobs.begin("me", "map")
        return job.do(
            lambda: map_upload(
                job, shelf, jobs.received, scene, mask, settings or Settings("bundled", 0.25)
            )
        )

    yield run
    jobs.close()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> dict[str, Path]:
    """Files that must be refused, by what they are."""
    place = tmp_path_factory.mktemp("hostile")
    secret = write_raster(place / "secret.tif", np.full((64, 64, 3), 77, np.uint8))
    files = {
        "bomb": write_raster(place / "bomb.png", np.zeros((12_000, 12_000, 3), np.uint8), zlevel=9),
        "empty": place / "empty.tif",
        "claim": write_claim(place / "claim.tif"),
        "truncated": place / "truncated.tif",
        "program": place / "program.tif",
        "svg": place / "drawing.svg",
        "vrt": place / "list.vrt",
        "vrt as tif": place / "list.tif",
        "vrt in a jpeg": place / "list.jpg",
        "remote": place / "remote.vrt",
        "zip": place / "scene.zip",
    }
    files["empty"].write_bytes(b"")
    whole = write_raster(
        place / "whole.tif", np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    )
    files["truncated"].write_bytes(whole.read_bytes()[:100_000])
    files["program"].write_bytes(b"\x7fELF" + bytes(2000))
    files["svg"].write_text(
        '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    )
    for name, source in (("vrt", secret), ("remote", "/vsicurl/http://127.0.0.1:9/x.tif")):
        bands = "".join(
            '<VRTRasterBand dataType="Byte"'
            f' band="{b}"><SimpleSource><SourceFilename>{source}</SourceFilename>'
            f"<SourceBand>{b}</SourceBand></SimpleSource></VRTRasterBand>"
            for b in (1, 2, 3)
        )
        files[name].write_text(
            f'<VRTDataset rasterXSize="64" rasterYSize="64">{bands}</VRTDataset>'
        )
    files["vrt as tif"].write_bytes(files["vrt"].read_bytes())
    files["vrt in a jpeg"].write_bytes(b"\xff\xd8\xff\xfe\x20\x20" + files["vrt"].read_bytes())
    with zipfile.ZipFile(files["zip"], "w") as archive:
        archive.write(whole, "../../whole.tif")
    return files


def write_claim(path: Path) -> Path:
    """A TIFF of some hundred bytes whose header claims 10^9 pixels."""
    import rasterio

    profile = {"driver": "GTiff", "width": 40_000, "height": 25_000, "count": 3, "dtype": "uint8"}
    with rasterio.open(
        path, "w", tiled=True, blockxsize=4096, blockysize=4096, sparse_ok=True, **profile
    ):
        pass
    return path
