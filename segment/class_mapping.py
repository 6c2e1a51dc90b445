"""Class mapping: which classes of the model the masks of a collection may mean."""

from collections.abc import Iterable, Sequence

from segment.collection_settings import Collection
from segment.core.errors import InputError, suggest
from segment.core.labels.classes import IGNORED, ClassTable
from segment.label_sets import LabelSets


def admitted_classes(
    one: Collection, name: str, own: ClassTable, target: ClassTable
) -> list[set[int]]:
    """Returns the model classes that each class of a collection may be.

    Args:
        one: Settings of the collection.
        name: Its name, for messages.
        own: Its class table.
        target: Classes of the model.

    Returns:
        Indices of classes of the model for each class of `own`; an empty set where it is ignored,
        as is a class that may be any: such a label carries no information.

    Raises:
        InputError: If a class does not exist, is listed twice or is not assigned, or if no class is
            assigned to classes of the model.
    """
    place = f"data.collections: {name}"
    index = {found.casefold(): number for number, found in enumerate(target.names)}
    given = {key.casefold(): value for key, value in one.classes.items()}
    for key in one.classes:
        if key.casefold() not in {c.name.casefold() for c in own.table}:
            raise _unknown(f"{place}: classes", key, [c.name for c in own.table])
        if one.classes[key] and key.casefold() not in {c.name.casefold() for c in own.classes}:
            raise InputError(
                f"{place}: its class table ignores {key!r}. Set it to null in `classes`."
            )
    if len(given) < len(one.classes):
        raise InputError(
            f"{place}: `classes` has a class twice: {', '.join(one.classes)}. Leave one out."
        )
    sets = []
    for entry in own.classes:
        key = entry.name.casefold()
        if key not in given and key not in index:
            raise InputError(
                f"{place}: class {entry.name!r} is not a class of the model"
                f" ({', '.join(target.names)}). List the ones it may be, or null for none, in"
                " `classes`."
            )
        wanted = given.get(key, entry.name)
        listed = [] if wanted is None else [wanted] if isinstance(wanted, str) else wanted
        for admitted in listed:
            if admitted.casefold() not in index:
                raise _unknown(f"{place}: {entry.name}", admitted, target.names)
        wide = {index[admitted.casefold()] for admitted in listed}
        sets.append(set() if 1 < len(wide) == len(target) else wide)
    if not any(sets):
        raise InputError(
            f"{place}: every class is null or may be any class, so nothing can be learned. Leave"
            " the collection out."
        )
    return sets


def join_label_sets(sets: Iterable[Sequence[set[int]]], target: ClassTable) -> LabelSets:
    """Returns the codes for the labels of all collections.

    Args:
        sets: Per collection, what `admitted_classes` returns.
        target: Classes of the model.

    Returns:
        Label sets with a code for each set of classes.

    Raises:
        InputError: If there are more sets than codes.
    """
    unions = dict.fromkeys(
        frozenset(admitted) for some in sets for admitted in some if len(admitted) > 1
    )
    labels = LabelSets(target.names, tuple(unions))
    if labels.count >= IGNORED:
        raise InputError(
            f"data.collections: {len(unions)} sets of classes, at most {IGNORED - len(target)} are"
            " possible. Let classes share sets."
        )
    return labels


def wide_classes(one: Collection, target: ClassTable) -> list[str]:
    """Returns a note where classes of a collection may be any class of the model.

    Args:
        one: Settings of the collection.
        target: Classes of the model.

    Returns:
        The note, or nothing.
    """
    every = {found.casefold() for found in target.names} if len(target) > 1 else set()
    wide = [
        key
        for key, listed in one.classes.items()
        if isinstance(listed, list) and {c.casefold() for c in listed} == every
    ]
    return [f"{', '.join(wide)} may be any class: ignored, as if null"] if wide and every else []


def _unknown(place: str, received: str, known: Sequence[str]) -> InputError:
    cure = suggest(received, known, f"Known are: {', '.join(known)}.")
    return InputError(f"{place}: there is no class {received!r}. {cure}")
