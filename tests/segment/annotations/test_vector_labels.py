"""Vector labels: the pixels of GDAL's rasterisation of the whole scene, whatever the window."""

import contextlib
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.transform import Affine, from_origin

from segment.annotations.burned_labels import BurnedLabels, burn_labels
from segment.annotations.label_layers import stack_labels
from segment.annotations.vector_labels import VectorLabels
from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable, load_class_table
from segment.core.raster.opening import open_raster
from segment.data.cutting import cut_scene
from tests.conftest import write_raster

UTM = CRS.from_epsg(32640)
PLACE = from_origin(500_000.15, 2_700_000.45, 0.3, 0.3)


def scene(folder: Path, height: int = 40, width: int = 60, **profile: object) -> Path:
    options = {"transform": PLACE, "crs": UTM} | profile
    return write_raster(folder / "scene.tif", np.zeros((height, width, 3), np.uint8), **options)


def write(path: Path, geometries, crs: str | None = "EPSG:32640", **fields) -> Path:
    """Writes shapely geometries (or None) with fields as a layer named after the file."""
    wkb = shapely.to_wkb(np.array(geometries, object))
    columns = [np.array(values) for values in fields.values()]
    pyogrio.raw.write(
        path, wkb, columns, list(fields), geometry_type="Unknown", crs=crs, layer=path.stem
    )
    return path


def at(transform: Affine, geometry):
    """Places a geometry in columns and rows on the ground."""
    return shapely.transform(
        geometry, lambda p: np.array([transform @ tuple(point) for point in p]).reshape(-1, 2)
    )


def converted(geometry, source: int, target: int):
    """Converts the vertices of a geometry from one EPSG code to another."""
    convert = Transformer.from_crs(source, target, always_xy=True).transform
    return shapely.transform(geometry, lambda p: np.stack(convert(p[:, 0], p[:, 1]), axis=1))


def burned(file: Path, labels: VectorLabels, table: ClassTable | None = None) -> BurnedLabels:
    with open_raster(file) as raster:
        return burn_labels(labels, raster, table)


def box(left: float, top: float, right: float, bottom: float):
    return at(PLACE, shapely.box(left, top, right, bottom))


coordinates = st.integers(-20, 160).map(lambda half: half / 2) | st.floats(-10, 80)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=3).map(
    shapely.Polygon
)


@pytest.mark.heavy
@settings(max_examples=60)
@given(
    shapes=st.lists(polygons.filter(lambda p: p.area > 0.01), min_size=1, max_size=8),
    window=st.tuples(st.integers(1, 40), st.integers(1, 60)),
    place=st.sampled_from([PLACE, Affine(0.3, 0.05, 5e5, 0.04, -0.3, 2.7e6), Affine.identity()]),
    code=st.sampled_from([32640, 4326, 3857]),
)
def test_windows_are_those_of_the_whole_burned_at_once(
    tmp_path_factory, shapes, window, place, code
):
    folder = tmp_path_factory.mktemp("burn")
    place = place if place != Affine.identity() else from_origin(400_000, 2_000_000, 1, 1)
    file = scene(folder, transform=place)
    inside = shapely.box(2, 2, 9, 7)  # some shape must lie on the scene
    drawn = [at(place, shape) for shape in [inside, *shapes]]
    values = [i % 3 for i in range(len(drawn))]
    stored = drawn if code == 32640 else [converted(shape, 32640, code) for shape in drawn]
    path = write(folder / "labels.gpkg", [*stored, None], f"EPSG:{code}", code=[*values, 2.0])
    if code != 32640:
        drawn = [converted(shape, code, 32640) for shape in stored]
    expected = rasterize(
        zip(drawn, values, strict=True), out_shape=(40, 60), transform=place, fill=255, dtype="u1"
    )
    read = burned(
        file,
        VectorLabels(path=path, field="code", order="last"),
        ClassTable([Class(name=str(v), color=f"#00000{v}", value=v) for v in range(3)]),
    )
    assert np.array_equal(read.read()[..., 0], expected)
    windows = [
        (row, min(window[0], 40 - row), column, min(window[1], 60 - column))
        for row in range(0, 40, window[0])
        for column in range(0, 60, window[1])
    ]
    for row, height, column, width in windows[:: len(windows) // 40 + 1]:
        part = read.read(row, height, column, width)[..., 0]
        assert np.array_equal(part, expected[row : row + height, column : column + width])


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".fgb"])
def test_labels_in_another_crs_cover_the_same_pixels(tmp_path, suffix):
    file = scene(tmp_path)
    ground = [box(3, 4, 20, 30), box(25.2, 10.4, 50.7, 39.6)]
    drawn = [converted(shape, 32640, 4326) for shape in ground]
    path = write(tmp_path / f"labels{suffix}", drawn, "EPSG:4326", kind=["b", "a"])
    found = burned(file, VectorLabels(path=path, field="kind"))
    assert found.class_table.names == ["a", "b"]
    expected = rasterize(
        zip(ground, [1, 0], strict=True), out_shape=(40, 60), transform=PLACE, fill=255, dtype="u1"
    )
    assert np.array_equal(found.read()[..., 0], expected)


