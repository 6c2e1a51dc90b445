"""Models in use: pixels go in, class probabilities come out."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model_folder import ModelInfo, load_keras_model, load_model_info


class Model:
    """A trained model, ready to use.

    info: what `model.yaml` says of it.
    """

    def __init__(self, folder: Path | str):
        """Loads a model folder. Raises InputError when it is none."""
        self.info: ModelInfo = load_model_info(Path(folder))
        self._network = load_keras_model(Path(folder))
        expected = (self.info.bands, len(self.info.palette))
        received = (self._network.input_shape[-1], self._network.output_shape[-1])
        if expected != received:
            raise InputError(
                f"{folder}: model.yaml and model.keras must agree on bands and classes. Received {expected} and {received}. "
                "Restore the one that was changed."
            )

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Class probabilities of a batch.

        pixels: (batch, rows, columns, bands) in the model's dtype and range, as they stand in the file.
        Returns (batch, rows, columns, classes) float32, summing to 1 over the classes.
        """
        return np.asarray(self._network.predict_on_batch(pixels), np.float32)

    def __repr__(self) -> str:
        i = self.info
        return f"Model({i.name}: {i.bands} bands of {i.dtype} -> {', '.join(i.palette.names)}; tile {i.tile})"


def load_model(folder: Path | str) -> Model:
    """Loads a model folder. Raises InputError when it is none."""
    return Model(folder)


def has_gpu() -> bool:
    """Whether the Keras backend in use sees a GPU."""
    import keras

    if keras.backend.backend() == "torch":  # has no list of devices in Keras
        import torch

        return bool(torch.cuda.is_available())
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except RuntimeError:  # JAX without a GPU
        return False
