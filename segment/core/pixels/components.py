"""Principal components of more vectors than fit into memory."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_FAR = 6.0  # standard deviations, estimated from the median
_VECTORS_EACH = 3  # vectors per component: with fewer, single vectors get components of their own
_FEWEST = 9  # vectors: among fewer, each differs from the others


class Vectors:
    """Vectors of one length, stored one after the other in a temporary file as float32.

    Used as a context manager, which frees the disk space at the end.

    Args:
        length: Number of values in a vector.
    """

    def __init__(self, length: int):
        self._length, self._count = length, 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> "Vectors":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, vector: NDArray[np.generic]) -> None:
        """Appends a vector.

        Args:
            vector: Array of any shape with `length` values.
        """
        self._file.write(np.ascontiguousarray(vector, np.float32).reshape(self._length).tobytes())
        self._count += 1

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        self._file.seek(4 * self._length * index)
        found = np.frombuffer(self._file.read(4 * self._length), np.float32)
        self._file.seek(0, 2)
        return found

    def batches(self, least: int = 256) -> Iterator[NDArray[np.float32]]:
        """Reads all vectors in order, in batches of about the same size.

        Args:
            least: Smallest size of a batch, unless there are fewer vectors. No batch is as large as
                twice that.

        Yields:
            Batches (vectors, length) float32.
        """
        bounds = np.linspace(0, self._count, max(1, self._count // least) + 1).astype(int).tolist()
        for first, last in pairwise(bounds):
            self._file.seek(4 * self._length * first)
            yield np.frombuffer(
                self._file.read(4 * self._length * (last - first)), np.float32
            ).reshape(-1, self._length)
        self._file.seek(0, 2)


@dataclass(frozen=True)
class Components:
    """Principal components of vectors.

    Attributes:
        mean: Mean of the vectors, (length,).
        axes: Unit vectors along the components, (components, length), in order of decreasing
            variance.
        ratios: Share of the variance that each component explains, (components,).
        positions: Coordinates of the vectors along the axes, (vectors, components).
        residuals: Distance of each vector from its reconstruction from the components, (vectors,).
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    ratios: NDArray[np.float64]
    positions: NDArray[np.float32]
    residuals: NDArray[np.float32]


def principal_components(vectors: Vectors, count: int) -> Components:
    """Computes the first principal components of vectors.

    Incremental PCA (Ross et al. 2008) of scikit-learn: some hundred vectors are in memory at a
    time.

    Args:
        vectors: At least two vectors.
        count: Number of components. There are never more than vectors, or values in a vector.

    Returns:
        The components.
    """
    from sklearn.decomposition import IncrementalPCA

    assert len(vectors) > 1, "one vector has no variance"
    count = min(count, len(vectors), len(vectors[0]))
    model = IncrementalPCA(count)
    with np.errstate(invalid="ignore"):  # if all vectors are the same
        for batch in vectors.batches(max(256, count)):
            model.partial_fit(batch)
    positions, residuals = [], []
    for batch in vectors.batches():
        placed = model.transform(batch)
        positions.append(placed.astype(np.float32))
        residuals.append(
            np.linalg.norm(batch - model.inverse_transform(placed), axis=1).astype(np.float32)
        )
    ratios = np.nan_to_num(model.explained_variance_ratio_)
    return Components(
        model.mean_, model.components_, ratios, np.concatenate(positions), np.concatenate(residuals)
    )


def find_outliers(components: Components) -> list[int]:
    """Finds vectors that are far from the others.

    A vector is an outlier if it is far away along the components, or if its residual is large.
    Only components that vary are used, and at most a third as many as there are vectors; what the
    other components describe counts as part of the residual. Fewer than nine vectors have no
    outliers.

    Args:
        components: Components of the vectors.

    Returns:
        Indices of the outliers, the farthest first.
    """
    positions = components.positions.astype(np.float64)
    rows, variance = len(positions), positions.var(axis=0)
    used = min(
        rows // _VECTORS_EACH,
        int(np.count_nonzero(variance > 1e-9 * max(float(variance.sum()), 1e-30))),
    )
    if rows < _FEWEST or not used:
        return []
    left = np.sqrt(
        components.residuals.astype(np.float64) ** 2 + (positions[:, used:] ** 2).sum(axis=1)
    )
    distances = np.stack(
        [left, np.linalg.norm(positions[:, :used] / np.sqrt(variance[:used]), axis=1)]
    )
    middle = np.median(distances, axis=1, keepdims=True)
    # the factor for a normal distribution
    deviation = 1.4826 * np.median(np.abs(distances - middle), axis=1, keepdims=True)
    floor = 0.01 * np.maximum(middle, np.array([[np.sqrt(variance.sum())], [0]])) + 1e-30
    far = ((distances - middle) / np.maximum(deviation, floor)).max(axis=0)
    return [int(row) for row in np.argsort(-far) if far[row] > _FAR]
