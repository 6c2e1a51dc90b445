"""What is reported of folders of scenes: folders in them that are not searched, and masks."""

from pathlib import Path

import numpy as np

from segment.core.inputs.left_out import mask_notes, unsearched_notes
from segment.core.inputs.named_scenes import find_sources
from tests.conftest import write_raster


def found(folder: Path, **bands: int) -> list[str]:
    for name, count in bands.items():
        write_raster(folder / f"{name}.tif", np.zeros((8, 8, count), np.uint8))
    return mask_notes(find_sources([str(folder)]))


def test_rasters_of_one_band_beside_scenes_of_more_are_reported(tmp_path: Path) -> None:
    (note,) = found(tmp_path / "town", scene=3, truth=1)
    assert note.startswith("1 raster of one band beside") and "town/truth.tif: mapped" in note
    (note,) = found(tmp_path / "towns", a=4, b=3, a_mask=1, b_mask=1)
    assert note.startswith("2 rasters of one band")
    assert not found(tmp_path / "grey", a=1, b=1) and not found(tmp_path / "color", a=3, b=4)
    assert not found(tmp_path / "pairs", a=1, b=2)
    apart = [str(tmp_path / "grey"), str(tmp_path / "color"), "/vsicurl/http://localhost:1/a.tif"]
    assert not mask_notes(find_sources(apart))
    (tmp_path / "color" / "broken.tif").write_text("no raster")
    assert not mask_notes(find_sources([str(tmp_path / "color")]))


def test_folders_in_a_folder_are_reported_but_that_of_the_outputs(tmp_path: Path) -> None:
    for name in ("scene.tif", "out/scene_classes.tif", "north/scene.tif"):
        write_raster(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    (note,) = unsearched_notes([str(tmp_path)], tmp_path / "out")
    assert note.startswith("1 folder with images") and "north" in note
