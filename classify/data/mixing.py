"""Mixed training images: each of a batch with another one of it, and their labels by the same shares."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.pixels.augment import as_dtype


def mix(
    images: NDArray[Any], labels: NDArray[np.float32], random: np.random.Generator, *, mixup: float, cutmix: float
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Images (batch, rows, columns, bands) of the same dtype and labels (batch, classes) float32, mixed; the given ones stay.

    labels: one-hot, or multi-hot where images carry several; each image's sum is mixed, too.
    mixup, cutmix: alpha, from 0, of the beta distribution from which the share that images keep is drawn, once a
    batch; 0 is off. With both on, one of the two is drawn, as likely as the other.

    Mixup adds two images pixel by pixel (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"). Cutmix
    pastes a rectangle of one into the other, and labels follow the area that it covers (Yun et al. 2019, "CutMix:
    Regularization Strategy to Train Strong Classifiers with Localizable Features").
    """
    if not mixup and not cutmix:
        return images, labels
    pastes = bool(cutmix) and (not mixup or random.random() < 0.5)
    alpha = cutmix if pastes else mixup
    share = float(random.beta(alpha, alpha))
    partners = random.permutation(len(images))
    if pastes:
        rows, columns = _rectangle(images.shape[1], images.shape[2], share, random)
        mixed = images.copy()
        mixed[:, rows, columns] = images[partners, rows, columns]
        share = 1 - mixed[0, rows, columns, 0].size / mixed[0, ..., 0].size
    else:
        pixels = images.astype(np.float32)
        mixed = as_dtype(pixels * np.float32(share) + pixels[partners] * np.float32(1 - share), images.dtype)
    return mixed, labels * np.float32(share) + labels[partners] * np.float32(1 - share)


def _rectangle(height: int, width: int, share: float, random: np.random.Generator) -> tuple[slice, slice]:
    """A rectangle of 1 - share of the area and the image's proportions, around any pixel, cut at the image's border."""
    row, column = int(random.integers(height)), int(random.integers(width))
    edge = math.sqrt(1 - share)
    tall, wide = round(height * edge), round(width * edge)
    top, left = row - tall // 2, column - wide // 2
    return slice(max(top, 0), top + tall), slice(max(left, 0), left + wide)
