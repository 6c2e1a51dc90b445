"""Masks on other grids than their images."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from segment.core.errors import InputError
from segment.core.labels.alignment import Alignment, align
from segment.core.labels.classes import Class, ClassTable
from segment.core.labels.masks import open_mask
from segment.core.raster.opening import open_raster
from segment.data.pixels import decode_mask
from tests.conftest import write_raster

UTM = CRS.from_epsg(32640)
HERE = Affine(0.3, 0, 500_000, 0, -0.3, 2_700_000)
LOCAL = CRS.from_wkt('LOCAL_CS["lost",UNIT["metre",1]]')
NOWHERE = {"crs": None, "transform": Affine.identity()}
VALUES = np.random.default_rng(0).integers(0, 5, (64, 96, 1), np.uint8)


def put(
    path: Path,
    pixels: np.ndarray = VALUES,
    transform: Affine = HERE,
    crs: CRS | None = UTM,
    **profile: object,
) -> Path:
    return write_raster(path, pixels, transform=transform, crs=crs, **profile)


def aligned(mask: Path, image: Path) -> Alignment:
    with open_raster(mask) as one, open_raster(image) as other:
        return align(one, other)


def read(mask: Path, image: Path, *window: int) -> tuple[np.ndarray, np.ndarray]:
    with open_raster(image) as raster, open_mask(mask, raster) as opened:
        pixels = opened.read(*window)
    return np.asarray(pixels), ~np.ma.getmaskarray(pixels)[..., 0]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return put(tmp_path / "image.tif", np.zeros((64, 96, 3), np.uint8))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("pixels", "transform", "words"),
    [
        (VALUES[::-1], HERE @ Affine(1, 0, 0, 0, -1, 64), "stored south-up"),
        (VALUES[:, ::-1], HERE @ Affine(-1, 0, 96, 0, 1, 0), "mirrored"),
        (VALUES.transpose(1, 0, 2), HERE @ Affine(0, 1, 0, 1, 0, 0), "rotated"),
        (np.rot90(VALUES), HERE @ Affine(0, -1, 96, 1, 0, 0), "rotated"),
        (VALUES.repeat(2, 0).repeat(2, 1), HERE @ Affine.scale(0.5), "pixels 0.5 times as large"),
        (
            VALUES.repeat(3, 0).repeat(3, 1)[::-1],
            HERE @ Affine(1 / 3, 0, 0, 0, -1 / 3, 64),
            "south-up, pixels 0.333 times",
        ),
        (
            np.pad(VALUES, ((5, 9), (7, 1), (0, 0))),
            HERE @ Affine.translation(-7, -5),
            "shifted by -7 columns and -5 rows",
        ),
        (np.pad(VALUES, ((0, 1), (0, 2), (0, 0))), HERE, "98x65 pixels, the image 96x64"),
        (VALUES, HERE @ Affine.translation(0.3, 0.0), "shifted by 0.3 columns and 0 rows"),
    ],
)
def test_the_same_ground_on_another_grid_is_read_onto_the_images(
    tmp_path: Path, image: Path, pixels: np.ndarray, transform: Affine, words: str
) -> None:
    mask = put(tmp_path / "mask.tif", pixels, transform)
    found, labelled = read(mask, image)
    np.testing.assert_array_equal(found[labelled], VALUES[labelled])
    assert labelled.mean() > 0.98
    assert words in aligned(mask, image).difference
    assert aligned(mask, image).missing == pytest.approx(1 - labelled.mean())


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (HERE @ Affine.translation(0.2, -0.2), UTM),
        (HERE, LOCAL),
        (HERE, None),
        (HERE, CRS.from_user_input("EPSG:32640+5773")),
        (HERE, CRS.from_wkt(UTM.to_wkt(version="WKT1_ESRI"))),
    ],
)
def test_a_right_pair_needs_no_note(
    tmp_path: Path, image: Path, transform: Affine, crs: CRS | None
) -> None:
    mask = put(tmp_path / "mask.tif", VALUES, transform, crs)
    assert aligned(mask, image) == Alignment()
    np.testing.assert_array_equal(read(mask, image)[0], VALUES)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("crs", "image_crs", "place"),
    [
        ("EPSG:4326", "EPSG:3857", Affine(0.3, 0, 6_100_000, 0, -0.3, 2_800_000)),
        ("EPSG:32639", "EPSG:32640", Affine(2.0, 0, 250_000, 0, -2.0, 2_700_000)),
        ("EPSG:32640", "EPSG:4326", Affine(3e-6, 0, 55.0, 0, -3e-6, 24.4)),
        # axes are named north first
        ("EPSG:3067", "EPSG:4258", Affine(2e-5, 4e-6, 25.0, 4e-6, -1e-5, 60.2)),
        ("EPSG:2056", "EPSG:32632", Affine(0.25, 0, 465_000, 0, -0.25, 5_250_000)),
    ],
)
def test_another_crs_is_read_pixel_by_pixel(
    tmp_path: Path, crs: str, image_crs: str, place: Affine
) -> None:
    image = put(
        tmp_path / "image.tif", np.zeros((150, 130, 1), np.uint8), place, CRS.from_string(image_crs)
    )
    (x,), (y,) = to_crs(image_crs, crs, *([c] for c in place @ (65, 75)))
    (x1,), (y1,) = to_crs(image_crs, crs, *([c] for c in place @ (66, 75)))
    pixel = float(np.hypot(x1 - x, y1 - y)) * 1.7
    values = np.random.default_rng(1).integers(0, 250, (100, 110, 1), np.uint8)
    mask = put(
        tmp_path / "m.tif",
        values,
        Affine(pixel, 0, x - 50 * pixel, 0, -pixel, y + 60 * pixel),
        CRS.from_string(crs),
    )
    assert_read_exactly(mask, image, values)
    assert f"in {crs}, the image in {image_crs}" in aligned(mask, image).difference


def assert_read_exactly(mask: Path, image: Path, values: np.ndarray) -> None:
    """What GDAL says of the middle of each pixel, one by one; what lies a hundredth of a pixel from
    a border may fall to either side.
    """
    found, labelled = read(mask, image)
    with rasterio.open(mask) as of, rasterio.open(image) as on:
        columns, rows = np.meshgrid(np.arange(on.width) + 0.5, np.arange(on.height) + 0.5)
        xs, ys = to_crs(on.crs, of.crs, *(c.ravel() for c in on.transform @ (columns, rows)))
        xs = np.array(xs)
        if of.crs.is_geographic:
            xs = (xs - of.transform.c) % 360 + of.transform.c
        places = np.stack(~of.transform @ (xs, np.array(ys))).reshape(2, on.height, on.width)
    sure = (abs(places - places.round()) > 0.01).all(axis=0)
    column, row = np.floor(places).astype(int)
    inside = (row >= 0) & (row < len(values)) & (column >= 0) & (column < values.shape[1])
    assert sure.mean() > 0.9
    assert inside.mean() > 0.5
    np.testing.assert_array_equal(labelled[sure], inside[sure])
    compared = sure & inside
    np.testing.assert_array_equal(found[compared], values[row[compared], column[compared]])


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize("most", [1 << 22, 900, 1])
def test_any_window_is_that_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    turned = Affine.translation(500_000, 2_700_000) @ Affine.rotation(33) @ Affine.scale(0.3, -0.3)
    image = put(tmp_path / "image.tif", np.zeros((70, 90, 3), np.uint8), turned)
    place = Affine(1.5e-6, 0, 57.00002, 0, -1.5e-6, 24.41358)
    fine = np.random.default_rng(2).integers(0, 9, (260, 300, 1), np.uint8)
    mask = put(tmp_path / "mask.tif", fine, place, CRS.from_epsg(4326))
    whole, labelled = read(mask, image)
    assert 0.1 < labelled.mean() < 1
    assert (whole[~labelled] == 255).all()
    monkeypatch.setattr("segment.core.labels.nearest_pixels._MOST_PIXELS", most)
    for row, height, column, width in [
        (0, 70, 0, 90),
        (13, 21, 17, 40),
        (69, 1, 0, 90),
        (0, 70, 89, 1),
        (30, 17, 5, 1),
    ]:
        found, inside = read(mask, image, row, height, column, width)
        np.testing.assert_array_equal(found, whole[row : row + height, column : column + width])
        np.testing.assert_array_equal(inside, labelled[row : row + height, column : column + width])


@pytest.mark.heavy
def test_colours_and_palettes_outside_are_no_class_even_where_black_is_one(
    tmp_path: Path, image: Path
) -> None:
    black = ClassTable([Class(name="land", color="#000000"), Class(name="water", color="#0000FF")])
    colours = np.zeros((64, 96, 3), np.uint8)
    colours[..., 2] = np.where(VALUES[..., 0] > 2, 255, 0)
    shifted = HERE @ Affine.translation(48, 0)
    for mask in (
        put(tmp_path / "mask.tif", colours, shifted),
        put(tmp_path / "mask.png", colours, shifted, None),
    ):
        with open_raster(image) as raster:
            indices, unknown = decode_mask(mask, black, image=raster)
        assert (indices[:, :48] == 255).all()
        assert not unknown
        np.testing.assert_array_equal(indices[:, 48:], colours[:, :48, 2] // 255)


@pytest.mark.heavy
def test_a_picture_with_a_palette_and_a_world_file_stored_south_up(
    tmp_path: Path, image: Path
) -> None:
    mask = tmp_path / "mask.png"
    place = HERE @ Affine(1, 0, 0, 0, -1, 64)
    with rasterio.open(
        mask, "w", driver="PNG", height=64, width=96, count=1, dtype="uint8"
    ) as file:
        file.write(VALUES[::-1, :, 0], 1)
        file.write_colormap(1, {value: (40 * value, 0, 255 - value, 255) for value in range(5)})
    mask.with_suffix(".pgw").write_text(
        "\n".join(map(str, (place.a, 0, 0, place.e, place.c + 0.15, place.f + place.e / 2)))
    )
    found, labelled = read(mask, image)
    assert labelled.all()
    np.testing.assert_array_equal(
        found, np.concatenate([40 * VALUES, 0 * VALUES, 255 - VALUES], axis=2)
    )
    notes = aligned(mask, image).notes("mask.png")
    assert "stored south-up" in notes[0]
    assert "CRS cannot be compared" in notes[1]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("dtype", "nodata"), [("float32", -9999), ("uint16", 65535), ("uint8", 0), ("int16", None)]
)
def test_values_of_any_type_are_exact(
    tmp_path: Path, image: Path, dtype: str, nodata: float | None
) -> None:
    values = VALUES.astype(dtype)
    values[3:6] = 0 if nodata is None else nodata
    mask = put(tmp_path / "mask.tif", values, HERE @ Affine.translation(0, 10), nodata=nodata)
    found, labelled = read(mask, image)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[10:], values[:54])
    assert not labelled[:10].any()
    assert (found[:10] == 255).all()


def test_what_its_mask_band_leaves_out_is_not_labelled(tmp_path: Path, image: Path) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        mask = put(tmp_path / "mask.tif")
        with rasterio.open(mask, "r+") as file:
            file.write_mask(np.arange(96)[None].repeat(64, 0) >= 30)
    assert read(mask, image)[1].sum(axis=0).tolist() == [0] * 30 + [64] * 66


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (Affine(1e-5, 0, 10, 0, -1e-5, 50), CRS.from_epsg(4326)),
        (HERE, CRS.from_epsg(32639)),  # the same figures in the neighbouring zone
        (HERE, CRS.from_epsg(32740)),
        (HERE @ Affine.translation(96, 0), UTM),  # side by side
        (HERE @ Affine.translation(0, -64), UTM),
        (HERE @ Affine.translation(95.7, 0), UTM),  # no middle of a pixel in common
        (HERE @ Affine.translation(500, 0), None),
        (HERE @ Affine.translation(500, 0), LOCAL),
    ],
)
def test_elsewhere_is_refused(
    tmp_path: Path, image: Path, transform: Affine, crs: CRS | None
) -> None:
    with pytest.raises(
        InputError, match=r"mask\.tif: mask does not cover its image: mask x .* Use the mask"
    ) as error:
        aligned(put(tmp_path / "mask.tif", VALUES, transform, crs), image)
    assert "\n" not in str(error.value)


def test_without_a_georeference_in_both_sizes_have_to_be_the_same(
    tmp_path: Path, image: Path
) -> None:
    plain = write_raster(tmp_path / "plain.png", VALUES)
    counting = put(tmp_path / "counting.tif", VALUES, Affine(1, 0, -0.5, 0, -1, 64.5), None)
    bare = put(tmp_path / "bare.tif", VALUES, **NOWHERE)
    for mask, other in [
        (plain, image),
        (counting, image),
        (bare, image),
        (image, plain),
        (plain, bare),
        (counting, plain),
    ]:
        assert aligned(mask, other) == Alignment()
    small = write_raster(tmp_path / "small.png", VALUES[:60])
    for mask, other in [(small, image), (image, small), (small, plain)]:
        with pytest.raises(
            InputError,
            match="mask is .*, image is .*, and not both are georeferenced. Export",
        ):
            aligned(mask, other)


def put_by_points(
    path: Path, transform: Affine, crs: CRS = UTM, bent: float = 0, pixels: np.ndarray = VALUES
) -> Path:
    """Places a raster by ground control points. bent: pixels by which one of them misses the
    transform.
    """
    put(path, pixels, **NOWHERE)
    height, width = pixels.shape[:2]
    corners = [(0.0, 0.0), (0.0, width), (height, 0.0), (height + bent, width)]
    with rasterio.open(path, "r+") as file:
        file.gcps = (
            [GroundControlPoint(min(r, height), c, *(transform @ (c, r))) for r, c in corners],
            crs,
        )
    return path


def test_control_points_that_fit_no_transform_are_noted(tmp_path: Path, image: Path) -> None:
    bent = put_by_points(tmp_path / "bent.tif", HERE @ Affine.translation(1000, 0), bent=20)
    assert "its place is given by control points only" in aligned(bent, image).notes("m")[0]
    other = put(tmp_path / "other.tif")
    assert "the image's place is given by control points only" in aligned(other, bent).notes("m")[0]
    assert aligned(bent, bent) == Alignment()


@pytest.mark.heavy
def test_control_points_that_fit_a_transform_say_where_a_raster_lies(
    tmp_path: Path, image: Path
) -> None:
    same = put_by_points(tmp_path / "same.tif", HERE)
    assert aligned(same, image) == aligned(image, same) == Alignment()
    upside_down = put_by_points(
        tmp_path / "south.tif", HERE @ Affine(1, 0, 0, 0, -1, 64), pixels=VALUES[::-1]
    )
    for other in (
        image,
        put_by_points(tmp_path / "scene.tif", HERE, pixels=np.zeros((64, 96, 3), np.uint8)),
    ):
        found, labelled = read(upside_down, other)
        assert labelled.all()
        np.testing.assert_array_equal(found, VALUES)
    germany = put_by_points(
        tmp_path / "germany.tif", Affine(1e-5, 0, 10, 0, -1e-5, 50), CRS.from_epsg(4326)
    )
    for mask, scene in [(germany, image), (image, germany)]:
        with pytest.raises(InputError, match=r"mask does not cover its image: .*EPSG:4326"):
            aligned(mask, scene)


def test_a_mask_that_is_tiny_beside_its_image_still_overlaps_it(tmp_path: Path) -> None:
    image = tmp_path / "image.tif"
    size = {
        "height": 9000,
        "width": 9000,
        "count": 1,
        "dtype": "uint8",
        "sparse_ok": True,
        "tiled": True,
    }
    with rasterio.open(image, "w", driver="GTiff", crs=UTM, transform=HERE, **size):
        pass
    mask = put(tmp_path / "mask.tif", VALUES[:2, :2], HERE @ Affine.translation(4004, 4004))
    assert 0.999 < aligned(mask, image).missing < 1
    assert "over 99.9 %" in aligned(mask, image).notes("m")[1]


@pytest.mark.heavy
def test_longitudes_are_the_same_ground_all_the_way_round(tmp_path: Path) -> None:
    degrees = CRS.from_epsg(4326)
    image = put(
        tmp_path / "image.tif",
        np.zeros((64, 96, 3), np.uint8),
        Affine(1e-5, 0, -60, 0, -1e-5, 10),
        degrees,
    )
    mask = put(tmp_path / "mask.tif", VALUES, Affine(1e-5, 0, 300, 0, -1e-5, 10), degrees)
    assert aligned(mask, image) == Alignment()
    fiji = put(
        tmp_path / "fiji.tif",
        np.zeros((64, 96, 3), np.uint8),
        Affine(90, 0, 801_000, 0, -90, 8_150_000),
        CRS.from_epsg(32760),
    )  # the antimeridian runs through it
    (lon,), (lat,) = to_crs("EPSG:32760", "EPSG:4326", [801_000], [8_150_000])
    for west in (lon, lon - 360):
        world = put(
            tmp_path / "world.tif", VALUES, Affine(0.0011, 0, west, 0, -0.0011, lat), degrees
        )
        assert_read_exactly(world, fiji, VALUES)
