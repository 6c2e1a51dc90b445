"""Georeferences that users give in Python: CRS and affine transform."""

from typing import Any

from segment.core.errors import InputError, quoted

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
