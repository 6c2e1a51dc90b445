"""Class tables: names, colours and values of classes."""

import colorsys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_serializer,
)

from segment.core.config import Settings
from segment.core.errors import InputError, quoted
from segment.core.yaml_text import read_yaml

IGNORED = 255
"""Index in decoded masks of pixels that are neither learned nor scored."""


_COLOR = r"^#[0-9a-fA-F]{6}$"
_EXAMPLE = 'Write classes as - {name: water, color: "#E2A929"}'


def composed(text: str) -> str:
    """Composes letters and accents, which some systems store as two characters that look like one.

    Args:
        text: A name.

    Returns:
        The name in the form that keyboards write (NFC).
    """
    return unicodedata.normalize("NFC", text)


def _text_of_number(name: Any) -> Any:
    """Returns a whole number as text: YAML reads the name 111 as a number."""
    return str(name) if type(name) is int else name


ComposedText = Annotated[str, BeforeValidator(_text_of_number), AfterValidator(composed)]
"""Names that are compared: those that look the same are the same. Whole numbers are taken, too."""


def rgb_of(color: str) -> tuple[int, int, int]:
    """Splits a colour into its parts.

    Args:
        color: "#RRGGBB".

    Returns:
        Red, green and blue, 0 to 255.
    """
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def numbered_color(position: int) -> str:
    """Chooses a colour for a class that has none: hues by the golden angle, three brightnesses.

    Args:
        position: Position of the class in its table, from 0.

    Returns:
        "#RRGGBB".
    """
    shade = (0.85, 0.6, 0.95)[position % 3]
    rgb = colorsys.hsv_to_rgb(position * 0.381966 % 1, 0.65, shade)
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)


