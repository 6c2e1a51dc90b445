"""The classes of an ONNX model: their names, and how a single channel is divided into two."""

from pathlib import Path

from pydantic import ValidationError

from segment.core.errors import InputError, quoted
from segment.core.labels.classes import Class, ClassTable, numbered_color
from segment.core.onnx_models.description import Description
from segment.core.onnx_models.graph import OutputAxes


def choose_threshold(found: OutputAxes, stated: Description, notes: list[str]) -> float:
    """Chooses the probability from which a pixel is of the class of a single channel.

    Args:
        found: The output that holds the classes.
        stated: What is stated of the model.
        notes: Receives a note on a threshold other than a half.

    Returns:
        The probability, 0 to 1.
    """
    if stated.threshold is None or (found.channels == 1 and stated.threshold == 0.5):
        return 0.5
    if found.channels == 1:
        notes.append(f"Pixels are of the class from a probability of {stated.threshold:g} on.")
        return stated.threshold
    notes.append(
        f"The threshold {stated.threshold:g} is not used: each pixel gets its most probable class."
    )
    return 0.5


def choose_classes(
    found: OutputAxes, stated: Description, notes: list[str], file: Path
) -> list[Class]:
    """Makes the class table of a model; classes without names are numbered.

    Args:
        found: The output that holds the classes.
        stated: What is stated of the model.
        notes: Receives notes on names that are not stated.
        file: The ONNX file, for errors.

    Returns:
        The classes in the order of the outputs.

    Raises:
        InputError: If their number is not known or not that of the output, or a name is not
            possible.
    """
    given, name = list(stated.classes or ()), f"{file.stem}.yaml"
    wanted = 2 if found.channels == 1 else found.channels
    if wanted is None and not given:
        raise InputError(
            f"{file}: gives class numbers, but how many there are is not stated. Write classes:"
            f" [NAME, NAME] into {name}."
        )
    if not given:
        given = [f"class {number}" for number in range(wanted or 0)]
        notes.append(f"Its classes have no names: write classes: [NAME, NAME] into {name}.")
    if found.channels == 1 and len(given) == 1:
        given = ["background", *given]
        notes.append("Pixels that are not of its only class are called background.")
    try:
        table = [
            one if isinstance(one, Class) else Class(name=one, color=numbered_color(number))
            for number, one in enumerate(given)
        ]
        count = len([one for one in table if not one.ignore])
        if count != (wanted or count):
            raise InputError(
                f"{file}: {count} classes are stated, but the network has {wanted}. Correct classes"
                f" in {name}."
            )
        _check_table(table, file)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{file}: a class cannot be called {quoted(first['input'], 80)}. Write classes: [NAME,"
            f" NAME] into {name}."
        ) from error
    return table


def _check_table(table: list[Class], file: Path) -> None:
    try:
        ClassTable(table)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
