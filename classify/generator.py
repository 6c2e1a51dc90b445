"""Trained generators in use: pictures become latents, latents pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from classify.autoencoder import Latent as Latent  # Keras must know it, to load networks in safe mode
from classify.latents import ClassDensities, load_densities
from segment.core.choices import BANDWIDTH
from segment.core.errors import InputError
from segment.core.model_folder import ModelInfo, load_keras_model, load_model_info

_BATCH = 64

Pictures = NDArray[np.uint8]
"""(count, size, size, 3) of RGB."""
Labels = Sequence[int] | NDArray[np.intp]
"""Class indices (count,)."""


@dataclass(frozen=True, eq=False)
class Generator:
    """A network of `build_autoencoder`, and where the latents of its classes lie. info: what `model.yaml` says."""

    info: ModelInfo
    network: keras.Model
    densities: ClassDensities

    @property
    def latent(self) -> int:
        """Numbers that tell of a picture."""
        return self.densities.means.shape[1]

    def encode(self, pictures: Pictures, labels: Labels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and variance of the posterior of pictures, (count, latent) float32 each; the variance of a plain one is 0.

        Raises InputError when the pictures have another size than the generator's.
        """
        size = self.info.tile
        if pictures.shape[1:] != (size, size, 3):
            raise InputError(
                f"pictures: this generator takes {size} x {size} pixels of RGB. Received {pictures.shape[1:]}. Resize them."
            )
        mean, *log_variance = _compute(self.network.get_layer("encoder"), pictures, self.one_hot(labels))
        return mean, np.exp(log_variance[0]) if log_variance else np.zeros_like(mean)

    def decode(self, latents: NDArray[np.float32], classes: NDArray[np.float32]) -> Pictures:
        """The pictures that latents (count, latent) stand for. classes: (count, classes), one-hot, or shares of several.

        Raises InputError when latents have another size than the generator's.
        """
        if latents.ndim != 2 or latents.shape[1] != self.latent:
            raise InputError(
                f"latents: this generator's have the shape (count, {self.latent}). Received {latents.shape}. "
                "Take such as `encode` gives."
            )
        (shares,) = _compute(self.network.get_layer("decoder"), latents, classes)
        pictures: Pictures = np.rint(shares * 255).astype(np.uint8)
        return pictures

    def reconstruct(self, pictures: Pictures, labels: Labels) -> Pictures:
        """What comes back of pictures from the mean of their posterior. Raises InputError as `encode` does."""
        return self.decode(self.encode(pictures, labels)[0], self.one_hot(labels))

    def draw(self, labels: Labels, seed: int = 0, first: int = 0, bandwidth: float = BANDWIDTH) -> Pictures:
        """New pictures, one of each class index; the same for the same seed, class and number, of which the first has `first`.

        bandwidth: 0 to 1, from training images as they come back to new pictures altogether, see `ClassDensities.draw`.
        """
        latents = self.densities.draw(np.asarray(labels, np.intp), seed, first, bandwidth)
        return self.decode(latents, self.one_hot(labels))

    def label(self, name: str) -> int:
        """The index of a class. Raises InputError when none has that name."""
        names = self.info.palette.names
        known = [other.casefold() for other in names]
        if name.casefold() not in known:
            raise InputError(f"The generator knows the classes {', '.join(names)}. Received {name!r}. Name one of these.")
        return known.index(name.casefold())

    def one_hot(self, labels: Labels) -> NDArray[np.float32]:
        """(count, classes) of 0 and 1."""
        return np.eye(len(self.info.palette), dtype=np.float32)[np.asarray(labels, np.intp)]


def load_generator(folder: Path | str) -> Generator:
    """Loads what `train_generator` wrote. Raises InputError when the folder is no generator, or not a whole one."""
    info = load_model_info(Path(folder))
    info.require_task("generate")
    network = load_keras_model(Path(folder))
    latent = int(network.get_layer("decoder").input_shape[0][-1])
    return Generator(info, network, load_densities(Path(folder), len(info.palette), latent))


def _compute(network: keras.Model, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
    """All outputs of a network, batch by batch."""
    batches = [[array[first : first + _BATCH] for array in inputs] for first in range(0, len(inputs[0]), _BATCH)]
    answers = [network.predict_on_batch(batch) for batch in batches]
    columns = zip(*(answer if isinstance(answer, list) else [answer] for answer in answers), strict=True)
    return [np.concatenate(column) for column in columns]
