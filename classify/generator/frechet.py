"""How far apart two sets of images lie, by their features."""

import numpy as np
from numpy.typing import NDArray

FEWEST = 50
"""Images of a set from which on a distance is worth telling: of RSSCN7 at 64 px by the bundled classifier, real images lie at
24 ± 2 from real ones then (six draws), at 46 ± 7 with 16 and at 79 ± 17 with 8; noise lies at about 180 throughout."""


def frechet_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Frechet distance, squared as usual, of the Gaussians with the means and covariances of two sets of features.

    first, second: (images, features), of 2 images or more each; in the features' squared units. Dowson and Landau (1982),
    "The Fréchet distance between multivariate normal distributions"; of features of a classifier: Heusel et al. (2017),
    "GANs trained by a two time-scale update rule converge to a local Nash equilibrium". Few images make it
    larger: compare distances between sets of the same sizes only. Time and memory grow with the images, and with the cube and
    the square of the smaller of the numbers of images and features.
    """
    a, b = (features.astype(np.float64) for features in (first, second))
    shift = a.mean(axis=0) - b.mean(axis=0)
    a, b = (_root(features - features.mean(axis=0)) / np.sqrt(len(features) - 1) for features in (a, b))
    # the eigenvalues of the covariances' product are the squared singular values of a @ b.T, which is smaller and never complex
    shared = np.linalg.norm(a @ b.T, "nuc")
    return float(max(shift @ shift + (a**2).sum() + (b**2).sum() - 2 * shared, 0.0))


def _root(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (images, features) what has the same inner products of features, in no more rows than there are of these."""
    images, features = centred.shape
    return np.asarray(np.linalg.qr(centred, mode="r")) if images > features else centred
