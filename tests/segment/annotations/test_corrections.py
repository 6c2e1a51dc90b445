"""Polygons of a map are edited and come back as labels, alone or on top of earlier ones."""

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from segment.annotations.label_layers import stack_labels
from segment.annotations.vector_labels import VectorLabels
from segment.core.errors import InputError
from segment.core.labels.classes import load_class_table, save_class_table
from segment.core.raster.opening import open_raster
from segment.data.cutting import cut_scene
from segment.map_outputs.polygons import write_polygons
from tests.conftest import write_raster
from tests.segment.annotations.test_vector_labels import box, run_tile, scene, write


def mapped(folder: Path, class_table, simplify: float = 0) -> tuple[Path, Path, np.ndarray]:
    """A scene, the polygons of its map as segment-predict writes them, and the map."""
    values = np.random.default_rng(0).integers(0, 2, (8, 12)).astype(np.uint8)
    values = np.kron(values, np.ones((8, 8), np.uint8))
    values[:8, :8] = 255
    file = scene(folder, 64, 96)
    with rasterio.open(file) as grid:
        place = {"transform": grid.transform, "crs": grid.crs}
    classes = write_raster(folder / "classes.tif", values[..., None], nodata=255, **place)
    path = folder / "scene.gpkg"
    with open_raster(file) as raster:
        write_polygons(classes, raster, class_table, path, "scene", simplify=simplify)
    return file, path, values


def read_back(tiles: Path) -> np.ndarray:
    """The masks of 32 px of a tile folder, put together, as indices of the classes."""
    whole = np.full((64, 96), 255, np.uint8)
    for path in (tiles / "masks").iterdir():
        row, column = int(path.stem[1:7]), int(path.stem[9:])
        with rasterio.open(path) as mask:
            whole[row : row + 32, column : column + 32] = mask.read(1)
    return whole


def test_polygons_of_a_map_are_the_map_again(tmp_path, class_table):
    file, path, values = mapped(tmp_path, class_table)
    cut_scene(file, VectorLabels(path=path, field="class"), tmp_path / "tiles", 32)
    assert np.array_equal(read_back(tmp_path / "tiles"), values)
    assert load_class_table(tmp_path / "tiles" / "classes.yaml").names == ["land", "water"]


def test_edited_polygons_come_back_alone_and_on_top(tmp_path, class_table):
    file, path, values = mapped(tmp_path, class_table)
    _, _, geometries, columns = pyogrio.raw.read(path, layer="scene")
    meta = pyogrio.read_info(path, layer="scene")
    names = columns[list(meta["fields"]).index("class")].astype(object)
    polygons = shapely.from_wkb(geometries)
    largest = np.argsort(-shapely.area(polygons))
    changed, deleted = largest[0], largest[1]
    names[changed] = "road"  # a class that the map does not have
    kept = np.arange(len(names)) != deleted
    edited = write(tmp_path / "edited.gpkg", polygons[kept], **{"class": names[kept]})

    def pixels_of(index: int) -> np.ndarray:
        with rasterio.open(file) as raster:
            return rasterio.features.rasterize(
                [(polygons[index], 1)], (64, 96), transform=raster.transform
            ).astype(bool)

    cut_scene(file, VectorLabels(path=edited, field="class"), tmp_path / "alone", 32)
    expected = np.array([0, 2, *[255] * 254], np.uint8)[values]  # land, road, water
    expected[pixels_of(changed)] = 1
    on_top = expected.copy()
    expected[pixels_of(deleted)] = 255
    assert np.array_equal(read_back(tmp_path / "alone"), expected)
    # what was deleted is as it was in the labels below
    status, _ = run_tile(
        *(file, "--labels", path, "--labels", edited, "--field", "class", "--size", 32),
        *("--output", tmp_path / "top", "-q"),
    )
    assert status == 0
    assert np.array_equal(read_back(tmp_path / "top"), on_top)