@pytest.mark.parametrize(
    ("order", "on_top"), [("smaller", "aac"), ("larger", "abb"), ("first", "aaa"), ("last", "abc")]
)
def test_the_order_decides_what_is_on_top(tmp_path, order, on_top):
    file = scene(tmp_path)
    shapes = [box(0, 0, 10, 10), box(2, 2, 30, 30), box(4, 4, 8, 8)]
    path = write(tmp_path / "labels.gpkg", shapes, kind=["a", "b", "c"])
    read = burned(file, VectorLabels(path=path, field="kind", order=order))
    pixels = read.read()[..., 0]
    found = [read.class_table.names[pixels[at, at]] for at in (1, 3, 5)]
    assert "".join(found) == on_top and read.class_table.names[pixels[20, 20]] == "b"


def test_lines_and_points_cover_what_lies_within_their_size(tmp_path):
    file = scene(tmp_path)
    road = at(PLACE, shapely.LineString([(0, 20), (60, 20)]))
    well = at(PLACE, shapely.Point(30, 5))
    path = write(tmp_path / "labels.gpkg", [road, well], kind=["road", "well"], metres=[1.8, 99.0])
    read = burned(file, VectorLabels(path=path, field="kind", width="metres", radius=1.2))
    pixels = read.read()[..., 0]
    assert np.array_equal(np.flatnonzero(pixels[:, 50] == 0), np.arange(17, 23))  # 1.8 m of 0.3 m
    rows, columns = np.mgrid[:40, :60] + 0.5
    inside = np.hypot(rows - 5, columns - 30) <= 4  # 1.2 m
    assert np.count_nonzero((pixels == 1) ^ inside) <= 2


def test_background_and_labelled_areas(tmp_path):
    file = scene(tmp_path)
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 10, 10)], kind=["house"])
    areas = write(tmp_path / "areas.gpkg", [box(5, 5, 20, 20)], n=[1])
    read = burned(file, VectorLabels(path=path, field="kind", background="other", areas=areas))
    assert read.class_table.names == ["house", "other"]
    pixels = read.read()[..., 0]
    assert pixels[7, 7] == 0 and pixels[15, 15] == 1
    assert pixels[2, 2] == 255 and pixels[30, 30] == 255
    assert not any("outside" in note for note in read.notes)


