"""Reconstruction of pictures from their latents: the loss of generators, and scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from classify.data.dataset import ImageDataset
from classify.generator.generator import Generator
from classify.generator.latents import Posteriors
from classify.generator.perceptual_loss import Perception
from segment.core.progress import Progress

Loss = Callable[[Any, Any], Any]
"""Function of pictures (batch, rows, columns, 3), 0 to 255, and reconstructions, 0 to 1.

It returns a scalar, the mean over the batch.
"""


def reconstruction_loss(weight: float = 0.0, perception: Perception | None = None) -> Loss:
    """Builds the loss: mean squared error of pixels scaled to 0 to 1, plus a perceptual term.

    The Kullback-Leibler divergence of a variational autoencoder is added by its layer `Latent`.

    Args:
        weight: Weight of the perceptual distance.
        perception: Perceptual distance; None for none.

    Returns:
        The loss.
    """

    def loss(pictures: Any, reconstructions: Any) -> Any:
        expected = ops.cast(pictures, "float32") / 255.0
        error = ops.mean(ops.square(expected - reconstructions))
        return (
            error if perception is None else error + weight * perception(expected, reconstructions)
        )

    return loss


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
    generator: Generator,
    dataset: ImageDataset,
    loss: Loss,
    mean_image: NDArray[np.float64],
    progress: Progress,
) -> tuple[Reconstruction, Posteriors]:
    """Encodes and decodes all images of a dataset and scores the result.

    Args:
        generator: Generator to score.
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
        pictures, one_hot = dataset[index]
        labels = one_hot.argmax(axis=1)
        with np.errstate(all="ignore"):  # non-finite values are reported at the end of the epoch
            means, variances = generator.encode(pictures, labels)
            found = generator.decode(np.where(np.isfinite(means), means, 0), one_hot)
        lost = float(
            loss(ops.convert_to_tensor(pictures), ops.convert_to_tensor(found / np.float32(255)))
        )
        sums += len(pictures) * np.array(
            [lost, _squared_error(pictures, found), _squared_error(pictures, mean_image)]
        )
        posteriors.append((means, variances, labels))
        progress.advance("reconstructing", index + 1, len(dataset))
    joined = Posteriors(*(np.concatenate(column) for column in zip(*posteriors, strict=True)))
    lost, error, worst = (sums / len(joined.labels)).tolist()
    return Reconstruction(lost, error, worst, joined.divergence, len(joined.labels)), joined


def _squared_error(expected: NDArray[Any], received: NDArray[Any]) -> float:
    """Mean squared error of arrays of 0 to 255, scaled to 0 to 1."""
    return float(np.mean(((expected.astype(np.float64) - received) / 255) ** 2))
