"""Mixup and CutMix: each image of a batch is mixed with another, and so are their labels."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.pixels.augment import as_dtype


def mix(
    images: NDArray[Any],
    labels: NDArray[np.float32],
    random: np.random.Generator,
    *,
    mixup: float,
    cutmix: float,
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Mixes the images of a batch, and their labels in the same shares.

    Mixup adds two images pixel by pixel (Zhang et al. 2018, "mixup: Beyond Empirical Risk
    Minimization"). CutMix pastes a rectangle of one image into the other, and labels follow its
    area (Yun et al. 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with
    Localizable Features"). With both switched on, each batch uses one of the two with equal chance.

    `mixup` and `cutmix` are the alpha of a beta distribution, from which the share that an image
    keeps is drawn once per batch; 0 switches a method off.

    Args:
        images: Images (batch, rows, columns, bands). Not changed.
        labels: Labels (batch, classes) float32: one-hot, or multi-hot where images have several
            labels; each image's sum is mixed, too. Not changed.
        random: Random generator.
        mixup: Alpha of mixup, 0 or more.
        cutmix: Alpha of CutMix, 0 or more.

    Returns:
        Mixed images of the same dtype, and mixed labels.
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
        mixed = as_dtype(
            pixels * np.float32(share) + pixels[partners] * np.float32(1 - share), images.dtype
        )
    return mixed, labels * np.float32(share) + labels[partners] * np.float32(1 - share)


def _rectangle(
    height: int, width: int, share: float, random: np.random.Generator
) -> tuple[slice, slice]:
    """A rectangle with 1 - share of the area, in the proportions of the image.

    It is centred on any pixel and cut off at the border of the image.
    """
    row, column = int(random.integers(height)), int(random.integers(width))
    edge = math.sqrt(1 - share)
    tall, wide = round(height * edge), round(width * edge)
    top, left = row - tall // 2, column - wide // 2
    return slice(max(top, 0), top + tall), slice(max(left, 0), left + wide)
