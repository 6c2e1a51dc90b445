"""How far apart two sets of images lie, by their features."""

import numpy as np
from numpy.typing import NDArray


def frechet_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Frechet distance, squared as usual, of the Gaussians with the means and covariances of two sets of features.

    first, second: (images, features), of 2 images or more each; in the features' squared units. Dowson and Landau (1982),
    "The Fréchet distance between multivariate normal distributions"; of features of a classifier: Heusel et al. (2017),
    "GANs trained by a two time-scale update rule converge to a local Nash equilibrium". Few images make it
    larger: compare distances between sets of the same sizes only.
    """
    a, b = (features.astype(np.float64) for features in (first, second))
    shift = a.mean(axis=0) - b.mean(axis=0)
    a, b = ((features - features.mean(axis=0)) / np.sqrt(len(features) - 1) for features in (a, b))
    # the eigenvalues of the covariances' product are the squared singular values of a @ b.T, which is smaller and never complex
    shared = np.linalg.norm(a @ b.T, "nuc")
    return float(max(shift @ shift + (a**2).sum() + (b**2).sum() - 2 * shared, 0.0))
