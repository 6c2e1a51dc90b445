"""Principal components of the features of a network, by which similar images are found."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.exploration.image_statistics import leading_components
from segment.core.model.runtime import Model
from segment.core.pixels.components import Components, Vectors
from segment.core.prefetch import prefetch
from segment.core.progress import Progress
from segment.core.raster.sources import Source

_BATCH, _WORKERS = 16, 2


def feature_components(
    network: Model,
    sources: Sequence[Source],
    read: Callable[[Source], NDArray[Any]],
    progress: Progress,
) -> Components | None:
    """Computes principal components of the features of images.

    Where the network has features for each position in an image, they are averaged.

    Args:
        network: Model loaded with `features`.
        sources: Images, at least one.
        read: Reads an image as the network takes it; all have the same size.
        progress: Receives the number of images done.

    Returns:
        The components, or None for fewer than three images.
    """

    def batches() -> Generator[Sequence[Source], None, None]:
        for first in range(0, len(sources), _BATCH):
            yield sources[first : first + _BATCH]

    def read_batch(some: Sequence[Source]) -> NDArray[Any]:
        return np.stack([read(source) for source in some])

    done, vectors = 0, None
    with closing(prefetch(batches(), read_batch, _WORKERS)) as found:
        for _, pixels in found:
            answers = network.predict(pixels)
            answers = answers.reshape(len(answers), -1, answers.shape[-1]).mean(axis=1)
            vectors = vectors or Vectors(answers.shape[1])
            for answer in answers:
                vectors.add(np.nan_to_num(answer, posinf=0, neginf=0))
            done += len(answers)
            progress.advance("comparing", done, len(sources))
    assert vectors is not None, "there are images"
    with vectors:
        return leading_components(vectors)
