"""Bands that are tagged as alpha: masks, or a band such as near infrared that carries the tag of a mask."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

AlphaUse = Literal["mask", "band", "none"]
"""What an alpha band is: a mask, a band like others, or neither, which is left out and masks nothing."""
Verdict = Literal["mask", "band", "zero", "constant"]
"""What an alpha band holds: that of a mask, too many values for one, 0 throughout, or another value throughout."""

_EDGE, _COARSE_EDGE = 512, 64  # longest side of the overview, pixels
_DENSE = 2**28  # pixels of a scene without overviews from which on a coarse one does: each of its pixels is a block read
_NOISE, _TAIL = 0.01, 0.06  # shares of the range by which a level may vary: always, and where nearly all of it is exact
_RINGING, _BLOCK = 0.3, 16  # and by lossy compression, within so many pixels of both levels
_EXACT = 0.8  # share of a level that is nearly all of it
_EDGES = 0.9  # share of the pixels between two levels that lie at edges, from which on a band is a mask
_KEPT = 2**18  # verdicts of files

_verdicts: dict[str, tuple[tuple[int, ...], Verdict]] = {}


def alpha_bands(dataset: Any) -> list[int]:
    """Numbers, from 1, of the bands that a dataset tags as alpha."""
    from rasterio.enums import ColorInterp

    return [i for i, c in zip(dataset.indexes, dataset.colorinterp, strict=True) if c == ColorInterp.alpha]


def choose_use(dataset: Any, path: str, tagged: Sequence[int], bands: Sequence[int] | None, expected: int | None) -> AlphaUse:
    """What the alpha band of a dataset is.

    path: by which the verdict on a file is known again. tagged: bands that are tagged as alpha,
    one or more. bands: those asked for, None for all. expected: number of bands that a model reads:
    a band that is one too many is left out.
    """
    verdict = _judge(dataset, path, tagged[0])
    if verdict == "band":
        return "none" if bands is None and dataset.count - len(tagged) == expected else "band"
    return "band" if verdict == "zero" and bands is None and dataset.count == expected else "mask"


def describe_use(use: AlphaUse | None, tagged: Sequence[int], bands: Sequence[int], are_asked_for: bool) -> str | None:
    """What there is to report of an alpha band that is not the mask; None where there is nothing.

    tagged: bands that are tagged as alpha. bands: those in use. are_asked_for: whether a user named them.
    """
    if use in (None, "mask") or (are_asked_for and tagged[0] in bands):
        return None
    band = f"Band {tagged[0]} is tagged as alpha"
    if are_asked_for:
        return f"{band} and is not among the bands asked for: its mask is not used."
    if use == "none":
        return f"{band}, but holds the values of a spectral band: it masks nothing, and is left out: {len(bands)} bands are read."
    return f"{band}, but holds the values of a spectral band: it is read as one, and masks nothing."


def decide_together(paths: Sequence[Path], look: Any) -> None:
    """Has all files of a folder treat their alpha bands alike: as most do that hold several values.

    A tile of water alone, with infrared 0 throughout, looks transparent by itself; its neighbours
    decide. look: opens a file, and raises nothing. Some 64 files are looked at, spread over all,
    unless these decide nothing.
    """
    for some in (paths[:: max(1, len(paths) // 64)], paths):
        for path in some:
            look(path)
        votes = Counter(verdict for path in some if (verdict := known_verdict(path)))
        if not votes:
            return
        if votes["band"] or votes["mask"]:
            _keep_all(paths, "band" if votes["band"] > votes["mask"] else "mask")
            return


def known_verdict(path: Path | str) -> Verdict | None:
    """What was found of a file's alpha band, unless the file has changed since."""
    stamp, verdict = _verdicts.get(str(path), ((), None))
    return verdict if verdict and stamp == _stamp(path) else None


def looks_like(values: NDArray[Any]) -> Verdict:
    """What a band (rows, columns) that is tagged as alpha holds.

    A mask holds two levels, and values between them at edges only: within an eighth of the shorter
    side of both levels (or of the border), and on a slope, not in a plain or at a summit. Lossy
    compression may blur the levels where they meet.
    """
    import cv2

    values = np.where(np.isfinite(values), values, 0).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if low == high:
        return "constant" if low else "zero"
    values = (values - low) / (high - low)
    for tolerance, share in ((_NOISE, 0.0), (np.where(_is_near_both(values, _BLOCK), _RINGING, _TAIL), _EXACT)):
        exact, below, above = (values == 0) | (values == 1), values <= tolerance, values >= 1 - tolerance
        if _areas(below).any() and _areas(above).any() and exact.sum() >= share * (below | above).sum():
            values[below], values[above] = 0, 1
    between = (values > 0) & (values < 1)
    if not between.any() or len(np.unique(values)) == 2:
        return "mask"
    framed, square = _framed(values), np.ones((3, 3), np.uint8)
    slope = (cv2.erode(framed, square) < framed) & (framed < cv2.dilate(framed, square))
    at_edges = between & slope[1:-1, 1:-1] & _is_near_both(values, max(min(values.shape) // 8, 2))
    return "mask" if at_edges.sum() >= _EDGES * between.sum() else "band"


def without_alpha_tags(dataset: Any) -> str:
    """A VRT (XML) of a dataset whose alpha bands are bands like others, which mask nothing when it is warped."""
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    with MemoryFile(ext=".vrt") as memory:
        copy(dataset, memory.name, driver="VRT")
        text: str = memory.read().decode()
    return text.replace("<ColorInterp>Alpha</ColorInterp>", "<ColorInterp>Undefined</ColorInterp>")


def _judge(dataset: Any, path: str, band: int) -> Verdict:
    from rasterio.errors import RasterioError

    if len(set(dataset.dtypes)) > 1:  # no band of the same sensor
        return "mask"
    verdict = known_verdict(path)
    if verdict is None:
        is_cheap = dataset.overviews(band) or dataset.height * dataset.width <= _DENSE
        longest = _EDGE if is_cheap else _COARSE_EDGE
        try:
            verdict = looks_like(dataset.read(band, out_shape=(min(dataset.height, longest), min(dataset.width, longest))))
        except RasterioError:  # whoever reads it to its end hears of it
            with suppress(Exception):  # GDAL's last error would be raised by the next call, whatever that is
                alpha_bands(dataset)
            return "mask"
        _keep_all([path], verdict)
    return verdict


def _keep_all(paths: Iterable[Path | str], verdict: Verdict) -> None:
    for path in paths:
        _verdicts[str(path)] = (_stamp(path), verdict)
    while len(_verdicts) > _KEPT:
        _verdicts.pop(next(iter(_verdicts)), None)


def _stamp(path: Path | str) -> tuple[int, ...]:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return ()
    return found.st_size, found.st_mtime_ns


def _areas(chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Which of the chosen pixels lie in areas of 3 x 3 of them or more."""
    import cv2

    return np.asarray(cv2.morphologyEx(chosen.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))


def _framed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values with a border of zeros, for a mask may end at the image's."""
    import cv2

    return np.asarray(cv2.copyMakeBorder(values, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=[0]))


def _is_near_both(values: NDArray[np.float32], reach: int) -> NDArray[np.bool_]:
    """Which pixels lie within so many pixels of an area of the upper level, 1, and of the lower one, 0, or the border."""
    import cv2

    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    high = np.asarray(cv2.dilate(_areas(values == 1), square)) > 0
    low = np.asarray(cv2.dilate((_framed(values) == 0).astype(np.uint8), square))[1:-1, 1:-1] > 0
    return high & low
