"""Labels drawn as polygons, lines and points, read as if they were a mask of a scene."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segment.annotations.vector_layer import (
    Burner,
    Layer,
    Shapes,
    kinds,
    read_layer,
    read_shapes,
    widen,
)
from segment.core.errors import InputError
from segment.core.raster.alignment import ALIGNED, Alignment
from segment.core.raster.classes import IGNORED, Class, ClassTable
from segment.core.raster.reader import Raster

Order = Literal["smaller", "larger", "first", "last"]
"""Which of two overlapping shapes is on top, by area or by position in the file."""

_MOST_CLASSES = 40  # a field of names or numbers has more values than that


@dataclass(frozen=True, kw_only=True)
class VectorLabels:
    """Vector labels and how they are read.

    Attributes:
        path: Vector file that OGR reads: GeoPackage, GeoJSON, Shapefile, FlatGeobuf and others, in
            any CRS.
        field: Field whose values are classes. Features without a value are not labelled.
        layer: Layer of the file, None for the only one.
        width: Width of lines in metres, or the name of the field that holds it.
        radius: Radius of points in metres, or the name of the field that holds it.
        order: Which of two overlapping shapes is on top: the "smaller" or "larger" one by area, or
            the "first" or "last" one in the file.
        background: Name of the class of what no shape covers, None to leave it unlabelled.
        areas: Vector file of the areas that were labelled. Pixels outside of them are unlabelled.
        codes: Name of the class of each value of the field; other values are not labelled. None to
            take the values themselves as names.
    """

    path: Path
    field: str
    layer: str | None = None
    width: float | str | None = None
    radius: float | str | None = None
    order: Order = "smaller"
    background: str | None = None
    areas: Path | None = None
    codes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class BurnedLabels:
    """Vector labels on the grid of a scene, read like a `Mask` of one band.

    Attributes:
        path: The vector file.
        height: Rows of the scene.
        width: Columns of the scene.
        class_table: Classes of the labels, none of which has the value 255.
        notes: What was repaired, left out or assumed.
        identity: What distinguishes the labels from others, or from their state before a change.
        shapes: Burns the values of classes.
        areas: Burns the labelled areas, None where all of the scene was labelled.
        fill: Value of what no shape covers, 255 for unlabelled.
        alignment: Always `ALIGNED`.
        declares_nodata: Always False.
    """

    path: Path
    height: int
    width: int
    class_table: ClassTable
    notes: Sequence[str]
    identity: list[Any]
    shapes: Burner
    areas: Burner | None
    fill: int
    alignment: Alignment = ALIGNED
    declares_nodata: bool = False

    def read(
        self, row: int = 0, height: int | None = None, column: int = 0, width: int | None = None
    ) -> NDArray[np.uint8]:
        """Reads one rectangle, by default whole rows.

        Args:
            row: First row.
            height: Number of rows, by default all from `row` on.
            column: First column.
            width: Number of columns, by default all from `column` on.

        Returns:
            Class values, (height, width, 1) uint8; 255 where unlabelled.
        """
        height = self.height - row if height is None else height
        width = self.width - column if width is None else width
        values = self.shapes.burn(row, height, column, width, self.fill)
        if self.areas is not None:
            values[self.areas.burn(row, height, column, width, 0) == 0] = IGNORED
        return values[..., None]


def burn_labels(
    labels: VectorLabels, scene: Raster, class_table: ClassTable | None = None
) -> BurnedLabels:
    """Places vector labels on the grid of a scene.

    Geometries are kept in memory, pixels are calculated when they are read.

    Args:
        labels: The labels.
        scene: The open scene.
        class_table: Classes to label, matched by name regardless of case. None to make one from
            all values of the field, in the scene or not, so that scenes of one file agree.

    Returns:
        The labels, to be read window by window.

    Raises:
        InputError: If a file, layer or field cannot be used, nothing lies on the scene, the field
            has too many values or none, lines lack a width or points a radius, or no value is of
            a class.
    """
    sizes = [size for size in (labels.width, labels.radius) if isinstance(size, str)]
    layer = read_layer(labels.path, labels.layer, list(dict.fromkeys([labels.field, *sizes])))
    texts = _texts(layer.fields[labels.field])
    names, notes = _names(labels, texts)
    if class_table is None:
        class_table = _make_table(labels, layer, names)
    values, left_out = _values(class_table, [*dict.fromkeys(n for n in names if n)])
    notes += left_out
    if labels.background is not None:
        background, _ = _values(class_table, [labels.background])
        if not background:
            raise InputError(
                f"--background: the class table has no class {labels.background!r}. It has:"
                f" {', '.join(class_table.names)}."
            )
    fill = IGNORED if labels.background is None else background[labels.background]
    if not values:
        raise InputError(
            f"{labels.path}: no value of the field {labels.field!r} is a class of the table"
            f" ({', '.join(class_table.names)}). Received {_some(texts)}. Map them with --codes."
        )
    shapes = read_shapes(layer, scene)
    used = np.array([names[i] in values for i in shapes.features])
    shapes = _within(shapes.subset(used), scene, labels.path)
    shapes = widen(shapes, _radii(labels, layer, shapes), _pixel_size(scene, shapes, labels))
    shapes = shapes.subset(_order(shapes, labels.order))
    burned = np.array([values[names[i] or ""] for i in shapes.features], np.uint8)
    areas = None
    if labels.areas is not None:
        found = read_shapes(read_layer(labels.areas, None, []), scene)
        found = _within(found.subset(_areal(found)), scene, labels.areas)
        areas = Burner(found, np.ones(len(found.geometries), np.uint8))
        notes += found.notes
    return BurnedLabels(
        labels.path,
        scene.height,
        scene.width,
        class_table,
        [*shapes.notes, *notes],
        [repr(labels), *(_state(path) for path in (labels.path, labels.areas) if path)],
        Burner(shapes, burned),
        areas,
        fill,
    )


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _texts(values: NDArray[Any]) -> list[str | None]:
    """Values of a field as text, whole numbers without a fraction; None where there is none."""

    def text(value: Any) -> str | None:
        if value is None or value != value:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return str(value).strip() or None

    return [text(value) for value in values.tolist()]


def _names(labels: VectorLabels, texts: Sequence[str | None]) -> tuple[list[str | None], list[str]]:
    """Returns the class name of each feature, None for those without one, and notes."""
    empty = sum(text is None for text in texts)
    notes = [f"{labels.path}: {empty} features without a value are not labelled"] if empty else []
    if empty == len(texts):
        raise InputError(
            f"{labels.path}: the field {labels.field!r} holds no value in any of {empty} features."
            " Fill it in, or choose another field."
        )
    if labels.codes is None:
        return list(texts), notes
    names = [labels.codes.get(text) if text else None for text in texts]
    unlisted = Counter(t for t, name in zip(texts, names, strict=True) if t and name is None)
    notes += [
        f"{labels.path}: {count} features of {text!r} are not labelled, --codes does not list it"
        for text, count in unlisted.most_common(5)
    ]
    return names, notes


def _make_table(labels: VectorLabels, layer: Layer, names: Sequence[str | None]) -> ClassTable:
    """Makes a class table of all names, in the order of the alphabet, and the background."""
    held = {name for name in names if name}
    if labels.background is not None:
        held.add(labels.background)
    if len(held) > _MOST_CLASSES:
        raise InputError(
            f"{labels.path}: the field {labels.field!r} holds {len(held)} values, more than"
            f" {_MOST_CLASSES} classes ({_some(sorted(held))}). Choose the field of classes, or"
            " join values with --codes."
        )
    numbers = all(name.isdigit() and int(name) < IGNORED for name in held)
    ordered = sorted(held, key=int) if numbers else sorted(held, key=str.casefold)
    if len(ordered) < 2:
        raise InputError(
            f"{labels.path}: the field {labels.field!r} holds one value only ({ordered[0]!r})."
            " Draw shapes of a second class, or name the rest with --background."
        )
    return ClassTable(
        [
            Class(name=name, color=_color(i), value=int(name) if numbers else i)
            for i, name in enumerate(ordered)
        ]
    )


def _color(position: int) -> str:
    """A colour for the class at a position: hues by the golden angle, in three brightnesses."""
    import colorsys

    shade = (0.85, 0.6, 0.95)[position % 3]
    rgb = colorsys.hsv_to_rgb(position * 0.381966 % 1, 0.65, shade)
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)


def _values(class_table: ClassTable, names: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Returns the value of each name that the table has, and a note on the others."""
    if any(c.value == IGNORED for c in class_table.classes):
        raise InputError(
            f"Vector labels need {IGNORED} for unlabelled pixels, and the class table gives it to a"
            " class. Give that class another value."
        )
    table = {c.name.casefold(): c.value or 0 for c in class_table.classes}
    ignored = {c.name.casefold() for c in class_table.ignored}
    values = {name: table[name.casefold()] for name in names if name.casefold() in table}
    unknown = [n for n in names if n.casefold() not in table and n.casefold() not in ignored]
    note = f"values that are no class are not labelled: {_some(unknown)}"
    return values, [note] if unknown else []


