"""What an alpha band holds: a mask, or the values of a spectral band."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

AlphaContent = Literal["mask", "band", "zero", "constant"]
"""What an alpha band holds.

The values of a mask, too many values for a mask, 0 throughout, or another value throughout.
"""

# shares of the range by which a level may vary: always, and where nearly all of it is exact
_NOISE, _TAIL = 0.01, 0.06
# the same share for lossy compression, within so many pixels of both levels
_RINGING, _BLOCK = 0.3, 16
_EXACT = 0.8  # share of a level that counts as nearly all of it
_EDGES = 0.9  # share of the pixels between two levels that lie at edges, at least, in a mask


def alpha_content(values: NDArray[Any]) -> AlphaContent:
    """Decides what a band that is tagged as alpha holds.

    A mask holds two levels, and values between them only at edges: within an eighth of the shorter
    side of both levels (or of the border), and on a slope, neither in a flat area nor at a peak.
    Lossy compression may blur the levels where they meet.

    Args:
        values: Values of the band, (rows, columns), of any real type.

    Returns:
        What the band holds.
    """
    import cv2

    values = np.where(np.isfinite(values), values, 0).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if low == high:
        return "constant" if low else "zero"
    values = (values - low) / (high - low)
    for tolerance, share in (
        (_NOISE, 0.0),
        (np.where(_is_near_both(values, _BLOCK), _RINGING, _TAIL), _EXACT),
    ):
        exact, below, above = (
            (values == 0) | (values == 1),
            values <= tolerance,
            values >= 1 - tolerance,
        )
        if (
            _areas(below).any()
            and _areas(above).any()
            and exact.sum() >= share * (below | above).sum()
        ):
            values[below], values[above] = 0, 1
    between = (values > 0) & (values < 1)
    if not between.any() or len(np.unique(values)) == 2:
        return "mask"
    framed, square = _framed(values), np.ones((3, 3), np.uint8)
    slope = (cv2.erode(framed, square) < framed) & (framed < cv2.dilate(framed, square))
    at_edges = between & slope[1:-1, 1:-1] & _is_near_both(values, max(min(values.shape) // 8, 2))
    return "mask" if at_edges.sum() >= _EDGES * between.sum() else "band"


def _areas(chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Keeps those of the chosen pixels that belong to an area of at least 3 x 3 of them."""
    import cv2

    return np.asarray(
        cv2.morphologyEx(chosen.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    )


def _framed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Adds a border of zeros, as a mask may end at the border of the image."""
    import cv2

    return np.asarray(cv2.copyMakeBorder(values, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=[0]))


def _is_near_both(values: NDArray[np.float32], reach: int) -> NDArray[np.bool_]:
    """Which pixels are within `reach` pixels of both levels.

    The upper level is an area of ones; the lower level is a zero or the border of the image.
    """
    import cv2

    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    high = np.asarray(cv2.dilate(_areas(values == 1), square)) > 0
    low = np.asarray(cv2.dilate((_framed(values) == 0).astype(np.uint8), square))[1:-1, 1:-1] > 0
    return high & low
