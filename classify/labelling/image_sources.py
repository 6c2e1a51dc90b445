"""Images as sources: files, open datasets, and images in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.labelling.scene_inputs import scaled_sources
from segment.core.arrays.pixels import is_in_memory
from segment.core.arrays.source import image_source
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.raster.nodata import Nodata
from segment.core.raster.sources import Source, as_source


@dataclass(frozen=True)
class Reading:
    """How images are read for a model.

    Attributes:
        info: Description of the model.
        bands: Bands to read, by default those of the model.
        scale: How pixels are brought to the 8 bits of the model; that of an image in memory is its
            own.
    """

    info: ModelInfo
    bands: Sequence[int] | None = None
    scale: ScaleOption = "auto"


@contextmanager
def readable_source(
    image: Any, how: Reading, name: str, nodata: Nodata | NDArray[np.bool_] | None = None
) -> Iterator[tuple[Source, list[str]]]:
    """Makes a source of an image of any kind.

    Args:
        image: Image in memory, path, open dataset, or source.
        how: How it is read.
        name: Name of an image in memory.
        nodata: Value that means "no data" or, for an image in memory, a boolean mask.

    Yields:
        The source, and notes on how the image is read.

    Raises:
        InputError: If it is no image, or does not fit the model.
    """
    if not is_in_memory(image):
        if isinstance(nodata, np.ndarray):
            raise InputError("A mask as nodata is for arrays. A path or a dataset takes a value.")
        yield as_source(image, how.bands, nodata), []
        return
    with image_source(image, how.info, bands=how.bands, nodata=nodata, name=name) as found:
        source, notes = found
        (source,) = scaled_sources([source], how.info, how.scale)
        yield source, [*notes, *([source.scale.note] if source.scale else [])]
