import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.transform import Affine, from_origin

from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable
from segment.core.raster.opening import open_raster
from segment.map_outputs.polygons import choose_format, write_polygons
from segment.mapping.options import MapOptions
from tests.conftest import write_raster
from tests.fakes import COLORS, NAMES

PALETTE = ClassTable(
    [
        Class(name=n, color=c, value=10 * i)
        for i, (n, c) in enumerate(zip(NAMES, COLORS, strict=True))
    ]
)
GRIDS = {
    "utm": {},
    "geographic": {"crs": CRS.from_epsg(4326), "transform": from_origin(55, 25, 1e-5, 1e-5)},
    "mercator at 60 degrees north": {
        "crs": CRS.from_epsg(3857),
        "transform": from_origin(6e6, 8.4e6, 1, 1),
    },
    "turned": {
        "transform": Affine.translation(5e5, 27e5) @ Affine.rotation(30) @ Affine.scale(0.3, -0.3)
    },
    "none": {"crs": None, "transform": None},
}


def polygonise(
    folder: Path, values: np.ndarray, grid: str = "utm", **options: float
) -> tuple[np.ndarray, dict[str, Any]]:
    """Polygons of class values (rows, columns) in pixels, and their fields."""
    classes, path = folder / "classes.tif", folder / "map.gpkg"
    write_raster(classes, values.astype(np.uint8)[..., None], nodata=255, **GRIDS[grid])
    path.unlink(missing_ok=True)
    with open_raster(classes) as scene:
        count = write_polygons(classes, scene, PALETTE, path, "map", **options)
        inverse = ~scene.transform
    meta, _, geometry, fields = pyogrio.raw.read(path, layer="map")
    assert len(geometry) == count
    polygons = shapely.transform(
        shapely.from_wkb(geometry), lambda x, y: inverse @ (x, y), interleaved=False
    )
    return shapely.set_precision(polygons, 1e-3), dict(zip(meta["fields"], fields, strict=True)) | {
        "crs": meta["crs"]
    }


def assert_coverage(polygons: np.ndarray, pixels: int) -> None:
    """Every polygon is sound, and together they cover so many pixels once, sharing their borders
    vertex by vertex.
    """
    assert shapely.is_valid(polygons).all()
    assert (shapely.area(polygons) > 0).all()
    assert shapely.coverage_is_valid(polygons)
    assert shapely.area(polygons).sum() == pytest.approx(pixels, rel=1e-6)


def patches(height: int, width: int, seed: int = 0, missing: bool = True) -> np.ndarray:
    """A map-like class raster: smooth patches of five classes, some nodata among them."""
    random = np.random.default_rng(seed)
    fields = [cv2.GaussianBlur(random.normal(size=(height, width)), (0, 0), 4) for _ in range(6)]
    values = np.argmax(fields[:5], axis=0) * 10
    return np.where(missing & (fields[5] > 0.15), 255, values).astype(np.uint8)


@pytest.mark.heavy
@pytest.mark.parametrize("grid", GRIDS)
def test_polygons_along_pixel_edges_are_the_map(tmp_path: Path, grid: str) -> None:
    values = patches(60, 90)
    polygons, fields = polygonise(tmp_path, values, grid, simplify=0)
    assert_coverage(polygons, np.count_nonzero(values != 255))
    drawn = rasterize(
        zip(polygons, fields["value"], strict=True), values.shape, fill=255, dtype="uint8"
    )
    np.testing.assert_array_equal(drawn, values)
    if grid != "none":
        assert CRS.from_user_input(fields["crs"]) == GRIDS[grid].get("crs", CRS.from_epsg(32640))


@pytest.mark.parametrize("simplify", [0, 1])
@pytest.mark.parametrize("grid", GRIDS)
def test_areas_are_those_of_the_pixels(tmp_path: Path, grid: str, simplify: float) -> None:
    values = patches(60, 90)
    _, fields = polygonise(tmp_path, values, grid, simplify=simplify)
    if grid == "none":
        assert np.isnan(fields["area_m2"]).all()
        return
    with open_raster(tmp_path / "classes.tif") as scene:
        by_row = scene.row_pixel_areas(0, 60)
    for entry in PALETTE.classes:
        expected = by_row @ (values == entry.value).sum(axis=1)
        found = fields["area_m2"][fields["value"] == entry.value].sum()
        assert found == pytest.approx(expected, rel=0.03 if simplify else 1e-6), entry
    assert fields["area_m2"].sum() == pytest.approx(by_row @ (values != 255).sum(axis=1), rel=1e-6)


