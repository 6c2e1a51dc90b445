"""Records of a model's training data, by which the data are recognised when a model is scored."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import DAMAGE, InputError, brief
from segment.core.model.folder import INFO_FILE, RECORD_FILE
from segment.core.model.footprints import Footprints
from segment.core.outputs import staged
from segment.core.progress import Progress
from segment.core.raster.grid import PixelGrid
from segment.core.splits import PARTS, Part

NEW = 255
"""Code of pixels that are not in the record; others have the position of their part in PARTS."""

_MOST_BYTES = 2**30  # unpacked


@dataclass(frozen=True)
class RecordEntry:
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
        footprints: Extents on the ground, n of them.
    """

    digests: NDArray[np.uint64]
    parts: NDArray[np.uint8]
    footprints: Footprints

    @classmethod
    def of(cls, images: Iterable[RecordEntry]) -> "TrainingRecord":
        """Builds a record from images and tiles.

        Args:
            images: Images and tiles with their parts.

        Returns:
            A record with one entry for each of them.
        """
        entries = list(images)
        return cls(
            np.array([int.from_bytes(one.digest[:8], "little") for one in entries], np.uint64),
            np.array([PARTS.index(one.part) for one in entries], np.uint8),
            Footprints.of([one.grid for one in entries]),
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
        digests = np.concatenate([record.digests for record in every])
        parts = np.concatenate([record.parts for record in every])
        footprints = Footprints.join([record.footprints for record in every])
        columns = [*footprints.transforms.T, *footprints.sizes.T, footprints.systems]
        rows = np.rec.fromarrays([digests, parts, *columns])
        _, first = np.unique(rows, return_index=True)
        first.sort()
        return TrainingRecord(digests[first], parts[first], footprints.take(first))

    def save(self, folder: Path) -> None:
        """Writes the record into a model folder, completely or not at all.

        Args:
            folder: Model folder.
        """
        with staged(folder / RECORD_FILE, overwrite=True) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file, digests=self.digests, parts=self.parts, **self.footprints.arrays
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
        self.footprints.draw(self.parts, grid, top, left, codes)
        return codes


def load_record(folder: Path) -> TrainingRecord | None:
    """Reads the record of a model folder.

    Args:
        folder: Model folder.

    Returns:
        The record; None where the folder has none.

    Raises:
        InputError: If the record cannot be read, for a ValueError or another of `DAMAGE`.
    """
    file = folder / RECORD_FILE
    if not file.is_file():
        return None
    try:
        with ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise ValueError("it unpacks to more than a gigabyte")
        with np.load(file) as arrays:
            digests, parts = arrays["digests"].astype(np.uint64), arrays["parts"].astype(np.uint8)
            footprints = Footprints.of_arrays(arrays)
        count = len(digests)
        if parts.shape != (count,) or len(footprints.systems) != count:
            raise ValueError("its arrays differ in length")
        if count and parts.max() >= len(PARTS):
            raise ValueError("it names a part of the data beyond train, val and test")
        return TrainingRecord(digests, parts, footprints)
    except DAMAGE as error:
        raise InputError(
            f"{file}: not as training wrote it: {brief(error)}. Restore the file, or delete it."
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
            f"note: {folder.name} has no record of what it was trained on ({RECORD_FILE}), so that"
            " is not checked"
        )
    return record


def inherit(source: str, bundled: Path, progress: Progress) -> list[TrainingRecord]:
    """Reads the record of the model whose weights a training starts from.

    Args:
        source: Source of the weights as in the settings of a training: a file, a folder or a word.
        bundled: Model folder that the word "bundled" stands for.
        progress: Prints a note where that model has no record.

    Returns:
        A list with the record; empty where there is none.

    Raises:
        InputError: If the record cannot be read.
    """
    if source in ("none", "imagenet"):
        return []
    path = Path(source)
    folder = bundled if source == "bundled" else path if path.is_dir() else path.parent
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
