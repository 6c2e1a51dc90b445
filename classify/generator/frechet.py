"""Frechet distance between two sets of images, by their features."""

import numpy as np
from numpy.typing import NDArray

FEWEST = 50
"""Fewest images of a set for a meaningful distance.

Measured on RSSCN7 at 64 px with the bundled classifier: the distance between two sets of real
images is 24 ± 2 with 50 images (six draws), 46 ± 7 with 16 and 79 ± 17 with 8. For noise it is
about 180 throughout.
"""


def frechet_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Computes the (squared) Frechet distance between two sets of features.

    The sets are taken as Gaussians with their means and covariances. A small number of images makes
    the distance larger, so compare only distances between sets of the same sizes. Time and memory
    grow with the number of images. Time also grows with the cube, and memory with the square, of
    the number of images or features, whichever is smaller.

    Sources: Dowson and Landau (1982), "The Fréchet distance between multivariate normal
    distributions"; for features of a classifier, Heusel et al. (2017), "GANs trained by a two
    time-scale update rule converge to a local Nash equilibrium".

    Args:
        first: Features (images, features) of at least 2 images.
        second: Features (images, features) of at least 2 images.

    Returns:
        The squared distance, in squared units of the features.
    """
    a, b = (features.astype(np.float64) for features in (first, second))
    shift = a.mean(axis=0) - b.mean(axis=0)
    a, b = (
        _root(features - features.mean(axis=0)) / np.sqrt(len(features) - 1) for features in (a, b)
    )
    # The eigenvalues of the product of the covariances are the squared singular values of a @ b.T,
    # which is smaller and gives no complex numbers.
    shared = np.linalg.norm(a @ b.T, "nuc")
    return float(max(shift @ shift + (a**2).sum() + (b**2).sum() - 2 * shared, 0.0))


def _root(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix with the same inner products of features, and at most as many rows as features."""
    images, features = centred.shape
    return np.asarray(np.linalg.qr(centred, mode="r")) if images > features else centred