@pytest.mark.parametrize("grid", ["geographic", "mercator at 60 degrees north"])
def test_areas_are_geodesic(tmp_path: Path, grid: str) -> None:
    values = patches(200, 200)
    _, fields = polygonise(tmp_path, values, grid, simplify=0)
    with open_raster(tmp_path / "classes.tif") as scene:
        to_degrees, ellipsoid = scene.geodetic()
    polygons = shapely.from_wkb(pyogrio.raw.read(tmp_path / "map.gpkg", layer="map")[2])
    for polygon, area in zip(polygons, fields["area_m2"], strict=True):
        placed = shapely.transform(shapely.orient_polygons(polygon), to_degrees, interleaved=False)
        assert area == pytest.approx(abs(ellipsoid.geometry_area_perimeter(placed)[0]), rel=1e-5)


def test_each_polygon_has_name_value_and_colour(tmp_path: Path) -> None:
    _, fields = polygonise(tmp_path, patches(60, 90))
    names = dict(
        zip([c.value for c in PALETTE.classes], zip(NAMES, COLORS, strict=True), strict=True)
    )
    found = zip(fields["class"], fields["color"], strict=True)
    assert [names[value] for value in fields["value"]] == list(found)
    assert set(fields["class"]) == set(NAMES)


@pytest.mark.heavy
@settings(max_examples=30)
@given(
    arrays(
        np.uint8,
        array_shapes(min_dims=2, max_dims=2, max_side=14),
        elements=st.sampled_from([0, 10, 20, 255]),
    ),
    st.sampled_from([0, 0.5, 1, 3]),
)
def test_every_simplified_map_is_a_coverage(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray, simplify: float
) -> None:
    # areas of all sizes, holes, islands, corners that touch
    values = np.kron(values, np.ones((2, 3), int))[1:]
    polygons, _ = polygonise(tmp_path_factory.getbasetemp(), values, "none", simplify=simplify)
    untouched, _ = polygonise(tmp_path_factory.getbasetemp(), values, "none", simplify=0)
    assert len(polygons) == len(untouched)
    if len(polygons):
        assert_coverage(polygons, np.count_nonzero(values != 255))


@pytest.mark.parametrize("grid", GRIDS)
def test_simplified_patches_are_a_coverage(tmp_path: Path, grid: str) -> None:
    values = patches(150, 140, seed=3)
    untouched, _ = polygonise(tmp_path, values, grid, simplify=0)
    polygons, _ = polygonise(tmp_path, values, grid)
    assert_coverage(polygons, np.count_nonzero(values != 255))
    assert len(polygons) == len(untouched)
    assert (
        shapely.get_num_coordinates(polygons).sum()
        < 0.6 * shapely.get_num_coordinates(untouched).sum()
    )
    outline = shapely.union_all(untouched)  # towards nodata and outside no pixel edge moves
    assert shapely.equals(
        shapely.normalize(shapely.union_all(polygons)), shapely.normalize(outline)
    )


@pytest.mark.parametrize("slope", [1 / 30, 0.1, 0.3, 0.7, 1, 3, 12])
def test_slanted_borders_lose_their_stairs(tmp_path: Path, slope: float) -> None:
    rows, columns = np.mgrid[:80, :80]
    above = (rows - 40 + 0.01) < slope * (columns - 40)
    polygons, _ = polygonise(tmp_path, np.where(above, 0, 10))
    border = shapely.line_merge(shapely.intersection(*polygons))
    assert shapely.get_num_coordinates(border) < 20  # of 100 and more
    x, y = shapely.get_coordinates(border).T
    offsets = np.abs(y - 40 - slope * (x - 40)) / np.hypot(1, slope)
    assert offsets.max() < 1


def test_buildings_keep_their_corners(tmp_path: Path) -> None:
    values = np.full((40, 50), 10)
    values[8:20, 12:40] = 0
    polygons, fields = polygonise(tmp_path, values)
    building = polygons[fields["class"] == "building"][0]
    assert shapely.equals(building, shapely.box(12, 8, 40, 20))
    assert shapely.get_num_coordinates(building) == 5


def test_specks_are_kept_as_they_are(tmp_path: Path) -> None:
    values = np.full((30, 30), 10)
    values[5, 5], values[12, 10:12], values[20:22, 20:22] = 0, 20, 30
    polygons, fields = polygonise(tmp_path, values)
    sizes = dict(zip(fields["class"], shapely.area(polygons), strict=True))
    assert sizes == pytest.approx({"building": 1, "road": 2, "vegetation": 4, "land": 893})


