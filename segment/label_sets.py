"""Label sets: a mask pixel is of one class, or of any of several that its code admits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED


@dataclass(frozen=True)
class LabelSets:
    """The codes of decoded masks, and the set of classes that each code admits.

    Codes below the number of classes admit that class alone. The codes after them admit the
    `unions`, in their order; 255 is ignored. Where every label is a single class, the codes are
    class indices, as everywhere else.

    Attributes:
        names: The classes, in the order of the model's outputs.
        unions: Sets of two or more class indices.
        used: Codes that a collection can hold; None for all of them.
    """

    names: Sequence[str]
    unions: tuple[frozenset[int], ...] = ()
    used: frozenset[int] | None = field(default=None)

    @property
    def count(self) -> int:
        """Number of codes, without 255."""
        return len(self.names) + len(self.unions)

    @property
    def sets(self) -> list[frozenset[int]]:
        """The set of class indices of each code."""
        return [frozenset({index}) for index in range(len(self.names))] + list(self.unions)

    @property
    def labels(self) -> list[str]:
        """Name of each code: that of its class, or several joined, such as "land or road"."""
        return [" or ".join(self.names[index] for index in sorted(one)) for one in self.sets]

    def code(self, admitted: Iterable[int]) -> int:
        """Returns the code of a set of classes.

        Args:
            admitted: Class indices.

        Returns:
            The code; 255 for the empty set.

        Raises:
            ValueError: If no code admits exactly these classes.
        """
        wanted = frozenset(admitted)
        return self.sets.index(wanted) if wanted else IGNORED

    def of(self, codes: Iterable[int]) -> "LabelSets":
        """Returns the same label sets for a collection that holds only some of the codes.

        Args:
            codes: Codes that the collection can hold; 255 is left out.

        Returns:
            Label sets with the same codes, and with `used` set.
        """
        return replace(self, used=frozenset(codes) - {IGNORED})

    def admitted(self) -> NDArray[np.float32]:
        """Returns a table of the classes that each code admits.

        Returns:
            (256, classes) float32: 1 where a code admits a class. A row is all 0 where the value is
            not a code.
        """
        table = np.zeros((256, len(self.names)), np.float32)
        for code, one in enumerate(self.sets):
            table[code, list(one)] = 1
        return table

    def positive(self) -> NDArray[np.float32]:
        """Returns a table of the codes that admit a single class.

        Returns:
            (256, classes) float32: 1 where a code admits this class and no other.
        """
        admitted = self.admitted()
        return np.where(admitted.sum(1, keepdims=True) == 1, admitted, 0).astype(np.float32)

    def certain(self) -> NDArray[np.float32]:
        """Returns a table of the classes whose membership a code decides.

        Returns:
            (256, classes) float32: 1 where a code decides whether a pixel is of a class: it admits
            only that class, or only others.
        """
        admitted = self.admitted()
        return np.maximum(
            self.positive(), np.where(admitted.any(1, keepdims=True), 1 - admitted, 0)
        )

    @property
    def named(self) -> NDArray[np.bool_]:
        """Classes that some code in use admits alone, (classes,) bool: these can be scored."""
        alone = range(len(self.names))
        return np.array([self.used is None or index in self.used for index in alone])

    @property
    def groups(self) -> NDArray[np.intp]:
        """The group of each class, (classes,): labels cannot tell the classes of a group apart.

        Two classes are in the same group where a code in use admits both. All other classes are
        groups of their own.
        """
        group = list(range(len(self.names)))
        for code, one in enumerate(self.sets):
            if self.used is None or code in self.used:
                joined = {group[index] for index in one}
                group = [min(joined) if found in joined else found for found in group]
        return np.unique(group, return_inverse=True)[1].astype(np.intp)
