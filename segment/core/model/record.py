"""What a model was trained on: digests of pixels and extents on the ground, by which it is recognised when it is scored."""

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
from segment.core.raster.reader import open_raster
from segment.core.splits import PARTS, Part

NEW = 255
"""The code of pixels that a model does not know; those it knows have the position of their part in PARTS."""

_MOST_BYTES = 2**30  # unpacked
_EDGE_POINTS = 4  # of an extent, on each side: lines of one CRS are curves in another


@dataclass(frozen=True)
class Remembered:
    """An image, or a tile of it, and the part that it belonged to. grid: where it lies, None where that is not known or is
    that of another."""

    digest: bytes
    part: Part
    grid: PixelGrid | None = None


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """All that a model, and those whose weights it started from, were trained, validated and tested on.

    digests: (n,) uint64, the first 8 bytes of each. parts: (n,) uint8, positions in PARTS. transforms: (n, 6) float64, from
    columns and rows to the CRS, and sizes: (n, 2) int32, rows and columns; systems: (n,) int32, positions in `crs`, -1 where
    the extent is not known. crs: as WKT.
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
        return len(self.digests)

    def join(self, *others: "TrainingRecord") -> "TrainingRecord":
        """This one and others, each entry once."""
        every = [self, *others]
        crs = tuple(dict.fromkeys(name for record in every for name in record.crs))
        systems = [
            np.array([crs.index(name) for name in record.crs] + [-1], np.int32)[record.systems]  # -1 stays: the last one
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
            columns[0], columns[1], np.stack(columns[2:8], axis=1), np.stack(columns[8:10], axis=1), columns[10], crs
        )

    def save(self, folder: Path) -> None:
        """Writes the file of a model folder, whole or not at all."""
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
        order = np.argsort(-self.parts.astype(np.int16), kind="stable")  # of several parts, training comes last and counts
        return dict(zip(self.digests[order].tolist(), self.parts[order].tolist(), strict=True))

    def find(self, digest: bytes) -> int:
        """The code of an image or a tile with these pixels."""
        return self._by_digest.get(int.from_bytes(digest[:8], "little"), NEW)

    def cover(self, grid: PixelGrid, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
        """The code of each pixel (height, width) of a rectangle of a raster by the ground that it shows."""
        codes = np.full((height, width), NEW, np.uint8)
        if not len(self.crs) or not lies_on_earth(grid):
            return codes
        outlines, low, high, parts = self._outlines_in(grid.crs)
        columns, rows = np.array([left, left + width] * 2), np.array([top, top, top + height, top + height])
        xs, ys = _apply(grid.transform, columns, rows)
        near = (low[:, 0] < xs.max()) & (high[:, 0] > xs.min()) & (low[:, 1] < ys.max()) & (high[:, 1] > ys.min())
        shapes = []
        for index in sorted(np.flatnonzero(near), key=lambda i: -int(parts[i])):  # what comes last is on top
            found = np.stack(_apply(~grid.transform, *outlines[index].T), axis=1) - (left, top)
            shapes.append(({"type": "Polygon", "coordinates": [found.tolist()]}, int(parts[index])))
        if shapes:
            from rasterio.features import rasterize

            rasterize(shapes, out=codes)
        return codes

    def _outlines_in(self, crs: Any) -> tuple[NDArray[Any], ...]:
        """Closed outlines (n, points, 2) of all extents in a CRS, their least and greatest coordinates (n, 2), and the codes of
        their parts (n,)."""
        name = crs.to_wkt()
        if name not in self._outlines:
            found, parts = [], []
            along = np.linspace(0, 1, _EDGE_POINTS, endpoint=False)
            across, down = (
                np.concatenate(edges)
                for edges in ((along, along**0, 1 - along, 0 * along), (0 * along, along, along**0, 1 - along))
            )
            across, down = np.append(across, 0.0), np.append(down, 0.0)
            for number, other in enumerate(self.crs):
                chosen = np.flatnonzero(self.systems == number)
                a, b, c, d, e, f = (column[:, None] for column in self.transforms[chosen].T)
                columns, rows = self.sizes[chosen, 1:] * across, self.sizes[chosen, :1] * down
                xs, ys = _reproject(other, name, a * columns + b * rows + c, d * columns + e * rows + f)
                finite = np.isfinite(xs).all(axis=1) & np.isfinite(ys).all(axis=1)
                found.append(np.stack([xs, ys], axis=2)[finite])
                parts.append(self.parts[chosen][finite])
            outlines = np.concatenate(found)
            self._outlines[name] = outlines, outlines.min(axis=1), outlines.max(axis=1), np.concatenate(parts)
        return self._outlines[name]


def read_grid(path: Path) -> PixelGrid:
    """Where the pixels of an image lie. Raises InputError when it cannot be opened."""
    with open_raster(path) as raster:
        return PixelGrid(raster.height, raster.width, raster.crs, raster.transform)


def lies_on_earth(grid: PixelGrid) -> bool:
    """Whether it is known where on the ground a raster lies: a local CRS does not say it."""
    return grid.crs is not None and (grid.crs.is_projected or grid.crs.is_geographic)


def _apply(transform: Any, columns: NDArray[Any], rows: NDArray[Any]) -> tuple[Any, Any]:
    a, b, c, d, e, f = tuple(transform)[:6]
    return a * columns + b * rows + c, d * columns + e * rows + f


def _reproject(source: str, target: str, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> tuple[Any, Any]:
    """Coordinates in another CRS, infinite where that has none."""
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    if source == target:
        return xs, ys
    try:
        return Transformer.from_crs(source, target, always_xy=True).transform(xs, ys)
    except ProjError:
        return np.full(xs.shape, np.inf), np.full(ys.shape, np.inf)


def load_record(folder: Path) -> TrainingRecord | None:
    """What a model folder says of its training, None where it says nothing. Raises InputError when that cannot be read."""
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
        shapes = record.parts.shape, record.transforms.shape, record.sizes.shape, record.systems.shape
        if shapes != ((count,), (count, 6), (count, 2), (count,)) or (count and record.parts.max() >= len(PARTS)):
            raise ValueError("arrays that do not fit together")
        if count and not -1 <= record.systems.min() <= record.systems.max() < len(record.crs):
            raise ValueError("systems that there are not")
        return record
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, MemoryError) as error:
        problem = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: must be as training wrote it. Received: {problem}. Restore it, or delete it.") from error


def known_record(folder: Path | None, progress: Progress) -> TrainingRecord | None:
    """As `load_record`; says so where a model folder has none. folder: None for a model that comes from none."""
    record = None if folder is None else load_record(folder)
    if folder is not None and record is None:
        progress.say(f"note: {folder.name} does not say what it was trained on, so that is not checked (no {RECORD_FILE})")
    return record


def inherit(source: str, bundled: Path, progress: Progress) -> list[TrainingRecord]:
    """What the model that weights are taken from was trained on. source: as in the settings of a training, a file or a word.

    bundled: the folder of the model that "bundled" means.
    """
    if source in ("none", "imagenet"):
        return []
    folder = bundled if source == "bundled" else Path(source).parent
    if not (folder / RECORD_FILE).exists() and not (folder / INFO_FILE).exists():  # not of a model of ours
        return []
    record = known_record(folder, progress)
    return [] if record is None else [record]


def keep_record(output: Path, record: TrainingRecord, resume: bool) -> None:
    """Writes what a run is trained on into its folder. resume: what an earlier start of the run learned from stays in it."""
    earlier = load_record(output) if resume else None
    (record if earlier is None else record.join(earlier)).save(output)


class Familiarity:
    """How many of the pixels that are scored a model was trained on. kind: what they are counted in besides, in the plural."""

    def __init__(self, kind: str | None = "tiles"):
        self._kind, self._count = kind, 0
        self._pixels, self._each = (np.zeros(NEW + 1, np.int64) for _ in range(2))

    def add(self, codes: NDArray[np.uint8], scored: NDArray[np.bool_] | None = None) -> None:
        """Adds a tile, an image or a part of a scene: the code of each pixel, and whether it is scored."""
        counts = np.bincount((codes if scored is None else codes[scored]).ravel(), minlength=NEW + 1)
        self._pixels += counts
        self._each += counts > 0
        self._count += 1

    def of(self, part: Part) -> dict[str, Any]:
        """Scored pixels of a part of the training, their share of all scored pixels, and in how many tiles or images they are."""
        pixels, each = (int(counts[PARTS.index(part)]) for counts in (self._pixels, self._each))
        found = {"pixels": pixels, "share": pixels / max(int(self._pixels.sum()), 1)}
        return found if self._kind is None else found | {self._kind: each}

    @property
    def report(self) -> dict[str, Any]:
        """Keys of report.json."""
        return {"trained_on": self.of("train"), "validated_on": self.of("val")}

    def __str__(self) -> str:
        """A sentence, empty where none of the scored pixels was trained on or validated."""
        said = []
        whats: dict[Part, str] = {"train": "were trained on", "val": "chose the epoch (validation)"}
        for part, what in whats.items():
            found = self.of(part)
            if found["pixels"]:
                where = "" if self._kind is None else f" in {found[self._kind]:,} of {self._count:,} {self._kind}"
                share = f"{100 * found['share']:.3g} %"
                said.append(f"{found['pixels']:,} of {int(self._pixels.sum()):,} scored pixels ({share}){where} {what}")
        return " and ".join(said) + ": scores flatter" if said else ""


UNKNOWN: dict[str, Any] = {"trained_on": None, "validated_on": None}
"""Keys of report.json where a model does not say what it was trained on."""
