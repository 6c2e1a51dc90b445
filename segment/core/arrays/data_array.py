"""DataArrays of xarray with a georeference of rioxarray, in and out."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from segment.core.arrays.georeference import require_even_steps, spatial_dims, transform_of
from segment.core.arrays.pixels import ImagePixels, require_dtype, require_shape
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, ClassTable

if TYPE_CHECKING:
    from xarray import DataArray


def is_data_array(image: object) -> TypeGuard["DataArray"]:
    """Returns whether an object is a DataArray of xarray.

    Args:
        image: Any object. xarray is not imported for it.

    Returns:
        True for a DataArray.

    Raises:
        InputError: If it is a Dataset of xarray.
    """
    xarray = sys.modules.get("xarray")
    if xarray is None:
        return False
    if isinstance(image, xarray.Dataset):
        names = [str(name) for name in image.data_vars]
        raise InputError(
            f"image: received a Dataset with the variables {', '.join(names) or 'none'}. Give one"
            ' DataArray: image["NAME"], or image.to_dataarray("band") for one band each.'
        )
    return isinstance(image, xarray.DataArray)


def data_array_pixels(image: "DataArray", name: str, expected: int) -> ImagePixels:
    """Reads a DataArray: dimensions y and x, and one of bands, in any order.

    CRS, transform, nodata and names of bands are those that rioxarray finds. Where it was opened
    with `masked=True`, its pixels are those of the file again.

    Args:
        image: The DataArray. Other dimensions have length 1. One that is computed by dask is
            computed row strip by row strip.
        name: Name of the image in messages.
        expected: Number of bands that the model reads.

    Returns:
        Its pixels.

    Raises:
        InputError: If rioxarray is not installed, or the dimensions are not those of one image.
    """
    y, x = spatial_dims(image, name)
    if {"y", "x"}.isdisjoint(image.dims):  # names that rioxarray finds in what is made of it
        image, y, x = image.rename({y: "y", x: "x"}), "y", "x"
    image = _one_image(image, y, x, name)
    require_even_steps(image, (y, x), name)
    band = next((dim for dim in image.dims if dim not in (y, x)), None)
    ordered = image.transpose(y, x, *([] if band is None else [band]))
    shape = ordered.shape if band is not None else (*ordered.shape, 1)
    height, width, count = require_shape(shape, name, expected)
    stored = _stored_type(image)
    dtype = require_dtype(image.dtype, name) if stored is None else stored
    names = _band_names(image, band, count)

    def read(top: int, bottom: int) -> NDArray[Any]:
        pixels = np.asarray(ordered[top:bottom].values).reshape(bottom - top, width, count)
        if stored is None:
            return pixels.astype(dtype, copy=False)
        filled = np.where(np.isnan(pixels), image.rio.encoded_nodata, pixels)
        whole = filled.astype(dtype)
        if (whole != filled).any():
            raise InputError(
                f"{name}: opened from a file of {dtype}, but its values are others. Forget the"
                " file: image.drop_encoding()"
            )
        return whole

    return ImagePixels(
        (height, width, count),
        dtype,
        read,
        is_alpha=count == 4 and dtype == np.uint8 and (not names or names[3].lower() == "alpha"),
        nodata=_nodata(image, stored is not None),
        crs=image.rio.crs,
        transform=transform_of(image, x, y),
        names=names,
    )


def labels_like(
    image: "DataArray", labels: NDArray[np.uint8], table: ClassTable, attributes: Mapping[str, Any]
) -> "DataArray":
    """Makes a DataArray of labels, on the grid of an image.

    Args:
        image: The image.
        labels: Class values, (rows, columns); 255 where nodata.
        table: Class table of the labels.
        attributes: Further attributes.

    Returns:
        Labels with the dimensions y and x. Attributes are `classes`, and `flag_values` and
        `flag_meanings` of the CF conventions; nodata is 255.
    """
    made = _grid_of(image).copy(data=labels).rename("labels")
    made.attrs = {
        "long_name": "land cover",
        "classes": table.names,
        "flag_values": np.array([c.value for c in table.mapped], np.uint8),
        "flag_meanings": " ".join(name.replace(" ", "_") for name in table.names),
        **attributes,
    }
    return _placed(made.rio.write_nodata(IGNORED), image)


def probabilities_like(
    image: "DataArray", probabilities: NDArray[np.float32], table: ClassTable
) -> "DataArray":
    """Makes a DataArray of class probabilities, on the grid of an image.

    Args:
        image: The image.
        probabilities: Shape (rows, columns, classes), 0 to 1; NaN where nodata.
        table: Class table of the probabilities.

    Returns:
        Probabilities with the dimensions class, y and x.
    """
    grid = _grid_of(image).expand_dims({"class": table.names})
    made = grid.copy(data=np.moveaxis(probabilities, 2, 0)).rename("probabilities")
    made.attrs = {"long_name": "probability of the class", "units": "1"}
    return _placed(made.rio.write_nodata(np.nan), image)


def _grid_of(image: "DataArray") -> "DataArray":
    y, x = spatial_dims(image)
    others = {dim: 0 for dim in image.dims if dim not in (y, x)}
    grid = image.isel(others, drop=True).transpose(y, x)
    grid.encoding = {}
    return grid


def _placed(made: "DataArray", image: "DataArray") -> "DataArray":
    """Gives a result the CRS of an image, and the transform of the pixels that are left of it."""
    y, x = spatial_dims(image)
    crs, transform = image.rio.crs, transform_of(image, x, y)
    placed: DataArray = made if crs is None else made.rio.write_crs(crs)
    return placed if transform is None else placed.rio.write_transform(transform)


def _one_image(image: "DataArray", y: Any, x: Any, name: str) -> "DataArray":
    """Drops dimensions of length 1 besides y, x and one of bands."""
    others = [dim for dim in image.dims if dim not in (y, x)]
    if len(others) > 1:
        image = image.isel({dim: 0 for dim in others if image.sizes[dim] == 1}, drop=True)
        others = [dim for dim in others if dim in image.dims]
    times = [dim for dim in others if dim in image.coords and image.coords[dim].dtype.kind == "M"]
    if len(others) > 1 or (times and image.sizes[times[0]] > 1):
        wrong = times[0] if times else others[0]
        raise InputError(
            f"{name}: dimensions {image.dims} are more than y, x and bands. Give one image at a"
            f" time: image.isel({wrong}=0)"
        )
    return image


def _stored_type(image: "DataArray") -> "np.dtype[Any] | None":
    """The integers of the file, where nodata turned them into floats as they were opened."""
    stored = image.encoding.get("rasterio_dtype", image.encoding.get("dtype"))
    if stored is None or image.rio.encoded_nodata is None or image.dtype.kind != "f":
        return None
    found = np.dtype(stored)
    return found if found.kind in "iu" and not image.encoding.get("scale_factor") else None


def _nodata(image: "DataArray", is_encoded: bool) -> float | None:
    nodata = image.rio.encoded_nodata if is_encoded else image.rio.nodata
    return None if nodata is None else float(nodata)


def _band_names(image: "DataArray", band: Any, count: int) -> tuple[str, ...]:
    """Names of the bands: those of the file, or the coordinate of the bands, if it holds text."""
    names = image.attrs.get("long_name")
    if isinstance(names, str):
        names = [names]
    if (not names or len(names) != count) and band in image.coords:
        found = image.coords[band].values
        names = found.tolist() if found.dtype.kind in "UO" else None
    return tuple(map(str, names)) if names is not None and len(names) == count else ()
