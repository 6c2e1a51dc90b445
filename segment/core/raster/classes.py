"""Class tables: names, colours and values, and the masks that are written with them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from segment.core.config import Settings
from segment.core.errors import InputError, quoted
from segment.core.yaml_text import read_yaml

IGNORED = 255
"""What a decoded mask holds where nothing is to be learned or scored."""


_COLOR = r"^#[0-9a-fA-F]{6}$"
_EXAMPLE = '- {name: water, color: "#E2A929"}'


def rgb_of(color: str) -> tuple[int, int, int]:
    """Red, green and blue of "#RRGGBB", 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


class Class(Settings):
    """One entry of a class table.

    name: as shown in legends and reports.
    color: "#RRGGBB", the colour that masks show the class in.
    map_color: "#RRGGBB", the colour that maps, reports and legends show it in; `color` if not given.
    value: what single-band masks hold, 0 to 255; its position in the table if not given. Maps hold it too, but for 255,
    which is nodata there (see `Palette.mapped`).
    ignore: known, but neither learned nor scored (the "unlabeled" of many data sets).
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")  # control characters break XML
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
        if self.map_color == self.color:  # a default that depends on another field is not left out by itself
            entry.pop("map_color", None)
        return entry

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue of `map_color`, 0 to 255."""
        return rgb_of(self.map_color)


