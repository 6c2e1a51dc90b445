"""Georeferences that users give in Python: CRS and affine transform."""

from typing import TYPE_CHECKING, Any

import numpy as np

from segment.core.errors import InputError, quoted

if TYPE_CHECKING:
    from xarray import DataArray

_TRANSFORM = "Give rasterio's, e.g. rasterio.transform.from_origin(west, north, width, height)."


def parse_transform(transform: Any, name: str = "image") -> Any:
    """Converts a transform that a user gives.

    Args:
        transform: Affine, or its six numbers in the same order; None for none.
        name: Name of the image in messages.

    Returns:
        The transform, or None.

    Raises:
        InputError: If it is neither.
    """
    from affine import Affine

    if transform is None or isinstance(transform, Affine):
        return transform
    try:
        return Affine(*(float(number) for number in tuple(transform)[:6]))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}: transform is no affine transform. Received {quoted(transform, 80)}."
            f" {_TRANSFORM}"
        ) from error


def parse_crs(crs: Any, name: str = "image") -> Any:
    """Converts a CRS that a user gives.

    Args:
        crs: What rasterio takes, such as "EPSG:32640" or a CRS of pyproj; None for none.
        name: Name of the image in messages.

    Returns:
        The CRS as rasterio has it, or None.

    Raises:
        InputError: If it is not a CRS.
    """
    import rasterio
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        with rasterio.Env():  # PROJ would print the error as well
            return None if crs is None else CRS.from_user_input(crs)
    except CRSError as error:
        raise InputError(
            f"{name}: crs is not known. Received {quoted(crs, 80)}. Give e.g. 'EPSG:32640'."
        ) from error


def require_even_steps(image: "DataArray", dims: tuple[Any, Any], name: str) -> None:
    """Checks that the coordinates of a DataArray are those of a transform, to within half a pixel.

    Args:
        image: The DataArray.
        dims: Names of its dimensions y and x.
        name: Name of the image in messages.

    Raises:
        InputError: If they are not.
    """
    for dim in dims:
        if image.sizes[dim] < 2 or dim not in image.coords:
            continue
        found = image.coords[dim].values
        if found.dtype.kind not in "iuf":
            continue
        even = np.linspace(found[0], found[-1], len(found))
        if not np.abs(found - even).max() <= abs(even[1] - even[0]) / 2:
            raise InputError(
                f"{name}: the coordinates {dim!r} are not evenly spaced, so that no transform fits"
                f" them. Bring it to a regular grid: image.interp({dim}=...), or leave them out:"
                f" image.drop_vars({dim!r})"
            )


def transform_of(image: "DataArray", x: Any, y: Any) -> Any:
    """Computes the affine transform of the pixels that are left of a DataArray.

    It is computed from the coordinates. Where they lie on the grid of the file that the image was
    opened from, its exact numbers are taken, so that resampling gives the same pixels, too.

    Args:
        image: The DataArray.
        x: Name of its dimension x.
        y: Name of its dimension y.

    Returns:
        The transform, None without one.
    """
    from affine import Affine

    is_line = 1 in (image.sizes[x], image.sizes[y])
    found = image.rio.transform(recalc=not is_line)
    mapping = image.coords.get(image.rio.grid_mapping)
    stored = None if mapping is None else mapping.attrs.get("GeoTransform")
    if stored is not None:
        exact = Affine.from_gdal(*map(float, str(stored).split()))
        corners = [(0, 0), (image.sizes[x], image.sizes[y])]
        places = np.array([~exact @ (found @ corner) for corner in corners])
        shift = np.rint(places[0])
        if np.abs(places - shift - corners).max() < 1e-3:
            return exact @ Affine.translation(*map(float, shift))
    return None if found.is_identity else found
