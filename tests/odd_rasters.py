"""Rasters of all the kinds that people have, drawn from one RGB picture.

`python -m tests.odd_rasters FOLDER` writes all of them, to be mapped.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.shutil import copy

S2 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
PLACE = Affine(0.4, 0, 500_000, 0, -0.4, 2_700_000)
Picture = NDArray[np.uint8]


def write(
    path: Path,
    pixels: NDArray[Any],
    names: tuple[str, ...] = (),
    **profile: Any,
) -> Path:
    """Writes (rows, columns, bands), with pixels of 40 cm unless `profile` has another place."""
    height, width, count = pixels.shape
    drivers = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG", ".bmp": "BMP", ".jp2": "JP2OpenJPEG"}
    options = {"driver": drivers[path.suffix], "dtype": pixels.dtype, "count": count}
    if path.suffix in (".tif", ".jp2"):
        options |= {"crs": "EPSG:32640", "transform": PLACE}
    if path.suffix == ".tif" and count > 3:
        options |= {"photometric": "MINISBLACK", "alpha": "NO"}
    with rasterio.open(path, "w", height=height, width=width, **(options | profile)) as file:
        if names:
            file.descriptions = names
        file.write(pixels.transpose(2, 0, 1))
    return path


def bands(rgb: Picture, count: int) -> Picture:
    """Repeats the bands of a picture, up to a number of them."""
    return np.dstack([rgb[..., i % 3] for i in range(count)])


def multispectral(path: Path, rgb: Picture) -> Path:
    """Reflectance of Sentinel-2, with the names of its bands."""
    found = bands(rgb, 13).astype(np.uint16) * 12 + 1000
    for position, band in ((3, 0), (2, 1), (1, 2)):
        found[..., position] = rgb[..., band].astype(np.uint16) * 12 + 1000
    return write(path, found, S2)


def palette(path: Path, rgb: Picture) -> Path:
    """Six levels of each colour, as a palette."""
    levels = (rgb // 43).astype(int)
    write(path, (levels @ [36, 6, 1]).astype(np.uint8)[..., None])
    with rasterio.open(path, "r+") as file:
        file.write_colormap(
            1, {i: (43 * (i // 36), 43 * (i // 6 % 6), 43 * (i % 6), 255) for i in range(216)}
        )
    return path


def palette_with_alpha(path: Path, rgb: Picture) -> Path:
    """A palette with an alpha band that hides a third, as warping of a palette makes."""
    palette(path, rgb)
    with rasterio.open(path) as file:
        indices, colors = file.read(1), file.colormap(1)
    alpha = np.full(indices.shape, 255, np.uint8)
    alpha[: len(alpha) // 3] = 0
    write(path, np.dstack([indices, alpha]), photometric="PALETTE", alpha="YES")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, colors)
    return path


def wide_palette(path: Path, rgb: Picture) -> Path:
    """A palette whose indices have 16 bits."""
    write(path, (rgb[..., :1] // 64).astype(np.uint16), photometric="PALETTE")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {i: (64 * i, 64 * i, 64 * i, 255) for i in range(4)})
    return path


def masked(path: Path, rgb: Picture) -> Path:
    """A mask band inside the file, which hides a third."""
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write(path, rgb)
        with rasterio.open(path, "r+") as file:
            mask = np.full(rgb.shape[:2], 255, np.uint8)
            mask[: len(mask) // 3] = 0
            file.write_mask(mask)
    return path


def with_alpha(path: Path, rgb: Picture) -> Path:
    """An alpha band that hides a third."""
    alpha = np.full((*rgb.shape[:2], 1), np.iinfo(rgb.dtype).max, rgb.dtype)
    alpha[: len(alpha) // 3] = 0
    return write(path, np.dstack([rgb, alpha]), photometric="RGB", alpha="YES")


def by_points(path: Path, rgb: Picture) -> Path:
    """Placed by ground control points alone."""
    height, width = rgb.shape[:2]
    write(path, rgb, transform=Affine.identity())
    corners = [(r, c) for r in (0, height) for c in (0, width)]
    points = [GroundControlPoint(r, c, *(PLACE @ (c, r))) for r, c in corners]
    with rasterio.open(path, "r+") as file:
        file.gcps = points, rasterio.crs.CRS.from_epsg(32640)
    return path


def beside(path: Path, rgb: Picture, **profile: Any) -> Path:
    """Another file (VRT and the like), which refers to a GeoTIFF in a folder beside it."""
    source = path.parent / "parts" / f"{path.stem}.tif"
    source.parent.mkdir(exist_ok=True)
    write(source, rgb, **profile)
    copy(source, path, driver="VRT")
    return path


def with_world_file(path: Path, rgb: Picture) -> Path:
    """A picture with a world file, which has no coordinate system."""
    write(path, rgb)
    values = PLACE.a, PLACE.d, PLACE.b, PLACE.e, PLACE.c + PLACE.a / 2, PLACE.f + PLACE.e / 2
    path.with_suffix(".pgw").write_text("\n".join(map(str, values)))
    return path


def holes(rgb: Picture, value: float, dtype: str = "float32") -> NDArray[Any]:
    """Pixels as floats of 0 to 1, with a third that is a value."""
    found = (rgb / 255).astype(dtype)
    found[: len(found) // 3] = value
    return found


def mixed_types(path: Path, rgb: Picture) -> Path:
    """A VRT of bands of two types."""
    beside(path, rgb)
    text = path.read_text().replace('dataType="Byte" band="3"', 'dataType="UInt16" band="3"')
    path.write_text(text)
    return path


def scaled(path: Path, rgb: Picture) -> Path:
    """Numbers that become reflectance by a scale and an offset in the header."""
    write(path, rgb.astype(np.uint16) * 30 + 1000)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.0001,) * 3, (-0.1,) * 3
    return path


def other_units(path: Path, rgb: Picture) -> Path:
    """Bands that become reflectance by scales of their own."""
    write(path, rgb)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (2, 1, 1), (0, 10, 10)
    return path


def by_hue(path: Path, rgb: Picture) -> Path:
    """Bands that the file calls hue, saturation and lightness."""
    text = beside(path, rgb).read_text()
    for name, other in (("Red", "Hue"), ("Green", "Saturation"), ("Blue", "Lightness")):
        text = text.replace(f"<ColorInterp>{name}<", f"<ColorInterp>{other}<")
    path.write_text(text)
    return path


def netcdf(path: Path, rgb: Picture) -> Path:
    """A NetCDF file with a variable for each band."""
    copy(write(path.with_suffix(".tif"), rgb), path, driver="netCDF")
    return path


def envi_header(path: Path, rgb: Picture) -> Path:
    """The header of an ENVI raster."""
    copy(write(path.with_suffix(".tif"), rgb), path.with_suffix(".img"), driver="ENVI")
    return path


def constant(value: int, dtype: str) -> Callable[[Path, Picture], Path]:
    """A writer of pixels that are all the same."""
    return lambda path, rgb: write(path, np.full(rgb.shape, value, dtype))


MAPPED: dict[str, Callable[[Path, Picture], Path]] = {
    "grey.tif": lambda p, rgb: write(p, rgb[..., :1]),
    "rgb.tif": write,
    "photo.jpg": write,
    "bitmap.bmp": write,
    "four.tif": lambda p, rgb: write(p, bands(rgb, 4)),
    "bgrn.tif": lambda p, rgb: write(
        p, bands(rgb, 4)[..., [2, 1, 0, 3]], ("Blue", "Green", "Red", "NIR")
    ),
    "five.tif": lambda p, rgb: write(p, bands(rgb, 5)),
    "sentinel2.tif": multispectral,
    "bits12.tif": lambda p, rgb: write(p, rgb.astype(np.uint16) * 16, nbits=12),
    "bits16.tif": lambda p, rgb: write(p, rgb.astype(np.uint16) * 257),
    "signed16.tif": lambda p, rgb: write(p, rgb.astype(np.int16) * 100 - 9000, nodata=-32768),
    "signed8.tif": lambda p, rgb: write(p, (rgb.astype(int) - 128).astype(np.int8)),
    "int32.tif": lambda p, rgb: write(p, rgb.astype(np.int32) * 1000),
    "uint32.tif": lambda p, rgb: write(p, rgb.astype(np.uint32) * 1000),
    "float01.tif": lambda p, rgb: write(p, (rgb / 255).astype(np.float32)),
    "reflectance.tif": lambda p, rgb: write(p, (rgb * 40.0).astype(np.float32)),
    "float64.tif": lambda p, rgb: write(p, rgb / 255),
    "nan.tif": lambda p, rgb: write(p, holes(rgb, np.nan), nodata=np.nan),
    "nan_undeclared.tif": lambda p, rgb: write(p, holes(rgb, np.nan)),
    "infinite.tif": lambda p, rgb: write(p, holes(rgb, np.inf)),
    "huge_nodata.tif": lambda p, rgb: write(p, holes(rgb, -3.4e38), nodata=-3.3999999521443642e38),
    "huge_undeclared.tif": lambda p, rgb: write(p, holes(rgb, np.finfo(np.float32).min)),
    "minus9999.tif": lambda p, rgb: write(p, holes(rgb, -9999), nodata=-9999),
    "scale_offset.tif": scaled,
    "palette.tif": palette,
    "palette_alpha.tif": palette_with_alpha,
    "mask_band.tif": masked,
    "rgba.tif": with_alpha,
    "rgba16.png": lambda p, rgb: write(
        p, np.dstack([rgb, np.full_like(rgb[..., :1], 255)]).astype(np.uint16) * 257
    ),
    "grey_alpha.png": lambda p, rgb: write(p, np.dstack([rgb[..., :1], rgb[..., :1] * 0 + 255])),
    "bigtiff.tif": lambda p, rgb: write(
        p, rgb, tiled=True, blockxsize=64, blockysize=64, BIGTIFF="YES", compress="DEFLATE"
    ),
    "ycbcr.tif": lambda p, rgb: write(p, rgb, compress="JPEG", photometric="YCBCR"),
    "vrt.vrt": beside,
    "jpeg2000.jp2": write,
    "world_file.png": with_world_file,
    "rotated.tif": lambda p, rgb: write(p, rgb, transform=PLACE @ Affine.rotation(30)),
    "south_up.tif": lambda p, rgb: write(p, rgb, transform=Affine(0.4, 0, 5e5, 0, 0.4, 2.7e6)),
    "degrees.tif": lambda p, rgb: write(
        p, rgb, crs="EPSG:4326", transform=Affine(4e-6, 0, 55, 0, -4e-6, 25)
    ),
    "feet.tif": lambda p, rgb: write(p, rgb, crs="EPSG:2263"),
    "points.tif": by_points,
    "no_place.tif": lambda p, rgb: write(p, rgb, crs=None, transform=Affine.identity()),
    "constant.tif": constant(100, "uint8"),
    "constant16.tif": constant(1000, "uint16"),
    "cmyk.tif": lambda p, rgb: write(
        p, np.dstack([255 - rgb, rgb[..., :1] * 0]), photometric="CMYK", alpha="NO"
    ),
    "false_colour.tif": lambda p, rgb: write(p, rgb, ("NIR", "Red", "Green")),
    "other_units.tif": other_units,
    "thermal.tif": lambda p, rgb: write(p, rgb, ("Red", "Thermal 10800 nm", "Blue")),
    "hue.vrt": by_hue,
    "false_colour_s2.tif": lambda p, rgb: write(p, rgb, ("B8", "B4", "B3")),
    "radar.tif": lambda p, rgb: write(p, rgb, ("VV", "VH", "VV/VH")),
    "one_bit.tif": lambda p, rgb: write(p, (rgb[..., :1] > 120).astype(np.uint8), nbits=1),
    "one_row.tif": lambda p, rgb: write(p, rgb[:1]),
    "one_column.tif": lambda p, rgb: write(p, rgb[:, :1]),
    "one_pixel.tif": lambda p, rgb: write(p, rgb[:1, :1]),
    "one_pixel16.tif": lambda p, rgb: write(p, rgb[:1, :1].astype(np.uint16) * 30),
    "all_nodata.tif": lambda p, rgb: write(p, rgb * 0, nodata=0),
    "all_nodata16.tif": lambda p, rgb: write(p, rgb.astype(np.uint16) * 0, nodata=0),
    "all_nan.tif": lambda p, rgb: write(p, np.full(rgb.shape, np.nan, np.float32)),
    "all_transparent.tif": lambda p, rgb: write(
        p, np.dstack([rgb, rgb[..., :1] * 0]), photometric="RGB", alpha="YES"
    ),
}
"""Rasters that are mapped, by file name."""

REFUSED: dict[str, tuple[Callable[[Path, Picture], Path], str]] = {
    "two.tif": (lambda p, rgb: write(p, rgb[..., :2]), "Received 2 bands.*--bands 1,1,1"),
    "elevation.tif": (
        lambda p, rgb: write(p, rgb[..., :1].astype(np.float32) * 3),
        "Received 1 band of float32",
    ),
    "complex.tif": (lambda p, rgb: write(p, rgb.astype(np.complex64)), "complex"),
    "wide_palette.tif": (wide_palette, "palette into colours: gdal_translate -expand rgb IN OUT.$"),
    "mixed_types.vrt": (mixed_types, "uint16"),
    "variables.nc": (netcdf, "holds 3 rasters. Name one of them"),
    "envi.hdr": (envi_header, "header of an ENVI raster. Give the file of its pixels"),
    "scene.zip": (lambda p, _: p.write_bytes(b"PK") and p, "Unpack it, or name a raster in it"),
    "text.tif": (lambda p, _: p.write_text("no raster") and p, "cannot be read as a raster"),
    "empty.tif": (lambda p, _: p.write_bytes(b"") or p, "cannot be read as a raster"),
    "cut_off.tif": (
        lambda p, rgb: p.write_bytes(write(p, rgb).read_bytes()[:5000]) and p,
        "cannot be read as a raster",
    ),
}
"""Rasters that are refused, with words of the reason."""


def draw(height: int = 120, width: int = 150) -> Picture:
    """Draws a picture with land, water and roofs, and noise."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.full((height, width, 3), (150, 130, 95), float)
    picture[columns + rows / 3 > width * 0.8] = (40, 70, 90)
    picture[(rows // 20 + columns // 25) % 3 == 0] *= (0.6, 0.9, 0.6)
    noise = np.random.default_rng(0).normal(0, 12, picture.shape)
    return np.clip(picture + noise, 1, 254).astype(np.uint8)


def main() -> None:
    """Writes all rasters into a folder, from a picture if one is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    picture = draw()
    if len(sys.argv) > 2:
        with rasterio.open(sys.argv[2]) as file:
            picture = file.read().transpose(1, 2, 0)[:300, :360]
    for name, writer in MAPPED.items():
        writer(folder / name, picture)
    for name, (writer, _) in REFUSED.items():
        writer(folder / name, picture)


if __name__ == "__main__":
    main()