@pytest.mark.heavy
@pytest.mark.parametrize(("grid", "pixel"), [("utm", 0.09), ("none", 1), ("geographic", 1.1179)])
def test_small_areas_become_part_of_their_largest_neighbour(
    tmp_path: Path, grid: str, pixel: float
) -> None:
    values = np.full((30, 40), 10)
    values[:, 20:] = 20
    values[5:9, 18:21] = 0  # 12 pixels, 8 of them beside the left area and as many beside the right
    values[20:23, 5:9] = 30
    values[25, 30:40] = 255
    values[3:6, 30:36] = 255
    values[4, 32:34] = 40  # with nodata around it only
    polygons, fields = polygonise(tmp_path, values, grid, simplify=0, min_area=12 * pixel)
    # none is smaller
    assert sorted(fields["class"]) == ["building", "land", "road", "vegetation", "water"]
    polygons, fields = polygonise(tmp_path, values, grid, simplify=0, min_area=12.5 * pixel)
    assert sorted(fields["class"]) == ["land", "road", "water"]
    drawn = rasterize(
        zip(polygons, fields["value"], strict=True), values.shape, fill=255, dtype="uint8"
    )
    np.testing.assert_array_equal(drawn == 255, values == 255)
    assert set(drawn[20:23, 5:9].ravel()) == {10}
    polygons, _ = polygonise(tmp_path, values, grid, min_area=12.5 * pixel)
    assert_coverage(polygons, np.count_nonzero(values != 255))


def test_noise_is_sieved_away(tmp_path: Path) -> None:
    random, values = np.random.default_rng(0), patches(120, 120, missing=False)
    noisy = np.where(
        random.random(values.shape) < 0.1, random.integers(0, 5, values.shape) * 10, values
    )
    many, _ = polygonise(tmp_path, noisy)
    few, _ = polygonise(tmp_path, noisy, min_area=20 * 0.09)
    assert len(few) < len(many) / 10
    assert_coverage(few, values.size)
    assert shapely.area(few).min() > 10


@pytest.mark.parametrize("min_area", [40, 1e12])
def test_a_smallest_area_larger_than_all_leaves_one_polygon(
    tmp_path: Path, min_area: float
) -> None:
    values = np.full((20, 20), 10)
    values[:8], values[15:, 15:], values[2, 2] = 20, 30, 40
    polygons, fields = polygonise(tmp_path, values, min_area=min_area)
    assert list(fields["class"]) == ["land"] and shapely.area(polygons).sum() == 400


@pytest.mark.parametrize("name", ["a!b", "a;b", "a\nb", "a\tb"])
def test_names_that_libraries_read_in_another_way(tmp_path: Path, name: str) -> None:
    classes, path = tmp_path / "classes.tif", tmp_path / name / f"{name}.gpkg"
    path.parent.mkdir()
    write_raster(classes, np.full((5, 6, 1), 10, np.uint8), nodata=255)
    with open_raster(classes) as scene:
        assert write_polygons(classes, scene, PALETTE, path, "map") == 1
    assert list(path.parent.iterdir()) == [path]
    assert pyogrio.read_info(path.read_bytes(), layer="map")["features"] == 1


def test_a_map_without_pixels_gives_an_empty_layer(tmp_path: Path) -> None:
    polygons, _ = polygonise(tmp_path, np.full((5, 6), 255), min_area=1)
    assert len(polygons) == 0
    assert pyogrio.read_info(tmp_path / "map.gpkg", layer="map")["fields"].tolist() == [
        "class",
        "value",
        "color",
        "area_m2",
    ]


