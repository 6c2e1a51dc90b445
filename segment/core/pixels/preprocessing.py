"""Preprocessing in training and prediction: less noise, more contrast, sharper edges."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.pixels.augment import as_dtype

_DENOISED_BY_OPENCV = (np.uint8, np.uint16, np.int16, np.float32)


def preprocess(
    pixels: NDArray[Any], settings: PreprocessSettings, valid: NDArray[np.bool_] | None = None
) -> NDArray[Any]:
    """Denoises an image, then enhances its contrast, then sharpens it.

    Contrast is enhanced after Zuiderveld (1994), "Contrast Limited Adaptive Histogram
    Equalization": in 8-bit RGB the lightness (CIELAB), which keeps the colours, otherwise each
    band. Cells start at the upper left corner; the limit counts whole pixels of a cell.

    Args:
        pixels: Tile or image (rows, columns, bands) with any number of bands.
        settings: Steps to apply. If all are off, the same array is returned.
        valid: Mask (rows, columns), False where nodata; by default all pixels are valid. Invalid
            pixels are not changed, and their neighbours are computed from the nearest valid pixel
            in their place.

    Returns:
        The image in the same shape and dtype. Integers are rounded and clipped to the range of the
        dtype.

    Raises:
        InputError: If contrast cannot be enhanced: pixels are not unsigned integers of 8 or 16
            bits, or the limit is less than one pixel for each of their values.
    """
    if settings.is_off or (valid is not None and not valid.any()):
        return pixels
    changed = np.ascontiguousarray(pixels) if valid is None or valid.all() else _fill(pixels, valid)
    if settings.denoise:
        changed = _denoise(changed, settings.denoise)
    if settings.clahe:
        changed = _enhance_contrast(changed, settings.clahe, settings.clahe_cell)
    if settings.sharpen:
        changed = _sharpen(changed, settings.sharpen, settings.sharpen_radius)
    return changed if valid is None else np.where(valid[..., None], changed, pixels)


def _fill(pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
    """Replaces each invalid pixel by the nearest valid one."""
    holes = (~valid).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(
        holes, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(labels.max() + 1, np.intp)
    nearest[labels[valid]] = np.flatnonzero(valid)
    filled: NDArray[Any] = pixels.reshape(-1, pixels.shape[2])[nearest[labels]]
    return filled


def _denoise(pixels: NDArray[Any], edge: int) -> NDArray[Any]:
    source = pixels if pixels.dtype in _DENOISED_BY_OPENCV else pixels.astype(np.float32)
    # OpenCV drops the axis of a single band
    medians = np.asarray(cv2.medianBlur(source, edge)).reshape(pixels.shape)
    return medians if source is pixels else as_dtype(medians.astype(np.float32), pixels.dtype)


def _enhance_contrast(pixels: NDArray[Any], limit: float, cell: int) -> NDArray[Any]:
    height, width, bands = pixels.shape
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(
            "data.preprocess.clahe: needs unsigned integers of 8 or 16 bits, pixels are"
            f" {pixels.dtype}. Set it to 0."
        )
    values = np.iinfo(pixels.dtype).max + 1
    if limit * cell**2 < values:  # OpenCV would round it up
        raise InputError(
            f"data.preprocess.clahe: {limit:g} is too low for cells of {cell} x {cell} pixels of"
            f" {pixels.dtype}. Raise it to {math.ceil(values / cell**2)}, or clahe_cell to"
            f" {math.ceil(math.sqrt(values / limit))}."
        )
    # to whole cells, which OpenCV would otherwise shrink
    below, right = -height % cell, -width % cell
    clahe = cv2.createCLAHE(limit, ((width + right) // cell, (height + below) // cell))

    def enhance(band: NDArray[Any]) -> NDArray[Any]:
        whole = cv2.copyMakeBorder(band, 0, below, 0, right, cv2.BORDER_REFLECT_101)
        return np.asarray(clahe.apply(whole))[:height, :width]

    if pixels.dtype == np.uint8 and bands == 3:
        lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
        lab[..., 0] = enhance(lab[..., 0])
        return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
    return np.stack([enhance(pixels[..., band]) for band in range(bands)], axis=2)


def _sharpen(pixels: NDArray[Any], amount: float, radius: float) -> NDArray[Any]:
    """Applies unsharp masking."""
    source = pixels.astype(np.float32)
    blurred = np.asarray(cv2.GaussianBlur(source, (0, 0), radius)).reshape(pixels.shape)
    return as_dtype(source + amount * (source - blurred), pixels.dtype)
