"""Vector labels as files of users are: without a CRS, in other datums, beyond the scene's edge."""

import json
import subprocess
import sys
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.transform import from_origin

from segment.annotations.field_values import read_codes
from segment.annotations.vector_labels import VectorLabels
from segment.core.errors import InputError
from segment.data.cutting import cut_scene
from tests.segment.annotations.test_vector_labels import (
    PLACE,
    at,
    box,
    burned,
    refused,
    scene,
    write,
)


def labels(path: Path, **options: object) -> VectorLabels:
    return VectorLabels(path=path, field="kind", **options)


@pytest.mark.parametrize("crs", [None, "EPSG:4326"])
def test_projected_coordinates_that_are_called_degrees_are_refused(tmp_path, crs):
    path = tmp_path / "labels.geojson"
    features = [
        {"type": "Feature", "properties": {"kind": kind}, "geometry": shapely.geometry.mapping(one)}
        for kind, one in (("a", box(0, 0, 9, 9)), ("b", box(20, 0, 30, 9)))
    ]
    content = {"type": "FeatureCollection", "features": features}
    if crs:
        content["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="no geometry .* can be converted .* Check its CRS"):
        burned(scene(tmp_path), labels(path))


def test_one_geometry_off_the_globe_is_left_out(tmp_path):
    inside = shapely.transform(
        box(0, 0, 9, 9),
        Transformer.from_crs(32640, 4326, always_xy=True).transform,
        interleaved=False,
    )
    away = shapely.box(5e5, 2e6, 5.1e5, 2.1e6)
    path = write(tmp_path / "labels.gpkg", [inside, away], "EPSG:4326", kind=["a", "b"])
    read = burned(scene(tmp_path), labels(path))
    assert np.count_nonzero(read.read() == 0) == 81
    assert any("1 geometry that cannot be converted" in note for note in read.notes)


def test_the_same_name_in_two_ways_of_unicode_is_one_class(tmp_path):
    names = [unicodedata.normalize(form, "Gebäude") for form in ("NFC", "NFD")]
    path = write(
        tmp_path / "labels.gpkg",
        [box(0, 0, 9, 9), box(9, 0, 20, 9), box(20, 0, 30, 9)],
        kind=[*names, "Weg"],
    )
    assert burned(scene(tmp_path), labels(path)).class_table.names == ["Gebäude", "Weg"]


def test_numbers_that_are_the_same_are_names(tmp_path):
    shapes = [box(0, 0, 9, 9), box(9, 0, 20, 9), box(20, 0, 30, 9)]
    path = write(tmp_path / "labels.gpkg", shapes, kind=["01", "1", "2"])
    table = burned(scene(tmp_path), labels(path)).class_table
    assert {c.name: c.value for c in table.classes} == {"01": 0, "1": 1, "2": 2}


def test_a_shape_without_a_value_is_not_the_background(tmp_path):
    shapes = [box(0, 0, 20, 20), box(2, 2, 5, 5), box(30, 0, 40, 9)]
    path = write(tmp_path / "labels.gpkg", shapes, kind=[None, "house", "house"])
    read = burned(scene(tmp_path), labels(path, background="rest"))
    pixels = read.read()[..., 0]
    assert pixels[10, 10] == 255 and pixels[3, 3] == 0 and pixels[30, 50] == 1


def test_lines_and_points_beyond_the_edge_reach_into_the_scene(tmp_path):
    file = scene(tmp_path)
    line = at(PLACE, shapely.LineString([(-20, -2), (80, -2)]))  # 0.6 m above the first row
    point = at(PLACE, shapely.Point(63, 30))
    path = write(tmp_path / "labels.gpkg", [line, point, box(20, 20, 30, 30)], kind=list("abc"))
    pixels = burned(file, labels(path, width=3.0, radius=2.1)).read()[..., 0]
    assert (pixels[:3] == 0).all() and (pixels[3:5] == 255).all()  # 1.5 m to each side
    assert (pixels[28:32, 57:] == 1).all() and (pixels[30, :55] != 1).all()


@pytest.mark.parametrize("origin", [179.9999, -180.0001])
def test_longitudes_are_the_same_after_a_turn(tmp_path, origin):
    place = from_origin(origin - 2e-5, 0.0002, 1e-5, 1e-5)
    file = scene(tmp_path, 40, 60, transform=place, crs=CRS.from_epsg(4326))
    boxes = [shapely.box(x, 0, x + 5e-5, 0.0001) for x in (179.9999, -179.9999, 12.0)]
    path = write(tmp_path / "labels.gpkg", boxes, "EPSG:4326", kind=["a", "b", "b"])
    pixels = burned(file, labels(path)).read()[..., 0]
    assert (pixels[10:20, 2:7] == 0).all() and np.count_nonzero(pixels == 0) == 50
    assert (pixels[10:20, 22:27] == 1).all() and np.count_nonzero(pixels == 1) == 50


@pytest.mark.parametrize(("crs", "noted"), [(31468, "by 3 m"), (4326, ""), (25833, "")])
def test_a_conversion_that_is_not_exact_is_noted(tmp_path, crs, noted):
    place = from_origin(400_000, 5_500_000, 0.5, 0.5)
    file = scene(tmp_path, transform=place, crs=CRS.from_epsg(32633))
    convert = Transformer.from_crs(32633, crs, always_xy=True).transform
    shapes = [
        shapely.transform(at(place, shapely.box(x, 0, x + 20, 20)), convert, interleaved=False)
        for x in (0, 30)
    ]
    path = write(tmp_path / "labels.gpkg", shapes, f"EPSG:{crs}", kind=["a", "b"])
    notes = [note for note in burned(file, labels(path)).notes if "may miss" in note]
    assert len(notes) == bool(noted) and all(noted in note for note in notes)


def test_the_identity_of_a_shapefile_changes_with_its_fields(tmp_path):
    file, path = scene(tmp_path), tmp_path / "labels.shp"
    shapes = shapely.to_wkb(np.array([box(0, 0, 9, 9), box(20, 0, 30, 9)], object))

    def identity(kinds: list[str]) -> list[object]:
        columns = [np.array(kinds, object)]
        options = {"geometry_type": "Polygon", "crs": "EPSG:32640", "driver": "ESRI Shapefile"}
        pyogrio.raw.write(tmp_path / "new.shp", shapes, columns, ["kind"], **options)
        if not path.exists():
            for made in tmp_path.glob("new.*"):
                made.rename(path.with_suffix(made.suffix))
        else:  # as QGIS does where attributes alone are edited
            (tmp_path / "new.dbf").rename(path.with_suffix(".dbf"))
        return burned(file, labels(path)).identity

    first = identity(["a", "b"])
    assert identity(["a", "b"]) == first
    assert identity(["b", "a"]) != first


@pytest.mark.parametrize("width", [0, -1, float("nan"), float("inf")])
def test_widths_are_numbers_above_0(tmp_path, width):
    line = at(PLACE, shapely.LineString([(0, 5), (20, 5)]))
    path = write(tmp_path / "labels.gpkg", [line, box(20, 20, 30, 30)], kind=["a", "b"])
    with pytest.raises(InputError, match=f"each width is a number above 0. Received {width}"):
        burned(scene(tmp_path), labels(path, width=width))


@pytest.mark.parametrize("name", ["labels.gpkg", "labels.geojson", "labels.shp"])
def test_shapes_given_as_a_mask_are_named_as_such(tmp_path, name):
    path = write(tmp_path / name, [box(0, 0, 9, 9)], kind=["a"])
    with pytest.raises(InputError, match="holds shapes, not pixels.*--labels.*--field.*: kind"):
        cut_scene(scene(tmp_path), path, tmp_path / "tiles", 32)
    assert not (tmp_path / "tiles").exists()


@pytest.mark.parametrize("content", [b"no picture", b"", b"{}"])
def test_a_mask_that_is_neither_is_not_called_a_part_of_a_copy(tmp_path, content):
    path = tmp_path / "labels.tif"
    path.write_bytes(content)
    with pytest.raises(InputError, match="its format is not recognized.*or give a GeoTIFF"):
        cut_scene(scene(tmp_path), path, tmp_path / "tiles", 32)


@pytest.mark.parametrize(
    ("encoding", "stated", "kinds", "names", "note"),
    [
        ("UTF-8", True, ("Küste", "Straße"), ("Küste", "Straße"), None),
        ("UTF-8", False, ("Küste", "Straße"), ("Küste", "Straße"), "is in UTF-8"),
        ("UTF-8", False, ("Łąka", "Лес"), ("Łąka", "Лес"), "is in UTF-8"),
        ("UTF-8", False, ("water", "land"), ("land", "water"), None),
        ("ISO-8859-1", True, ("Küste", "Straße"), ("Küste", "Straße"), None),
        ("ISO-8859-1", False, ("Küste", "a"), ("a", "Küste"), "read as ISO-8859-1: Küste"),
        ("CP1251", True, ("Вода", "Лес"), ("Вода", "Лес"), None),
        ("CP1251", False, ("Вода", "Лес"), ("Âîäà", "Ëåñ"), "read as ISO-8859-1: Âîäà, Ëåñ"),
    ],
)
def test_names_of_a_shapefile_are_in_its_encoding(tmp_path, encoding, stated, kinds, names, note):
    path = tmp_path / "labels.shp"
    shapes = shapely.to_wkb(np.array([box(0, 0, 9, 9), box(20, 0, 30, 9)], object))
    options = {"geometry_type": "Polygon", "crs": "EPSG:32640", "encoding": encoding}
    field = "größe" if encoding != "CP1251" else "kind"
    columns = [np.array(kinds, object)]
    pyogrio.raw.write(path, shapes, columns, [field], driver="ESRI Shapefile", **options)
    if not stated:
        path.with_suffix(".cpg").unlink()
    found = burned(scene(tmp_path), VectorLabels(path=path, field=field))
    assert tuple(found.class_table.names) == names
    assert [note in line for line in found.notes] == ([] if note is None else [True])


@pytest.mark.heavy
def test_a_geopackage_that_another_program_has_locked_is_refused(tmp_path):
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 9, 9), box(9, 0, 20, 9)], kind=["a", "b"])
    code = """if True:
        import sqlite3, sys
        database = sqlite3.connect(sys.argv[1], isolation_level=None)
        database.execute("BEGIN EXCLUSIVE")
        print("locked", flush=True)
        sys.stdin.read()
    """
    pyogrio.set_gdal_config_options({"SQLITE_BUSY_TIMEOUT": "20"})
    try:
        with subprocess.Popen(
            [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout.readline().strip() == b"locked"
            refused(
                scene(tmp_path), labels(path), "another program has locked it", "close it there"
            )
            other.stdin.close()
    finally:
        pyogrio.set_gdal_config_options({"SQLITE_BUSY_TIMEOUT": None})
    assert burned(scene(tmp_path), labels(path)).class_table.names == ["a", "b"]


@pytest.mark.parametrize(
    ("kinds", "codes"),
    [
        ([1, 2], "1.0: a\n2.0: b"),
        ([1.0, 2.0], "01: a\n'2': b"),
        (["0111", "0112"], "0111: a\n0112: b"),
        (["yes", "no"], "yes: a\nno: b"),
        ([True, False], "true: a\nfalse: b"),
        (["Gebäude", "WEG"], unicodedata.normalize("NFD", "Gebäude: a\n'weg ': b")),
        (["x", "X"], "x: a\nX: b"),
        (["010", "8"], "010: a\n8: b"),
        (["2020-01-01", "~"], "2020-01-01: a\n~: b"),
        ([1, 2], "1:\ta\n2:\tb"),
    ],
)
def test_codes_are_values_as_they_are_written(tmp_path, kinds, codes):
    (tmp_path / "codes.yaml").write_text(codes)
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 9, 9), box(9, 0, 20, 9)], kind=kinds)
    read = burned(scene(tmp_path), labels(path, codes=read_codes(tmp_path / "codes.yaml")))
    assert read.class_table.names == ["a", "b"]
    assert read.read()[5, [5, 15], 0].tolist() == [0, 1] and not read.notes


