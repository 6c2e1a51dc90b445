"""Sources: rasters as users name them, by files, folders, patterns and paths that GDAL resolves."""

import glob
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Union

from segment.core.errors import InputError, quoted
from segment.core.file_search import files_matching
from segment.core.raster.alpha import AlphaUse, decide_together, known_content
from segment.core.raster.datasets import dataset_path, is_dataset
from segment.core.raster.opening import open_raster, read_info
from segment.core.raster.reader import Raster
from segment.core.raster.subdatasets import subdataset_name

if TYPE_CHECKING:
    from segment.core.raster.datasets import Dataset

Scene = Union[Path, str, "Source", "Dataset"]
"""What functions take as a scene: a file, what GDAL resolves, or an open rasterio dataset."""
SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".img")


@dataclass(frozen=True)
class Source:
    """A raster to open, in whichever thread reads it.

    Attributes:
        path: File, or what GDAL resolves by itself (a string).
        bands: Bands to read, see `open_raster`.
        nodata: Value that means "no data", see `open_raster`.
        factor: Factor of resampling, see `open_raster`.
        driver: The one format that it may have, see `open_raster`.
        alpha: Use of the alpha band, see `open_raster`.
    """

    path: Path | str
    bands: tuple[int, ...] | None = None
    nodata: float | None = None
    factor: float = 1.0
    driver: str | None = None
    alpha: AlphaUse | None = None

    @classmethod
    def of(
        cls, path: Path | str, bands: Sequence[int] | None = None, nodata: float | None = None
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
        stem = self.name if is_part else PurePosixPath(self.name).stem
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

    def open(self, expected: int | None = None) -> AbstractContextManager[Raster]:
        """Opens the source for reading.

        Args:
            expected: Number of bands that a model reads, see `open_raster`.

        Returns:
            A context manager that gives the open raster.

        Raises:
            InputError: On entry to the context, as `open_raster` does.
        """
        return open_raster(
            self.path, self.bands, self.nodata, self.factor, self.driver, self.alpha, expected
        )


def find_sources(
    names: Sequence[str],
    outputs: Sequence[str] = (),
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
) -> list[Source]:
    """Finds the rasters that a user names.

    Names may be files, folders (the rasters in them), patterns (*, ?, [...]; ** for any depth), and
    whatever GDAL resolves by itself.

    Args:
        names: The names, in the order of the sources.
        outputs: Endings that follow the stem of a raster in the names of files made from it. Such
            files beside the raster are skipped in folders and patterns.
        bands: Bands to read from all of them, see `open_raster`.
        nodata: Value that means "no data" in all of them, see `open_raster`.

    Returns:
        The sources, each once.

    Raises:
        InputError: If a name is empty, or a folder or a pattern leads to no rasters.
    """
    found: list[Source] = []
    for name in names:
        if not name:
            raise InputError("The name of a raster is empty. Check the command.")
        source = Source.of(name)
        is_folder = isinstance(source.path, Path) and source.path.is_dir()
        if not is_folder and (
            isinstance(source.path, str) or source.path.is_file() or not glob.has_magic(name)
        ):
            found.append(source)
            continue
        matching = files_matching(f"{glob.escape(name)}/*" if is_folder else name)
        rasters = [file for file in matching if file.suffix.lower() in SUFFIXES and file.is_file()]
        made = {file.with_name(file.stem + ending) for file in rasters for ending in outputs}
        chosen = [Source(file) for file in rasters if file not in made]
        if not chosen:
            raise InputError(
                f"{name}: no rasters found ({', '.join(SUFFIXES)}). Check the path, or name files."
            )
        found += chosen
    return [as_source(source, bands, nodata) for source in dict.fromkeys(found)]


def as_source(
    scene: Scene, bands: Sequence[int] | None = None, nodata: float | None = None
) -> Source:
    """Converts a scene to a source and sets its options.

    Args:
        scene: What a user names, an open rasterio dataset, or a source.
        bands: Bands that replace those of a source; None keeps them. An alpha band that is not
            among them is no mask either.
        nodata: Nodata value that replaces that of a source; None keeps it.

    Returns:
        The source.

    Raises:
        InputError: If the scene is none of these, or the dataset cannot be opened again.
    """
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
    return chosen if nodata is None else replace(chosen, nodata=nodata)


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


def alpha_note(sources: Sequence[Source]) -> str | None:
    """Reports images whose band tagged as alpha is a spectral band.

    Args:
        sources: Images that were read.

    Returns:
        A sentence with the first of them and the number of others, None where there are none.
    """
    found = [
        source.path
        for source in sources
        if source.alpha != "none" and known_content(source.path) == "band"
    ]
    if not found:
        return None
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (
        f"{found[0]}{more}: the band tagged as alpha holds the values of a spectral band: it masks"
        " nothing."
    )


def parse_bands(text: str | None) -> list[int] | None:
    """Parses the band numbers of the option --bands.

    Args:
        text: Numbers with commas between, such as "4,3,2"; None where the option is not given.

    Returns:
        The numbers, None where the option is not given.

    Raises:
        InputError: If the text is not such a list.
    """
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--bands: {text!r} is not a list of band numbers. Write e.g. 4,3,2.")
    return [int(part) for part in parts]


def require_own_names(sources: Sequence[Source]) -> None:
    """Checks that outputs of different sources have different names.

    Args:
        sources: The sources.

    Raises:
        InputError: If outputs that are named after two of them would be the same.
    """
    for stem, count in Counter(source.stem for source in sources).items():
        if count > 1:
            raise InputError(
                f"{count} scenes are named {stem!r}, their outputs would have the same names. Map"
                " them one by one, into different folders."
            )
