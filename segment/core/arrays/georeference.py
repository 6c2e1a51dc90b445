"""Georeferences in Python: CRS and affine transform, of users and of DataArrays."""

from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

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
        InputError: If it is neither, or gives pixels no area.
    """
    if transform is None:
        return None
    try:
        parsed = Affine(*(float(number) for number in tuple(transform)[:6]))
        if 0 < abs(parsed.determinant) < np.inf:
            return parsed
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}: transform is not an affine transform. Received {quoted(transform, 80)}."
            f" {_TRANSFORM}"
        ) from error
    raise InputError(
        f"{name}: transform gives pixels no area. Received {quoted(transform, 80)}. {_TRANSFORM}"
    )


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
    try:
        with rasterio.Env():  # PROJ would print the error as well
            return None if crs is None else CRS.from_user_input(crs)
    except CRSError as error:
        raise InputError(
            f"{name}: crs is not known. Received {quoted(crs, 80)}. Give e.g. 'EPSG:32640'."
        ) from error


def spatial_dims(image: "DataArray", name: str = "image") -> tuple[Any, Any]:
    """Finds the dimensions of the rows and columns of a DataArray.

    Args:
        image: The DataArray.
        name: Name of the image in messages.

    Returns:
        Names of the dimensions y and x.

    Raises:
        InputError: If rioxarray is not installed, or there are no such dimensions.
    """
    try:
        import rioxarray  # noqa: F401 - adds the accessor `rio`
    except ImportError as error:
        raise InputError(
            f"{name}: rioxarray is not installed, which DataArrays need. Run: pip install"
            " 'aerial-segment[xarray]'"
        ) from error
    from rioxarray.exceptions import RioXarrayError

    try:
        return image.rio.y_dim, image.rio.x_dim
    except RioXarrayError as error:
        raise InputError(
            f"{name}: no dimensions y and x among {image.dims}. Rename those of rows and columns:"
            ' image.rename(ROWS="y", COLUMNS="x")'
        ) from error


def with_georeference(image: "DataArray", crs: Any, transform: Any) -> "DataArray":
    """Gives a DataArray a CRS and a transform in place of its own.

    Args:
        image: The DataArray.
        crs: As for `parse_crs`; None keeps its own.
        transform: As for `parse_transform`; None keeps its own.

    Returns:
        The DataArray, with the coordinates of the transform.

    Raises:
        InputError: As `parse_crs`, `parse_transform` and `spatial_dims`.
    """
    if transform is not None:
        y, x = spatial_dims(image)
        from rioxarray.rioxarray import affine_to_coords

        affine, size = parse_transform(transform), (image.sizes[x], image.sizes[y])
        image = image.drop_vars([x, y, "xc", "yc"], errors="ignore").rio.write_transform(affine)
        if not (affine.b or affine.d):  # rotated pixels have no coordinates of rows and columns
            image = image.assign_coords(affine_to_coords(affine, *size, x_dim=x, y_dim=y))
    if crs is not None:
        spatial_dims(image)
        image = image.rio.write_crs(parse_crs(crs))
    return image


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
    is_line = 1 in (image.sizes[x], image.sizes[y])
    mapping = image.coords.get(image.rio.grid_mapping)
    stored = None if mapping is None else mapping.attrs.get("GeoTransform")
    exact = None if stored is None else Affine.from_gdal(*map(float, str(stored).split()))
    if exact is not None and (exact.b or exact.d) and {"xc", "yc"} <= set(image.coords):
        found = _of_centres(image, x, y, exact)
    else:
        found = image.rio.transform(recalc=not is_line)
    if exact is not None:
        corners = [(0, 0), (image.sizes[x], image.sizes[y])]
        places = np.array([~exact @ (found @ corner) for corner in corners])
        shift = np.rint(places[0])
        if np.abs(places - shift - corners).max() < 1e-3:
            return exact @ Affine.translation(*map(float, shift))
    return None if found.is_identity else found


def _of_centres(image: "DataArray", x: Any, y: Any, exact: Any) -> Any:
    """The transform by the centres of pixels, which rioxarray gives rotated images as xc and yc.

    Steps along an axis of one pixel are those of `exact`, the transform of the file.
    """
    rows: list[float] = []
    for name, steps in (("xc", (exact.a, exact.b)), ("yc", (exact.d, exact.e))):
        centres = image.coords[name].transpose(y, x).values
        height, width = centres.shape
        first = centres[0, 0]
        along = (centres[0, -1] - first) / (width - 1) if width > 1 else steps[0]
        down = (centres[-1, 0] - first) / (height - 1) if height > 1 else steps[1]
        rows += [along, down, first - (along + down) / 2]
    return Affine(*map(float, rows))
