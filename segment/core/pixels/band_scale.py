"""Band scales: pixels of more than 8 bits brought to 8 bits, each band by a straight line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

AUTO_PERCENTAGES = (0.5, 99.5)
"""Shares of the pixels, in per cent, below the values that become 0 and 255 by default."""

_FILLS = (0.0, -9999.0, -32767.0, -32768.0, *np.finfo(np.float32).min * np.array([1.0, -1.0]))
_COLORS = 3  # bands that share their ends by default
_SMALL = 0.005  # share of fill that is not worth reporting
_DIGITS = 6  # of the range to which its ends are rounded
_AT_A_TIME = 2**20  # values


@dataclass(frozen=True)
class BandScale:
    """A straight line for each band that brings pixels to 8 bits.

    Attributes:
        low: Value of each band that becomes 0; so do all values below.
        high: Value of each band that becomes 255; so do all values above.
        dtype: Name of the data type of the pixels that it is for.
        origin: How it was chosen, in words.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    dtype: str
    origin: str

    @classmethod
    def identity(cls, bands: int, dtype: str, origin: str = "") -> "BandScale":
        """Returns the scale that leaves values of 0 to 255 as they are.

        Args:
            bands: Number of bands.
            dtype: Name of the data type of the pixels.
            origin: How it was chosen.

        Returns:
            The scale.
        """
        return cls((0.0,) * bands, (255.0,) * bands, dtype, origin)

    def of_bands(self, positions: Sequence[int]) -> "BandScale":
        """Returns the scale of some of the bands.

        Args:
            positions: Their positions, from 0, in the order wanted.

        Returns:
            The scale.
        """
        low, high = (tuple(ends[i] for i in positions) for ends in (self.low, self.high))
        return replace(self, low=low, high=high)

    @property
    def report(self) -> dict[str, Any]:
        """What the reports of maps hold, and what `BandScale` is read from."""
        return {
            "low": list(self.low),
            "high": list(self.high),
            "dtype": self.dtype,
            "origin": self.origin,
        }

    @property
    def ends(self) -> str:
        """The values that become 0 and 255, band by band where they differ; at most four bands."""
        ends = [
            f"{low:,.10g} to {high:,.10g}" for low, high in zip(self.low, self.high, strict=True)
        ]
        if len(set(ends)) == 1:
            return ends[0]
        return ", ".join(ends[:4]) + (" and so on" if len(ends) > 4 else "")

    @property
    def note(self) -> str:
        """A sentence on what is done to the pixels."""
        done = "stretched" if self.dtype == "uint8" else "brought to 8 bits"
        what = (
            "are taken as they are, as 8 bits"
            if self.ends == "0 to 255"
            else f"are {done}: {self.ends} become 0 to 255"
        )
        return f"Pixels of {self.dtype} {what} ({self.origin})."

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """Brings pixels to 8 bits.

        Args:
            pixels: Image (rows, columns, bands) of any real data type.

        Returns:
            Image of the same shape, rounded; 0 where a pixel is not a number.
        """
        scaled = np.empty(pixels.shape, np.uint8)
        if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
            tables = _tables(self.low, self.high, pixels.dtype.name)
            unsigned = np.dtype(f"u{pixels.dtype}") if pixels.dtype.kind == "i" else pixels.dtype
            for band, table in enumerate(tables):
                scaled[..., band] = table[pixels[..., band].astype(unsigned, copy=False)]
            return scaled
        rows = max(_AT_A_TIME // max(pixels[:1].size, 1), 1)
        for first in range(0, len(pixels), rows):
            scaled[first : first + rows] = _to_bytes(
                pixels[first : first + rows], self.low, self.high
            )
        return scaled


def _to_bytes(
    pixels: NDArray[Any], low: Sequence[float], high: Sequence[float]
) -> NDArray[np.uint8]:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        shares = (pixels.astype(np.float64) - np.array(low)) / np.subtract(high, low)
        bytes_: NDArray[np.uint8] = np.nan_to_num(np.rint(shares.clip(0, 1) * 255)).astype(np.uint8)
    return bytes_


@lru_cache(maxsize=8)
def _tables(
    low: tuple[float, ...], high: tuple[float, ...], dtype: str
) -> tuple[NDArray[np.uint8], ...]:
    """Returns for each band the byte of each value, by the value's bits read as unsigned."""
    bits = 8 * np.dtype(dtype).itemsize
    values = np.arange(2**bits).astype(f"u{bits // 8}").astype(dtype)
    scaled = _to_bytes(np.repeat(values[:, None], len(low), axis=1), low, high)
    return tuple(np.ascontiguousarray(band) for band in scaled.T)


def without_fill(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Finds pixels that count when a scale is chosen.

    Pixels with the same customary fill value in all bands (0, -9999, the ends of the data type)
    are taken for undeclared nodata.

    Args:
        values: Valid pixels (pixels, bands).

    Returns:
        Whether each pixel counts, (pixels,).
    """
    limits = np.finfo(values.dtype) if values.dtype.kind == "f" else np.iinfo(values.dtype)
    fills = np.array([*_FILLS, float(limits.min), float(limits.max)])
    first = values[:, 0]
    is_fill: NDArray[np.bool_] = (values == first[:, None]).all(axis=1) & np.isin(
        first.astype(np.float64), fills
    )
    return ~is_fill


@dataclass(frozen=True)
class Samples:
    """Pixels of scenes of one data type by which their scale is chosen.

    Attributes:
        dtype: Name of the data type.
        values: Pixels (pixels, bands) of each scene.
        weights: For each scene, how many of its pixels one of these stands for.
    """

    dtype: str
    values: Sequence[NDArray[Any]]
    weights: Sequence[float]

    def choose(self, bands: int, percentages: tuple[float, float] | None) -> BandScale:
        """Chooses the scale of these scenes.

        Percentages are of the pixels of all scenes together: a large scene counts for more than a
        small one. By default they are AUTO_PERCENTAGES, pixels that hold 0 to 255 only are left as
        they are, and up to three bands share their ends, from the lowest to the highest, which
        keeps colours. A band in which both ends are the same value gets the range of that band
        or, where it holds one value only, the range of all bands.

        Args:
            bands: Number of bands.
            percentages: Shares of the pixels below the ends of the scale, in per cent; None for
                the default.

        Returns:
            The scale.
        """
        scenes = f"{len(self.values)} scene{'' if len(self.values) == 1 else 's'}"
        counted = [without_fill(values) for values in self.values]
        values = np.concatenate(
            [np.empty((0, bands), self.dtype)]
            + [found[kept] for found, kept in zip(self.values, counted, strict=True)]
        )
        if not len(values):
            return BandScale.identity(bands, self.dtype, "no valid pixel was found to choose by")
        if percentages is None and _are_bytes(values):
            return BandScale.identity(bands, self.dtype, f"all values are 0 to 255 in {scenes}")
        first, last = percentages or AUTO_PERCENTAGES
        weights = np.repeat(self.weights, [int(kept.sum()) for kept in counted])
        ends = np.array([_quantiles(band, weights, (first / 100, last / 100)) for band in values.T])
        flat = ends[:, 0] >= ends[:, 1]
        ends[flat] = np.stack([values.min(axis=0), values.max(axis=0)], axis=1)[flat]
        flat = ends[:, 0] >= ends[:, 1]
        seen = ends if flat.all() else ends[~flat]
        low, high = seen[:, 0].min(), seen[:, 1].max()
        origin = f"{first:g} % and {last:g} % of the valid pixels of {scenes}"
        is_shared = percentages is None and 1 < bands <= _COLORS
        ends[flat | is_shared] = low, high if high > low else low + max(abs(low), 1)
        if is_shared:
            origin += ", one range for all bands"
        if (left_out := self._share_left_out(counted)) >= _SMALL:
            origin += f", without the {left_out:.0%} that hold a fill value in all bands"
        rounded = [_rounded(float(low), float(high)) for low, high in ends]
        lows, highs = zip(*rounded, strict=True)
        return BandScale(lows, highs, self.dtype, origin)

    def _share_left_out(self, counted: Sequence[NDArray[np.bool_]]) -> float:
        kept, every = (
            sum(weight * count(one) for weight, one in zip(self.weights, counted, strict=True))
            for count in (np.count_nonzero, len)
        )
        return float(1 - kept / every)


def _are_bytes(values: NDArray[Any]) -> bool:
    """Whether pixels of another type hold 8 bits; floats up to 1, or 100 %, do not."""
    least, most = values.min(), values.max()
    return bool(least >= 0 and most <= 255 and (values.dtype.kind in "iu" or most >= 128))


def _quantiles(
    values: NDArray[Any], weights: NDArray[np.float64], shares: tuple[float, float]
) -> list[float]:
    """Returns the smallest values that have at least such shares of the weight up to them."""
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(weights[order])
    places = np.searchsorted(sums, np.array(shares) * sums[-1])
    return [float(values[order[min(place, len(order) - 1)]]) for place in places]


def _rounded(low: float, high: float) -> tuple[float, float]:
    """Rounds the ends of a scale, so that they stay apart and a user can repeat them."""
    if not math.isfinite(high - low):
        return low, high
    decimals = _DIGITS - math.ceil(math.log10(high - low))
    return round(low, decimals), round(high, decimals)