def test_shapes_outside_of_the_labelled_areas_are_noted(tmp_path):
    file = scene(tmp_path)
    shapes = [box(0, 0, 4, 4), box(5, 5, 8, 8), box(18, 18, 30, 30), box(30, 0, 34, 4)]
    kinds = np.array(["a", "b", "a", None], object)
    path = write(tmp_path / "labels.gpkg", shapes, kind=kinds)
    areas = write(tmp_path / "areas.gpkg", [box(5, 5, 20, 20)], n=[1])
    labels = VectorLabels(path=path, field="kind", areas=areas)
    table = ClassTable([Class(name="a", color="#000000"), Class(name="b", color="#FFFFFF")])
    noted = f"{path}: 1 geometry outside of areas.gpkg not labelled"
    assert noted in burned(file, labels, table).notes
    with open_raster(file) as raster:
        above = write(
            tmp_path / "new.gpkg", [box(40, 0, 45, 5), box(50, 0, 55, 5)], kind=["b", "b"]
        )
        notes = stack_labels([labels, replace(labels, path=above)], raster, table).notes
    assert any(
        "new.gpkg: 2 geometries outside of areas.gpkg not labelled" in note for note in notes
    )


def test_numbers_are_the_values_of_their_classes_and_codes_join_them(tmp_path):
    file = scene(tmp_path)
    shapes = [box(0, 0, 10, 10), box(10, 0, 20, 10), box(20, 0, 30, 10), box(30, 0, 40, 10)]
    path = write(tmp_path / "labels.gpkg", shapes, code=np.array([3.0, 12.0, 7.0, np.nan]))
    read = burned(file, VectorLabels(path=path, field="code"))
    assert [(c.name, c.value) for c in read.class_table.classes] == [("3", 3), ("7", 7), ("12", 12)]
    assert read.read()[5, 5, 0] == 3 and read.read()[5, 35, 0] == 255
    assert any("1 features without a value" in note for note in read.notes)
    codes = {"3": "water", 7: "land"}
    read = burned(file, VectorLabels(path=path, field="code", codes=codes))  # type: ignore[arg-type]
    assert read.class_table.names == ["land", "water"]
    assert read.read()[5, 15, 0] == 255 and any("'12'" in note for note in read.notes)


def test_a_class_table_gives_the_values_and_leaves_the_rest_unlabelled(tmp_path, class_table):
    file = scene(tmp_path)
    path = write(
        tmp_path / "labels.gpkg", [box(0, 0, 9, 9), box(9, 0, 20, 9)], kind=["Water", "sea"]
    )
    read = burned(file, VectorLabels(path=path, field="kind"), class_table)
    assert read.read()[5, 5, 0] == 1 and read.read()[5, 15, 0] == 255
    assert any("sea" in note for note in read.notes)


def test_what_is_no_class_hides_what_is_below_it(tmp_path, class_table):
    file = scene(tmp_path)
    shapes = [box(0, 0, 20, 20), box(5, 5, 9, 9), box(12, 12, 15, 15), box(1, 1, 3, 3)]
    path = write(tmp_path / "labels.gpkg", shapes, kind=["water", "sea", None, "land"])
    pixels = burned(file, VectorLabels(path=path, field="kind"), class_table).read()[..., 0]
    assert pixels[7, 7] == 255 and pixels[2, 2] == 0
    assert pixels[13, 13] == 1  # a shape without a value is left out
    codes = {"water": "water", "land": "land"}
    read = burned(file, VectorLabels(path=path, field="kind", codes=codes, background="land"))
    assert read.read()[7, 7, 0] == 255 and read.read()[30, 30, 0] == 0


def test_broken_shapes_are_repaired_and_counted(tmp_path):
    file = scene(tmp_path)
    bow = at(PLACE, shapely.Polygon([(0, 0), (20, 20), (20, 0), (0, 20)]))
    path = write(tmp_path / "labels.gpkg", [bow, None, box(30, 0, 40, 9)], kind=["a", "b", "b"])
    read = burned(file, VectorLabels(path=path, field="kind"))
    assert read.read()[9, 2, 0] == 0 and read.read()[9, 18, 0] == 0
    assert any("1 geometry repaired" in note for note in read.notes)
    assert f"{path}: 1 feature left out, without a geometry" in read.notes


