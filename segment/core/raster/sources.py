"""Sources: rasters as users name them, by files, folders, patterns and paths that GDAL resolves."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path, PurePosixPath
from typing import Union

from segment.core.errors import InputError, quoted
from segment.core.pixels.band_scale import BandScale
from segment.core.raster.alpha import AlphaUse, decide_together
from segment.core.raster.bands import WantedBands
from segment.core.raster.datasets import Dataset, dataset_path, is_dataset
from segment.core.raster.nodata import Nodata, check_nodata
from segment.core.raster.opening import open_raster, read_info
from segment.core.raster.reader import Raster
from segment.core.raster.subdatasets import product_name, subdataset_name

Scene = Union[Path, str, "Source", Dataset]
"""What functions take as a scene: a file, what GDAL resolves, or an open rasterio dataset."""
SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".img")


@dataclass(frozen=True)
class Source:
    """A raster to open, in whichever thread reads it.

    Attributes:
        path: File, or what GDAL resolves by itself (a string).
        bands: Bands to read, see `open_raster`.
        nodata: Value or range that means "no data", see `open_raster`.
        factor: Factor of resampling, see `open_raster`.
        driver: The one format that it may have, see `open_raster`.
        alpha: Use of the alpha band, see `open_raster`.
        scale: Scale that brings its pixels to 8 bits, None to leave them as they are.
        if_present: Whether `bands` are left to the file where it lacks one of them.
        if_stated: Whether bands are chosen for a model only where the file states what they are.
    """

    path: Path | str
    bands: tuple[int, ...] | None = None
    nodata: Nodata | None = None
    factor: float = 1.0
    driver: str | None = None
    alpha: AlphaUse | None = None
    scale: BandScale | None = None
    if_present: bool = False
    if_stated: bool = False

    @classmethod
    def of(
        cls, path: Path | str, bands: Sequence[int] | None = None, nodata: Nodata | None = None
    ) -> "Source":
        """Makes a source from what a user names.

        Args:
            path: A file, or what GDAL resolves by itself (/vsi..., s3://..., NETCDF:...).
            bands: Bands to read, see `open_raster`.
            nodata: Value that means "no data", see `open_raster`.

        Returns:
            The source.
        """
        remote = isinstance(path, str) and (
            path.startswith("/vsi") or "://" in path or (":" in path and not Path(path).exists())
        )
        return as_source(cls(path if remote else Path(path)), bands, nodata)

    @property
    def name(self) -> str:
        """File name of the raster, or a name made from a path that GDAL resolves."""
        if isinstance(self.path, Path):
            return self.path.name
        if (name := subdataset_name(self.path)) is not None:
            return name
        address = self.path.split("?")[0].rstrip("/")  # a query may hold a key
        return re.sub(r"[^\w.,=+-]+", "_", PurePosixPath(address).name).strip("_")

    @property
    def stem(self) -> str:
        """Name of the raster without its ending, after which outputs are named.

        Raises:
            InputError: If the raster has no name.
        """
        is_part = isinstance(self.path, str) and subdataset_name(self.path) is not None
        stem = self.name if is_part else product_name(self.path) or PurePosixPath(self.name).stem
        if not stem:
            raise InputError(
                f"{self.path}: no file name, after which outputs could be named. Copy it to a file."
            )
        return stem

    @property
    def absolute(self) -> "Source":
        """The same source, for a process that runs in another folder."""
        return replace(self, path=self.path.absolute()) if isinstance(self.path, Path) else self

    def require_alike(self, likeness: Sequence[object]) -> None:
        """Checks that this is the raster that was described elsewhere.

        Args:
            likeness: `Raster.likeness` of that raster.

        Raises:
            InputError: If it cannot be opened here, or is another raster.
        """
        with self.open() as raster:
            if raster.likeness != likeness:
                raise InputError(
                    f"{self.path}: not the raster that the cluster was asked to map. Share the same"
                    " file with all machines."
                )

    def as_opened(self, raster: Raster) -> "Source":
        """Returns the source with the bands and the use of alpha that were chosen for a model.

        Args:
            raster: The source, open for the model.

        Returns:
            A source that opens the same bands without the model.
        """
        return replace(self, bands=raster.bands, alpha=raster.alpha, if_present=False)

    def open(self, expected: int | WantedBands | None = None) -> AbstractContextManager[Raster]:
        """Opens the source for reading.

        Args:
            expected: Bands that a model reads, or their number, see `open_raster`.

        Returns:
            A context manager that gives the open raster.

        Raises:
            InputError: On entry to the context, as `open_raster` does.
        """
        if isinstance(expected, WantedBands):
            expected = replace(expected, if_present=self.if_present, if_stated=self.if_stated)
        chosen = self.bands, self.nodata, self.factor, self.driver, self.alpha
        return open_raster(self.path, *chosen, expected, self.scale)


def as_source(
    scene: Scene, bands: Sequence[int] | None = None, nodata: Nodata | None = None
) -> Source:
    """Converts a scene to a source and sets its options.

    Args:
        scene: What a user names, an open rasterio dataset, or a source.
        bands: Bands that replace those of a source; None keeps them. An alpha band that is not
            among them is no mask either.
        nodata: Nodata that replaces that of a source; None keeps it.

    Returns:
        The source.

    Raises:
        InputError: If the scene is none of these, the dataset cannot be opened again, or the bands
            are no numbers.
    """
    if bands is not None and not all(isinstance(band, Integral) for band in bands):
        raise InputError(
            f"Bands are a list of numbers. Received {quoted(bands)}. Give e.g. [4, 3, 2]."
        )
    if isinstance(scene, (str, Path)):
        return Source.of(scene, bands, nodata)
    if is_dataset(scene):
        return as_source(Source(dataset_path(scene)), bands, nodata)
    if not isinstance(scene, Source):
        raise InputError(
            f"A scene is a path or an open rasterio dataset. Received {quoted(scene, 60)}"
            f" ({type(scene).__name__}). Arrays and images are for predict_array."
        )
    chosen = scene if bands is None else replace(scene, bands=tuple(bands), alpha="none")
    return chosen if nodata is None else replace(chosen, nodata=check_nodata(nodata))


def without_key(text: str, path: Path | str) -> str:
    """Takes the key of a signed address out of a text about it: its query, and its password.

    The query of a subdataset, which says what is read, stays.

    Args:
        text: The address itself, or a message that holds it.
        path: The address, or a file, which has no key.

    Returns:
        The text without them.
    """
    if isinstance(path, Path) or subdataset_name(path) is not None:
        return text
    _, mark, query = path.partition("?")
    return re.sub(r"://[^/@\s]+@", "://", text.replace(mark + query, "") if query else text)


def decide_alpha(paths: Sequence[Path]) -> None:
    """Makes all files of a folder treat their alpha bands alike.

    This affects files that `open_raster` opens from then on.

    Args:
        paths: The files of the folder.
    """

    def open_once(path: Path) -> None:
        with suppress(InputError):
            read_info(path)

    decide_together(paths, open_once)
