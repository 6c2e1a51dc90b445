"""Principal components of more vectors than fit into memory."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_FAR = 6.0  # standard deviations, as the median tells them
_VECTORS_EACH = 3  # of a component: with fewer, vectors lie along components of their own
_FEWEST = 9  # vectors: of fewer, each is unlike the others


class Vectors:
    """Vectors of one length that are kept on the disk, one after the other. Closed by `with`, which frees the disk.

    length: numbers of a vector. Stored as float32.
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
        """A vector of any shape with `length` numbers."""
        self._file.write(np.ascontiguousarray(vector, np.float32).reshape(self._length).tobytes())
        self._count += 1

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        self._file.seek(4 * self._length * index)
        found = np.frombuffer(self._file.read(4 * self._length), np.float32)
        self._file.seek(0, 2)
        return found

    def batches(self, least: int = 256) -> Iterator[NDArray[np.float32]]:
        """All of them in order, (vectors, length), evenly divided: `least` or more at a time, fewer than twice as many."""
        bounds = np.linspace(0, self._count, max(1, self._count // least) + 1).astype(int).tolist()
        for first, last in pairwise(bounds):
            self._file.seek(4 * self._length * first)
            yield np.frombuffer(self._file.read(4 * self._length * (last - first)), np.float32).reshape(-1, self._length)
        self._file.seek(0, 2)


@dataclass(frozen=True)
class Components:
    """Principal components of vectors.

    mean: (length,). axes: (components, length), of length 1, the one of the largest variance first. ratios: share of the variance
    that each explains. positions: (vectors, components), where each vector lies along the axes. residuals: (vectors,), distance
    of each from what the components tell of it.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    ratios: NDArray[np.float64]
    positions: NDArray[np.float32]
    residuals: NDArray[np.float32]


def principal_components(vectors: Vectors, count: int) -> Components:
    """The first `count` components, or as many as there are vectors or numbers in one; two vectors are needed.

    Incremental PCA (Ross et al. 2008) of scikit-learn: some hundred vectors are in memory at a time.
    """
    from sklearn.decomposition import IncrementalPCA

    assert len(vectors) > 1, "one vector has no variance"
    count = min(count, len(vectors), len(vectors[0]))
    model = IncrementalPCA(count)
    with np.errstate(invalid="ignore"):  # of vectors that are all the same
        for batch in vectors.batches(max(256, count)):
            model.partial_fit(batch)
    positions, residuals = [], []
    for batch in vectors.batches():
        placed = model.transform(batch)
        positions.append(placed.astype(np.float32))
        residuals.append(np.linalg.norm(batch - model.inverse_transform(placed), axis=1).astype(np.float32))
    ratios = np.nan_to_num(model.explained_variance_ratio_)
    return Components(model.mean_, model.components_, ratios, np.concatenate(positions), np.concatenate(residuals))


def find_outliers(components: Components) -> list[int]:
    """Rows of vectors far from the others, the farthest first: in where they lie, or in what the components leave of them.

    Components that vary are counted, a third as many as vectors at most; what the others tell counts as left. None of fewer
    than nine vectors.
    """
    positions = components.positions.astype(np.float64)
    rows, variance = len(positions), positions.var(axis=0)
    used = min(rows // _VECTORS_EACH, int(np.count_nonzero(variance > 1e-9 * max(float(variance.sum()), 1e-30))))
    if rows < _FEWEST or not used:
        return []
    left = np.sqrt(components.residuals.astype(np.float64) ** 2 + (positions[:, used:] ** 2).sum(axis=1))
    distances = np.stack([left, np.linalg.norm(positions[:, :used] / np.sqrt(variance[:used]), axis=1)])
    middle = np.median(distances, axis=1, keepdims=True)
    deviation = 1.4826 * np.median(np.abs(distances - middle), axis=1, keepdims=True)  # of a normal distribution
    floor = 0.01 * np.maximum(middle, np.array([[np.sqrt(variance.sum())], [0]])) + 1e-30
    far = ((distances - middle) / np.maximum(deviation, floor)).max(axis=0)
    return [int(row) for row in np.argsort(-far) if far[row] > _FAR]
