"""Reference masks of scenes, read row strip by row strip in step with the map."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.burned_labels import BurnedLabels
from segment.annotations.label_source import LabelSource, open_labels
from segment.boundaries import Boundaries
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, ClassTable, load_class_table
from segment.core.labels.mask_values import decode_values
from segment.core.labels.masks import Mask
from segment.core.raster.reader import Raster
from segment.data.masks.census import MaskCensus, census_of_rows
from segment.data.masks.contents import MaskContents
from segment.data.masks.reading import choose_reading
from segment.mapping.journal import CLASSES, REFERENCE, Journal


class Reference:
    """An open reference mask, decoded to the classes of a model.

    Classes are matched by name. Those that the model does not have are ignored.

    Attributes:
        class_table: Class table by which the mask is decoded.
        notes: What was assumed of the whole mask, and what is odd about it.
        undeclared_share: Share of its labelled pixels that no class has, 0 to 1; None where
            that is not known, as of vector labels.
        undeclared: Number of pixels read so far of each value or colour that no class has.
    """

    def __init__(
        self,
        mask: Mask | BurnedLabels,
        class_table: ClassTable,
        names: Sequence[str],
        notes: Sequence[str] = (),
        undeclared_share: float | None = None,
    ):
        """Prepares to decode an open mask.

        Args:
            mask: The open mask.
            class_table: Class table by which the mask is decoded, see `open_reference`.
            names: Names of the model's classes.
            notes: What was assumed of the whole mask, and what is odd about it.
            undeclared_share: Share of its labelled pixels that no class has, 0 to 1; None where
                that is not known.
        """
        self._mask, self.class_table, self._names = mask, class_table, names
        self.notes, self.undeclared_share = list(notes), undeclared_share
        self.undeclared: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """File name of the mask."""
        return Path(self._mask.path).name

    @property
    def identity(self) -> list[Any]:
        """What distinguishes the reference from another, or from its own state before a change."""
        return [
            self._mask.identity,
            repr(self._mask.alignment),
            [c.model_dump(mode="json") for c in self.class_table.table],
        ]

    def read(
        self, start: int, stop: int, left: int = 0, right: int | None = None
    ) -> NDArray[np.uint8]:
        """Reads rows, and adds their pixels without a class to `undeclared`.

        Args:
            start: First row.
            stop: Row after the last.
            left: First column.
            right: Column after the last, by default that of the whole mask.

        Returns:
            Class indices, (rows, columns) uint8; 255 where ignored.

        Raises:
            InputError: If the rows cannot be decoded.
        """
        width = None if right is None else right - left
        indices, undeclared = decode_values(
            self._mask.read(start, stop - start, left, width), self.class_table, self._names
        )
        self.undeclared += undeclared
        return indices

    def report(self, class_table: ClassTable, journal: Journal, width: int) -> dict[str, Any]:
        """Scores the boundaries of a finished map, row strip by row strip.

        Args:
            class_table: Class table of the map.
            journal: Journal that holds the finished map and its reference.
            width: Width of a boundary in pixels.

        Returns:
            Keys of the report: boundary scores of the whole scene at once, and pixels of no class.
        """
        boundaries = Boundaries(class_table.names, width=width)
        boundaries.add_strips(
            journal.rows,
            partial(journal.read, REFERENCE),
            lambda start, stop: class_table.indices(journal.read(CLASSES, start, stop)),
        )
        return {
            "undeclared_share": self.undeclared_share,
            "undeclared": dict(self.undeclared.most_common()),
            **boundaries.report(),
        }


@contextmanager
def open_reference(
    source: LabelSource, scene: Raster, class_table: ClassTable
) -> Iterator[Reference]:
    """Opens the reference of a scene.

    Values and colours are those of `class_table`, unless a `classes.yaml` beside the mask gives its
    own. The mask is read once completely beforehand: all that it holds decides how values and
    colours are read (see `choose_reading`), so that windows and blocks agree. Vector labels are
    burned on the grid of the scene; what no shape covers is not scored, nor what a shape covers
    whose class the model does not have.

    Args:
        source: The mask, or vector labels.
        scene: The open scene.
        class_table: Class table of the model.

    Yields:
        The open reference.

    Raises:
        InputError: If the mask or the labels do not fit the scene or the classes.
    """
    table = ClassTable([*class_table.mapped, *class_table.ignored])  # with 255 for unlabelled
    with open_labels(source, scene, table) as mask:
        if isinstance(mask, BurnedLabels):
            notes = [f"Truth: {note}." for note in mask.notes]
            if mask.fill == IGNORED:
                notes.append("Truth: pixels that no shape covers are not scored.")
            yield Reference(mask, table, class_table.names, notes)
            return
        file = Path(mask.path).with_name("classes.yaml")
        table, census = (
            load_class_table(file) if file.is_file() else class_table,
            census_of_rows(mask),
        )
        reading = choose_reading(table, census, of_model=not file.is_file())
        for refusal in reading.refusals:
            raise InputError(f"{mask.path}: {refusal}")
        _require_classes(mask, reading.class_table, census, class_table.names)
        share = census.undeclared_share(reading.class_table)
        shares = (
            [f"{share:.1%} of the reference's labelled pixels are of no class: not scored."]
            if share
            else []
        )
        contents = MaskContents(reading.class_table, census.read_with(reading.class_table))
        notes = mask.alignment.notes(Path(mask.path).name, "scene")
        notes += [
            *(f"Truth: {note}." for note in reading.notes),
            *(f"Truth: {f}" for f in reading.findings),
            *(f"Truth: {line}" for line in contents.unscored(class_table.names)),
            *shares,
        ]
        yield Reference(mask, reading.class_table, class_table.names, notes, share)


def _require_classes(
    mask: Mask, class_table: ClassTable, census: MaskCensus, names: Sequence[str]
) -> None:
    """Raises InputError if a mask holds none of the classes of a model."""
    held, known = census.read_with(class_table).held, {name.casefold() for name in names}
    shown = [*((str(c.value), c) for c in class_table.classes), *class_table.mask_colors().items()]
    if any(held[key] and not c.ignore and c.name.casefold() in known for key, c in shown):
        return
    undeclared = [value for value, _ in census.undeclared(class_table).most_common(3)]
    unlabelled = [f"{IGNORED} (unlabelled)"] if census.at_255 else []
    listed = ", ".join([*undeclared, *unlabelled]) or "ignored values only"
    declared = ", ".join(f"{c.name} {c.color} or {c.value}" for c in class_table.classes)
    raise InputError(
        f"{mask.path}: holds no class of the model ({declared}). Received {listed}. Put a"
        " classes.yaml of its own beside the mask, or give another one."
    )