def _some(values: Sequence[str | None]) -> str:
    different = [value for value in dict.fromkeys(values) if value]
    more = f" and {len(different) - 5} more" if len(different) > 5 else ""
    return ", ".join(different[:5]) + more


def _within(shapes: Shapes, scene: Raster, path: Path) -> Shapes:
    """Returns the shapes whose bounds touch the scene."""
    import shapely

    left, top, right, bottom = shapely.bounds(shapes.geometries).reshape(-1, 4).T
    near = (right >= 0) & (bottom >= 0) & (left <= scene.width) & (top <= scene.height)
    if not near.any():
        raise InputError(
            f"{path}: none of {len(near)} shapes lies on {scene.path}. Take the labels of this"
            " scene, or check the CRS of both."
        )
    return shapes.subset(near)


def _areal(shapes: Shapes) -> NDArray[np.bool_]:
    import shapely

    return np.asarray(shapely.get_dimensions(shapes.geometries) == 2)


def _radii(labels: VectorLabels, layer: Layer, shapes: Shapes) -> NDArray[np.float64]:
    """Metres around each shape; 0 for polygons."""
    import shapely

    radii = np.zeros(len(shapes.features))
    dimensions = shapely.get_dimensions(shapes.geometries)
    for dimension, option, size, part in (
        (1, "width", labels.width, 0.5),
        (0, "radius", labels.radius, 1.0),
    ):
        chosen = dimensions == dimension
        if not chosen.any():
            continue
        if size is None:
            thing = "lines" if dimension else "points"
            raise InputError(
                f"{labels.path}: holds {np.count_nonzero(chosen)} {thing}, which cover no pixels."
                f" Give their {option} in metres, or the field that holds it: --{option} 3."
            )
        found = layer.fields[size][shapes.features] if isinstance(size, str) else size
        try:
            radii[chosen] = np.broadcast_to(np.asarray(found, float) * part, radii.shape)[chosen]
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{labels.path}: the field {size!r} holds no numbers. Choose a field of metres."
            ) from error
        if not (radii[chosen] > 0).all():
            raise InputError(
                f"{labels.path}: each {option} is a number above 0. Received"
                f" {radii[chosen].min() / part:g}. Correct the field or --{option}."
            )
    return radii


