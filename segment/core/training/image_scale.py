"""The scale of a training: images of more than 8 bits brought to 8 bits."""

from collections.abc import Sequence

from segment.core.errors import InputError
from segment.core.inputs.scene_scales import MOST_SCENES, ModelPixels, SceneScales
from segment.core.pixels.band_scale import BandScale
from segment.core.progress import Progress
from segment.core.raster.sources import Source


def choose_one_scale(
    images: Sequence[Source], option: str, model: ModelPixels, progress: Progress
) -> BandScale | None:
    """Chooses the scale of a training and prints a note on it.

    Args:
        images: Training images; some that are spread evenly are read where there are many.
        option: What `data.scale` holds.
        model: Pixels that the model takes.
        progress: Receives the note.

    Returns:
        The scale, None where no image has to be scaled.

    Raises:
        InputError: If the option is wrong, or images of several data types would be scaled: a
            model keeps one scale.
    """
    scales = SceneScales.of(option, model, "data.scale")
    some = images[:: max(-(-len(images) // MOST_SCENES), 1)]
    found = {source.scale for source in scales.scaled(some, progress) if source.scale}
    if len(found) > 1:
        types = " and ".join(sorted(scale.dtype for scale in found))
        raise InputError(
            f"data.scale: images are of {types}, and a model keeps one scale. Received {option!r}."
            " Leave one kind out, or convert it to 8 bits."
        )
    for scale in found:
        progress.say(f"note: {scale.note}")
        return scale
    return None