def test_collections_are_taken_apart(tmp_path):
    file = scene(tmp_path)
    road = at(PLACE, shapely.LineString([(0, 20), (60, 20)]))
    inner = shapely.GeometryCollection([box(30, 0, 34, 4), road])
    both = shapely.GeometryCollection([box(0, 0, 4, 4), inner])
    path = write(tmp_path / "labels.gpkg", [both, box(50, 30, 60, 40)], kind=["a", "b"])
    refused(file, VectorLabels(path=path, field="kind"), "1 lines", "--width")
    pixels = burned(file, VectorLabels(path=path, field="kind", width=1.2)).read()[..., 0]
    expected = np.full((40, 60), 255)
    expected[:4, :4] = expected[:4, 30:34] = expected[18:22] = 0
    expected[30:, 50:] = 1
    assert np.array_equal(pixels, expected)


def test_surfaces_of_triangles_are_left_out_and_reported(tmp_path):
    file = scene(tmp_path)
    ring = ", ".join(f"{x} {y} 0" for x, y in box(0, 0, 9, 9).exterior.coords)
    (tmp_path / "surface.csv").write_text(f'kind,WKT\na,"POLYHEDRALSURFACE Z((({ring})))"\n')
    surface = pyogrio.raw.read(tmp_path / "surface.csv")[2]
    shapes = [*surface, *shapely.to_wkb([box(20, 0, 29, 9), box(30, 0, 39, 9)])]
    for count, path in ((1, tmp_path / "only.gpkg"), (3, tmp_path / "mixed.gpkg")):
        pyogrio.raw.write(
            path, np.array(shapes[:count], object), [np.array([*"abc"][:count])], ["kind"],
            geometry_type="Unknown", crs="EPSG:32640",
        )  # fmt: skip
    cure = "Make polygons of them: ogr2ogr -nlt MULTIPOLYGON"
    table = ClassTable([Class(name=n, color=f"#00000{i}") for i, n in enumerate("ab")])
    only = VectorLabels(path=tmp_path / "only.gpkg", field="kind")
    refused(file, only, "all geometries", cure, table=table)
    notes = burned(file, VectorLabels(path=tmp_path / "mixed.gpkg", field="kind")).notes
    assert any("1 geometry left out that cannot be read" in n and cure in n for n in notes)


def test_a_field_of_measures_is_refused(tmp_path):
    file = scene(tmp_path)
    shapes = [box(0, 0, 9, 9), box(10, 0, 19, 9), box(20, 0, 29, 9)]
    path = write(tmp_path / "labels.gpkg", shapes, area=[7.29, 12.5, np.nan])
    labels = VectorLabels(path=path, field="area")
    refused(file, labels, "numbers with fractions (7.29, 12.5)", "--codes")
    read = burned(file, replace(labels, codes={"7.29": "small", "12.5": "large"}))
    assert read.class_table.names == ["large", "small"] and read.read()[5, 5, 0] == 1


def test_labelled_areas_are_polygons_of_one_layer(tmp_path):
    file = scene(tmp_path)
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 9, 9), box(20, 0, 29, 9)], kind=["a", "b"])
    labels = VectorLabels(path=path, field="kind")
    line = at(PLACE, shapely.LineString([(0, 0), (9, 9)]))
    lines = write(tmp_path / "lines.gpkg", [line], n=[1])
    refused(file, replace(labels, areas=lines), "holds lines, no polygons")
    two = write(tmp_path / "two.gpkg", [box(0, 0, 9, 9)], n=[1])
    pyogrio.raw.write(
        two, shapely.to_wkb([line]), [np.array([1])], ["n"], geometry_type="Unknown",
        crs="EPSG:32640", layer="other", append=True,
    )  # fmt: skip
    refused(file, replace(labels, areas=two), "2 layers", "ogr2ogr OUT.gpkg two.gpkg NAME")
    mixed = write(tmp_path / "mixed.gpkg", [line, box(0, 0, 30, 30)], n=[1, 1])
    notes = burned(file, replace(labels, areas=mixed)).notes
    assert f"{mixed}: 1 of 2 shapes are not polygons: left out" in notes


