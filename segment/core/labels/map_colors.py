"""Map colours of a user's own, in place of those of a model."""

import difflib
from pathlib import Path

from segment.core.errors import InputError, explain
from segment.core.labels.classes import Class, ClassTable, load_class_table

_SHOWN = 12  # class names in a message


def recolor(class_table: ClassTable, colors: Path | str | ClassTable) -> ClassTable:
    """Replaces the colours that maps are drawn in.

    Classes are matched by name, whatever the case of its letters. Those that `colors` does not
    name keep their map colour; its ignored classes and its values play no part.

    Args:
        class_table: Class table of a model.
        colors: Class table with the colours (its `map_color`), or the path of one.

    Returns:
        The class table with these map colours.

    Raises:
        InputError: If the table cannot be read, names a class that the model does not have, or
            gives a class the colour of another.
    """
    path, given = "colors", colors
    if not isinstance(given, ClassTable):
        path = str(given)
        try:
            given = load_class_table(Path(given))
        except OSError as error:
            raise InputError(explain(error)) from error
    names = {name.casefold(): name for name in class_table.names}
    wanted: dict[str, str] = {}
    for c in given.classes:
        if c.name.casefold() not in names:
            raise InputError(f"{path}: {_describe_unknown(c.name, class_table.names)}")
        wanted[names[c.name.casefold()]] = c.map_color
    drawn: dict[str, Class] = {}
    table = []
    for c in class_table.table:
        color = wanted.get(c.name, c.map_color)
        if not c.ignore and (other := drawn.setdefault(color, c)) is not c:
            raise InputError(
                f"{path}: {other.name} and {c.name} would both be drawn in {color}. Give each its"
                " own color; classes that are not in the file keep that of the model."
            )
        table.append(c.model_copy(update={"map_color": color}))
    return ClassTable(table)


def _describe_unknown(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name.casefold(), [known.casefold() for known in names], n=1)
    meant = [known for known in names if known.casefold() in near]
    listed = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    cure = f"Did you mean {meant[0]}?" if meant else "Correct the name, or leave the class out."
    return f"the model has no class {name!r}, but {listed}. {cure}"
