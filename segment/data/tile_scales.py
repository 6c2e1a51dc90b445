"""Scales of tiles: images of more than 8 bits brought to 8 bits for training."""

from collections.abc import Sequence
from dataclasses import replace

from segment.core.inputs.scene_scales import ModelPixels
from segment.core.pixels.band_scale import BandScale
from segment.core.progress import Progress
from segment.core.training.image_scale import choose_one_scale
from segment.data.collections import Labelled
from segment.data.patches import Patch


def scale_collections(
    collections: Sequence[Labelled], option: str, progress: Progress
) -> tuple[list[Labelled], BandScale | None]:
    """Brings the images of collections to 8 bits by one scale, chosen from training images.

    Args:
        collections: The collections.
        option: What `data.scale` holds.
        progress: Receives a note on the scale.

    Returns:
        The collections, and their scale; None where no image is scaled.

    Raises:
        InputError: If the scale is wrong, or images of several data types would be scaled.
    """
    training = list(
        dict.fromkeys(patch.pair for one in collections for patch in one.parts.get("train", []))
    )
    scale = choose_one_scale(
        [pair.source for pair in training],
        option,
        ModelPixels(training[0].info.bands if training else 0, "uint8"),
        progress,
    )
    if scale is None:
        return list(collections), None

    def scaled(patch: Patch) -> Patch:
        pair = patch.pair
        return replace(patch, pair=replace(pair, info=pair.info.scaled(scale)))

    def divided(one: Labelled) -> Labelled:
        parts = {part: [scaled(patch) for patch in some] for part, some in one.parts.items()}
        return replace(one, division=replace(one.division, parts=parts))

    return [divided(one) for one in collections], scale
