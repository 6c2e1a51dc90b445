"""What the labels of masks admit: one class a pixel, or a set of classes of which it may be any."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from segment.core.raster.classes import IGNORED


@dataclass(frozen=True)
class LabelSets:
    """The codes of decoded masks, and the set of classes that each admits.

    Codes below the number of classes admit that class alone; further ones admit the `unions`, in
    their order; 255 is ignored. A mask of single classes holds class indices, as everywhere else.

    Attributes:
        names: the classes, in the order of the model's outputs.
        unions: sets of two or more class indices.
        used: codes that a collection can hold; None: all.
    """

    names: Sequence[str]
    unions: tuple[frozenset[int], ...] = ()
    used: frozenset[int] | None = field(default=None)

    @property
    def count(self) -> int:
        """How many codes there are, without 255."""
        return len(self.names) + len(self.unions)

    @property
    def sets(self) -> list[frozenset[int]]:
        """The set of each code."""
        return [frozenset({index}) for index in range(len(self.names))] + list(self.unions)

    @property
    def labels(self) -> list[str]:
        """A name for each code: that of its class, or "land or road"."""
        return [" or ".join(self.names[index] for index in sorted(one)) for one in self.sets]

    def code(self, admitted: Iterable[int]) -> int:
        """The code of a set of class indices; 255 of the empty set."""
        wanted = frozenset(admitted)
        return self.sets.index(wanted) if wanted else IGNORED

    def of(self, codes: Iterable[int]) -> "LabelSets":
        """The same codes, of which a collection holds only some."""
        return replace(self, used=frozenset(codes) - {IGNORED})

    def admitted(self) -> NDArray[np.float32]:
        """(256, classes) float32: 1 where a code admits a class; all 0 for what is no code."""
        table = np.zeros((256, len(self.names)), np.float32)
        for code, one in enumerate(self.sets):
            table[code, list(one)] = 1
        return table

    def positive(self) -> NDArray[np.float32]:
        """(256, classes) float32: 1 where a code admits this class and no other."""
        admitted = self.admitted()
        return np.where(admitted.sum(1, keepdims=True) == 1, admitted, 0).astype(np.float32)

    def certain(self) -> NDArray[np.float32]:
        """(256, classes) float32: 1 where a code says whether a pixel is of a class, or is not."""
        admitted = self.admitted()
        return np.maximum(self.positive(), np.where(admitted.any(1, keepdims=True), 1 - admitted, 0))

    @property
    def named(self) -> NDArray[np.bool_]:
        """(classes,): which classes some code in use admits alone, so that they can be scored."""
        alone = range(len(self.names))
        return np.array([self.used is None or index in self.used for index in alone])

    @property
    def groups(self) -> NDArray[np.intp]:
        """(classes,): the group of each class. Classes are of one group where a code in use admits
        both: the labels cannot tell them apart. Single classes are groups of their own."""
        group = list(range(len(self.names)))
        for code, one in enumerate(self.sets):
            if self.used is None or code in self.used:
                joined = {group[index] for index in one}
                group = [min(joined) if found in joined else found for found in group]
        return np.unique(group, return_inverse=True)[1].astype(np.intp)
