"""Alpha bands: masks, or spectral bands such as near infrared that are tagged as alpha."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from segment.core.disk import file_stamp
from segment.core.pixels.alpha_content import AlphaContent, alpha_content

AlphaUse = Literal["mask", "band", "none"]
"""How an alpha band is used: as a mask, as an ordinary band, or not at all."""
_EDGE, _COARSE_EDGE = 512, 64  # longest side of the overview, pixels
# pixels: larger scenes without overviews get a coarse one, each pixel of which reads a block
_DENSE = 2**28
_KEPT = 2**18  # contents kept, one for each file

_contents: dict[str, tuple[tuple[int, ...], AlphaContent]] = {}


def alpha_bands(dataset: Any) -> list[int]:
    """Lists the bands that a dataset tags as alpha.

    Args:
        dataset: An open rasterio dataset.

    Returns:
        Their numbers, from 1.
    """
    from rasterio.enums import ColorInterp

    return [
        i
        for i, c in zip(dataset.indexes, dataset.colorinterp, strict=True)
        if c == ColorInterp.alpha
    ]


def spectral_bands(dataset: Any, tagged: Sequence[int], use: AlphaUse | None) -> tuple[int, ...]:
    """Lists the bands of a dataset that are no masks.

    Args:
        dataset: An open rasterio dataset.
        tagged: Numbers of the bands that the file tags as alpha.
        use: Use of these bands.

    Returns:
        Their numbers, from 1.
    """
    masks = {band for band in alpha_bands(dataset) if use == "mask" or band not in tagged}
    left_out = masks | {*(tagged if use == "none" else ())}
    return tuple(band for band in dataset.indexes if band not in left_out)


def choose_use(
    dataset: Any,
    path: str,
    tagged: Sequence[int],
    bands: Sequence[int] | None,
    expected: int | None,
) -> AlphaUse:
    """Decides how to use the alpha band of a dataset.

    Args:
        dataset: An open rasterio dataset.
        path: Path by which the content that was found is stored.
        tagged: Numbers of the bands that are tagged as alpha, one or more.
        bands: Numbers of the bands that were asked for, None for all.
        expected: Number of bands that a model reads, None where there is no model. A spectral band
            tagged as alpha is left out where it would be one too many.

    Returns:
        The use of the alpha band.
    """
    content = _content_of(dataset, path, tagged[0])
    if content == "band":
        return "none" if bands is None and dataset.count - len(tagged) == expected else "band"
    return "band" if content == "zero" and bands is None and dataset.count == expected else "mask"


def describe_use(
    use: AlphaUse | None, tagged: Sequence[int], bands: Sequence[int], are_asked_for: bool
) -> str | None:
    """Describes an alpha band that is not used as the mask.

    Args:
        use: How the alpha band is used, None where there is none.
        tagged: Numbers of the bands that are tagged as alpha.
        bands: Numbers of the bands in use.
        are_asked_for: Whether a user named the bands in use.

    Returns:
        A sentence to print, None where there is nothing to report.
    """
    if use in (None, "mask") or (are_asked_for and tagged[0] in bands):
        return None
    band = f"Band {tagged[0]} is tagged as alpha"
    if are_asked_for:
        return f"{band} and is not among the bands asked for: its mask is not used."
    if use == "none":
        return (
            f"{band}, but holds the values of a spectral band: it masks nothing, and is left out:"
            f" {len(bands)} bands are read."
        )
    return f"{band}, but holds the values of a spectral band: it is read as one, and masks nothing."


def decide_together(paths: Sequence[Path], open_once: Callable[[Path], None]) -> None:
    """Makes all files of a folder treat their alpha bands alike, as most of them do.

    Only files whose alpha band holds several values count; "mask" wins a tie. A tile of water
    alone, with infrared 0 throughout, would look transparent by itself; its neighbours decide.
    About 64 files, spread over all, are opened first. All are opened only if some of these have an
    alpha band and none of them decides.

    Args:
        paths: The files of the folder.
        open_once: Opens a file, so that what its alpha band holds is stored. It must raise nothing.
    """
    for some in (paths[:: max(1, len(paths) // 64)], paths):
        for path in some:
            open_once(path)
        votes = Counter(content for path in some if (content := known_content(path)))
        if not votes:
            return
        if votes["band"] or votes["mask"]:
            _keep_all(paths, "band" if votes["band"] > votes["mask"] else "mask")
            return


def known_content(path: Path | str) -> AlphaContent | None:
    """Returns what the alpha band of a file was found to hold.

    Args:
        path: Path of the file.

    Returns:
        The content, None where there is none or the file has changed since.
    """
    stamp, content = _contents.get(str(path), ((), None))
    return content if content and stamp == file_stamp(path) else None


def sparse_shape(dataset: Any, band: int, size: tuple[int, int]) -> tuple[int, int]:
    """Chooses the size at which a band is read by nearest neighbour in little time.

    Args:
        dataset: An open rasterio dataset.
        band: Number of the band.
        size: Rows and columns of the part of it that is read.

    Returns:
        Rows and columns, at most 512 each, or 64 of a large part without overviews.
    """
    is_cheap = dataset.overviews(band) or size[0] * size[1] <= _DENSE
    longest = _EDGE if is_cheap else _COARSE_EDGE
    return min(size[0], longest), min(size[1], longest)


def _content_of(dataset: Any, path: str, band: int) -> AlphaContent:
    from rasterio.errors import RasterioError

    if len(set(dataset.dtypes)) > 1:  # the bands of one sensor share a type: this is none of them
        return "mask"
    content = known_content(path)
    if content is None:
        shape = sparse_shape(dataset, band, dataset.shape)
        try:
            content = alpha_content(dataset.read(band, out_shape=shape))
        except RasterioError:  # reading the raster to its end will report it
            # else the next call, whatever it is, would raise GDAL's last error
            with suppress(Exception):
                alpha_bands(dataset)
            return "mask"
        _keep_all([path], content)
    return content


def _keep_all(paths: Iterable[Path | str], content: AlphaContent) -> None:
    for path in paths:
        _contents[str(path)] = (file_stamp(path), content)
    while len(_contents) > _KEPT:
        _contents.pop(next(iter(_contents)), None)