def test_heights_and_curves_are_read(tmp_path):
    file = scene(tmp_path)
    x, y = PLACE @ (20, 20)
    (tmp_path / "labels.csv").write_text(
        "kind,WKT\n"
        f'a,"CURVEPOLYGON(CIRCULARSTRING({x - 3} {y},{x} {y + 3},{x + 3} {y},{x} {y - 3},'
        f'{x - 3} {y}))"\n'
        f'b,"POLYGON Z (({x + 6} {y} 5,{x + 9} {y} 5,{x + 9} {y + 3} 5,{x + 6} {y} 5))"\n'
    )
    drawn = pyogrio.raw.read(tmp_path / "labels.csv")[2]
    pyogrio.raw.write(
        tmp_path / "c.gpkg", drawn, [np.array(["a", "b"])], ["kind"],
        geometry_type="Unknown", crs="EPSG:32640",
    )  # fmt: skip
    pixels = burned(file, VectorLabels(path=tmp_path / "c.gpkg", field="kind")).read()[..., 0]
    assert abs(np.count_nonzero(pixels == 0) - np.pi * 100) < 12  # a circle of ten pixels
    assert (pixels == 1).any()


def refused(file: Path, labels: VectorLabels, *words: str, table: ClassTable | None = None) -> None:
    with pytest.raises(InputError) as caught:
        burned(file, labels, table)
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in words), message


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, class_table):
    file = scene(tmp_path)
    here, there = box(0, 0, 9, 9), at(PLACE, shapely.box(900, 0, 990, 90))
    good = write(tmp_path / "good.gpkg", [here, here], kind=["a", "b"], name=["x", "y"])
    refused(file, VectorLabels(path=good, field="knid"), "'knid'", "Did you mean 'kind'?")
    refused(file, VectorLabels(path=good, field="kind", layer="god"), "Did you mean 'good'?")
    refused(file, VectorLabels(path=tmp_path / "none.gpkg", field="kind"), "no such file")
    (tmp_path / "text.gpkg").write_text("no vectors")
    refused(file, VectorLabels(path=tmp_path / "text.gpkg", field="kind"), "cannot be read")
    refused(file, VectorLabels(path=good, field="kind"), "no value", "--codes", table=class_table)
    turned = VectorLabels(
        path=good, field="kind", codes={"town": "a", "e\u0301": "b"}, background="rest"
    )
    refused(file, turned, "It lists town, \u00e9; the field holds", "111: urban")

    far = write(tmp_path / "far.gpkg", [there], kind=["a"])
    refused(file, VectorLabels(path=far, field="kind", background="b"), "none of 1 shapes lies")
    refused(file, VectorLabels(path=far, field="kind"), "one value only", "--background")
    nowhere = write(tmp_path / "nowhere.gpkg", [here, here], crs=None, kind=["a", "b"])
    refused(file, VectorLabels(path=nowhere, field="kind"), "no CRS", "-a_srs")
    bare = scene(tmp_path / "bare", transform=None, crs=None)
    refused(bare, VectorLabels(path=good, field="kind"), "no georeference")
    for suffix in (".gpkg", ".shp", ".geojson", ".fgb"):
        empty = tmp_path / f"empty{suffix}"
        write(empty, [], None if suffix == ".geojson" else "EPSG:32640", kind=np.array([], object))
        refused(file, VectorLabels(path=empty, field="kind"), "no features")
    blank = write(tmp_path / "blank.gpkg", [here], kind=np.array([None], object))
    refused(file, VectorLabels(path=blank, field="kind"), "no value in any of 1")
    shapeless = write(tmp_path / "shapeless.gpkg", [None, None], kind=["a", "b"])
    refused(file, VectorLabels(path=shapeless, field="kind"), "no geometry")
    many = write(tmp_path / "many.gpkg", [here] * 300, kind=[f"v{i}" for i in range(300)])
    refused(file, VectorLabels(path=many, field="kind"), "300 values", "--codes")

    line = at(PLACE, shapely.LineString([(0, 0), (9, 9)]))
    lines = write(tmp_path / "lines.gpkg", [line, here], kind=["a", "b"], metres=[-1.0, 1.0])
    refused(file, VectorLabels(path=lines, field="kind"), "1 lines", "--width")
    refused(file, VectorLabels(path=lines, field="kind", width="metres"), "above 0", "-1")
    refused(file, VectorLabels(path=lines, field="kind", width="kind"), "no numbers")
    points = write(tmp_path / "points.gpkg", [shapely.Point(*(PLACE @ (5, 5))), here], k=["a", "b"])
    refused(file, VectorLabels(path=points, field="k"), "1 points", "--radius")


