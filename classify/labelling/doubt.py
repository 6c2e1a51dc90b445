"""Doubt: images to which no class of the model may apply, so that the answer is *unsure*."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import Class, ClassTable, numbered_color
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model, folder_of
from segment.core.model.weight_files import load_novelty
from segment.core.pixels.novelty import NoveltyDetector

if TYPE_CHECKING:
    from classify.data.dataset import ImageDataset

UNSURE = "unsure"
"""What is given in place of a class."""

_DESCRIBED = 112
_COLORS = ("#DCDCDC", "#C4C4C4", "#FFFFFF")  # the first that no class has; then any other


@dataclass(frozen=True)
class Doubt:
    """How a model notices that an image may show none of its classes.

    The answer is unsure if the highest probability is below a threshold, or if the texture and
    colours differ from all training images, see `NoveltyDetector`. Validation chose both limits so
    that 95 % of right answers are kept.

    Attributes:
        threshold: The threshold; 0 for a model whose answers are always given.
        detector: What detects unfamiliar images; None where the model folder has none.
    """

    threshold: float = 0.0
    detector: NoveltyDetector | None = None

    @classmethod
    def of(cls, model: Model) -> "Doubt":
        """Reads how a model doubts.

        Args:
            model: Loaded model.

        Returns:
            Its limits.

        Raises:
            InputError: If the file of the detector is damaged.
        """
        labels, folder = model.info.labels, folder_of(model)
        if labels is None or labels.unsure is None:
            return cls()
        return cls(labels.unsure, None if folder is None else load_novelty(folder, model.info))

    def unfamiliar(self, pixels: Sequence[NDArray[Any]] | NDArray[Any]) -> NDArray[np.bool_]:
        """Finds images that differ from all training images.

        Args:
            pixels: Images as the network sees them, (size, size, bands) each.

        Returns:
            Whether each is unfamiliar, (images,).
        """
        if self.detector is None:
            return np.zeros(len(pixels), bool)
        return np.array([self.detector.score(thinned(image)) > 1 for image in pixels], bool)

    def unfamiliar_in(self, dataset: "ImageDataset") -> NDArray[np.bool_]:
        """Finds images of a dataset that differ from all training images.

        Args:
            dataset: Images.

        Returns:
            Whether each is unfamiliar, (images,).
        """
        rows = range(len(dataset.images))
        return np.concatenate([self.unfamiliar([dataset.image_at(row)]) for row in rows])

    def unsure(
        self, probabilities: NDArray[np.float32], unfamiliar: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Finds answers that are unsure.

        Args:
            probabilities: Calibrated probabilities (images, classes).
            unfamiliar: Whether each image is unfamiliar, (images,).

        Returns:
            Whether each answer is unsure, (images,).
        """
        highest = probabilities.max(axis=1, initial=0)
        found: NDArray[np.bool_] = unfamiliar | (highest < np.float32(self.threshold))
        return found


def thinned(image: NDArray[Any]) -> NDArray[Any]:
    """Takes every second or third row and column, and so on, of a large image.

    Texture and colours of about 112 pixels a side show as well what is unfamiliar, and take a
    quarter of the time of those of 224.

    Args:
        image: Pixels (rows, columns, bands).

    Returns:
        Pixels (rows, columns, bands) of an image as `NoveltyDetector` gets it here.
    """
    step = max(1, round(max(image.shape[:2]) / _DESCRIBED))
    return image[::step, ::step]


def shown_classes(info: ModelInfo) -> ClassTable:
    """Returns the classes of maps of labels: those of a model and, if it doubts, unsure.

    Args:
        info: Description of the model.

    Returns:
        The class table.
    """
    table = info.class_table
    if info.labels is None or info.labels.unsure is None:
        return table
    values = {c.value for c in table.table}
    colors = {color for c in table.table for color in (c.color, c.map_color)}
    names = {c.name.casefold() for c in table.table}
    unsure = Class(
        name=UNSURE if UNSURE not in names else f"{UNSURE} (none of these)",
        color=next(c for c in chain(_COLORS, map(numbered_color, count())) if c not in colors),
        value=next(value for value in range(255) if value not in values),
    )
    return ClassTable([*table.classes, unsure, *table.ignored])
