"""Label layers: vector labels on top of each other, as corrections are on earlier labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.annotations.burned_labels import BurnedLabels, burn_labels
from segment.annotations.field_values import texts_of
from segment.annotations.vector_labels import VectorLabels, class_names, make_class_table
from segment.annotations.vector_layer import read_layer
from segment.core.labels.alignment import ALIGNED, Alignment
from segment.core.labels.classes import ClassTable
from segment.core.labels.label_reader import LabelReader
from segment.core.raster.reader import Raster


@dataclass(frozen=True)
class LabelLayers(LabelReader):
    """Burned labels on top of each other, read like a `Mask` of one band.

    Attributes:
        height: Rows of the scene.
        width: Columns of the scene.
        layers: The labels, the lowest first.
        alignment: Always `ALIGNED`.
        declares_nodata: Always False.
    """

    height: int
    width: int
    layers: Sequence[BurnedLabels]
    alignment: Alignment = ALIGNED
    declares_nodata: bool = False

    @property
    def path(self) -> Path:
        """The lowest vector file."""
        return self.layers[0].path

    @property
    def class_table(self) -> ClassTable:
        """Classes of all labels."""
        return self.layers[0].class_table

    @property
    def notes(self) -> list[str]:
        """What was repaired, left out or assumed."""
        return list(dict.fromkeys(note for layer in self.layers for note in layer.notes))

    @property
    def described(self) -> list[str]:
        """Describes the shapes of each layer on the scene, wherever its file is."""
        return [
            f"{layer.path.name} {layer.fill} {layer.class_table.names}"
            f" {[burner.digest for burner in (layer.shapes, layer.areas) if burner]}"
            for layer in self.layers
        ]

    def _window(self, row: int, height: int, column: int, width: int) -> NDArray[np.uint8]:
        """Reads the lowest layer, and what those above have on it.

        It is 255 where no layer has a label, and where the highest one that covers a pixel has a
        value that is no class.
        """
        values = self.layers[0].read(row, height, column, width)
        for layer in self.layers[1:]:
            above = layer.read(row, height, column, width)
            # a shape has its value on any ground, also 255 for what is no class, which hides
            on_zero = layer.shapes.burn(row, height, column, width, 0)
            np.copyto(values, above, where=on_zero[..., None] == above)
        return values


def stack_labels(
    labels: Sequence[VectorLabels], scene: Raster, class_table: ClassTable | None = None
) -> LabelLayers:
    """Places several vector labels on the grid of a scene; where they overlap, the last is on top.

    Args:
        labels: The labels, the lowest first. Only its background counts.
        scene: The open scene.
        class_table: Classes to label; None to make one from the values of all fields.

    Returns:
        The labels, to be read window by window.

    Raises:
        InputError: As `burn_labels`.
    """
    if class_table is None:
        names: list[str | None] = []
        for one in labels:
            layer = read_layer(one.path, one.layer, [one.field])
            names += class_names(one, texts_of(layer.fields[one.field]))[0]
        class_table = make_class_table(labels[0], names)
    above = [replace(one, background=None) for one in labels[1:]]
    layers = [burn_labels(one, scene, class_table) for one in (labels[0], *above)]
    return LabelLayers(scene.height, scene.width, layers)