@pytest.mark.parametrize("option", ["min_area", "simplify"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_options_out_of_range_are_refused(tmp_path: Path, option: str, value: float) -> None:
    with pytest.raises(
        InputError, match=f"{option} must be 0 or a positive number. Received {value}"
    ):
        polygonise(tmp_path, np.zeros((4, 4)), **{option: value})


def test_values_that_are_no_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"classes.tif: holds the value 7, which no class has"):
        polygonise(tmp_path, np.array([[0, 7], [8, 10]]))


def test_layer_opens_in_the_colours_of_the_classes(tmp_path: Path) -> None:
    polygonise(tmp_path, patches(20, 20))
    with sqlite3.connect(tmp_path / "map.gpkg") as database:
        row = "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
        [(table, geometry, default, qml)] = database.execute(row).fetchall()
        contents = dict(
            database.execute("SELECT table_name, data_type FROM gpkg_contents").fetchall()
        )
        [column] = database.execute("SELECT column_name FROM gpkg_geometry_columns").fetchone()
    assert (table, geometry, default) == ("map", column, 1)
    assert contents == {"map": "features", "layer_styles": "attributes"}
    assert [c.get("value") for c in ElementTree.fromstring(qml).iter("category")] == NAMES
    assert pyogrio.list_layers(tmp_path / "map.gpkg")[:, 0].tolist() == ["map", "layer_styles"]


FULL_DISK = """
import resource, sys
from pathlib import Path
from segment.core.errors import InputError
from segment.core.raster.opening import open_raster
from segment.map_outputs.polygons import write_polygons
from tests.segment.map_outputs.test_polygons import PALETTE
classes, path = Path(sys.argv[1]), Path(sys.argv[2])
with open_raster(classes) as scene:
    for limit in map(int, sys.argv[3:]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            write_polygons(classes, scene, PALETTE, path, "map")
        except InputError as error:
            print(error)
        path.unlink(missing_ok=True)
"""


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
def test_full_disk_is_one_line(tmp_path: Path) -> None:
    polygonise(tmp_path, patches(100, 100))
    size, path = (tmp_path / "map.gpkg").stat().st_size, tmp_path / "again.gpkg"
    limits = [100, *range(20_000, size, 10_000), size - 1]
    command = [
        sys.executable,
        "-c",
        FULL_DISK,
        str(tmp_path / "classes.tif"),
        str(path),
        *map(str, limits),
    ]
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[3], timeout=120
    )
    assert run.returncode == 0, run
    lines = run.stdout.splitlines()
    assert len(lines) == len(limits), run
    for line in lines:
        assert re.fullmatch(r".*again\.gpkg: cannot be written completely: .*", line)


@pytest.mark.heavy
@pytest.mark.parametrize("count", [20, 45_000])
def test_geopackages_are_of_a_version_that_older_programs_know(tmp_path: Path, count: int) -> None:
    """Whether they are written at once or in several pieces."""
    polygonise(tmp_path, np.arange(count)[None] % 2 * 10, simplify=0)
    with sqlite3.connect(tmp_path / "map.gpkg") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (10200,)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    ("asked", "format"),
    [(False, None), (None, None), (True, "gpkg"), ("gpkg", "gpkg")],
)
def test_polygons_are_a_geopackage_unless_another_format_is_named(asked: Any, format: Any) -> None:
    assert choose_format(asked) == MapOptions(polygons=asked).polygons == format


def test_formats_that_cannot_be_written_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="polygons: 'shp' is unknown. Choose gpkg or parquet."):
        MapOptions(polygons="shp")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="pyarrow, which .*pip install 'aerial-segment.parquet.'"):
        MapOptions(polygons="parquet")


@pytest.mark.parametrize("grid", GRIDS)
def test_geoparquet_holds_what_a_geopackage_does(tmp_path: Path, grid: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    values = patches(70, 60)
    _, fields = polygonise(tmp_path, values, grid)
    _, _, geometry, _ = pyogrio.raw.read(tmp_path / "map.gpkg", layer="map")
    with open_raster(tmp_path / "classes.tif") as scene:
        count = write_polygons(
            tmp_path / "classes.tif", scene, PALETTE, tmp_path / "map.parquet", "map"
        )
        crs = scene.crs
    table = parquet.read_table(tmp_path / "map.parquet")
    found = shapely.from_wkb(table["geometry"].to_pylist())
    assert len(found) == count
    assert shapely.equals_exact(found, shapely.from_wkb(geometry)).all()
    for name in ("class", "value", "color"):
        assert table[name].to_pylist() == fields[name].tolist()
    areas = np.array(table["area_m2"].to_pylist(), float)  # None becomes NaN
    assert np.array_equal(areas, fields["area_m2"], equal_nan=True)
    described = json.loads(table.schema.metadata[b"geo"])
    column = described["columns"][described["primary_column"]]
    assert (described["version"], column["encoding"]) == ("1.1.0", "WKB")
    assert column["bbox"] == shapely.total_bounds(found).tolist()
    if crs is None:
        assert column["crs"] is None
    else:
        assert CRS.from_user_input(json.dumps(column["crs"])) == crs


def test_an_empty_map_is_geoparquet_without_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_raster(tmp_path / "classes.tif", np.full((5, 6, 1), 255, np.uint8), nodata=255)
    with open_raster(tmp_path / "classes.tif") as scene:
        assert not write_polygons(
            tmp_path / "classes.tif", scene, PALETTE, tmp_path / "map.parquet", "map"
        )
    table = parquet.read_table(tmp_path / "map.parquet")
    assert table.num_rows == 0
    assert table.column_names == ["class", "value", "color", "area_m2", "geometry"]
