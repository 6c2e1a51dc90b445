"""Grad-CAM: which parts of an image support a label (Selvaraju et al. 2017).

It is computed on the last convolution of a network.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from classify.labelling.inference import label_info
from segment.core.errors import InputError
from segment.core.model.folder import load_keras_model, load_model_info

_FEATURES, _HIDDEN, _LOGITS = "features", "hidden", "logits"


class GradCam:
    """Grad-CAM of a network of scene labels.

    In these networks, the last convolution is followed by a mean over its pixels and one or two
    dense layers. The gradient of the logit of a label is therefore computed directly, with any
    backend and without a second pass.

    Args:
        folder: Model folder.

    Attributes:
        info: Description of the model.

    Raises:
        InputError: If the folder is not a scene classifier, or its network has no convolutions.
    """

    def __init__(self, folder: Path | str):
        """Loads the network of a model folder."""
        self.info = load_model_info(Path(folder))
        label_info(self.info)
        network = load_keras_model(Path(folder))
        try:
            pooling = network.get_layer(_FEATURES)
            self._logits = network.get_layer(_LOGITS)
        except ValueError as error:
            raise InputError(
                f"{self.info.name}: Grad-CAM needs a convolution, and this model has none. Give a"
                " network."
            ) from error
        self._hidden = (
            network.get_layer(_HIDDEN)
            if any(layer.name == _HIDDEN for layer in network.layers)
            else None
        )
        self._convolution = keras.Model(network.input, pooling.input)

    def heat_map(self, pixels: NDArray[Any], label: str) -> NDArray[np.float32]:
        """Computes how much each part of an image supports a label.

        Args:
            pixels: Image (size, size, bands), as from `classify.labelling.inference.read_input`.
            label: Class name.

        Returns:
            Heat map (rows, columns) float32 of the last convolution, 0 to 1; 0 everywhere if no
            part supports the label.

        Raises:
            InputError: If the model does not have the label.
        """
        names = self.info.class_table.names
        if label not in names:
            raise InputError(f"The model has no label {label!r}. Choose one of {', '.join(names)}.")
        maps = keras.ops.convert_to_numpy(self._convolution(pixels[None], training=False))[
            0
        ].astype(np.float32)
        heat = np.maximum(maps @ self._weights(maps.mean(axis=(0, 1)), names.index(label)), 0)
        highest = heat.max()
        return np.asarray(heat / highest if highest > 0 else heat, np.float32)

    def _weights(self, features: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Gradient (features,) of a logit with respect to the means of the convolution's maps."""
        gradient = keras.ops.convert_to_numpy(self._logits.kernel)[:, index]
        if self._hidden is not None:
            kernel, bias = (
                keras.ops.convert_to_numpy(weight)
                for weight in (self._hidden.kernel, self._hidden.bias)
            )
            gradient = kernel @ (gradient * (features @ kernel + bias > 0))
        return np.asarray(gradient, np.float32)