def test_fields_of_lists_are_refused(tmp_path):
    features = [
        {"type": "Feature", "properties": {"kind": kind}, "geometry": None}
        for kind in (["a", "b"], ["c"])
    ]
    path = tmp_path / "lists.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    refused(scene(tmp_path), VectorLabels(path=path, field="kind"), "'kind' holds lists or bytes")


def test_names_that_differ_in_case_are_one_class(tmp_path):
    file, places = scene(tmp_path), [box(0, 0, 9, 9), box(9, 0, 20, 9), box(20, 0, 30, 9)]
    path = write(tmp_path / "cases.gpkg", places, kind=["road", "Road", "water"])
    found = burned(file, VectorLabels(path=path, field="kind"))
    assert found.class_table.names == ["Road", "water"]
    assert found.read()[5, [5, 15, 25], 0].tolist() == [0, 0, 1]
    assert [note for note in found.notes if "case" in note] == [
        f"{path}: Road and road differ in case alone: they are one class"
    ]


def test_digits_that_are_no_numbers_are_names(tmp_path):
    path = write(tmp_path / "k.gpkg", [box(0, 0, 9, 9), box(9, 0, 20, 9)], kind=["²", "1"])
    found = burned(scene(tmp_path), VectorLabels(path=path, field="kind"))
    assert sorted(found.class_table.names) == ["1", "²"]


def test_a_file_of_several_layers_asks_for_one(tmp_path):
    file = scene(tmp_path)
    path = tmp_path / "two.gpkg"
    for name in ("roads", "houses"):
        pyogrio.raw.write(
            path, shapely.to_wkb(np.array([box(0, 0, 9, 9), box(9, 0, 20, 9)])),
            [np.array(["a", "b"])], ["kind"],
            geometry_type="Polygon", crs="EPSG:32640", layer=name, append=path.exists(),
        )  # fmt: skip
    refused(file, VectorLabels(path=path, field="kind"), "2 layers", "roads, houses", "--layer")
    assert burned(file, VectorLabels(path=path, field="kind", layer="houses")).read()[5, 5, 0] == 0


def test_geojson_is_in_degrees_whatever_it_says(tmp_path):
    """RFC 7946 has no other CRS, and OGR reads it so."""
    file = scene(tmp_path)
    features = [
        {
            "type": "Feature",
            "properties": {"kind": k},
            "geometry": {"type": "Point", "coordinates": [57.0, 24.41]},
        }
        for k in "ab"
    ]
    path = tmp_path / "labels.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    refused(file, VectorLabels(path=path, field="kind", radius=1.0), "shapes lies on")
    with rasterio.open(file) as opened:
        assert opened.crs == UTM


def test_tiles_are_cut_with_vector_labels(tmp_path):
    file = scene(tmp_path, 64, 96)
    path = write(
        tmp_path / "labels.gpkg", [box(0, 0, 20, 20), box(70, 40, 72, 42)], kind=["a", "b"]
    )
    labels = VectorLabels(path=path, field="kind")
    cut = cut_scene(file, labels, tmp_path / "tiles", 32)
    assert (cut.tiles, cut.empty) == (2, 4) and cut.labelled == 404 / 2048
    whole = burned(file, labels).read()
    for name, row, column in (("r000000_c000000", 0, 0), ("r000032_c000064", 32, 64)):
        with rasterio.open(tmp_path / "tiles" / "masks" / f"{name}.tif") as mask:
            assert np.array_equal(mask.read(1), whole[row : row + 32, column : column + 32, 0])
    assert load_class_table(tmp_path / "tiles" / "classes.yaml").names == ["a", "b"]
    assert "2 tiles written, 4 left out" in str(cut) and "19.7% of the pixels" in str(cut)

    few = cut_scene(file, labels, tmp_path / "few", 32, min_labelled=0.1)
    assert (few.tiles, few.empty) == (1, 5)
    with pytest.raises(InputError, match="none of 6 tiles holds enough"):
        cut_scene(file, labels, tmp_path / "none", 32, min_labelled=0.5)
    with pytest.raises(InputError, match="a share from 0 to 1"):
        cut_scene(file, labels, tmp_path / "none", 32, min_labelled=1.5)
    assert not (tmp_path / "none").exists()


