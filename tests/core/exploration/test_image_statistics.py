"""Statistics of images, gathered from one after another."""

import numpy as np
import pytest

from segment.core.errors import InputError
from segment.core.exploration.image_statistics import PixelMeter, SeenImage


def test_images_without_a_valid_pixel_are_refused_together() -> None:
    """One is described by the others; figures of none would be NaN."""
    empty = SeenImage.of(np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), bool))
    meter = PixelMeter(3, 2, 0)
    meter.add(empty)
    meter.add(empty)
    with pytest.raises(InputError, match="No pixel of the 2 images is valid, all are nodata"):
        meter.statistics()
    other = SeenImage.of(np.full((40, 40, 3), 9, np.uint8), np.ones((40, 40), bool))
    meter = PixelMeter(3, 2, 0)
    meter.add(empty)
    meter.add(other)
    assert (meter.statistics().values == 9).all()
