"""Principal components of the features of a network, by which similar images are found."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import counted
from segment.core.exploration.image_statistics import WORKERS, leading_components
from segment.core.exploration.summary import ExploredImage
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model
from segment.core.pixels.components import Components, Vectors
from segment.core.prefetch import each, prefetch
from segment.core.progress import Progress

_BATCH = 16


def differing_pixels(bands: int, dtype: str, info: ModelInfo) -> str | None:
    """Checks whether a model takes the pixels of images.

    Args:
        bands: Number of bands of the images.
        dtype: Name of the dtype of the images.
        info: Description of the model.

    Returns:
        Why it does not; None if it does.
    """
    if (bands, dtype) == (info.bands, info.dtype):
        return None
    read = f"the model reads {counted(info.bands, 'band')} of {info.dtype}"
    return f"{read}, the images have {counted(bands, 'band')} of {dtype}."


def feature_components(
    network: Model,
    images: Sequence[ExploredImage],
    read: Callable[[ExploredImage], NDArray[Any]],
    progress: Progress,
) -> Components | None:
    """Computes principal components of the features of images.

    Where the network has features for each position in an image, they are averaged.

    Args:
        network: Model loaded with `features`.
        images: The images, at least one.
        read: Reads an image as the network takes it; all have the same size.
        progress: Receives the number of images done.

    Returns:
        The components, or None for fewer than three images.
    """
    batches = [images[first : first + _BATCH] for first in range(0, len(images), _BATCH)]
    done, vectors = 0, None
    with closing(prefetch(each(batches), lambda some: [*map(read, some)], WORKERS)) as found:
        for _, pixels in found:
            answers = network.predict(np.stack(pixels))
            answers = answers.reshape(len(pixels), -1, answers.shape[-1]).mean(axis=1)
            vectors = vectors or Vectors(answers.shape[1])
            for answer in answers:
                vectors.add(np.nan_to_num(answer, posinf=0, neginf=0))
            done += len(pixels)
            progress.advance("comparing images", done, len(images))
    assert vectors is not None, "there are images"
    return leading_components(vectors)
