"""Rasters of odd kinds are seen by a model of RGB as they look, or refused for a plain reason."""

import re
from pathlib import Path

import numpy as np
import pytest

from segment.bundled import BUNDLED
from segment.core.errors import InputError
from segment.core.inputs.named_scenes import find_sources
from segment.core.inputs.scene_scales import SceneScales
from segment.core.model.folder import load_model_info
from segment.mapping.predict import check_input
from tests.odd_rasters import MAPPED, REFUSED, draw

PICTURE = draw()
UNLIKE = ("constant", "one_", "all_")
"""Rasters that do not show the picture begin so."""
STATED = {
    "grey.tif": "The scene is grey",
    "grey_alpha.png": "The scene is grey",
    "four.tif": "does not state which of its 4 bands",
    "five.tif": "does not state which of its 5 bands",
    "bgrn.tif": "Bands 3,2,1 of 4 are read",
    "sentinel2.tif": "Bands 4,3,2 of 13 are read",
    "palette.tif": "colours of the palette",
    "palette_alpha.tif": "colours of the palette",
    "false_colour.tif": "names its band 1 near infrared",
    "huge_undeclared.tif": "--nodata -3.4",
    "scale_offset.tif": "states (0.0001 and -0.1) are not applied",
    "other_units.tif": "another scale and offset for some bands (2 and 0, 1 and 10)",
    "thermal.tif": "names its band 2 Thermal 10800 nm, and none green",
    "hue.vrt": "names its band 1 hue, and none red or green or blue",
    "false_colour_s2.tif": "names its band 2 red, and none blue",
    "radar.tif": "names its band 1 VV",
}
"""What is noted of a raster."""
SCALED = (
    *("12", "16", "signed", "int32", "float", "nan", "infinite", "huge", "minus9999"),
    *("scale_", "reflectance", "sentinel"),
)
"""What the names of rasters hold that are brought to 8 bits."""
HIDDEN = (
    *("nan.tif", "nan_undeclared.tif", "infinite.tif", "huge_nodata.tif", "minus9999.tif"),
    *("mask_band.tif", "rgba.tif", "palette_alpha.tif"),
)
"""Rasters whose upper third is nodata."""


def seen(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Pixels as the bundled model sees them, which are valid, and what is noted."""
    info = load_model_info(BUNDLED)
    scales = SceneScales.of("auto", info.pixels)
    (source,) = find_sources([str(path)])
    check_input(scales.planned([source])[0], info)
    (source,) = scales.scaled([source])
    with source.open(info.wanted_bands) as raster:
        notes = [*raster.notes, raster.undeclared_nodata() or ""]
        return *raster.read(), " ".join(notes)


@pytest.mark.heavy
@pytest.mark.parametrize("name", MAPPED)
def test_it_is_seen_as_it_looks(tmp_path, name):
    pixels, valid, notes = seen(MAPPED[name](tmp_path / name, PICTURE))
    assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
    assert STATED.get(name, "") in notes
    if name.startswith("all_"):
        assert not valid.any()
        return
    assert ("are brought to 8 bits" in notes) == any(kind in name for kind in SCALED)
    if name.startswith(UNLIKE):
        assert valid.all()
        return
    third = len(PICTURE) // 3
    assert valid[third:].all()
    assert valid[:third].any() != (name in HIDDEN)
    colors = PICTURE[third:, :, :1] if name.startswith("grey") else PICTURE[third:]
    for band in range(3):
        found, expected = pixels[third:, :, band], colors[..., band % colors.shape[2]]
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.7


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_for_a_reason(tmp_path, name):
    writer, reason = REFUSED[name]
    with pytest.raises(InputError) as error:
        seen(writer(tmp_path / name, PICTURE))
    assert re.search(reason, str(error.value))
