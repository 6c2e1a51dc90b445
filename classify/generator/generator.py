"""Trained generators: pictures to latents, and latents to pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

# Keras loads a network in safe mode only if this module has registered its layer.
from classify.generator.autoencoder import Pictures, decode, encode
from classify.generator.latents import ClassDensities, load_densities
from segment.core.choices import BANDWIDTH
from segment.core.errors import InputError
from segment.core.model.folder import MODEL_FILE, load_keras_model, load_model_info
from segment.core.model.info import ModelInfo

Labels = Sequence[int] | NDArray[np.intp]
"""Class indices (count,)."""


@dataclass(frozen=True, eq=False)
class Generator:
    """A trained generator.

    Attributes:
        info: Content of `model.yaml`.
        network: Network from `build_autoencoder`.
        densities: Densities of the latents of each class.
    """

    info: ModelInfo
    network: keras.Model
    densities: ClassDensities

    @property
    def latent(self) -> int:
        """Number of values in a latent."""
        return self.densities.means.shape[1]

    def encode(
        self, pictures: Pictures, labels: Labels
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Encodes pictures.

        Args:
            pictures: Pictures (count, size, size, 3) uint8.
            labels: Class index of each picture.

        Returns:
            Mean and variance of the posterior, (count, latent) float32 each; the variance of a
            plain autoencoder is 0.

        Raises:
            InputError: If pictures do not have the size and dtype of the generator, or labels are
                not one class index per picture.
        """
        size = self.info.tile
        if pictures.shape[1:] != (size, size, 3) or pictures.dtype != np.uint8:
            raise InputError(
                f"pictures are {pictures.shape} of {pictures.dtype}, this generator takes (count,"
                f" {size}, {size}, 3) of uint8, which is RGB. Resize or convert them."
            )
        classes = self.one_hot(labels)
        if len(classes) != len(pictures):
            raise InputError(
                f"labels are {len(classes)} for {len(pictures)} pictures. Give one per picture."
            )
        return encode(self.network, pictures, classes)

    def decode(self, latents: NDArray[np.float32], classes: NDArray[np.float32]) -> Pictures:
        """Decodes latents.

        Args:
            latents: Latents (count, latent).
            classes: Classes (count, classes), one-hot or shares of several classes, 0 to 1.

        Returns:
            Pictures (count, size, size, 3) uint8.

        Raises:
            InputError: If there are no latents, if they do not have the size of the generator or
                are not finite, or if `classes` are not shares of 0 to 1 for each of them.
        """
        widths = self.latent, len(self.info.class_table)
        shapes = [(*latents.shape[:1], width) for width in widths]
        if [latents.shape, classes.shape] != shapes or not latents.size:
            raise InputError(
                f"latents and classes are {latents.shape} and {classes.shape}, this generator takes"
                f" (count, {widths[0]}) and (count, {widths[1]}). Use those of `encode` and"
                " `one_hot`."
            )
        if latents.dtype.kind != "f" or not np.isfinite(latents).all():
            raise InputError("latents are not finite numbers. Use those of `encode`.")
        if not ((classes >= 0) & (classes <= 1)).all():
            raise InputError("classes are not shares of 0 to 1. Use those of `one_hot`.")
        return decode(self.network, latents, classes)

    def reconstruct(self, pictures: Pictures, labels: Labels) -> Pictures:
        """Encodes pictures and decodes the means of their posteriors.

        Args:
            pictures: Pictures (count, size, size, 3) uint8.
            labels: Class index of each picture.

        Returns:
            Reconstructions (count, size, size, 3) uint8.

        Raises:
            InputError: As in `encode`.
        """
        return self.decode(self.encode(pictures, labels)[0], self.one_hot(labels))

    def draw(
        self, labels: Labels, seed: int = 0, first: int = 0, bandwidth: float = BANDWIDTH
    ) -> Pictures:
        """Draws new pictures, one for each class index.

        A picture depends only on seed, class and number. All pictures are in memory at once; draw
        very many in batches, with `first`.

        Args:
            labels: Class indices (count,), at least one.
            seed: Seed of the draws.
            first: Number of the first picture.
            bandwidth: 0 to 1, from reconstructions of training images to entirely new pictures, see
                `ClassDensities.draw`.

        Returns:
            Pictures (count, size, size, 3) uint8.

        Raises:
            InputError: If labels are not class indices, at least one, and as in `check_draw`.
        """
        classes = self.one_hot(labels)
        return self.decode(
            self.densities.draw(np.asarray(labels, np.intp), seed, first, bandwidth), classes
        )

    def label(self, name: str) -> int:
        """Returns the index of a class.

        Args:
            name: Class name; case does not matter.

        Returns:
            The index.

        Raises:
            InputError: If no class has this name.
        """
        names = self.info.class_table.names
        known = [other.casefold() for other in names]
        if name.casefold() not in known:
            raise InputError(
                f"{self.info.name}: no class is called {name!r}. Name one of {', '.join(names)}."
            )
        return known.index(name.casefold())

    def one_hot(self, labels: Labels) -> NDArray[np.float32]:
        """Encodes class indices as 0 and 1.

        Args:
            labels: Class indices (count,), at least one.

        Returns:
            One-hot classes (count, classes) float32.

        Raises:
            InputError: If labels are not class indices, at least one.
        """
        given, classes = np.asarray(labels), len(self.info.class_table)
        indices = given.ndim == 1 and given.size and given.dtype.kind in "iu"
        if not indices or not 0 <= given.min() <= given.max() < classes:
            raise InputError(
                f"labels are {' '.join(str(labels).split())[:80]}. Give class indices of 0 to"
                f" {classes - 1}, one at least; `label` finds that of a name."
            )
        found: NDArray[np.float32] = np.eye(classes, dtype=np.float32)[given]
        return found


def load_generator(folder: Path | str) -> Generator:
    """Loads a generator from the run folder that `train_generator` wrote.

    Args:
        folder: Run folder.

    Returns:
        The generator.

    Raises:
        InputError: If the folder is not a generator, or is not complete.
    """
    info = load_model_info(Path(folder))
    info.require_task("generate")
    network = load_keras_model(Path(folder))
    latent = _find_latent(Path(folder) / MODEL_FILE, network, info)
    return Generator(info, network, load_densities(Path(folder), len(info.class_table), latent))


def _find_latent(file: Path, network: keras.Model, info: ModelInfo) -> int:
    """Size of the latent; raises InputError if the network does not match `model.yaml`."""
    size, classes = info.tile, len(info.class_table)
    parts = {layer.name: layer for layer in network.layers if isinstance(layer, keras.Model)}
    seen, drawn = (
        [tuple(tensor.shape[1:]) for tensor in parts[name].inputs] if name in parts else []
        for name in ("encoder", "decoder")
    )
    if seen != [(size, size, 3), (classes,)] or drawn[1:] != [(classes,)]:
        raise InputError(
            f"{file}: does not draw {size} x {size} pixels of {classes} classes, as model.yaml"
            " describes. Restore the one of the two that was changed."
        )
    return int(drawn[0][0])
