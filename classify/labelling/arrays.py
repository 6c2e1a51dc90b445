"""Labels of an image in memory: an array, a PIL image or a DataArray."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.labelling.doubt import Doubt
from classify.labelling.inference import answer, read_input
from classify.labelling.predict import choose_labels, open_classifier
from classify.labelling.prediction import Prediction
from classify.labelling.scene_inputs import Reading, readable_source
from segment.core.choices import Runtime
from segment.core.model.runtime import Model
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.progress import Progress, Silent, printed_note
from segment.core.raster.nodata import Nodata
from segment.core.raster.sources import Source, without_key


def predict_array(  # noqa: PLR0913 - public, its parameters are options
    image: Any,
    model: Model | Path | str = BUNDLED,
    *,
    top: int = 3,
    bands: Sequence[int] | None = None,
    nodata: Nodata | NDArray[np.bool_] | None = None,
    scale: ScaleOption = "auto",
    augment: bool = False,
    runtime: Runtime = "auto",
    progress: Progress | None = None,
) -> Prediction:
    """Labels an image in memory: array, PIL image or DataArray.

    Labels and probabilities are those of a file with the same pixels, see `predict_images`.

    Args:
        image: Array (rows, columns, bands) or (rows, columns), PIL image, or DataArray of xarray
            with the dimensions y, x and band; also a path, or an open rasterio dataset. Masked
            pixels of a masked array are nodata where all bands are masked.
        model: Model folder, or a loaded model.
        top: Number of most probable labels to return.
        bands: Band numbers from 1 in the order of the model. By default the bands that the model
            reads.
        nodata: Value or range that means "no data" in all bands, or a boolean mask (rows, columns)
            that is True where there are no data.
        scale: As in `label_scene`.
        augment: Averages over the eight flips and quarter turns, which takes eight times as long.
        runtime: What computes, if `model` is a folder.
        progress: Where notes are reported.

    Returns:
        The labels, of an image named "image" or after its path.

    Raises:
        InputError: If this is not one image that the model reads, it has no valid pixel, the model
            is not a scene classifier, or `top` is below 1.
    """
    network = open_classifier(model, runtime, top)
    info = network.info
    how, remarks = Reading(info, bands, scale), list[str]()
    with readable_source(image, how, "image", nodata) as (source, notes):
        pixels = read_input(source, info, remarks, to_label=True)
    for note in [*notes, *remarks]:
        (progress or Silent()).say(printed_note(note))
    is_named = isinstance(image, (str, Path, Source))
    name = without_key(str(source.path), source.path) if is_named else "image"
    found, doubt = answer(network, pixels[None], augment), Doubt.of(network)
    unsure = doubt.unsure(found, doubt.unfamiliar(pixels[None]))
    (prediction,) = choose_labels([name], found, unsure, info, top)
    return replace(prediction, notes=(*notes, *remarks))
