"""Trained generators in use: pictures become latents, latents pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from classify.generator.autoencoder import Latent as Latent  # Keras must know it, to load networks in safe mode
from classify.generator.latents import ClassDensities, load_densities
from segment.core.choices import BANDWIDTH
from segment.core.errors import InputError
from segment.core.model.folder import MODEL_FILE, ModelInfo, load_keras_model, load_model_info

_BATCH = 64
_PARTS = "encoder", "decoder"

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

        Raises InputError when the pictures have another size or dtype than the generator's, and when labels are not one class
        index for each of them.
        """
        size = self.info.tile
        if pictures.shape[1:] != (size, size, 3) or pictures.dtype != np.uint8:
            raise InputError(
                f"pictures: this generator takes (count, {size}, {size}, 3) of uint8: {size} x {size} pixels of RGB. "
                f"Received {pictures.shape} of {pictures.dtype}. Resize or convert them."
            )
        classes = self.one_hot(labels)
        if len(classes) != len(pictures):
            raise InputError(f"labels: one for each picture. Received {len(classes)} of {len(pictures)}. Give as many.")
        batches = _batches(self.network.get_layer("encoder"), pictures, classes)
        mean, *log_variance = map(np.concatenate, zip(*batches, strict=True))
        return mean, np.exp(log_variance[0]) if log_variance else np.zeros_like(mean)

    def decode(self, latents: NDArray[np.float32], classes: NDArray[np.float32]) -> Pictures:
        """The pictures that latents (count, latent) stand for. classes: (count, classes), one-hot, or shares of several.

        Raises InputError when there are none, when latents have another size than the generator's or are not finite, and when
        classes are not shares of 0 to 1 for each of them.
        """
        whole = latents.ndim == 2 and latents.shape[1] == self.latent and len(latents) and latents.dtype.kind == "f"
        if not whole or not np.isfinite(latents).all():
            raise InputError(
                f"latents: this generator's have the shape (count, {self.latent}) and are finite. "
                f"Received {latents.shape} of {latents.dtype}{' that are not' if whole else ''}. Take such as `encode` gives."
            )
        expected = (len(latents), len(self.info.palette))
        if classes.shape != expected or not (classes >= 0).all() or not (classes <= 1).all():
            raise InputError(
                f"classes: shares of 0 to 1 of the shape {expected}. Received {classes.shape}"
                f"{' beyond 0 to 1' if classes.shape == expected else ''}. Take such as `one_hot` gives."
            )
        batches = _batches(self.network.get_layer("decoder"), latents, classes)
        return np.concatenate([np.rint(shares * 255).astype(np.uint8) for (shares,) in batches])

    def reconstruct(self, pictures: Pictures, labels: Labels) -> Pictures:
        """What comes back of pictures from the mean of their posterior. Raises InputError as `encode` does."""
        return self.decode(self.encode(pictures, labels)[0], self.one_hot(labels))

    def draw(self, labels: Labels, seed: int = 0, first: int = 0, bandwidth: float = BANDWIDTH) -> Pictures:
        """New pictures, one of each class index; the same for the same seed, class and number, of which the first has `first`.

        All of them are in memory at once: of very many, draw some after others, by `first`.
        bandwidth: 0 to 1, from training images as they come back to new pictures altogether, see `ClassDensities.draw`.

        Raises InputError when labels are not class indices, one at least, and as `check_draw` does.
        """
        classes = self.one_hot(labels)
        return self.decode(self.densities.draw(np.asarray(labels, np.intp), seed, first, bandwidth), classes)

    def label(self, name: str) -> int:
        """The index of a class. Raises InputError when none has that name."""
        names = self.info.palette.names
        known = [other.casefold() for other in names]
        if name.casefold() not in known:
            raise InputError(f"The generator knows the classes {', '.join(names)}. Received {name!r}. Name one of these.")
        return known.index(name.casefold())

    def one_hot(self, labels: Labels) -> NDArray[np.float32]:
        """(count, classes) of 0 and 1. Raises InputError when labels are not class indices, one at least."""
        given, classes = np.asarray(labels), len(self.info.palette)
        indices = given.ndim == 1 and given.size and given.dtype.kind in "iu"
        if not indices or not 0 <= given.min() <= given.max() < classes:
            raise InputError(
                f"labels: class indices of 0 to {classes - 1}, one at least. Received {' '.join(str(labels).split())[:80]}. "
                "`label` tells that of a name."
            )
        found: NDArray[np.float32] = np.eye(classes, dtype=np.float32)[given]
        return found


def load_generator(folder: Path | str) -> Generator:
    """Loads what `train_generator` wrote. Raises InputError when the folder is no generator, or not a whole one."""
    info = load_model_info(Path(folder))
    info.require_task("generate")
    network = load_keras_model(Path(folder))
    latent = _find_latent(Path(folder) / MODEL_FILE, network, info)
    return Generator(info, network, load_densities(Path(folder), len(info.palette), latent))


def _find_latent(file: Path, network: keras.Model, info: ModelInfo) -> int:
    """Numbers of the latent of a network. Raises InputError when it is not the one of `model.yaml`."""
    size, classes = info.tile, len(info.palette)
    parts = {layer.name: layer for layer in network.layers if isinstance(layer, keras.Model)}
    seen, drawn = ([tuple(tensor.shape[1:]) for tensor in parts[name].inputs] if name in parts else [] for name in _PARTS)
    if seen != [(size, size, 3), (classes,)] or drawn[1:] != [(classes,)]:
        raise InputError(
            f"{file}: must draw what model.yaml says, {size} x {size} pixels of {classes} classes. Received another network. "
            "Restore the one of the two that was changed."
        )
    return int(drawn[0][0])


def _batches(network: keras.Model, *inputs: NDArray[Any]) -> Iterator[list[NDArray[np.float32]]]:
    """All outputs of a network, batch by batch."""
    for first in range(0, len(inputs[0]), _BATCH):
        answers = network.predict_on_batch([array[first : first + _BATCH] for array in inputs])
        yield answers if isinstance(answers, list) else [answers]