class Palette:
    """The classes of a task, in the order of a model's outputs.

    `classes` are those that are learned; `ignored` are known ones that are not. Every class has a value. `mapped` are the
    learned ones with the values that maps hold: a class that masks show as 255 has the smallest free one there.

    positional: whether values are positions in the table because it gives none.

    Raises InputError when names, colours (of either kind) or values repeat, or when a learned class has the value 255 and maps
    have no other left for it.
    """

    def __init__(self, table: Sequence[Class]):
        self.positional = all(c.value is None for c in table)
        entries = [c if c.value is not None else c.model_copy(update={"value": i}) for i, c in enumerate(table)]
        for key in ("name", "color", "map_color", "value"):
            held = [c for c in entries if not (key == "map_color" and c.ignore)]  # maps show no ignored class
            repeated = [k for k, n in Counter(str(getattr(c, key)).casefold() for c in held).items() if n > 1]
            if repeated:
                raise InputError(f"Classes need a {key} each. Received {repeated[0]!r} more than once. Change one of them.")
        self.classes = tuple(c for c in entries if not c.ignore)
        self.ignored = tuple(c for c in entries if c.ignore)
        if not self.classes:
            raise InputError("A class table needs at least one class that is not ignored. Received none. Add classes.")
        taken = {c.value for c in entries}
        free = next((value for value in range(IGNORED) if value not in taken), None)
        if free is None and any(c.value == IGNORED for c in self.classes):
            raise InputError(f"{IGNORED} is nodata in maps. Received a class for each value from 0 to {IGNORED}. Join some.")
        self.mapped = tuple(c.model_copy(update={"value": free}) if c.value == IGNORED else c for c in self.classes)

    @property
    def table(self) -> tuple[Class, ...]:
        return self.classes + self.ignored

    @property
    def claims_255(self) -> bool:
        """Whether 255 in a one-band mask is a learned class, and not an unlabelled pixel."""
        return any(c.value == IGNORED for c in self.classes)

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.classes]

    def __len__(self) -> int:
        return len(self.classes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Palette) and self.table == other.table

    def decodes_as(self, other: "Palette") -> bool:
        """Whether the tables differ at most in what maps are drawn in."""
        return [c.model_copy(update={"map_color": c.color}) for c in self.table] == [
            c.model_copy(update={"map_color": c.color}) for c in other.table
        ]

    def __repr__(self) -> str:
        return f"Palette({', '.join(f'{c.name} {c.color}' for c in self.classes)})"

    def mask_colors(self) -> dict[str, Class]:
        """The classes by each "#RRGGBB" that a mask may show them in: `color`, and `map_color`, so that a drawn map decodes too.

        Map colours are left out, all of them, where one is the `color` of another class: half of a drawn map would be misread.
        The map colours of ignored classes are left out always: white or black would hide what is not labelled.
        """
        colors = {c.color: c for c in self.table}
        drawn = {c.map_color: c for c in self.classes}
        return colors if any(colors.get(color, c) is not c for color, c in drawn.items()) else drawn | colors

    def values(self) -> NDArray[np.uint8]:
        """Look-up table (256,) from class index to the value that maps hold; 255 stays 255."""
        lut = np.full(256, IGNORED, np.uint8)
        lut[: len(self)] = [c.value for c in self.mapped]
        return lut

    def colors(self) -> NDArray[np.uint8]:
        """Look-up table (256, 4) from class index to RGBA of `map_color`; ignored pixels are transparent black."""
        lut = np.zeros((256, 4), np.uint8)
        lut[: len(self)] = [(*c.rgb, 255) for c in self.classes]
        return lut

    def indices(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Class values of any shape, as class rasters hold them, as class indices (uint8); 255 where a value is of no class."""
        lut = np.full(256, IGNORED, np.uint8)
        lut[[c.value for c in self.mapped]] = np.arange(len(self))
        found: NDArray[np.uint8] = lut[values]
        return found

    def decode(self, mask: NDArray[np.generic], names: Sequence[str] | None = None) -> tuple[NDArray[np.uint8], Counter[str]]:
        """Class indices of a mask as it was read.

        mask: (rows, columns, bands), see `Mask`; one band holds class values, three or four hold `mask_colors`. What a
        masked array hides, and what is not finite, is declared nodata.
        names: classes to count the indices by, those of another table (case does not matter); classes that are
        not among them are ignored. By default this table's own.
        Returns the indices (rows, columns) uint8, 255 where ignored, and how many pixels hold each value
        or "#RRGGBB" that the table does not name. Nodata is not counted, nor is 255 in one band, which is unlabelled
        unless a class has that value.
        """
        wanted = dict.fromkeys((name.casefold() for name in self.names), IGNORED)
        wanted |= {name.casefold(): index for index, name in enumerate(names or self.names)}
        keys, hidden = _keys(mask), _hidden(mask)
        if mask.shape[2] == 1:
            known = {int(c.value or 0): wanted[c.name.casefold()] for c in self.classes}
            silent = {IGNORED, *(int(c.value or 0) for c in self.ignored)}
        else:
            known = {int(k[1:], 16): wanted[c.name.casefold()] for k, c in self.mask_colors().items() if not c.ignore}
            silent = {int(c.color[1:], 16) for c in self.ignored}
        present, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        indices = np.array([known.get(k, IGNORED) for k in present.tolist()], np.uint8)[inverse].reshape(keys.shape)
        if hidden is not None:
            indices[hidden] = IGNORED
            counts = np.bincount(inverse.ravel()[~hidden.ravel()], minlength=len(present))
        undeclared: Counter[str] = Counter()
        for key, count in zip(present.tolist(), counts.tolist(), strict=True):
            if count and key not in known and key not in silent:
                undeclared[_key_name(key, mask)] += count
        return indices, undeclared


def count_values(mask: NDArray[np.generic]) -> tuple[Counter[str], Counter[str]]:
    """How many pixels of a mask hold each value or "#RRGGBB": those that are not declared nodata, and those that are.

    mask: see `Palette.decode`.
    """
    keys, hidden = _keys(mask), _hidden(mask)
    if hidden is None:
        return _count(keys, mask), Counter()
    return _count(keys[~hidden], mask), _count(keys[hidden], mask)


def _count(keys: NDArray[np.generic], mask: NDArray[np.generic]) -> Counter[str]:
    present, counts = np.unique(keys, return_counts=True)
    return Counter({_key_name(key, mask): count for key, count in zip(present.tolist(), counts.tolist(), strict=True)})


def _keys(mask: NDArray[np.generic]) -> NDArray[np.generic]:
    """A number for each pixel (rows, columns): its value, or its colour as 0xRRGGBB."""
    pixels: NDArray[np.generic] = np.asarray(mask)
    if mask.shape[2] == 1:
        values: NDArray[np.generic] = pixels[..., 0]
        return values
    red, green, blue = (pixels[..., b].astype(np.uint32) for b in range(3))
    colors: NDArray[np.generic] = red << 16 | green << 8 | blue
    return colors


def _hidden(mask: NDArray[np.generic]) -> NDArray[np.bool_] | None:
    """Where a mask is declared nodata, or not finite, (rows, columns); None where it is so nowhere."""
    hidden = np.zeros(mask.shape[:2], bool)
    if isinstance(mask, np.ma.MaskedArray):
        hidden |= np.broadcast_to(mask.mask, mask.shape)[..., 0]
    if mask.dtype.kind == "f":
        hidden |= ~np.isfinite(np.asarray(mask)[..., 0])
    return hidden if hidden.any() else None


def _key_name(key: float, mask: NDArray[np.generic]) -> str:
    return f"{key:g}" if mask.shape[2] == 1 else f"#{key:06X}"


def load_palette(path: Path) -> Palette:
    """Reads a class table (`classes.yaml`): a list of `{name, color, map_color, value, ignore}`.

    Raises InputError naming the file when it is not such a list.
    """
    try:
        entries = read_yaml(path)
        if not isinstance(entries, list):
            received = type(entries).__name__
            raise InputError(f"A class table is a list of name and color. Received {received}. Write e.g. {_EXAMPLE}.")
        return Palette([Class.model_validate(e) for e in entries])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: a class table is YAML. Received: {error}. Correct it.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "entry"
        raise InputError(f"{path}: {where}: {first['msg']}. Received {quoted(first['input'])}. Write e.g. {_EXAMPLE}.") from error


def save_palette(palette: Palette, path: Path) -> None:
    """Writes the class table that `load_palette` reads."""
    entries = [c.model_dump(exclude_defaults=True) for c in palette.table]
    path.write_text(yaml.safe_dump(entries, sort_keys=False, default_flow_style=None))
