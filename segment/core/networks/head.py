"""Heads: last layers of networks, taken over class by class from a model that has the classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.model.folder import INFO_FILE, load_model_info
from segment.core.model.info import ModelInfo
from segment.core.networks.weight_sources import weights_file


@dataclass(frozen=True)
class Head:
    """The last layer of a network, and what its outputs are.

    Attributes:
        layer: Name of the layer.
        classes: Names of the classes, in the order of the outputs.
        source_classes: Names of the classes of the model that the weights come from.
    """

    layer: str
    classes: Sequence[str]
    source_classes: Sequence[str]

    @property
    def known(self) -> list[str]:
        """Classes that the source has too, whatever their case."""
        theirs = {name.casefold() for name in self.source_classes}
        return [name for name in self.classes if name.casefold() in theirs]

    def carry(
        self, stored: Sequence[NDArray[Any]], initial: Sequence[NDArray[Any]]
    ) -> list[NDArray[Any] | None]:
        """Takes over the weights of the classes that both models have.

        Args:
            stored: Weights of the layer in the source; their last axis is the classes.
            initial: Weights of the layer to change, which other classes keep.

        Returns:
            The weights, None for those that do not fit.
        """
        places = {name.casefold(): i for i, name in enumerate(self.source_classes)}
        pairs = [
            (i, places[name.casefold()])
            for i, name in enumerate(self.classes)
            if name.casefold() in places
        ]
        found: list[NDArray[Any] | None] = []
        for theirs, ours in zip(stored, initial, strict=False):
            fits = theirs.shape[:-1] == ours.shape[:-1]
            fits &= theirs.shape[-1] == len(self.source_classes)
            if not fits or not pairs:
                found.append(None)
                continue
            carried = np.array(ours)
            for here, there in pairs:
                carried[..., here] = theirs[..., there]
            found.append(carried)
        return found


def source_info(source: str, task: str) -> ModelInfo | None:
    """Reads what is known of the model that weights come from.

    Args:
        source: Model folder, or its `model.keras`; other sources have no description.
        task: Task of the model to train.

    Returns:
        The description; None where there is none, or the model has another task.

    Raises:
        InputError: If the description cannot be read.
    """
    folder = Path(weights_file(source)).parent
    if not (folder / INFO_FILE).is_file() or Path(weights_file(source)).suffix != ".keras":
        return None
    info = load_model_info(folder)
    return info if info.task == task else None
