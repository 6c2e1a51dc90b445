"""Maps and labels of scenes of 16 bits, which a cluster makes by one scale."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed")

from classify.cluster.scenes import label_scenes
from classify.labelling.scene import label_scene
from classify.labelling.scene_inputs import scaled_sources
from segment.cluster.scenes import predict_scenes
from segment.core.inputs.scene_scales import scale_sources
from segment.core.model.folder import load_model_info
from segment.core.raster.sources import Source
from segment.mapping.predict import predict_scene
from tests.cluster.conftest import write_model
from tests.cluster.processes import Cluster
from tests.cluster.test_maps import assert_same_files
from tests.conftest import write_raster

pytestmark = pytest.mark.heavy


def write_scenes(folder: Path) -> list[Path]:
    """Two scenes of 16 bits, one dark and one bright."""
    return [
        write_raster(
            folder / f"{name}.tif",
            np.random.default_rng(seed).integers(low, low + 1500, (90, 120, 3)).astype(np.uint16),
            nodata=7,
        )
        for seed, (name, low) in enumerate((("dark", 0), ("bright", 2000)))
    ]


def test_maps(tmp_path: Path, cluster: Cluster, model: Path) -> None:
    scenes = write_scenes(tmp_path / "in")
    sources = scale_sources(
        [Source(path) for path in scenes], "auto", load_model_info(model).pixels
    )
    alone = [predict_scene(source, model, tmp_path / "alone") for source in sources]
    done = list(
        predict_scenes(scenes, model, tmp_path / "together", cluster=cluster.address, block=50)
    )
    assert not [problem for one in done for problem in one.problems]
    assert_same_files(tmp_path / "alone", tmp_path / "together")
    found = {one.result.report["scene"]: one.result.report for one in done if one.result}
    for result in alone:
        assert found[result.report["scene"]]["scale"] == result.report["scale"]
        assert "of 2 scenes" in result.report["scale"]["origin"]


def test_labels(tmp_path: Path, cluster: Cluster) -> None:
    scenes = write_scenes(tmp_path / "in")
    model = write_model(tmp_path / "model", "classify")
    info = load_model_info(model)
    for source in scaled_sources([Source(path) for path in scenes], info, "auto"):
        label_scene(source, model, tmp_path / "alone", grid=16)
    options = {"cluster": cluster.address, "block": 50, "grid": 16}
    done = list(label_scenes(scenes, model, tmp_path / "together", **options))
    assert not [problem for one in done for problem in one.problems]
    assert_same_files(tmp_path / "alone", tmp_path / "together")
