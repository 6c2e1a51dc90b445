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
_ITERATIONS, _FURTHER = 8, 16  # of the power iteration, and directions beyond those asked for


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

    Block power iteration of the covariance (Halko et al. 2011, Finding structure with randomness):
    the vectors are read some hundred at a time, ten times in all, and multiplied with a few
    directions, which takes a fraction of the time of a singular value decomposition.

    Args:
        vectors: At least two vectors.
        count: Number of components. There are never more than vectors, or values in a vector.

    Returns:
        The components.
    """
    assert len(vectors) > 1, "one vector has no variance"
    length = len(vectors[0])
    count = min(count, len(vectors), length)
    mean = sum(batch.sum(axis=0, dtype=np.float64) for batch in vectors.batches()) / len(vectors)
    centre = np.asarray(mean, np.float32)
    random = np.random.default_rng(0)
    spanned = random.standard_normal((length, min(count + _FURTHER, length)), np.float32)
    squares = 0.0
    for _ in range(_ITERATIONS):
        spanned = np.linalg.qr(spanned)[0]
        image, within = np.zeros(spanned.shape), np.zeros((spanned.shape[1],) * 2)
        squares = 0.0
        for batch in vectors.batches():
            centred = batch - centre
            placed = centred @ spanned
            image += centred.T @ placed
            within += placed.T.astype(np.float64) @ placed
            squares += float(np.square(centred, dtype=np.float64).sum())
        previous, spanned = spanned, image.astype(np.float32)
    variances, turns = np.linalg.eigh(within)  # in the directions before the last product
    axes = (previous @ turns[:, ::-1][:, :count].astype(np.float32)).T
    # the sign of an axis is arbitrary: its largest value is positive
    axes *= np.sign(axes[np.arange(count), np.abs(axes).argmax(axis=1)])[:, None]
    positions, residuals = [], []
    for batch in vectors.batches():
        centred = batch - centre
        placed = centred @ axes.T
        positions.append(placed)
        residuals.append(np.linalg.norm(centred - placed @ axes, axis=1))
    ratios = variances[::-1][:count].clip(0) / max(squares, 1e-30)
    return Components(
        np.asarray(mean), axes, ratios, np.concatenate(positions), np.concatenate(residuals)
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
