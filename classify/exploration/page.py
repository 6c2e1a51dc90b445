"""What the report page shows of labelled images."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from classify.data.pixels import prepare, read_pixels
from classify.exploration.summary import ImageSummary
from segment.core.exploration.image_statistics import without_extremes
from segment.core.exploration.report import PageContent, Picture
from segment.core.raster.sources import Source
from segment.core.reports.figures import displayable

_EXAMPLES = 12  # images of a class
_EDGE = 256  # pixels of the shorter side, at most


def page_content(
    data: ImageSummary, collections: str, rgb: tuple[int, int, int], seed: int
) -> PageContent:
    """Collects what the page shows of labelled images.

    Args:
        data: What is known of the images.
        collections: Names of the data folders.
        rgb: Positions of red, green and blue among the bands.
        seed: Seed of the images that are shown.

    Returns:
        The content of the page.
    """
    table, parts = data.class_table, [part for part, count in data.parts.items() if count]
    read = partial(_read_picture, rgb=rgb)
    random = np.random.default_rng(seed)

    def examples() -> Iterator[tuple[str, list[tuple[str, Picture]]]]:
        for name in table.names:
            sources = [image.source for image in data.images if name in image.labels]
            chosen = sorted(random.permutation(len(sources))[:_EXAMPLES])
            yield f"{name}: random images.", [(sources[i].name, read(sources[i])) for i in chosen]

    return PageContent(
        title=f"{collections}: labelled images",
        facts=[("Images", len(data.images) + len(data.unusable)), ("Usable", len(data.images))],
        unit="images",
        class_columns={
            part: [
                sum(image.part == part and name in image.labels for image in data.images)
                for name in table.names
            ]
            for part in parts
        },
        galleries=examples(),
        colors={c.name: c.map_color for c in table.classes},
        apart="Classes that are apart are easy to tell apart; classes that overlap need more"
        " images, or are labelled unclearly.",
        read=lambda image: read(image.source),
    )


def _read_picture(source: Source, rgb: tuple[int, int, int]) -> Picture:
    pixels = without_extremes(read_pixels(source)[0])
    return displayable(prepare(pixels, min(_EDGE, *pixels.shape[:2]))[..., list(rgb)])
