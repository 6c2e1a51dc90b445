"""Which rasters the names on a command line mean."""

from pathlib import Path

import pytest

from segment.core.errors import InputError
from segment.core.inputs.named_scenes import find_sources
from segment.core.raster.sources import Source
from segment.mapping.result import MAP_ENDINGS


def names(found: list[Source]) -> list[str]:
    return [source.name for source in found]


def test_scenes_are_files_folders_patterns_and_what_gdal_resolves(tmp_path: Path) -> None:
    for name in (
        "b.tif",
        "a.png",
        "deep/c.TIF",
        "note.txt",
        "b_classes.tif",
        "b_mask.png",
        "b_overlay.jpg",
        "b_report.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    # not the maps beside
    assert names(find_sources([str(tmp_path)], MAP_ENDINGS)) == ["a.png", "b.tif"]
    assert names(find_sources([f"{tmp_path}/*.tif", str(tmp_path / "a.png")], MAP_ENDINGS)) == [
        "b.tif",
        "a.png",
    ]
    assert names(find_sources([f"{tmp_path}/**/*.TIF"], MAP_ENDINGS)) == ["c.TIF"]
    # if it is asked for
    assert names(find_sources([str(tmp_path / "b_classes.tif")], MAP_ENDINGS)) == ["b_classes.tif"]
    remote = [
        "/vsicurl/https://example.org/x/scene.tif?key=1",
        "s3://bucket/scene.tif",
        'NETCDF:"sea.nc":sst',
    ]
    assert [source.path for source in find_sources(remote, MAP_ENDINGS)] == remote
    assert names(find_sources(remote[:2], MAP_ENDINGS)) == ["scene.tif"] * 2
    # reported when it is opened
    assert names(find_sources([str(tmp_path / "missing.tif")], MAP_ENDINGS)) == ["missing.tif"]
    for nothing in (tmp_path / "deep" / "*.png", tmp_path / "none*"):
        with pytest.raises(InputError, match="no rasters found"):
            find_sources([str(nothing)], MAP_ENDINGS)
