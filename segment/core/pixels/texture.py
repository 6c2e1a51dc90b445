"""Texture and colours of a tile: histograms of local binary patterns, and of colours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEVELS = 4  # of the image pyramid on which textures are described
_MOST_CHANNELS = 8
_LARGEST = 1e15  # beyond it, floats are taken for this
_NEIGHBOURS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
_CODES = np.array(
    [
        bin(c).count("1") if bin(c ^ (c >> 1 | (c & 1) << 7)).count("1") <= 2 else 9
        for c in range(256)
    ],
    np.intp,
)
"""Number of higher neighbours in each local binary pattern if they are adjacent, else 9."""


def channel_count(bands: int) -> int:
    """Counts the channels by which tiles are described.

    Args:
        bands: Number of spectral bands of the tiles.

    Returns:
        Number of channels, see `channels`.
    """
    return min(bands, _MOST_CHANNELS)


def channels(tile: NDArray[Any]) -> NDArray[np.float32]:
    """Computes brightness, and each band minus the next one.

    Args:
        tile: Pixels (rows, columns, bands).

    Returns:
        At most 8 channels, (rows, columns, channels) float32, in the units of the pixels.
    """
    if tile.dtype.kind == "f" and tile.dtype.itemsize > 2:  # sums of squares must be finite
        tile = np.clip(tile, -_LARGEST, _LARGEST)
    pixels = np.moveaxis(tile, 2, 0).astype(np.float32, order="C")  # numpy is fast on long rows
    differences = pixels[:-1] - pixels[1:]
    found = [pixels.mean(axis=0, keepdims=True), differences[: _MOST_CHANNELS - 1]]
    return np.moveaxis(np.concatenate(found), 0, 2)


def describe_tile(
    tile: NDArray[Any],
    edges: NDArray[np.float32],
    flat: np.float32,
    valid: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Computes the features of a tile.

    They are histograms of local binary patterns (Ojala, Pietikäinen and Mäenpää 2002,
    "Multiresolution gray-scale and rotation invariant texture classification with local binary
    patterns") of the channels at four scales, and a histogram of the colours. A feature is the
    square root of the share of a bin.

    Args:
        tile: Pixels (rows, columns, bands).
        edges: Limits between the bins of each channel, (channels, bins - 1).
        flat: How much higher a neighbour must be to count.
        valid: Whether each pixel is valid, (rows, columns); by default all are.

    Returns:
        The features, (features,) float32, 0 to 1.
    """
    image, valid = channels(tile), np.ones(tile.shape[:2], bool) if valid is None else valid
    histograms = _colours([channel[valid] for channel in np.moveaxis(image, 2, 0)], edges)
    for _ in range(_LEVELS):
        if min(image.shape[:2]) < 3:
            break
        inside = valid[1:-1, 1:-1]
        for channel in np.moveaxis(image, 2, 0):
            histograms.append(np.bincount(_CODES[_patterns(channel, flat)[inside]], minlength=10))
        image, valid = _halved(image), _halved(valid[..., None].astype(np.float32))[..., 0] == 1
    features: NDArray[np.float32] = np.concatenate(
        [np.sqrt(h / max(h.sum(), 1)) for h in histograms]
    ).astype(np.float32)
    return features


def _patterns(channel: NDArray[np.float32], flat: np.float32) -> NDArray[np.uint8]:
    """Computes the local binary pattern of each pixel that is not at the border.

    A pattern has one bit for each higher neighbour.
    """
    rows, columns = channel.shape
    limit = channel[1:-1, 1:-1] + flat
    code = np.zeros(limit.shape, np.uint8)
    for bit, (down, right) in enumerate(_NEIGHBOURS):
        neighbour = channel[1 + down : rows - 1 + down, 1 + right : columns - 1 + right]
        code += (neighbour > limit).astype(np.uint8) * np.uint8(1 << bit)
    return code


def _colours(
    channels: list[NDArray[np.float32]], edges: NDArray[np.float32]
) -> list[NDArray[np.intp]]:
    """Computes histograms of the pixels of each channel.

    One is of the first three channels together, the others are of the first with each further one.
    """
    bins = [  # as np.digitize does, in half its time
        sum((~(values < limit) for limit in limits), np.zeros(values.shape, np.uint8))
        for values, limits in zip(channels, edges, strict=True)
    ]
    together = [bins[:3], *([bins[0], other] for other in bins[3:])]
    shapes = [(edges.shape[1] + 1,) * len(some) for some in together]
    return [
        np.bincount(np.ravel_multi_index(some, shape), minlength=int(np.prod(shape)))
        for some, shape in zip(together, shapes, strict=True)
    ]


def _halved(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Computes the means of squares of two by two pixels."""
    rows, columns = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    pairs = pixels[0:rows:2, :columns] + pixels[1:rows:2, :columns]
    means: NDArray[np.float32] = np.float32(0.25) * (pairs[:, 0::2] + pairs[:, 1::2])
    return means
