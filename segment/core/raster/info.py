"""What headers of rasters state, and which bands can be read together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np

from segment.core.errors import InputError, counted
from segment.core.pixels.band_scale import BandScale
from segment.core.raster.alpha import AlphaUse, describe_use
from segment.core.raster.bands import listed
from segment.core.raster.grid import PixelGrid
from segment.core.raster.orientation import UPRIGHT, Orientation
from segment.core.raster.subdatasets import is_animated
from segment.core.raster.virtual import has_palette

MOST_BANDS = 4096
"""Largest number of bands of a file, ten times that of imaging spectrometers.

A header of a few bytes may declare 65,535.
"""


@dataclass(frozen=True)
class RasterInfo:
    """The header of a raster.

    Attributes:
        path: Path as it was given.
        width: Columns of the upright picture.
        height: Rows of the upright picture.
        bands: Number of bands in use, without alpha.
        dtype: Name of the data type of the bands, after the scale.
        colors: Colour interpretation of each band of the file, as rasterio names it.
        orientation: How the picture is turned upright.
        alpha: Use of the alpha band, see `Raster`.
        alpha_note: What to report of the alpha band, see `Raster`.
        scale: Scale that brings pixels to 8 bits, None where they stay as they are.
        ground: Position of the pixels on the ground, None where it is not known.
    """

    path: str
    width: int
    height: int
    bands: int
    dtype: str
    colors: tuple[str, ...]
    orientation: Orientation = UPRIGHT
    alpha: AlphaUse | None = None
    alpha_note: str | None = None
    scale: BandScale | None = None
    ground: PixelGrid | None = field(default=None, compare=False, repr=False)

    @property
    def has_palette(self) -> bool:
        """Whether pixels are numbers of palette colours, with or without an alpha band."""
        return self.colors[:1] == ("palette",) and {*self.colors[1:]} <= {"alpha"}

    def require_colors(self) -> None:
        """Checks that pixels are no numbers of palette colours, which a model cannot learn from.

        Raises:
            InputError: If they are.
        """
        if self.has_palette:
            raise InputError(
                f"{self.path}: pixels are numbers of palette colours. Convert them to colours:"
                " gdal_translate -expand rgb IN OUT"
            )

    def scaled(self, scale: BandScale | None) -> "RasterInfo":
        """Adapts the header to pixels that are brought to 8 bits.

        Args:
            scale: The scale; None for none.

        Returns:
            The header of pixels of 8 bits, or this one where its data type is not that of the
            scale.
        """
        if scale is None or self.scale is not None or self.dtype != scale.dtype:
            return self
        return replace(self, scale=scale, dtype="uint8")

    def fitted(self, bands: int) -> "RasterInfo":
        """Adapts the header to the number of bands that a model reads.

        An alpha band that is no mask is left out where it is one too many.

        Args:
            bands: Number of bands that the model reads.

        Returns:
            The header with that band left out, or this one where there is nothing to leave out.
        """
        tagged = [number for number, color in enumerate(self.colors, 1) if color == "alpha"]
        if self.alpha != "band" or self.bands - len(tagged) != bands:
            return self
        return replace(
            self,
            bands=bands,
            alpha="none",
            alpha_note=describe_use("none", tagged, range(bands), False),
        )


def require_bands(dataset: Any, path: str, bands: Sequence[int]) -> None:
    """Checks that a dataset has the bands to read.

    Args:
        dataset: An open rasterio dataset.
        path: Path by which messages name the raster.
        bands: Numbers of the bands to read, from 1.

    Raises:
        InputError: If a band does not exist, there is none, several are pictures of their own,
            or the file is an animated WebP.
    """
    count, within = dataset.count, dataset.subdatasets
    if not (count and bands) and within:
        raise InputError(
            f"{path}: file has no bands itself, but holds {len(within)} rasters. Name one of them,"
            f" such as {within[0]}"
        )
    if not (count and bands):
        raise InputError(f"{path}: file has no bands besides alpha. Name a raster that has some.")
    if not all(isinstance(band, Integral) and 1 <= band <= count for band in bands):
        raise InputError(
            f"{path}: file has {counted(count, 'band')}, asked for are {list(bands)}. Choose from"
            f" 1 to {count}."
        )
    if dataset.driver == "WEBP" and is_animated(path):
        raise InputError(
            f"{path}: is an animation, which cannot be read. Save one of its frames as PNG."
        )
    colors = dataset.colorinterp
    if len({*bands}) > 1 and all(colors[band - 1].name == "palette" for band in bands):
        raise InputError(
            f"{path}: bands {listed(bands)} have a palette each, like the frames of an animation,"
            " and are not the colours of one picture. Save one: gdal_translate -b 1 -expand rgb IN"
            " OUT"
        )


def level_notes(dataset: Any, bands: Sequence[int], is_scaled: bool) -> tuple[str, ...]:
    """Warns of pixels that other programs show brighter, inverted or in other units.

    Args:
        dataset: An open rasterio dataset that a model of pictures reads.
        bands: Numbers of the bands that are read.
        is_scaled: Whether a scale brings its pixels to 8 bits.

    Returns:
        A line for each such property of the file.
    """
    file, band = dataset.tags(ns="IMAGE_STRUCTURE"), dataset.tags(1, ns="IMAGE_STRUCTURE")
    bits = int(band.get("NBITS") or file.get("NBITS") or 8)
    notes = []
    if bits < 8 and not (is_scaled or has_palette(dataset)):
        high = 2**bits - 1
        notes.append(
            f"Warning: Pixels have {counted(bits, 'bit')}, values of 0 to {high}, and are read as"
            f" they are, nearly black to a model of 8 bits. Bring them to 8 bits: --scale 0,{high}"
        )
    if file.get("MINISWHITE") == "YES":
        notes.append(
            "Warning: The file states that 0 is white (MINISWHITE), and its values are read as they"
            " are, light as dark. Invert them: gdal_translate -scale 0 255 255 0 IN OUT"
        )
    all_units = dict(
        zip(dataset.indexes, zip(dataset.scales, dataset.offsets, strict=True), strict=True)
    )
    # bands that the file lacks are refused later
    units = list(dict.fromkeys(all_units[b] for b in bands if b in all_units))
    stated = ", ".join(f"{scale:g} and {offset:g}" for scale, offset in units)
    if len(units) > 1:
        notes.append(
            f"Warning: The file states another scale and offset for some bands ({stated}). Values"
            " are read as stored, which may change colours. Apply them: gdal_translate -unscale -ot"
            " Float32 IN OUT"
        )
    elif stated != "1 and 0" and units:
        notes.append(
            f"The scale and offset that the file states ({stated}) are not applied: --scale and"
            " --nodata take values as stored."
        )
    return tuple(notes)


def common_type(path: str, types: set[str]) -> "np.dtype[Any]":
    """Finds the data type that all bands share.

    Args:
        path: Path by which messages name the raster.
        types: Names of the data types of the bands to read.

    Returns:
        The data type.

    Raises:
        InputError: If the bands differ in type or are complex.
    """
    if len(types) > 1:
        problem = f"bands have different types ({', '.join(sorted(types))})"
    elif any(name.startswith("complex") for name in types):
        problem = f"pixels are complex numbers ({', '.join(types)})"
    else:
        return np.dtype(min(types))
    raise InputError(f"{path}: {problem}. Convert them: gdal_translate -ot Float32 IN OUT")


def require_pixel_size(path: str, transform: Any) -> None:
    """Checks that pixels have a size on the ground.

    Args:
        path: Path by which messages name the raster.
        transform: Affine transform of the raster.

    Raises:
        InputError: If the transform gives pixels no size, or none that is finite.
    """
    if not math.isfinite(transform.determinant) or transform.determinant == 0:
        raise InputError(
            f"{path}: degenerate geotransform {transform.to_gdal()}. Fix it with gdal_edit.py."
        )
