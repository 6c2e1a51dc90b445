"""Models that Keras computes."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import FASTEST
from segment.core.model.backend import has_gpu
from segment.core.model.folder import load_keras_model
from segment.core.model.info import ModelInfo
from segment.core.model.loaded_model import LoadedModel, file_identity, require_agreement
from segment.core.progress import Progress

if TYPE_CHECKING:
    import keras


class KerasModel(LoadedModel):
    """Inference with `model.keras` on the Keras backend in use."""

    def __init__(
        self, info: ModelInfo, file: Path, features: bool = False, progress: Progress | None = None
    ):
        """Loads a network that training wrote.

        Args:
            info: Content of the model's `model.yaml`.
            file: `model.keras` in its model folder.
            features: As for `load_model`.
            progress: As for `load_model`.

        Raises:
            InputError: If the file cannot be read, or does not match `info`.
        """
        self._network = load_keras_model(file.parent, progress)
        require_agreement(file, info, self._network.input_shape[-1], self._network.output_shape[-1])
        if features:
            self._network = _features(self._network, info.task)
        super().__init__(info, file.parent, *identify_keras(file))

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Computes a batch, see `Model.predict`.

        Args:
            pixels: Shape (batch, rows, columns, bands), in the model's dtype.

        Returns:
            Probabilities, float32; see `Model.predict`.
        """
        return np.asarray(self._network.predict_on_batch(pixels), np.float32)

    def recommended_batches(self, tile: int) -> tuple[int, int]:
        """Recommends what `FASTEST` holds for this machine.

        Args:
            tile: Edge of the tiles, pixels.

        Returns:
            How many tiles to give at a time, and from how many threads.
        """
        fastest = FASTEST["keras on GPU" if has_gpu() else "keras"]
        return fastest.of(tile), fastest.threads


def identify_keras(file: Path) -> tuple[str, str]:
    """Returns the identity and runtime of a network without loading it.

    Args:
        file: `model.keras` in its model folder.

    Returns:
        `identity` and `runtime`, see `LoadedModel`.
    """
    import keras

    return file_identity(file, keras.__version__), f"keras on {keras.backend.backend()}"


def _features(network: Any, task: str) -> Any:
    import keras

    if task == "classify":
        return keras.Model(network.inputs, network.get_layer("features").output)
    return see_inside(
        network,
        lambda core: next(x for x in core.layers if isinstance(x, keras.layers.UpSampling2D)).input,
    )


def see_inside(
    network: "keras.Model", choose: Callable[["keras.Model"], Any], pixels: Any = None
) -> "keras.Model":
    """Builds a network that ends at tensors of the model inside it, a backbone or a U-Net.

    The layers before the inner model stay.

    Args:
        network: Network as written by training.
        choose: Picks the tensors of the inner model, which it is called with.
        pixels: Keras input that replaces the network's own, for instance one of another dtype.

    Returns:
        A network from pixels to the chosen tensors, which shares its layers with `network`.
    """
    import keras

    inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    x = pixels = network.inputs[0] if pixels is None else pixels
    for layer in network.layers[1 : network.layers.index(inner)]:  # normalisation
        x = layer(x)
    return keras.Model(pixels, keras.Model(inner.inputs, choose(inner))(x))