def test_corrections_are_on_top_whatever_their_size(tmp_path):
    file = scene(tmp_path, 64, 96)
    small = write(tmp_path / "old.gpkg", [box(10, 10, 14, 14), box(60, 0, 90, 60)], kind=["a", "b"])
    large = write(tmp_path / "new.gpkg", [box(0, 0, 40, 40)], use=["b"])
    labels = [
        VectorLabels(path=small, field="kind", background="a"),
        VectorLabels(path=large, field="use", background="a"),
    ]
    with open_raster(file) as raster:
        layers = stack_labels(labels, raster)
        whole = layers.read()[..., 0]
        window = layers.read(5, 20, 8, 30)[..., 0]
        upside_down = stack_labels(labels[::-1], raster).read()[..., 0]
    assert (whole[:40, :40] == 1).all() and (whole[40:, :60] == 0).all()  # the background below
    assert np.array_equal(window, whole[5:25, 8:38])
    assert (upside_down[10:14, 10:14] == 0).all() and (upside_down[:10, :40] == 1).all()


def test_a_class_table_and_its_colours_are_kept(tmp_path, class_table):
    file, path, values = mapped(tmp_path, class_table)
    save_class_table(class_table, tmp_path / "classes.yaml")
    labels = [VectorLabels(path=path, field="class")] * 2
    cut_scene(file, labels, tmp_path / "tiles", 32, classes=tmp_path / "classes.yaml")
    found = load_class_table(tmp_path / "tiles" / "classes.yaml")
    assert [c.color for c in found.classes] == [c.color for c in class_table.classes]
    assert np.array_equal(read_back(tmp_path / "tiles"), values)


def test_options_once_for_all_or_once_for_each(tmp_path):
    file = scene(tmp_path)
    one = write(tmp_path / "one.gpkg", [box(0, 0, 9, 9)], kind=["a"])
    two = write(tmp_path / "two.gpkg", [box(0, 20, 9, 29)], use=["b"])
    out = ("--output", tmp_path / "tiles", "--size", 32, "-q")
    both = ("--labels", one, "--labels", two)
    status, line = run_tile(file, *both, *["--field", "kind"] * 3, *out)
    assert status == 2 and "--field is given once for all --labels or once for each" in line
    status, line = run_tile(file, *both, "--field", "kind", *out)
    assert status == 2 and "two.gpkg: has no field 'kind'" in line and line.count("\n") == 1
    assert not (tmp_path / "tiles").exists()
    status, _ = run_tile(file, *both, "--field", "kind", "--field", "use", *out)
    assert status == 0 and (tmp_path / "tiles").exists()


def test_an_empty_list_of_corrections_is_refused(tmp_path):
    file = scene(tmp_path)
    far = write(tmp_path / "far.gpkg", [box(900, 900, 950, 950)], kind=["b"])
    near = write(tmp_path / "near.gpkg", [box(0, 0, 9, 9)], kind=["a"])
    labels = [VectorLabels(path=path, field="kind") for path in (near, far)]
    with pytest.raises(InputError, match=r"far\.gpkg: none of 1 shapes lies"):
        cut_scene(file, labels, tmp_path / "tiles", 32)
    assert not (tmp_path / "tiles").exists()


def test_a_correction_to_what_is_no_class_hides_the_label_below(tmp_path, class_table):
    file = scene(tmp_path, 64, 96)
    below = write(tmp_path / "below.gpkg", [box(0, 0, 64, 64)], **{"class": ["land"]})
    above = write(
        tmp_path / "above.gpkg",
        [box(0, 0, 16, 16), box(32, 32, 48, 48)],
        **{"class": ["water", "construction"]},
    )
    with open_raster(file) as raster:
        labels = [VectorLabels(path=path, field="class") for path in (below, above)]
        layers = stack_labels(labels, raster, class_table)
        found = layers.read(0, 64, 0, 96)[..., 0]
    assert any("construction" in note for note in layers.notes)
    wanted = np.full((64, 96), 255, np.uint8)
    wanted[:, :64], wanted[:16, :16], wanted[32:48, 32:48] = 0, 1, 255
    assert np.array_equal(found, wanted)
