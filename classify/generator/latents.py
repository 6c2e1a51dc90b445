"""Densities of the latents of each class, from which new latents are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import BANDWIDTH
from segment.core.errors import DAMAGE, InputError
from segment.core.model.weight_files import require_small_zip
from segment.core.outputs import staged

LATENTS_FILE = "latents.npz"
_MOST = 500  # most images of a class that are kept


@dataclass(frozen=True, eq=False)
class Posteriors:
    """Posteriors of pictures.

    Attributes:
        means: Means (images, latent) float32.
        variances: Variances (images, latent) float32.
        labels: Class indices (images,).
    """

    means: NDArray[np.float32]
    variances: NDArray[np.float32]
    labels: NDArray[np.intp]

    @property
    def divergence(self) -> float:
        """Mean Kullback-Leibler divergence from N(0, I) in nats per picture.

        It is 0 for a plain autoencoder.
        """
        if not self.variances.any():
            return 0.0
        with np.errstate(all="ignore"):  # non-finite values are reported at the end of the epoch
            parts = np.square(self.means) + self.variances - np.log(self.variances) - 1
        return float(0.5 * parts.sum(axis=1).mean())


class _Density:
    """Density of the latents of one class, of means (images, latent) and a variance (latent,)."""

    def __init__(self, means: NDArray[np.float32], variance: NDArray[np.float32]):
        from sklearn.covariance import ledoit_wolf_shrinkage

        self._mean = means.mean(axis=0)
        self._deviations = means - self._mean
        self._shrinkage = float(ledoit_wolf_shrinkage(means)) if len(means) > 1 else 0.0
        self._scatter = np.sqrt(self._shrinkage * np.mean(self._deviations**2) + variance)

    def draw(self, random: np.random.Generator, bandwidth: float) -> NDArray[np.float32]:
        count, latent = self._deviations.shape
        chosen, shares = random.integers(count), random.standard_normal(count, np.float32)
        kernel = np.sqrt((1 - self._shrinkage) / count) * shares @ self._deviations
        kernel += self._scatter * random.standard_normal(latent, np.float32)
        drawn: NDArray[np.float32] = (
            self._mean + np.sqrt(1 - bandwidth**2) * self._deviations[chosen] + bandwidth * kernel
        )
        return drawn.astype(np.float32)


class ClassDensities:
    """Densities of the latents of each class, from which new latents are drawn.

    Ex-post density estimation (Ghosh et al. 2020, "From variational to deterministic autoencoders")
    fits the latents of images better than N(0, I) does, and gives a plain autoencoder something to
    draw from. The estimate is a kernel density that keeps the variance (Silverman 1986, "Density
    estimation for statistics and data analysis", 6.4): the latent of a training image, pulled
    towards the mean of the class, plus a Gaussian with the covariance of the class times the
    squared bandwidth.

    That covariance is the covariance of the means of the posteriors, shrunk (Ledoit and Wolf 2004)
    because a class has few images for so many dimensions, plus the mean variance of the posteriors.

    Args:
        means: Means of the posteriors of training images, (images, latent).
        labels: Class indices (images,), each class at least once.
        variances: Mean variance of the posteriors of each class, (classes, latent).

    Attributes:
        means: As in the arguments.
        labels: As in the arguments.
        variances: As in the arguments.
    """

    def __init__(
        self, means: NDArray[np.float32], labels: NDArray[np.intp], variances: NDArray[np.float32]
    ):
        """Estimates the density of each class."""
        self.means, self.labels, self.variances = means, labels, variances
        self._of_class = [
            _Density(means[labels == label], variance) for label, variance in enumerate(variances)
        ]

    def draw(
        self, labels: NDArray[np.intp], seed: int, first: int = 0, bandwidth: float = BANDWIDTH
    ) -> NDArray[np.float32]:
        """Draws latents, one for each class index.

        A latent depends only on seed, class and number.

        Args:
            labels: Class indices (count,).
            seed: Seed of the draws.
            first: Number of the first latent.
            bandwidth: 0 repeats training images, and 1 draws from one Gaussian per class. In
                between, a lower bandwidth gives pictures that are more coherent, and each more like
                a training image.

        Returns:
            Latents (count, latent) float32.

        Raises:
            InputError: As in `check_draw`.
        """
        check_draw(seed, bandwidth, first)
        randoms = (
            np.random.default_rng([seed, number]) for number in range(first, first + len(labels))
        )
        return np.stack(
            [
                self._of_class[label].draw(random, bandwidth)
                for label, random in zip(labels, randoms, strict=True)
            ]
        )


def check_draw(seed: int, bandwidth: float, first: int = 0) -> None:
    """Checks the arguments of a draw.

    Args:
        seed: Seed of the draws.
        bandwidth: Bandwidth of the densities.
        first: Number of the first draw.

    Raises:
        InputError: If seed or first number is not an integer of 0 or more, or the bandwidth is not
            within 0 to 1.
    """
    for name, number in {"seed": seed, "first": first}.items():
        if not isinstance(number, (int, np.integer)) or number < 0:
            raise InputError(f"{name} is {number}. Give a whole number of 0 or more.")
    if not 0 <= bandwidth <= 1:
        raise InputError(f"bandwidth is {bandwidth}. Give 0 to 1.")


def fit_densities(posteriors: Posteriors) -> ClassDensities:
    """Fits the densities of the latents of each class.

    Args:
        posteriors: Posteriors of images, each class at least once. Of a class with many images, 500
            are kept, evenly spread.

    Returns:
        The densities.
    """
    own = [np.flatnonzero(posteriors.labels == label) for label in np.unique(posteriors.labels)]
    kept = np.concatenate(
        [rows[np.linspace(0, len(rows) - 1, min(len(rows), _MOST)).astype(int)] for rows in own]
    )
    variances = np.stack([posteriors.variances[rows].mean(axis=0) for rows in own])
    return ClassDensities(posteriors.means[kept], posteriors.labels[kept], variances)


def save_densities(folder: Path, densities: ClassDensities) -> None:
    """Writes densities into a model folder, completely or not at all.

    Args:
        folder: Model folder.
        densities: Densities to write.
    """
    with staged(folder / LATENTS_FILE, overwrite=True) as partial, partial.open("wb") as file:
        np.savez(
            file, means=densities.means, labels=densities.labels, variances=densities.variances
        )


def load_densities(folder: Path, classes: int, latent: int) -> ClassDensities:
    """Reads densities that `save_densities` wrote.

    Args:
        folder: Model folder.
        classes: Number of classes of the model.
        latent: Number of values in a latent of the model.

    Returns:
        The densities.

    Raises:
        InputError: If the training has not finished, or the file is damaged or belongs to another
            model.
    """
    path = folder / LATENTS_FILE
    if not path.is_file():
        raise InputError(f"{path} is missing, as training has not ended. Train on, with --resume.")
    try:
        require_small_zip(path)
        with np.load(path) as stored:
            arrays = {name: np.asarray(stored[name]) for name in ("means", "labels", "variances")}
        _require_densities(arrays, classes, latent)
    except DAMAGE as error:
        raise InputError(
            f"{path} is damaged, or of another model: {error}. Restore it, or train again."
        ) from error
    return ClassDensities(**arrays)


def _require_densities(arrays: Mapping[str, NDArray[Any]], classes: int, latent: int) -> None:
    """Raises ValueError if arrays are not densities of so many classes and values of a latent."""
    images = arrays["labels"].size
    shapes = {"labels": (images,), "means": (images, latent), "variances": (classes, latent)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} have the shape {arrays[name].shape}, expected is {shape}")
        is_real = arrays[name].dtype.kind == "f" and np.isfinite(arrays[name]).all()
        if name != "labels" and not is_real:
            raise ValueError(f"{name} are not finite numbers")
    if (arrays["variances"] < 0).any():
        raise ValueError("variances are negative")
    if set(arrays["labels"].tolist()) != set(range(classes)):
        raise ValueError(f"not every one of {classes} classes has an image")
