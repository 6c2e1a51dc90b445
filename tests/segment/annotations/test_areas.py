"""Areas of interest on the grid of a scene: boxes and polygons, and what is refused."""

import json
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

from segment.annotations.area_of_interest import check_area, open_area
from segment.annotations.areas import Area
from segment.core.errors import InputError
from segment.core.raster.opening import open_raster
from tests.conftest import write_raster

UTM = CRS.from_epsg(32640)
PLACE = from_origin(500_000, 2_700_000, 0.3, 0.3)
TO_DEGREES = Transformer.from_crs("EPSG:32640", "OGC:CRS84", always_xy=True).transform


def scene(folder: Path, height: int = 40, width: int = 60, **profile: object) -> Path:
    return write_raster(folder / "scene.tif", np.zeros((height, width, 3), np.uint8), **profile)


def area(file: Path, given: object) -> Area:
    with open_raster(file) as raster:
        return open_area(given, raster)


def refusal(file: Path, given: object) -> str:
    with pytest.raises(InputError) as error, open_raster(file) as raster:
        check_area(given)
        open_area(given, raster)
    assert "\n" not in str(error.value)
    return str(error.value)


def at(left: float, top: float, right: float, bottom: float, place: Affine = PLACE):
    """A box of columns and rows on the ground."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return shapely.Polygon([place @ corner for corner in corners])


def write(path: Path, shapes: list, crs: str | None = "EPSG:32640", layer: str = "areas") -> Path:
    wkb = shapely.to_wkb(np.array(shapes, object))
    pyogrio.raw.write(
        path, wkb, [], [], geometry_type="Unknown", crs=crs, layer=layer, append=path.exists()
    )
    return path


def inside(found: Area) -> np.ndarray:
    return found.covers(0, 40, 0, 60)


def test_a_box_in_coordinates_of_the_scene_is_a_window(tmp_path):
    file, box = scene(tmp_path), at(10, 5, 30, 25).bounds
    text = ",".join(map(str, box))
    for written in (box, list(box), text, f"scene:{text}", f" [{text.replace(',', ', ')}] "):
        found = area(file, written)
        assert found.region == (5, 25, 10, 30) and found.polygons is None and not found.notes
    assert inside(found).sum() == 400 and inside(found)[5:25, 10:30].all()
    # cut to the scene, and by the middle of pixels
    assert area(file, at(-10, -5, 9.6, 4.4).bounds).region == (0, 4, 0, 10)
    assert "holds the middle of no pixel" in refusal(file, at(3.6, 3.6, 4.4, 4.4).bounds)


@pytest.mark.heavy
@settings(max_examples=40)
@given(cut=st.floats(1, 59), row=st.floats(1, 39))
def test_neighbouring_boxes_share_no_pixel_and_leave_none(tmp_path_factory, cut, row):
    folder = tmp_path_factory.mktemp("boxes")
    file, count = scene(folder), np.zeros((40, 60), int)
    for left, right in ((-1, cut), (cut, 61)):
        for top, bottom in ((-1, row), (row, 41)):
            count += inside(area(file, at(left, top, right, bottom).bounds))
    assert (count == 1).all()


def test_a_box_in_degrees_is_recognised(tmp_path):
    file = scene(tmp_path)
    (west, east), (south, north) = TO_DEGREES([500_003, 500_009], [2_699_991, 2_699_997])
    given = f"{west},{south},{east},{north}"
    found = area(file, given)
    assert found.polygons is not None and "taken for longitudes and latitudes" in found.notes[0]
    expected = np.zeros((40, 60), bool)
    expected[10:30, 10:30] = True  # almost on the central meridian, where north is up
    assert (inside(found) != expected).sum() <= 80
    stated = area(file, f"lonlat:{given}")
    assert not stated.notes and (inside(stated) == inside(found)).all()
    assert "does not overlap" in refusal(file, f"scene:{given}")
    # most of the earth, where the CRS of the scene has no coordinates
    assert inside(area(file, "-180,-90,180,90")).all()


def test_a_box_that_fits_both_ways_is_refused_with_the_cure(tmp_path):
    # a scene of 10 km around the origin of its CRS, on the equator at Greenwich
    file = scene(tmp_path, crs=CRS.from_epsg(3857), transform=from_origin(-9000, 6000, 300, 300))
    message = refusal(file, "-0.05,-0.03,0.05,0.03")
    assert "--aoi lonlat:-0.05,-0.03,0.05,0.03" in message and "scene:" in message
    assert area(file, "lonlat:-0.05,-0.03,0.05,0.03").width == 38
    assert "middle of no pixel" in refusal(file, "scene:-0.05,-0.03,0.05,0.03")
    assert area(file, "scene:-900,-900,900,900").region == (17, 23, 27, 33)


def test_a_scene_without_a_georeference_has_pixels_as_coordinates(tmp_path):
    file = write_raster(tmp_path / "scene.png", np.zeros((40, 60, 3), np.uint8))
    for written in ("10,25,30,5", "10,5,30,25"):
        found = area(file, written)
        assert found.region == (5, 25, 10, 30) and "taken for its pixels" in found.notes[0]
    assert "columns 0 to 60 and rows 0 to 40" in refusal(file, "70,0,90,10")
    assert "in pixels" in refusal(file, "lonlat:1,2,3,4")
    assert "as a box of its pixels" in refusal(file, write(tmp_path / "a.gpkg", [at(0, 0, 9, 9)]))


def test_a_geographic_scene_takes_degrees_as_its_own(tmp_path):
    place = from_origin(4, 51, 0.001, 0.001)
    file = scene(tmp_path, crs=CRS.from_epsg(4326), transform=place)
    assert area(file, "4.01,50.98,4.03,50.99").region == (10, 20, 10, 30)
    found = area(file, "lonlat:4.01,50.98,4.03,50.99")
    assert found.region == (10, 20, 10, 30) and not found.notes


def test_a_scene_across_the_antimeridian_takes_longitudes_on_either_side(tmp_path):
    file = scene(tmp_path, crs=CRS.from_epsg(32601), transform=from_origin(164_000, 5000, 100, 100))
    wide = area(file, "lonlat:179,-1,181,1")
    assert inside(wide).all()
    west = area(file, "lonlat:-180,-1,-179,1")
    east = area(file, "lonlat:179,-1,180,1")
    assert 0 < inside(west).sum() < 2400 and not (inside(west) & inside(east)).any()
    assert "antimeridian" in refusal(file, "179,-1,-179,1")


def test_rotated_scenes_take_boxes_as_polygons(tmp_path):
    place = Affine(0.3, 0.1, 500_000, 0.1, -0.3, 2_700_000)
    file, box = (
        scene(tmp_path, transform=place),
        shapely.box(500_004, 2_699_994, 500_012, 2_700_000),
    )
    found = area(file, box.bounds)
    expected = rasterize([(box, 1)], out_shape=(40, 60), transform=place) > 0
    assert expected.any() and (inside(found) == expected).all()


coordinates = st.integers(-20, 140).map(lambda half: half / 2) | st.floats(-10, 70)
triangles = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=3).map(
    shapely.Polygon
)


@pytest.mark.heavy
@settings(max_examples=40)
@given(
    shapes=st.lists(triangles.filter(lambda p: p.area > 0.01), max_size=4),
    place=st.sampled_from([PLACE, Affine(0.3, 0.05, 5e5, 0.04, -0.3, 2.7e6)]),
)
def test_polygons_cover_the_pixels_of_gdal(tmp_path_factory, shapes, place):
    folder = tmp_path_factory.mktemp("polygons")
    file = scene(folder, transform=place)
    drawn = [at(2, 2, 9, 7, place)] + [
        shapely.transform(s, lambda p: np.array([place @ tuple(c) for c in p])) for s in shapes
    ]
    expected = rasterize([(s, 1) for s in drawn], out_shape=(40, 60), transform=place) > 0
    found = area(file, write(folder / "areas.gpkg", drawn))
    assert (inside(found) == expected).all()
    rows, columns = np.nonzero(expected)
    assert found.top <= rows.min() and rows.max() < found.bottom
    assert found.left <= columns.min() and columns.max() < found.right


def test_polygons_of_any_format_and_crs(tmp_path):
    file, shape = scene(tmp_path), at(10, 5, 30, 25)
    degrees = shapely.transform(shape, TO_DEGREES, interleaved=False)
    (tmp_path / "a.geojson").write_text(json.dumps(shapely.geometry.mapping(degrees)))
    write(tmp_path / "a.shp", [shape])
    for name in ("a.geojson", "a.shp"):
        found = area(file, str(tmp_path / name))
        assert found.region == (5, 25, 10, 30) and inside(found).sum() == 400
    two = write(write(tmp_path / "two.gpkg", [shape]), [at(0, 0, 5, 5)], layer="other")
    assert f"--aoi '{two}|layername=NAME'" in refusal(file, two)
    assert area(file, f"{two}|layername=other").region == (0, 5, 0, 5)


def test_polygons_are_repaired_and_other_shapes_left_out_with_notes(tmp_path):
    bow = shapely.Polygon([PLACE @ c for c in [(10, 10), (30, 30), (30, 10), (10, 30)]])
    line = shapely.LineString([PLACE @ (0, 0), PLACE @ (50, 30)])
    both = shapely.GeometryCollection([at(40, 10, 50, 20), line])
    found = area(scene(tmp_path), write(tmp_path / "a.gpkg", [bow, line, both, None]))
    assert 190 <= inside(found)[:, :35].sum() <= 240
    assert inside(found)[:, 35:].sum() == 100  # nothing of the lines
    notes = " ".join(found.notes)
    assert "1 geometry repaired" in notes and "1 geometry without a geometry" in notes
    assert "2 of 4 shapes are not polygons" in notes  # with the line of the collection


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("1,2,3", "not the four numbers of a box"),
        ("1,2,3,nan", "not the four numbers of a box"),
        ("500010,2699990,500001,2699999", "LEFT must be less than RIGHT"),
        ("500001,2699999,500010,2699990", "BOTTOM must be less than TOP"),
        ("500001,2699990,500010,2699990", "BOTTOM and TOP are the same"),
        ("lonlat:", "no box follows lonlat:"),
        ("missing.gpkg", "neither a box LEFT,BOTTOM,RIGHT,TOP nor a file"),
        ("", "neither a box LEFT,BOTTOM,RIGHT,TOP nor a file"),
        ("100,100,200,200", "longitude 57 to 57.0002, latitude 24.4"),
        ("170,-80,175,-75", "does not overlap"),
        (7, "not a box of four numbers, nor a file"),
    ],
)
def test_boxes_that_are_refused(tmp_path, given, found):
    assert found in refusal(scene(tmp_path), given)


def test_files_that_are_refused(tmp_path):
    file = scene(tmp_path)
    square = at(0, 0, 9, 9)

    def made(name: str, shapes: list, **options: object) -> Path:
        return write(tmp_path / name, shapes, **options)

    assert "holds no features" in refusal(file, made("empty.gpkg", []))
    line, point = shapely.LineString(square.exterior.coords), square.centroid
    assert "holds lines and points, no polygons" in refusal(file, made("l.gpkg", [line, point]))
    assert "has no CRS" in refusal(file, made("bare.gpkg", [square], crs=None))
    far = made("far.gpkg", [at(900, 900, 950, 950)])
    assert "none of 1 polygons lies on" in refusal(file, far)
    sliver = made("sliver.gpkg", [at(3.6, 3.6, 4.4, 4.4)])
    assert "holds the middle of no pixel" in refusal(file, sliver)
    (tmp_path / "text.gpkg").write_text("no vector file")
    assert "cannot be read as a vector file" in refusal(file, tmp_path / "text.gpkg")
    assert "cannot be read as a vector file" in refusal(file, tmp_path)
    across = [shapely.box(-179, -10, 179, 10)]
    assert "antimeridian" in refusal(file, made("across.geojson", across, crs="EPSG:4326"))
    split = shapely.MultiPolygon([shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1)])
    assert "polygons lies on" in refusal(file, made("split.geojson", [split], crs="EPSG:4326"))


def test_a_file_of_numbers_is_no_box(tmp_path):
    with rasterio.open(scene(tmp_path)) as file:
        bounds = file.bounds
    name = write(tmp_path / "1,2.gpkg", [shapely.box(*bounds)])
    assert area(tmp_path / "scene.tif", name).region == (0, 40, 0, 60)
