"""Map colours of a user's own, in place of those of a model."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from segment.core.errors import InputError, explain, quoted
from segment.core.labels.classes import Class, ClassTable, load_class_table

_SHOWN = 12  # class names in a message


@dataclass(frozen=True)
class Palette:
    """Colours that a map is drawn in.

    Attributes:
        table: Class table of the model, with these colours.
        notes: What to report of them.
    """

    table: ClassTable
    notes: tuple[str, ...] = ()


def recolor(class_table: ClassTable, colors: Path | str | ClassTable | None) -> Palette:
    """Replaces the colours that maps are drawn in.

    Classes are matched by name, whatever the case of its letters. Those that `colors` does not
    name keep their map colour; its ignored classes and its values play no part.

    Args:
        class_table: Class table of a model.
        colors: Class table with the colours (its `map_color`), or the path of one. None leaves
            the colours as they are.

    Returns:
        The class table with these map colours. Classes that keep theirs are noted.

    Raises:
        InputError: If the table cannot be read, names a class that the model does not have, or
            gives a class the colour of another.
    """
    if colors is None:
        return Palette(class_table)
    path, given = "colors", colors
    if not isinstance(given, (str, Path, ClassTable)):
        raise InputError(
            f"colors: a class table or the path of one. Received {quoted(given, 60)}. Write the"
            " classes to a file: - {name: water, color: '#0000FF'}"
        )
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
    kept = [c.name for c in class_table.classes if c.name not in wanted]
    note = f"{Path(path).name} does not name {_list(kept)}: drawn in the colours of the model."
    return Palette(ClassTable(table), (note,) if kept else ())


def _describe_unknown(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name.casefold(), [known.casefold() for known in names], n=1)
    meant = [known for known in names if known.casefold() in near]
    cure = f"Did you mean {meant[0]}?" if meant else "Correct the name, or leave the class out."
    return f"the model has no class {name!r}, but {_list(names)}. {cure}"


def _list(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