def _pixel_size(scene: Raster, shapes: Shapes, labels: VectorLabels) -> tuple[float, float]:
    """Metres per column and per row in the middle of a scene, where they are needed."""
    if kinds(shapes) == {"polygons"}:
        return 1.0, 1.0
    ground = scene.ground
    geodetic = None if ground is None else ground.geodetic()
    if ground is None or geodetic is None:
        raise InputError(
            f"{scene.path}: its CRS has no metres, which the lines and points of"
            f" {labels.path.name} need. Draw them as polygons."
        )
    to_degrees, ellipsoid = geodetic
    middle = ground.width / 2, ground.height / 2
    places = [middle, (middle[0] + 1, middle[1]), (middle[0], middle[1] + 1)]
    degrees = [to_degrees(*(ground.transform @ place)) for place in places]
    along, down = (ellipsoid.inv(*degrees[0], *other)[2] for other in degrees[1:])
    return float(along), float(down)


def _order(shapes: Shapes, order: Order) -> NDArray[np.int64]:
    """Positions of the shapes, the lowest first."""
    import shapely

    position = np.arange(len(shapes.features))
    if order == "last":
        return position
    if order == "first":
        return position[::-1]
    areas = shapely.area(shapes.geometries)
    return np.argsort(-areas if order == "smaller" else areas, kind="stable")
