"""Scenes whose numbers are in other units than those of the others are named."""

import numpy as np

from segment.core.inputs.scene_samples import warn_of_narrow
from segment.core.inputs.scene_scales import ModelPixels, scale_sources
from segment.core.pixels.band_scale import BandScale
from segment.core.progress import Silent
from segment.core.raster.sources import Source
from tests.conftest import write_raster


class Lines(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_a_scene_of_other_units_is_named(tmp_path):
    random, said = np.random.default_rng(0), Lines()
    shares = random.random((40, 40, 3)).astype(np.float32)
    sources = [
        Source(write_raster(tmp_path / name, pixels))
        for name, pixels in (("a.tif", shares * 9000), ("b.tif", shares), ("c.tif", shares * 8000))
    ]
    found = scale_sources(sources, "auto", ModelPixels(3, "uint8"), said)
    assert len({source.scale for source in found}) == 1
    assert len(said.lines) == 1
    assert "1 of 3 scenes of float32, such as b.tif, take a small part" in said.lines[0]
    scale_sources(sources[:1], "auto", ModelPixels(3, "uint8"), said)
    scale_sources([sources[0], sources[2]], "auto", ModelPixels(3, "uint8"), said)
    assert len(said.lines) == 1


def test_fill_values_and_flat_scenes_are_not_narrow():
    scale = BandScale((0.0,), (1000.0,), "float32", "the values that were given")
    values = np.linspace(0, 1000, 500, dtype=np.float32)[:, None]
    flat, empty = np.full((9, 1), 40, np.float32), np.empty((0, 1), np.float32)
    filled = np.concatenate([values, np.full((5000, 1), -9999, np.float32)])
    assert warn_of_narrow([values, flat, empty, filled], ["a", "b", "c", "d"], scale) is None