def run_tile(*arguments: object) -> tuple[int, str]:
    """Runs segment-tile; returns its exit status and what it printed to stderr."""
    from segment.cli import tile
    from segment.core.cli.command import run

    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        status = run(tile.__wrapped__, [str(argument) for argument in arguments], "segment-tile")
    return status, errors.getvalue()


def test_the_command_reads_vector_labels(tmp_path, capsys):
    file = scene(tmp_path, 64, 64)
    road = at(PLACE, shapely.LineString([(0, 50), (64, 50)]))
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 40, 40), road], code=[11, 12])
    (tmp_path / "codes.yaml").write_text("11: field\n12: road\n")
    options = ("--labels", path, "--field", "code", "--width", "1.2", "--size", 32)
    status, _ = run_tile(
        file, *options, "--codes", tmp_path / "codes.yaml", "--output", tmp_path / "tiles"
    )
    assert "classes of the field: field, road" in capsys.readouterr().out
    table = load_class_table(tmp_path / "tiles" / "classes.yaml")
    assert status == 0 and table.names == ["field", "road"]
    with rasterio.open(tmp_path / "tiles" / "masks" / "r000032_c000032.tif") as mask:
        pixels = mask.read(1)
    assert (pixels[:8, :8] == 0).all() and (pixels[16:20] == 1).all() and pixels[30, 30] == 255


def test_options_that_do_not_belong_together_are_refused(tmp_path):
    file, mask = scene(tmp_path), tmp_path / "mask.tif"
    labels = write(tmp_path / "labels.gpkg", [box(0, 0, 9, 9)], kind=["a"])
    (tmp_path / "codes.yaml").write_text("- a\n- b\n")
    out = ("--output", tmp_path / "tiles")
    for options, words in (
        ((), "either --mask or --labels. Received neither"),
        (("--mask", mask, "--labels", labels), "Received both"),
        (("--mask", mask, "--field", "kind"), "--field belongs to --labels"),
        (("--mask", mask, "--order", "first"), "--order belongs to --labels"),
        (("--labels", labels), "needs --field NAME"),
        (
            ("--labels", labels, "--field", "kind", "--codes", tmp_path / "codes.yaml"),
            "Write one a line",
        ),
        (
            ("--labels", labels, "--field", "kind", "--codes", tmp_path / "none.yaml"),
            "cannot be read",
        ),
        (("--labels", labels, "--field", "kind"), "one value only"),
    ):
        status, line = run_tile(file, *options, *out)
        assert status == 2 and words in line and line.count("\n") == 1, line
    assert not (tmp_path / "tiles").exists()


def test_paths_may_be_text():
    labels = VectorLabels(path="a.gpkg", field="class", areas="b.gpkg")  # type: ignore[arg-type]
    assert labels == VectorLabels(path=Path("a.gpkg"), field="class", areas=Path("b.gpkg"))


@pytest.mark.parametrize("name", ["new!old.gpkg", "new;old.gpkg", "new\told.gpkg", "new\nold.gpkg"])
def test_paths_that_would_open_another_file_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    file = scene(tmp_path)
    other = write(tmp_path / "old.gpkg", [box(0, 0, 9, 9)], kind=["another"])
    shutil.copy(other, tmp_path / name)
    refused(file, VectorLabels(path=Path(name), field="kind"), "Rename the file or folder")
