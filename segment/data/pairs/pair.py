"""Pairs: an image with its labels, a tile of a folder or a scene as it is."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from segment.annotations.label_layers import LabelLayers
from segment.core.errors import InputError, counted
from segment.core.labels.alignment import ALIGNED, Alignment, summarise
from segment.core.labels.masks import Mask, open_mask
from segment.core.raster.info import RasterInfo
from segment.core.raster.nodata import Nodata
from segment.core.raster.orientation import summarise_turned
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source, as_source
from segment.core.splits import Part


@dataclass(frozen=True)
class SceneReading:
    """How a scene is read, of which no tiles were cut.

    Attributes:
        bands: Bands to read, None for all.
        nodata: Value or range that means "no data", in addition to what the file declares.
        shapes: Vector labels on the grid of the scene; None where a mask holds the labels.
    """

    bands: tuple[int, ...] | None = None
    nodata: Nodata | None = None
    shapes: LabelLayers | None = None


@dataclass(frozen=True)
class Pair:
    """An image and its mask.

    Attributes:
        image: File of the image.
        mask: File of the mask, or of the lowest vector labels.
        group: Name of the scene that they come from.
        part: Part of the data, where a folder fixes it.
        info: What the header of the image holds.
        alignment: How the mask is aligned with the image.
        collection: Name of the tile folder they are from, where a model learns from several.
        scene: How the image is read by windows, as a scene; None for a tile, which is read whole.
    """

    image: Path
    mask: Path
    group: str
    part: Part | None
    info: RasterInfo
    alignment: Alignment = ALIGNED
    collection: str = ""
    scene: SceneReading | None = field(default=None, compare=False)

    @property
    def source(self) -> Source:
        """The image, to be opened as its header was read."""
        chosen = self.scene or SceneReading()
        found = as_source(self.image, chosen.bands, chosen.nodata)
        return replace(found, alpha=self.info.alpha, scale=self.info.scale)

    def open_labels(self, image: Raster) -> AbstractContextManager[Mask | LabelLayers]:
        """Opens the labels on the grid of the image.

        Args:
            image: The open image.

        Returns:
            A context with the open mask, or with labels that are read like one.

        Raises:
            InputError: On entry to the context, if the mask cannot be used.
        """
        if self.scene is not None and self.scene.shapes is not None:
            return nullcontext(self.scene.shapes)
        return open_mask(self.mask, image, "image" if self.scene is None else "scene")


def require_alike(pairs: Sequence[Pair]) -> None:
    """Checks that the images of all collections have the same bands and depth.

    Args:
        pairs: Images and masks.

    Raises:
        InputError: If they differ.
    """
    first = pairs[0]
    for pair in pairs:
        if (pair.info.bands, pair.info.dtype) != (first.info.bands, first.info.dtype):
            raise InputError(
                f"{pair.image}: has {counted(pair.info.bands, 'band')} of {pair.info.dtype},"
                f" {first.image} has {first.info.bands} of {first.info.dtype}. Export all"
                " collections alike, or leave one out."
            )


def grid_notes(pairs: Sequence[Pair]) -> list[str]:
    """Returns notes on the orientation of images and the alignment of masks.

    Args:
        pairs: Images and masks.

    Returns:
        A line for each kind of note.
    """
    turned = summarise_turned([(pair.image, pair.info.orientation) for pair in pairs])
    return [*turned, *summarise([(pair.mask, pair.alignment) for pair in pairs])]
