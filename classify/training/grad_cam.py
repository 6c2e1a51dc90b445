"""What a network looked at: Grad-CAM (Selvaraju et al., 2017) on its last convolution."""

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
    """A network of scene labels, asked which parts of an image speak for a label.

    What follows the last convolution of these networks is a mean over its pixels and one or two dense layers, so the
    gradient of a label's logit is written down, with any backend, and needs no second pass.
    """

    def __init__(self, folder: Path | str):
        """Loads a model folder. Raises InputError when it is none of scene labels, or its network has no convolutions."""
        self.info = load_model_info(Path(folder))
        label_info(self.info)
        network = load_keras_model(Path(folder))
        try:
            pooling = network.get_layer(_FEATURES)
            self._logits = network.get_layer(_LOGITS)
        except ValueError as error:
            raise InputError(
                f"{self.info.name}: Grad-CAM looks at a convolution. Received a model without one. Give a network."
            ) from error
        self._hidden = network.get_layer(_HIDDEN) if any(layer.name == _HIDDEN for layer in network.layers) else None
        self._convolution = keras.Model(network.input, pooling.input)

    def look(self, pixels: NDArray[Any], label: str) -> NDArray[np.float32]:
        """How much each part of an image speaks for a label, (rows, columns) of the last convolution, 0 to 1.

        pixels: (size, size, bands) as `classify.labelling.inference.read_input` gives them. 0 everywhere where nothing does.
        Raises InputError when the model does not know the label.
        """
        names = self.info.palette.names
        if label not in names:
            raise InputError(f"Labels of the model are {', '.join(names)}. Received {label!r}. Choose one of them.")
        maps = keras.ops.convert_to_numpy(self._convolution(pixels[None], training=False))[0].astype(np.float32)
        heat = np.maximum(maps @ self._weights(maps.mean(axis=(0, 1)), names.index(label)), 0)
        highest = heat.max()
        return np.asarray(heat / highest if highest > 0 else heat, np.float32)

    def _weights(self, features: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Gradient (features,) of a logit with respect to the means of the convolution's maps."""
        gradient = keras.ops.convert_to_numpy(self._logits.kernel)[:, index]
        if self._hidden is not None:
            kernel, bias = (keras.ops.convert_to_numpy(weight) for weight in (self._hidden.kernel, self._hidden.bias))
            gradient = kernel @ (gradient * (features @ kernel + bias > 0))
        return np.asarray(gradient, np.float32)