def test_blank_names_and_codes_that_are_listed_twice_are_refused(tmp_path):
    path = tmp_path / "labels.gpkg"
    with pytest.raises(InputError, match="the name of the class is blank"):
        labels(path, codes={"1": " ", "2": "b"})
    with pytest.raises(InputError, match="background: the name of the class is blank"):
        labels(path, background=" ")
    (tmp_path / "codes.yaml").write_text("1: a\n'1': b\n")
    with pytest.raises(InputError, match="line 2: key '1' occurs twice"):
        read_codes(tmp_path / "codes.yaml")
    with pytest.raises(InputError, match="listed twice"):
        labels(path, codes={1: "a", "1 ": "b"})


@pytest.mark.parametrize("codes", ["", "{}", "[1]", "<<: {1: a}", "1: {a: b}", "!!int 1: a"])
def test_files_without_a_list_of_codes_are_refused(tmp_path, codes):
    (tmp_path / "codes.yaml").write_text(codes)
    with pytest.raises(InputError, match="not a list of values and classes"):
        read_codes(tmp_path / "codes.yaml")


def test_infinite_values_are_no_fractions(tmp_path):
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 9, 9)] * 2, kind=[np.inf, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert burned(scene(tmp_path), labels(path)).class_table.names == ["1", "inf"]


def test_line_breaks_in_values_are_spaces(tmp_path):
    shapes = [box(0, 0, 9, 9), box(9, 0, 20, 9)]
    path = write(tmp_path / "labels.gpkg", shapes, kind=["a\r\n b", "c\x07"])
    assert burned(scene(tmp_path), labels(path)).class_table.names == ["a b", "c"]


def test_the_background_in_two_ways_of_unicode_is_one_class(tmp_path):
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 9, 9)] * 2, kind=["Gebäude", "Weg"])
    named = labels(path, background=unicodedata.normalize("NFD", "Gebäude"))
    assert burned(scene(tmp_path), named).class_table.names == ["Gebäude", "Weg"]


