"""Reconstruction of pictures from their latents: batches, loss and scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from classify.data.dataset import ImageDataset
from classify.data.training_data import TrainingData
from classify.generator.autoencoder import decode, encode
from classify.generator.latents import Posteriors
from segment.core.errors import InputError
from segment.core.progress import Progress

_LEAST = 1e-6  # added to the divisor of relative distances

Loss = Callable[[Any, Any], Any]
"""Function of pictures (batch, rows, columns, 3), 0 to 255, and reconstructions, 0 to 1.

It returns a scalar, the mean over the batch.
"""
PerceptualDistance = Callable[[Any, Any], Any]
"""Function of two batches of pictures, (batch, rows, columns, 3) of 0 to 1 each.

It returns a scalar, 0 for equal pictures.
"""


class ReconstructionDataset(ImageDataset):
    """Batches for an autoencoder: its inputs by name, and the pictures that it is to reconstruct.

    The arguments are those of `ImageDataset`.
    """

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        pictures, labels = super().__getitem__(index)
        return {"pixels": pictures, "label": labels}, pictures


def require_pictures(data: TrainingData, folders: Sequence[Path]) -> None:
    """Checks that images are of a kind that generators can learn and draw.

    Args:
        data: Training data.
        folders: Data folders, for messages.

    Raises:
        InputError: If images have several labels, or are not RGB of 8 bits.
    """
    statistics, listed = data.survey.statistics, ", ".join(map(str, folders))
    if data.multi_label:
        raise InputError(
            f"{listed}: images have several labels, generators draw pictures of one. Sort the"
            " images into class folders."
        )
    if (statistics.bands, statistics.dtype) != (3, "uint8"):
        raise InputError(
            f"{listed}: images have {statistics.bands} bands of {statistics.dtype}, generators draw"
            " RGB of 8 bits. Convert the images; for a training, data.bands can choose three."
        )


def reconstruction_loss(weight: float = 0.0, distance: PerceptualDistance | None = None) -> Loss:
    """Builds the loss: mean squared error of pixels scaled to 0 to 1, plus a perceptual term.

    The Kullback-Leibler divergence of a variational autoencoder is added by its layer `Latent`.

    Args:
        weight: Weight of the perceptual distance.
        distance: Perceptual distance; None for none.

    Returns:
        The loss.
    """

    def loss(pictures: Any, reconstructions: Any) -> Any:
        expected = ops.cast(pictures, "float32") / 255.0
        error = ops.mean(ops.square(expected - reconstructions))
        return error if distance is None else error + weight * distance(expected, reconstructions)

    return loss


def perceptual_distance(features: keras.Model) -> PerceptualDistance:
    """Builds the feature and style distance of Johnson et al. (2016).

    As a term of a loss it counters the blur that squared errors cause.

    Source: "Perceptual losses for real-time style transfer". The feature distance compares what is
    where. The style distance compares second moments of features over the picture, that is,
    textures without the exact positions of their grains; squared errors would penalise a shift.

    Distances are averaged over feature maps. Each is relative to the size of the pictures' own
    features in the whole batch, because a dark picture can have hardly any.

    Args:
        features: Network that returns feature maps, see `load_stage_maps`. It is frozen.

    Returns:
        The distance.
    """
    features.trainable = False

    def distance(pictures: Any, others: Any) -> Any:
        pairs = list(zip(features(pictures * 255.0), features(others * 255.0), strict=True))
        parts = [
            _relative(a, b) + _relative(second_moments(a), second_moments(b)) for a, b in pairs
        ]
        return sum(parts) / len(parts)

    return distance


def second_moments(maps: Any) -> Any:
    """Computes mean products of features over all pixels.

    These are the Gram matrices of Gatys et al. (2016), "Image style transfer using convolutional
    neural networks".

    Args:
        maps: Feature maps (batch, rows, columns, features).

    Returns:
        Second moments (batch, features, features).
    """
    _, rows, columns, count = maps.shape
    flat = ops.reshape(ops.cast(maps, "float32"), (-1, rows * columns, count))
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / (rows * columns)


def _relative(expected: Any, received: Any) -> Any:
    """Squared distance divided by the squared length of the expected value."""
    expected, received = ops.cast(expected, "float32"), ops.cast(received, "float32")
    return ops.sum(ops.square(expected - received)) / (ops.sum(ops.square(expected)) + _LEAST)


@dataclass(frozen=True)
class Reconstruction:
    """Scores of the reconstructions of a part of the data.

    Attributes:
        loss: Loss as in training, without the divergence.
        error: Mean squared error of pixels scaled to 0 to 1.
        mean_image_error: The same error with the mean training image in place of each
            reconstruction.
        divergence: Kullback-Leibler divergence in nats per picture; 0 for a plain autoencoder.
        images: Number of images.
    """

    loss: float
    error: float
    mean_image_error: float
    divergence: float
    images: int

    @property
    def explained(self) -> float:
        """Share of the variance around the mean image that is explained; 1 is all of it."""
        return 1 - self.error / self.mean_image_error

    @property
    def report(self) -> dict[str, Any]:
        """Keys and values of report.json."""
        return {
            "mean_squared_error": round(self.error, 6),
            "mean_image_error": round(self.mean_image_error, 6),
            "explained": round(self.explained, 6),
            "kullback_leibler": round(self.divergence, 3),
            "images": self.images,
        }

    def __str__(self) -> str:
        return (
            f"mean squared error {self.error:.4f} (mean image {self.mean_image_error:.4f}:"
            f" {self.explained:.1%} of the variance explained), Kullback-Leibler"
            f" {self.divergence:.0f} nats a picture"
        )


def score_reconstructions(
    network: keras.Model,
    dataset: ImageDataset,
    loss: Loss,
    mean_image: NDArray[np.float64],
    progress: Progress,
) -> tuple[Reconstruction, Posteriors]:
    """Encodes and decodes all images of a dataset and scores the result.

    Args:
        network: Network from `build_autoencoder`.
        dataset: Images.
        loss: Loss as in training.
        mean_image: Mean training image, (size, size, 3), 0 to 255.
        progress: Where progress is reported.

    Returns:
        The scores, and the posteriors of the images.
    """
    posteriors: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]] = []
    sums = np.zeros(3)
    for index in range(len(dataset)):
        pictures, classes = dataset[index]
        with np.errstate(all="ignore"):  # non-finite values are reported at the end of the epoch
            means, variances = encode(network, pictures, classes)
            found = decode(network, np.where(np.isfinite(means), means, 0), classes)
        lost = float(
            loss(ops.convert_to_tensor(pictures), ops.convert_to_tensor(found / np.float32(255)))
        )
        errors = (_squared_error(pictures, other) for other in (found, mean_image))
        sums += len(pictures) * np.array([lost, *errors])
        posteriors.append((means, variances, classes.argmax(axis=1)))
        progress.advance("reconstructing", index + 1, len(dataset))
    joined = Posteriors(*(np.concatenate(column) for column in zip(*posteriors, strict=True)))
    images = len(joined.labels)
    lost, error, mean_image_error = (sums / images).tolist()
    return Reconstruction(lost, error, mean_image_error, joined.divergence, images), joined


def mean_picture(dataset: ImageDataset) -> NDArray[np.float64]:
    """Computes the mean of all pictures of a dataset.

    Args:
        dataset: Pictures.

    Returns:
        Mean picture (size, size, 3) float64, 0 to 255.
    """
    total = sum(dataset[index][0].sum(axis=0, dtype=np.float64) for index in range(len(dataset)))
    return np.asarray(total / len(dataset.images))


def _squared_error(expected: NDArray[Any], received: NDArray[Any]) -> float:
    """Mean squared error of arrays of 0 to 255, scaled to 0 to 1."""
    return float(np.mean(((expected.astype(np.float64) - received) / 255) ** 2))