class Class(Settings):
    """One entry of a class table.

    Attributes:
        name: Name as shown in legends and reports.
        color: "#RRGGBB", the colour of the class in masks.
        map_color: "#RRGGBB", the colour of the class in maps, reports and legends; `color` by
            default.
        value: Value of the class in single-band masks, 0 to 255; its position in the table by
            default. Maps hold the same value, except for 255, which is nodata there (see
            `ClassTable.mapped`).
        ignore: Whether the class is known, but neither learned nor scored (the "unlabeled" of many
            data sets).
    """

    model_config = ConfigDict(frozen=True)

    # control characters break XML
    name: ComposedText = Field(pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")
    color: str = Field(pattern=_COLOR)
    map_color: str = Field(default_factory=lambda given: given["color"], pattern=_COLOR)
    value: int | None = Field(default=None, ge=0, le=255)
    ignore: bool = False

    @field_validator("color", "map_color")
    @classmethod
    def _upper_case(cls, color: str) -> str:
        return color.upper()

    @model_serializer(mode="wrap")
    def _without_default(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        entry: dict[str, Any] = dump(self)
        # pydantic does not leave out a default that depends on another field
        if self.map_color == self.color:
            entry.pop("map_color", None)
        return entry

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue of `map_color`, 0 to 255."""
        return rgb_of(self.map_color)


_ENTRIES = TypeAdapter(list[Class])


class ClassTable:
    """A class table: the classes of a task, in the order of a model's outputs.

    Attributes:
        classes: Classes that are learned. Each has a value.
        ignored: Classes that are known but not learned. Each has a value.
        mapped: The learned classes with the values that maps hold. A class with the value 255 in
            masks gets the smallest free value here.
        positional: Whether values are positions in the table, as the table gives none.
    """

    def __init__(self, table: Sequence[Class]):
        """Checks the entries and gives each class a value.

        Args:
            table: Entries in the order of a model's outputs; ignored classes may be anywhere among
                them.

        Raises:
            InputError: If names, colours (of either kind) or values repeat, if no class is learned,
                or if a learned class has the value 255 and no other value is left for it in maps.
        """
        self.positional = all(c.value is None for c in table)
        entries = [
            c if c.value is not None else c.model_copy(update={"value": i})
            for i, c in enumerate(table)
        ]
        for key in ("name", "color", "map_color", "value"):
            # maps show no ignored class
            held = [c for c in entries if not (key == "map_color" and c.ignore)]
            repeated = [
                k
                for k, n in Counter(str(getattr(c, key)).casefold() for c in held).items()
                if n > 1
            ]
            if repeated:
                raise InputError(
                    f"Several classes have the {key} {repeated[0]!r}. Give each its own."
                )
        self.classes = tuple(c for c in entries if not c.ignore)
        self.ignored = tuple(c for c in entries if c.ignore)
        if not self.classes:
            raise InputError("Class table has no class that is not ignored. Add at least one.")
        taken = {c.value for c in entries}
        free = next((value for value in range(IGNORED) if value not in taken), None)
        if free is None and any(c.value == IGNORED for c in self.classes):
            raise InputError(
                f"Classes have all values from 0 to {IGNORED}, of which maps need one for nodata."
                " Merge two classes."
            )
        self.mapped = tuple(
            c.model_copy(update={"value": free}) if c.value == IGNORED else c for c in self.classes
        )

    @property
    def table(self) -> tuple[Class, ...]:
        """All classes, first those that are learned, then those that are ignored."""
        return self.classes + self.ignored

    @property
    def claims_255(self) -> bool:
        """Whether 255 in a one-band mask is a learned class, and not an unlabelled pixel."""
        return any(c.value == IGNORED for c in self.classes)

    @property
    def names(self) -> list[str]:
        """Names of the learned classes."""
        return [c.name for c in self.classes]

    def __len__(self) -> int:
        """The number of learned classes."""
        return len(self.classes)

    def __eq__(self, other: object) -> bool:
        """Whether both tables have equal entries in the same order."""
        return isinstance(other, ClassTable) and self.table == other.table

    def decodes_as(self, other: "ClassTable") -> bool:
        """Compares two tables by how masks are decoded with them.

        Args:
            other: The other class table.

        Returns:
            Whether the tables differ at most in the colours that maps are drawn in.
        """
        return [c.model_copy(update={"map_color": c.color}) for c in self.table] == [
            c.model_copy(update={"map_color": c.color}) for c in other.table
        ]

    def __repr__(self) -> str:
        """Names and mask colours of the learned classes."""
        return f"ClassTable({', '.join(f'{c.name} {c.color}' for c in self.classes)})"

    def mask_colors(self) -> dict[str, Class]:
        """Lists the colours that masks may show classes in.

        These are `color`, and `map_color`, so that a drawn map can be decoded too. Where the map
        colour of one class is the `color` of another, all map colours are left out: half of a drawn
        map would be misread. The map colours of ignored classes are always left out: white or black
        would hide what is not labelled.

        Returns:
            The class of each "#RRGGBB".
        """
        colors = {c.color: c for c in self.table}
        drawn = {c.map_color: c for c in self.classes}
        return (
            colors
            if any(colors.get(color, c) is not c for color, c in drawn.items())
            else drawn | colors
        )

    def values(self) -> NDArray[np.uint8]:
        """Makes the look-up table from class indices to the values that maps hold.

        Returns:
            The values, (256,) uint8; 255 stays 255.
        """
        lut = np.full(256, IGNORED, np.uint8)
        lut[: len(self)] = [c.value for c in self.mapped]
        return lut

    def colors(self) -> NDArray[np.uint8]:
        """Makes the look-up table from class indices to the colours of maps.

        Returns:
            RGBA of `map_color`, (256, 4) uint8; ignored pixels are transparent black.
        """
        lut = np.zeros((256, 4), np.uint8)
        lut[: len(self)] = [(*c.rgb, 255) for c in self.classes]
        return lut

    def indices(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Converts the values of a class raster to class indices.

        Args:
            values: Class values as class rasters hold them, of any shape, uint8.

        Returns:
            Class indices of the same shape, uint8; 255 where no class has the value.
        """
        lut = np.full(256, IGNORED, np.uint8)
        lut[[c.value for c in self.mapped]] = np.arange(len(self))
        return np.asarray(lut[values])


def load_class_table(path: Path) -> ClassTable:
    """Reads a class table (`classes.yaml`).

    Args:
        path: YAML file with a list of `{name, color, map_color, value, ignore}`.

    Returns:
        The class table.

    Raises:
        InputError: If the file is not such a list; the message names the file.
        OSError: If the file cannot be read.
    """
    try:
        entries = read_yaml(path)
        if not isinstance(entries, list):
            raise InputError(f"not a list of classes, but {quoted(entries)}. {_EXAMPLE}")
        return ClassTable(_ENTRIES.validate_python(entries))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}. {_EXAMPLE}") from error
    except ValidationError as error:
        first = error.errors()[0]
        number, *keys = first["loc"]
        place = ", ".join([f"class {int(number) + 1}", *map(str, keys)])
        problem = first["msg"].replace(f"match pattern '{_COLOR}'", "be like '#E2A929'")
        raise InputError(
            f"{path}: {place}: {problem} ({quoted(first['input'])}). {_EXAMPLE}"
        ) from error


def save_class_table(class_table: ClassTable, path: Path) -> None:
    """Writes a class table that `load_class_table` reads.

    Args:
        class_table: Class table to write.
        path: YAML file to write.
    """
    entries = [c.model_dump(exclude_defaults=True) for c in class_table.table]
    path.write_text(yaml.safe_dump(entries, sort_keys=False, default_flow_style=None))