def test_shapes_that_cover_no_pixel_are_noted(tmp_path):
    flat = at(PLACE, shapely.Polygon([(0, 0), (5, 5), (0, 0)]))
    shapes = [box(0, 0, 9, 9), box(9, 0, 20, 9), box(30.6, 0, 31.4, 9), flat]
    path = write(tmp_path / "labels.gpkg", shapes, kind=["a", "b", "a", "b"])
    notes = burned(scene(tmp_path), labels(path)).notes
    assert f"{path}: 1 geometry not labelled, too small to cover the middle of a pixel" in notes
    assert f"{path}: 1 geometry without an area left out" in notes
    refused(
        scene(tmp_path), labels(write(tmp_path / "flat.gpkg", [flat] * 2, kind=["a", "b"])),
        "no polygon of layer 'flat' has an area",
    )  # fmt: skip


def test_polygons_far_beyond_the_scene_are_burned(tmp_path):
    shapes = [shapely.box(-1e11, -1e11, 1e11, 1e11), box(0, 0, 9, 9)]
    path = write(tmp_path / "labels.gpkg", shapes, kind=["a", "b"])
    pixels = burned(scene(tmp_path), labels(path)).read()[..., 0]
    assert np.count_nonzero(pixels == 1) == 81 and np.count_nonzero(pixels == 0) == 2400 - 81


