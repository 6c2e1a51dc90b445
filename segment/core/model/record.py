"""Records of a model's training data.

They hold digests of pixels and extents on the ground, by which the data are recognised when a model
is scored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model.folder import INFO_FILE, RECORD_FILE
from segment.core.outputs import staged
from segment.core.progress import Progress
from segment.core.raster.grid import PixelGrid
from segment.core.raster.opening import open_raster
from segment.core.splits import PARTS, Part

NEW = 255
"""Code of pixels that are not in the record; others have the position of their part in PARTS."""

_MOST_BYTES = 2**30  # unpacked
_EDGE_POINTS = 4  # on each side of an extent: lines in one CRS are curves in another


@dataclass(frozen=True)
class Remembered:
    """An image, or a tile of it, and the part of the data that it belonged to.

    Attributes:
        digest: Digest of the pixels, at least 8 bytes.
        part: Part of the data.
        grid: Location on the ground; None where it is not known or belongs to another entry.
    """

    digest: bytes
    part: Part
    grid: PixelGrid | None = None


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """All data that a model was trained, validated and tested on.

    The record includes the data of the models whose weights it started from.

    Attributes:
        digests: First 8 bytes of each digest, (n,) uint64.
        parts: Positions in PARTS, (n,) uint8.
        transforms: Affine transforms from columns and rows to the CRS, (n, 6) float64.
        sizes: Rows and columns, (n, 2) int32.
        systems: Positions in `crs`, (n,) int32; -1 where the extent is not known.
        crs: Coordinate reference systems as WKT.
    """

    digests: NDArray[np.uint64]
    parts: NDArray[np.uint8]
    transforms: NDArray[np.float64]
    sizes: NDArray[np.int32]
    systems: NDArray[np.int32]
    crs: tuple[str, ...]
    _outlines: dict[str, tuple[NDArray[Any], ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, remembered: Iterable[Remembered]) -> "TrainingRecord":
        """Builds a record from images and tiles.

        Args:
            remembered: Images and tiles with their parts.

        Returns:
            A record with one entry for each of them.
        """
        digests, parts, transforms, sizes, systems = [], [], [], [], []
        known: dict[str, int] = {}
        names: dict[Any, str] = {}
        for one in remembered:
            grid = one.grid if one.grid is not None and lies_on_earth(one.grid) else None
            digests.append(int.from_bytes(one.digest[:8], "little"))
            parts.append(PARTS.index(one.part))
            transforms.append((0.0,) * 6 if grid is None else tuple(grid.transform)[:6])
            sizes.append((0, 0) if grid is None else (grid.height, grid.width))
            if grid is not None and grid.crs not in names:
                names[grid.crs] = grid.crs.to_wkt()
            systems.append(-1 if grid is None else known.setdefault(names[grid.crs], len(known)))
        return cls(
            np.array(digests, np.uint64),
            np.array(parts, np.uint8),
            np.array(transforms, np.float64).reshape(-1, 6),
            np.array(sizes, np.int32).reshape(-1, 2),
            np.array(systems, np.int32),
            tuple(known),
        )

    def __len__(self) -> int:
        """Returns the number of entries."""
        return len(self.digests)

    def join(self, *others: "TrainingRecord") -> "TrainingRecord":
        """Joins records.

        Args:
            *others: Records to add.

        Returns:
            A record with the entries of this one and of the others, without duplicates.
        """
        every = [self, *others]
        crs = tuple(dict.fromkeys(name for record in every for name in record.crs))
        systems = [
            # A system of -1 picks the last element, which is -1 too.
            np.array([crs.index(name) for name in record.crs] + [-1], np.int32)[record.systems]
            for record in every
        ]
        rows = np.rec.fromarrays(
            [
                np.concatenate([record.digests for record in every]),
                np.concatenate([record.parts for record in every]),
                *np.concatenate([record.transforms for record in every]).T,
                *np.concatenate([record.sizes for record in every]).T,
                np.concatenate(systems),
            ]
        )
        _, first = np.unique(rows, return_index=True)
        first.sort()
        columns = [np.asarray(rows[name])[first] for name in rows.dtype.names or ()]
        return TrainingRecord(
            columns[0],
            columns[1],
            np.stack(columns[2:8], axis=1),
            np.stack(columns[8:10], axis=1),
            columns[10],
            crs,
        )

    def save(self, folder: Path) -> None:
        """Writes the record into a model folder, completely or not at all.

        Args:
            folder: Model folder.
        """
        with staged(folder / RECORD_FILE, overwrite=True) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file,
                digests=self.digests,
                parts=self.parts,
                transforms=self.transforms,
                sizes=self.sizes,
                systems=self.systems,
                crs=np.array(self.crs, np.str_),
            )

    @cached_property
    def _by_digest(self) -> dict[int, int]:
        # Of several parts, training comes last and wins.
        order = np.argsort(-self.parts.astype(np.int16), kind="stable")
        return dict(zip(self.digests[order].tolist(), self.parts[order].tolist(), strict=True))

    def find(self, digest: bytes) -> int:
        """Looks up an image or tile by its pixels.

        Args:
            digest: Digest of the pixels.

        Returns:
            Position of its part in PARTS, or NEW.
        """
        return self._by_digest.get(int.from_bytes(digest[:8], "little"), NEW)

    def cover(
        self, grid: PixelGrid, top: int, left: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """Looks up the pixels of a rectangle of a raster by their location on the ground.

        Args:
            grid: Grid of the raster.
            top: First row of the rectangle.
            left: First column of the rectangle.
            height: Number of rows.
            width: Number of columns.

        Returns:
            For each pixel the position of its part in PARTS, or NEW, (height, width) uint8. Where
            parts overlap, training wins. All are NEW where the location is not known.
        """
        codes = np.full((height, width), NEW, np.uint8)
        if not len(self.crs) or not lies_on_earth(grid):
            return codes
        outlines, low, high, parts = self._outlines_in(grid.crs)
        columns, rows = (
            np.array([left, left + width] * 2),
            np.array([top, top, top + height, top + height]),
        )
        xs, ys = _apply(grid.transform, columns, rows)
        near = (
            (low[:, 0] < xs.max())
            & (high[:, 0] > xs.min())
            & (low[:, 1] < ys.max())
            & (high[:, 1] > ys.min())
        )
        shapes = []
        # The last one is on top: training.
        for index in sorted(np.flatnonzero(near), key=lambda i: -int(parts[i])):
            found = np.stack(_apply(~grid.transform, *outlines[index].T), axis=1) - (left, top)
            shapes.append(({"type": "Polygon", "coordinates": [found.tolist()]}, int(parts[index])))
        if shapes:
            from rasterio.features import rasterize

            rasterize(shapes, out=codes)
        return codes

    def _outlines_in(self, crs: Any) -> tuple[NDArray[Any], ...]:
        """Reprojects the outlines of all extents to a CRS.

        Returns closed outlines (n, points, 2), their smallest and largest coordinates (n, 2) each,
        and the codes of their parts (n,).
        """
        name = crs.to_wkt()
        if name not in self._outlines:
            found, parts = [], []
            along = np.linspace(0, 1, _EDGE_POINTS, endpoint=False)
            across, down = (
                np.concatenate(edges)
                for edges in (
                    (along, along**0, 1 - along, 0 * along),
                    (0 * along, along, along**0, 1 - along),
                )
            )
            across, down = np.append(across, 0.0), np.append(down, 0.0)
            for number, other in enumerate(self.crs):
                chosen = np.flatnonzero(self.systems == number)
                a, b, c, d, e, f = (column[:, None] for column in self.transforms[chosen].T)
                columns, rows = self.sizes[chosen, 1:] * across, self.sizes[chosen, :1] * down
                xs, ys = _reproject(
                    other, name, a * columns + b * rows + c, d * columns + e * rows + f
                )
                finite = np.isfinite(xs).all(axis=1) & np.isfinite(ys).all(axis=1)
                found.append(np.stack([xs, ys], axis=2)[finite])
                parts.append(self.parts[chosen][finite])
            outlines = np.concatenate(found)
            self._outlines[name] = (
                outlines,
                outlines.min(axis=1),
                outlines.max(axis=1),
                np.concatenate(parts),
            )
        return self._outlines[name]


def read_grid(path: Path) -> PixelGrid:
    """Reads the size and georeference of an image.

    Args:
        path: Image file.

    Returns:
        Grid of the image.

    Raises:
        InputError: If the image cannot be opened.
    """
    with open_raster(path) as raster:
        return PixelGrid(raster.height, raster.width, raster.crs, raster.transform)


def lies_on_earth(grid: PixelGrid) -> bool:
    """Checks whether the location of a raster on the ground is known.

    A local CRS does not give it.

    Args:
        grid: Grid of the raster.

    Returns:
        Whether the CRS is projected or geographic.
    """
    return grid.crs is not None and (grid.crs.is_projected or grid.crs.is_geographic)


def _apply(transform: Any, columns: NDArray[Any], rows: NDArray[Any]) -> tuple[Any, Any]:
    a, b, c, d, e, f = tuple(transform)[:6]
    return a * columns + b * rows + c, d * columns + e * rows + f


def _reproject(
    source: str, target: str, xs: NDArray[np.float64], ys: NDArray[np.float64]
) -> tuple[Any, Any]:
    """Transforms coordinates to another CRS; they are infinite where it has none."""
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    if source == target:
        return xs, ys
    try:
        return Transformer.from_crs(source, target, always_xy=True).transform(xs, ys)
    except ProjError:
        return np.full(xs.shape, np.inf), np.full(ys.shape, np.inf)


def load_record(folder: Path) -> TrainingRecord | None:
    """Reads the record of a model folder.

    Args:
        folder: Model folder.

    Returns:
        The record; None where the folder has none.

    Raises:
        InputError: If the record cannot be read.
    """
    file = folder / RECORD_FILE
    if not file.is_file():
        return None
    try:
        with ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise ValueError("more than a gigabyte")
        with np.load(file) as arrays:
            record = TrainingRecord(
                arrays["digests"].astype(np.uint64),
                arrays["parts"].astype(np.uint8),
                arrays["transforms"].astype(np.float64),
                arrays["sizes"].astype(np.int32),
                arrays["systems"].astype(np.int32),
                tuple(str(name) for name in arrays["crs"]),
            )
        count = len(record)
        shapes = (
            record.parts.shape,
            record.transforms.shape,
            record.sizes.shape,
            record.systems.shape,
        )
        if shapes != ((count,), (count, 6), (count, 2), (count,)) or (
            count and record.parts.max() >= len(PARTS)
        ):
            raise ValueError("arrays that do not fit together")
        if count and not -1 <= record.systems.min() <= record.systems.max() < len(record.crs):
            raise ValueError("systems that there are not")
        return record
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, MemoryError) as error:
        problem = " ".join(str(error).split())[:200]
        raise InputError(
            f"{file}: must be as training wrote it. Received: {problem}. Restore it, or delete it."
        ) from error


def known_record(folder: Path | None, progress: Progress) -> TrainingRecord | None:
    """Reads the record of a model folder, and prints a note where it has none.

    Args:
        folder: Model folder; None for a model that was not loaded from one.
        progress: Prints the note.

    Returns:
        The record; None where there is none.

    Raises:
        InputError: If the record cannot be read.
    """
    record = None if folder is None else load_record(folder)
    if folder is not None and record is None:
        progress.say(
            f"note: {folder.name} does not say what it was trained on, so that is not checked (no"
            f" {RECORD_FILE})"
        )
    return record


def inherit(source: str, bundled: Path, progress: Progress) -> list[TrainingRecord]:
    """Reads the record of the model whose weights a training starts from.

    Args:
        source: Source of the weights as in the settings of a training, a file or a word.
        bundled: Model folder that the word "bundled" stands for.
        progress: Prints a note where that model has no record.

    Returns:
        A list with the record; empty where there is none.

    Raises:
        InputError: If the record cannot be read.
    """
    if source in ("none", "imagenet"):
        return []
    folder = bundled if source == "bundled" else Path(source).parent
    # Without either file it is not a model of this package.
    if not (folder / RECORD_FILE).exists() and not (folder / INFO_FILE).exists():
        return []
    record = known_record(folder, progress)
    return [] if record is None else [record]


def keep_record(output: Path, record: TrainingRecord, resume: bool) -> None:
    """Writes the record of a run into its folder.

    Args:
        output: Run folder.
        record: Data that the run is trained on.
        resume: Whether to keep the entries of an earlier start of the run.

    Raises:
        InputError: If the earlier record cannot be read.
    """
    earlier = load_record(output) if resume else None
    (record if earlier is None else record.join(earlier)).save(output)
