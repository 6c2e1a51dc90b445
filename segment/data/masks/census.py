"""Census of masks: which values and colours they hold, independent of a class table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.label_layers import LabelLayers
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.labels.mask_values import count_values
from segment.core.labels.masks import Mask
from segment.core.progress import Progress
from segment.data.pairs.pair import Pair, grid_notes

_SHARES = 40  # kept for each mask, of its most frequent values
# values that are distinguished: masks in JPEG or floating point may have millions
_DISTINCT = 1 << 16
_FEW = 8  # values kept for each group, and colour tables
_FEW_OF_MASK = 3
_STRIP = 256  # rows of a scene's labels that are read at a time


@dataclass
class MaskCensus:
    """Counts of mask pixels by what they hold: values as "7", colours as "#RRGGBB".

    Attributes:
        held: Pixels by value or colour, without declared nodata and without 255 in one band.
        of_mask: Shares of the 40 most frequent values of each mask that can be read.
        with_palette: Pairs whose masks are PNG pictures with a palette.
        at_255: Pixels of one-band masks with the value 255.
        nodata: Pixels that files declare as nodata, by value or colour.
        rest: Pixels of values beyond the 65,536 that are distinguished.
        masks: Number of masks.
        lossy: Number of masks whose compression changes values (JPEG).
        color_tables: Colour tables of palette pictures, by their bytes, eight at most.
        legends: Colour tables of class rasters, by their bytes, eight at most.
        groups: Up to nine values of each group of one-band masks.
        shown: Sets of at most three values, each with a mask that holds exactly these, apart from
            nodata.
    """

    held: Counter[str] = field(default_factory=Counter)
    of_mask: dict[Path, Mapping[str, float]] = field(default_factory=dict)
    with_palette: list[Pair] = field(default_factory=list)
    at_255: int = 0
    nodata: Counter[str] = field(default_factory=Counter)
    rest: int = 0
    masks: int = 0
    lossy: int = 0
    color_tables: dict[bytes, NDArray[np.uint8]] = field(default_factory=dict)
    legends: dict[bytes, NDArray[np.uint8]] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)
    shown: dict[frozenset[str], Path] = field(default_factory=dict)

    def add(
        self, pixels: NDArray[Any], group: str = "", declares_nodata: bool = True
    ) -> Counter[str]:
        """Counts a mask, or some rows of it.

        Args:
            pixels: (rows, columns, bands) as `Mask` reads it.
            group: Group of the mask.
            declares_nodata: Whether hidden pixels are nodata of the file, and not merely beyond its
                extent.

        Returns:
            What these pixels add to `held`.
        """
        counts, hidden = count_values(pixels)
        if declares_nodata:
            self.nodata += hidden
        if pixels.shape[2] == 1:
            seen = self.groups.setdefault(group, set())
            seen.update(list(counts)[: _FEW + 1 - len(seen)])
            self.at_255 += counts.pop(str(IGNORED), 0)
        self.held.update(counts)
        if len(self.held) > 2 * _DISTINCT:
            kept = Counter(dict(self.held.most_common(_DISTINCT)))
            self.rest += self.held.total() - kept.total()
            self.held = kept
        return counts

    def add_file(self, mask: Mask | LabelLayers) -> None:
        """Counts a mask as one of the files.

        Args:
            mask: The open mask, or labels that are read like one.
        """
        self.masks += 1
        if isinstance(mask, LabelLayers):
            return
        self.lossy += mask.lossy
        for known, colors in ((self.color_tables, mask.colors), (self.legends, mask.legend)):
            if colors is not None and len(known) < _FEW:
                known[colors.tobytes()] = colors

    def add_pair(
        self,
        pair: Pair,
        mask: Mask | LabelLayers,
        strips: Iterable[NDArray[Any]],
        shares: bool = False,
    ) -> None:
        """Counts the mask of an image.

        Args:
            pair: Image and mask.
            mask: The mask, or labels that are read like one.
            strips: All its rows, as `Mask` reads them.
            shares: Whether to fill `of_mask` and `with_palette`.

        Raises:
            InputError: If a strip cannot be read.
        """
        whites, counts = self.at_255, Counter[str]()
        for strip in strips:
            counts.update(self.add(strip, pair.group, mask.declares_nodata))
        self.add_file(mask)
        held = frozenset(counts) | ({str(IGNORED)} if self.at_255 > whites else set())
        if len(held) <= _FEW_OF_MASK:
            self.shown.setdefault(held, pair.mask)
        if not shares:
            return
        total = counts.total()
        frequent = counts.most_common(_SHARES)
        self.of_mask[pair.mask] = {value: count / total for value, count in frequent}
        colored = isinstance(mask, Mask) and mask.colors is not None
        if colored and pair.mask.suffix.lower() == ".png":
            self.with_palette.append(pair)

    @property
    def values(self) -> set[str]:
        """What one-band masks hold, 255 included."""
        return {value for value in self.held if not value.startswith("#")} | (
            {str(IGNORED)} if self.at_255 else set()
        )

    def read_with(self, class_table: ClassTable) -> "MaskCensus":
        """Returns the census for a class table in which 255 may be a class.

        Args:
            class_table: Class table. If 255 is one of its classes, `held` counts it like other
                values.

        Returns:
            A new census, or this one where nothing changes.
        """
        if not (class_table.claims_255 and self.at_255):
            return self
        return replace(self, held=self.held + Counter({str(IGNORED): self.at_255}), at_255=0)

    def undeclared(self, class_table: ClassTable) -> Counter[str]:
        """Returns the pixels of what a class table does not name.

        Nodata does not count, nor does 255 that no class claims.

        Args:
            class_table: Class table.

        Returns:
            Pixels by value or colour.
        """
        known = class_table.mask_colors().keys() | {str(c.value) for c in class_table.table}
        return Counter({value: count for value, count in self.held.items() if value not in known})

    def undeclared_share(self, class_table: ClassTable) -> float:
        """Returns the share of the labelled pixels that a class table does not name.

        Labelled pixels are those of classes to be learned and those that the table does not name.

        Args:
            class_table: Class table.

        Returns:
            The share, 0 to 1; 0 if no pixel is labelled.
        """
        undeclared = self.undeclared(class_table).total() + self.rest
        ignored = {c.color for c in class_table.ignored} | {
            str(c.value) for c in class_table.ignored
        }
        total = (
            sum(
                count
                for value, count in self.read_with(class_table).held.items()
                if value not in ignored
            )
            + self.rest
        )
        return undeclared / total if total else 0.0


def take_census(
    pairs: Sequence[Pair], progress: Progress, shares: bool = False
) -> tuple[MaskCensus, list[str]]:
    """Reads every mask of a tile folder, and prints how the masks are aligned with their images.

    Args:
        pairs: Images and masks.
        progress: Receives notes and the number of masks read.
        shares: Whether to fill `of_mask` and `with_palette`.

    Returns:
        The census, and the reason for each mask that cannot be read.
    """
    for note in grid_notes(pairs):
        progress.say(note)
    census, problems = MaskCensus(), []
    for done, pair in enumerate(pairs, 1):
        progress.advance("reading masks", done, len(pairs))
        try:
            with pair.source.open() as image, pair.open_labels(image) as mask:
                rows = _STRIP if pair.scene else image.height
                tops = range(0, image.height, rows)
                strips = (mask.read(top, min(rows, image.height - top)) for top in tops)
                census.add_pair(pair, mask, strips, shares)
        except InputError as error:
            problems.append(str(error))
    return census, problems


def census_of_rows(mask: Mask, rows: int = 256) -> MaskCensus:
    """Takes the census of one mask, read in row strips to its end.

    Args:
        mask: The open mask.
        rows: Rows to read at a time.

    Returns:
        The census.

    Raises:
        InputError: If the mask cannot be read.
    """
    census = MaskCensus()
    census.add_file(mask)
    for start in range(0, mask.height, rows):
        census.add(
            mask.read(start, min(rows, mask.height - start)), declares_nodata=mask.declares_nodata
        )
    return census