def test_polygons_around_the_globe_are_noted(tmp_path):
    to_degrees = Transformer.from_crs(32640, 4326, always_xy=True).transform
    shapes = [shapely.transform(box(0, 0, 9, 9), to_degrees, interleaved=False)] * 2
    path = write(
        tmp_path / "labels.gpkg",
        [*shapes, shapely.box(-179.9, 20, 179.9, 30)],
        "EPSG:4326",
        kind=["a", "b", "a"],
    )
    assert any(
        "1 geometry wider than 180 degrees" in n
        for n in burned(scene(tmp_path), labels(path)).notes
    )


def test_coordinates_that_are_not_numbers_are_left_out(tmp_path, recwarn):
    shapes = shapely.to_wkb(np.array([box(0, 0, 9, 9), box(9, 0, 20, 9), box(5, 5, 8, 8)]))
    shapes[2] = shapes[2][:13] + np.array([np.nan]).tobytes() + shapes[2][21:]
    fields = [np.array(["a", "b", "a"])]
    path = tmp_path / "labels.gpkg"
    pyogrio.raw.write(
        path, shapes, fields, ["kind"], geometry_type="Unknown", crs="EPSG:32640", layer="labels"
    )
    assert any("1 geometry" in note for note in burned(scene(tmp_path), labels(path)).notes)
    assert not [one for one in recwarn if "invalid value" in str(one.message)]
