from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from segment.core.cluster.worker_model import ModelReference
from segment.core.labels.classes import Class
from segment.core.model.conversion import import_openvino
from segment.core.model.folder import OPENVINO_FILES, save_model_info
from segment.core.model.info import LabelInfo, ModelInfo, OpenVinoInfo
from segment.core.model.weight_files import checksum
from tests.cluster.processes import Cluster
from tests.fakes import COLORS, NAMES


def write_model(folder: Path, task: str = "segment", dtype: str = "uint8") -> Path:
    """A model folder whose network is one convolution on OpenVINO: it sees where in a tile a pixel
    lies, by the padding.
    """
    openvino = import_openvino()
    from openvino import opset13 as op

    random = np.random.default_rng(0)
    pixels = op.parameter([-1, -1, -1, 3], np.dtype(dtype).type, "pixels")
    x = op.transpose(op.multiply(op.convert(pixels, "f32"), np.float32(1 / 64)), [0, 3, 1, 2])
    kernel = random.normal(size=(5, 3, 5, 5)).astype(np.float32)
    x = op.convolution(x, kernel, [1, 1], [2, 2], [2, 2], [1, 1])
    if task == "classify":
        x = op.softmax(op.reduce_mean(op.multiply(x, x), np.array([2, 3]), False), 1)
    else:
        x = op.transpose(op.softmax(x, 1), [0, 2, 3, 1])
    (folder / "openvino").mkdir(parents=True)
    openvino.save_model(openvino.Model([x], [pixels]), folder / "openvino" / "model.xml")
    (folder / "model.keras").touch()
    labels = {"labels": LabelInfo(resize=0)} if task == "classify" else {}
    table = [
        Class(name=name, color=color, value=10 * i)
        for i, (name, color) in enumerate(zip(NAMES, COLORS, strict=True))
    ]
    info = ModelInfo(
        task=task,
        name="tiny",
        classes=table,
        bands=3,
        dtype=dtype,
        range=(0, 255),
        tile=32,
        multiple=8,
        openvino=OpenVinoInfo(precision="fp16"),
        versions={"keras": "3"},
        checksums={name: checksum(folder / name) for name in OPENVINO_FILES},
        **labels,
    )
    save_model_info(folder, info)
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def reference(model: Path) -> ModelReference:
    return ModelReference.of(model, "segment", "openvino")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers that nobody harms."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.start_worker()
    cluster.start_worker()
    yield cluster
    cluster.end()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers, to be harmed."""
    cluster = Cluster(tmp_path / "own")
    yield cluster
    cluster.end()
