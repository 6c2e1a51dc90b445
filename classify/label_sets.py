"""Label sets: an image is of one class, or of any of several that its label may mean."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError, suggest

LabelMap = dict[str, list[str]]
"""Names of the classes that each label of a collection may be; none for a label of no class."""

Unions = Sequence[tuple[int, ...]]
"""Sets of two or more class indices, each ascending."""


def admitted_classes(
    place: str,
    given: Mapping[str, str | list[str] | None],
    labels: Sequence[str],
    names: Sequence[str],
) -> LabelMap:
    """Finds the classes of a model that each label of a collection may be.

    Args:
        place: Collection, for messages.
        given: A class, several or None by label; a label that is missing is the class of its name.
        labels: Labels of the collection.
        names: Classes of the model.

    Returns:
        Classes by label, in the order of `labels` and of `names`; none for a label that is None or
        may be any class, which teaches nothing.

    Raises:
        InputError: If a label or a class does not exist or is listed twice, a label has no class,
            or no label has one.
    """
    place, own = f"data.collections: {place}", {name.casefold(): name for name in names}
    known = {label.casefold() for label in labels}
    asked = {key.casefold(): value for key, value in given.items()}
    for key in given:
        if key.casefold() not in known:
            raise _unknown(f"{place}: classes: there is no class folder {key!r}", key, labels)
    if len(asked) < len(given):
        raise InputError(
            f"{place}: `classes` has a folder twice, case does not matter: {', '.join(given)}."
            " Leave one out."
        )
    found = {}
    for label in labels:
        key = label.casefold()
        if key not in asked and key not in own:
            raise InputError(
                f"{place}: folder {label!r} is not a class of the model ({', '.join(names)}). List"
                " the classes that it may be, or null for none, in `classes`."
            )
        value = asked.get(key, label)
        listed = [] if value is None else [value] if isinstance(value, str) else value
        for name in listed:
            if name.casefold() not in own:
                raise _unknown(f"{place}: {label}: there is no class {name!r}", name, names)
        wanted = {name.casefold() for name in listed}
        admitted = [name for name in names if name.casefold() in wanted]
        found[label] = [] if 1 < len(admitted) == len(names) else admitted
    if not any(found.values()):
        raise InputError(
            f"{place}: every folder is null or may be any class, so nothing can be learned. Leave"
            " the collection out."
        )
    return found


def _unknown(problem: str, received: str, known: Sequence[str]) -> InputError:
    cure = suggest(received, known, f"There are: {', '.join(known)}.")
    return InputError(f"{problem}. {cure}")


def find_unions(labels: Iterable[tuple[int, ...]]) -> Unions:
    """Finds the sets of several classes among labels.

    Args:
        labels: Class indices of each image, ascending.

    Returns:
        Each set once, in order.
    """
    return sorted({some for some in labels if len(some) > 1})


def sum_unions(probabilities: Any, unions: Unions) -> Any:
    """Appends the probability of each set of classes to that of the classes.

    Args:
        probabilities: (images, classes), an array or a tensor of the backend.
        unions: Sets of classes.

    Returns:
        (images, classes + unions).
    """
    if not unions:
        return probabilities
    from keras import ops

    sums = [
        ops.sum(ops.take(probabilities, list(some), axis=-1), axis=-1, keepdims=True)
        for some in unions
    ]
    return ops.concatenate([probabilities, *sums], axis=-1)


def likeliest_reference(admitted: NDArray[Any], probabilities: NDArray[Any]) -> NDArray[Any]:
    """Chooses one class of each set: the most probable of those that the image may be.

    An answer within the set is then right, and any other is wrong.

    Args:
        admitted: (images, classes) of 0 or 1; several 1 in a row where any of these is right.
        probabilities: (images, classes).

    Returns:
        (images, classes) with a single 1 in each row that has one.
    """
    held = np.where(admitted > 0, probabilities, -1)
    chosen = np.arange(admitted.shape[1]) == held.argmax(axis=1)[:, None]
    return np.where(chosen, admitted, 0)


@dataclass(frozen=True)
class LabelView:
    """The labels by which images of a collection are scored, in place of the classes of the model.

    These are its own labels. The probability of a label is the sum over the classes that it may
    be, and labels that may be the same classes are one. Where labels overlap, so that a class
    belongs to several, sums would always favour the wider label: there the classes that any label
    may be are scored.

    Attributes:
        collection: Name of the collection.
        label_map: Classes of the model by label.
        names: Names of the labels, or of the classes.
        sets: Indices of the classes that each may be.
        overlaps: Whether labels overlap, so that these are classes.
    """

    collection: str
    label_map: LabelMap
    names: list[str]
    sets: list[tuple[int, ...]]
    overlaps: bool = False

    @classmethod
    def of(cls, collection: str, label_map: LabelMap, names: Sequence[str]) -> "LabelView":
        """Makes the view of a collection.

        Args:
            collection: Its name.
            label_map: Classes of the model by label; labels without one are left out.
            names: Classes of the model.

        Returns:
            The view.
        """
        joined: dict[tuple[int, ...], list[str]] = {}
        for label, classes in label_map.items():
            if classes:
                joined.setdefault(tuple(sorted(map(names.index, classes))), []).append(label)
        held = sorted({index for some in joined for index in some})
        if len(held) < sum(map(len, joined)):
            single: list[tuple[int, ...]] = [(index,) for index in held]
            return cls(collection, label_map, [names[i] for i in held], single, overlaps=True)
        return cls(
            collection, label_map, [" or ".join(some) for some in joined.values()], list(joined)
        )

    def position(self, classes: Sequence[str], names: Sequence[str]) -> int:
        """Finds the label that may be some classes.

        Args:
            classes: Names of these classes.
            names: Classes of the model.

        Returns:
            Its index in `names` of the view.
        """
        return self.sets.index(tuple(sorted(map(names.index, classes))))

    @property
    def how(self) -> str:
        """How images of the collection are scored, in words."""
        if self.overlaps:
            return "its labels overlap: classes are scored, and any that an image may be is right"
        return (
            "its own labels are scored; the probability of a label is the sum of those of the"
            " classes that it may be"
        )

    def probabilities(self, given: NDArray[Any]) -> NDArray[np.float32]:
        """Sums the probabilities of the model's classes.

        Args:
            given: (images, classes).

        Returns:
            (images, labels) float32.
        """
        sums = [given[:, list(some)].sum(axis=1) for some in self.sets]
        joined: NDArray[np.float32] = np.stack(sums, axis=1).clip(0, 1).astype(np.float32)
        return joined

    def admitted(self, labels: Sequence[tuple[int, ...]]) -> NDArray[np.float32]:
        """Encodes labels of images.

        Args:
            labels: Classes that each image may be, as the label map has them.

        Returns:
            (images, labels) float32, with a 1 for each label that is right: one, or several where
            labels overlap.
        """
        right = [[set(own) <= set(some) for own in self.sets] for some in labels]
        return np.array(right, np.float32)
