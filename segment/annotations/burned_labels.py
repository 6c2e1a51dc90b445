"""Vector labels on the grid of a scene, read as if they were a mask."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from segment.annotations.burner import Burner
from segment.annotations.field_values import listed
from segment.annotations.placed_shapes import read_shapes
from segment.annotations.shapes import Shapes, kinds
from segment.annotations.vector_labels import (
    VectorLabels,
    class_names,
    class_values,
    make_class_table,
    texts_of,
)
from segment.annotations.vector_layer import Layer, read_layer
from segment.core.choices import LabelOrder
from segment.core.errors import InputError
from segment.core.labels.alignment import ALIGNED, Alignment
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.labels.label_reader import LabelReader
from segment.core.raster.reader import Raster

_QUADRANT = 8  # segments of a quarter circle around points and the ends of lines


@dataclass(frozen=True)
class BurnedLabels(LabelReader):
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

    def _window(self, row: int, height: int, column: int, width: int) -> NDArray[np.uint8]:
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
        InputError: If a file, layer or field cannot be used, nothing lies on the scene, no value is
            of a class, or lines lack a width or points a radius.
    """
    sizes = [size for size in (labels.width, labels.radius) if isinstance(size, str)]
    layer = read_layer(labels.path, labels.layer, list(dict.fromkeys([labels.field, *sizes])))
    texts = texts_of(labels, layer.fields[labels.field])
    names, notes = class_names(labels, texts)
    if class_table is None:
        class_table = make_class_table(labels, names)
    values, left_out = class_values(class_table, [*dict.fromkeys(n for n in names if n)])
    notes += left_out
    if labels.background is not None:
        background, _ = class_values(class_table, [labels.background])
        if not background:
            raise InputError(
                f"--background: the class table has no class {labels.background!r}. It has:"
                f" {', '.join(class_table.names)}."
            )
    fill = IGNORED if labels.background is None else background[labels.background]
    if not values:
        raise InputError(
            f"{labels.path}: no value of the field {labels.field!r} is a class of the table"
            f" ({', '.join(class_table.names)}). Received {listed(texts)}. Map them with --codes."
        )
    shapes = read_shapes(layer, scene)
    # what is no class hides what is below it, and what has no value the background alone
    used = np.array([names[i] in values for i in shapes.features])
    has_value = np.array([text is not None for text in texts])
    hiding = (has_value[shapes.features] | (labels.background is not None)) & _areal(shapes)
    metres = _pixel_size(scene, shapes, labels)
    reach = _largest(labels, layer) / min(metres)
    _within(shapes.subset(used), scene, labels.path, reach)
    shapes = _within(shapes.subset(used | hiding), scene, labels.path, reach)
    shapes = _widen(shapes, _radii(labels, layer, shapes), metres)
    shapes = shapes.subset(_order(shapes, labels.order))
    shapes = shapes.subset(np.argsort(has_value[shapes.features], kind="stable"))
    burned = np.array([values.get(names[i] or "", IGNORED) for i in shapes.features], np.uint8)
    labelled = shapes.subset(burned != IGNORED)
    notes += labelled.note_small(labels.path)
    burner, areas = Burner(shapes, burned), None
    if labels.areas is not None:
        alone = f"by a file of its own: ogr2ogr OUT.gpkg {labels.areas.name} NAME"
        drawn = read_layer(labels.areas, None, [], alone)
        polygons = read_shapes(drawn, scene).only_polygons(drawn, "what was labelled")
        found = _within(polygons, scene, labels.areas)
        areas = Burner(found, np.ones(len(found.geometries), np.uint8))
        notes += [*found.notes, *labelled.note_outside(found, labels.path, labels.areas)]
    return BurnedLabels(
        labels.path,
        scene.height,
        scene.width,
        class_table,
        [*layer.notes, *shapes.notes, *notes],
        [repr(labels), *(burner.digest for burner in (burner, areas) if burner)],
        burner,
        areas,
        fill,
    )


def _within(shapes: Shapes, scene: Raster, path: Path, reach: float = 0.0) -> Shapes:
    """Returns the shapes whose bounds come within `reach` pixels of the scene."""
    near = shapes.touching(scene, reach)
    if not len(near.features):
        raise InputError(
            f"{path}: none of {len(shapes.features)} shapes lies on {scene.path}. Take the labels"
            " of this scene, or check the CRS of both."
        )
    return near


def _areal(shapes: Shapes) -> NDArray[np.bool_]:
    return np.asarray(shapely.get_dimensions(shapes.geometries) == 2)


def _radii(labels: VectorLabels, layer: Layer, shapes: Shapes) -> NDArray[np.float64]:
    """Metres around each shape; 0 for polygons."""
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
        if len(wrong := radii[chosen][~((radii[chosen] > 0) & (radii[chosen] < np.inf))]):
            raise InputError(
                f"{labels.path}: each {option} is a number above 0. Received"
                f" {wrong[0] / part:g}. Correct the field or --{option}."
            )
    return radii


def _largest(labels: VectorLabels, layer: Layer) -> float:
    """Metres by which lines and points reach beyond themselves, at most."""
    given = [layer.fields[s] if isinstance(s, str) else s for s in (labels.width, labels.radius)]
    sizes = np.concatenate([np.ravel(one) for one in given if one is not None] or [np.zeros(1)])
    numbers = [float(size) for size in sizes.tolist() if isinstance(size, int | float)]
    return max((size for size in numbers if size < np.inf), default=0.0)


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


def _widen(shapes: Shapes, radii: NDArray[np.float64], metres: tuple[float, float]) -> Shapes:
    """Turns lines and points into areas around them; polygons stay.

    `metres` is the size of a pixel along columns and rows.
    """
    scale = np.array(metres)
    thin = shapely.get_dimensions(shapes.geometries) < 2
    wide = shapes.geometries.copy()
    drawn = shapely.transform(wide[thin], lambda points: points * scale)
    drawn = shapely.buffer(drawn, radii[thin], quad_segs=_QUADRANT)
    wide[thin] = shapely.transform(drawn, lambda points: points / scale)
    return replace(shapes, geometries=wide)


def _order(shapes: Shapes, order: LabelOrder) -> NDArray[np.int64]:
    """Positions of the shapes, the lowest first."""
    position = np.arange(len(shapes.features))
    if order == "last":
        return position
    if order == "first":
        return position[::-1]
    areas = shapely.area(shapes.geometries)
    return np.argsort(-areas if order == "smaller" else areas, kind="stable")
