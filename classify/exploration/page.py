"""Report page of an exploration: checks first, then figures of the images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classify.data.images import LabelledImage
from classify.data.pixels import read_image
from classify.exploration.summary import ImageSummary, disagree
from segment.core.exploration.checks import band_names, listed_sizes
from segment.core.exploration.figures import (
    plot_amounts,
    plot_eigen_images,
    plot_histograms,
    plot_scatter,
    plot_variance,
)
from segment.core.exploration.image_statistics import EDGE, settled
from segment.core.pixels.components import Components
from segment.core.reports.figures import displayable, plot_gallery
from segment.core.reports.page import Finding, Report
from segment.core.splits import PARTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAIRS, _OUTLIERS, _LISTED, _NAMED = 10, 15, 100, 5
_OF_FEATURES = "Principal components of a classifier's features"


def exploration_page(view: ImageSummary, findings: Sequence[Finding]) -> Report:
    """Makes the report page.

    Args:
        view: Results of the exploration.
        findings: Problems found by the checks.

    Returns:
        The page with all sections.
    """
    page = Report(
        f"{', '.join(dict.fromkeys(image.collection for image in view.collection.images))}: what"
        " the images are"
    )
    page.heading("Findings")
    page.findings(findings)
    _facts(page, view)
    _classes(page, view)
    _pixels(page, view)
    if view.components is not None:
        _pixel_components(page, view, view.components)
    if view.features is not None:
        _feature_components(page, view, view.features)
    elif view.without_features is not None:
        page.heading(_OF_FEATURES)
        page.text(f"Left out: {view.without_features}")
    _outliers(page, view)
    _twins(page, view)
    _unusable(page, view)
    return page


def _facts(page: Report, view: ImageSummary) -> None:
    figures = view.figures
    distances = figures["ground_sampling_distance"]
    page.heading("Images")
    page.table(
        ("", ""),
        [
            ("Images", figures["images"]),
            ("Usable", figures["usable"]),
            ("Width and height, pixels", listed_sizes(figures["sizes"])),
            ("Bands", figures["bands"]),
            ("Depth", figures["dtype"]),
            (
                "Metres per pixel",
                (
                    "not told"
                    if distances is None
                    else " to ".join(f"{d:.3g}" for d in (distances[0], distances[2]))
                ),
            ),
        ],
    )


def _classes(page: Report, view: ImageSummary) -> None:
    class_table, counts = view.collection.class_table, view.counts
    colors = [c.map_color for c in class_table.classes]
    parts = [part for part in PARTS if any(image.part == part for image in view.usable)]
    rows = []
    for label, name in enumerate(class_table.names):
        within = [
            sum(image.part == part and label in image.labels for image in view.usable)
            for part in parts
        ]
        rows.append(
            (name, int(counts[label]), f"{counts[label] / max(counts.sum(), 1):.1%}", *within)
        )
    page.heading("Classes")
    page.table(("Class", "Images", "Share", *parts), rows, colors)
    page.figure(
        plot_amounts(counts.tolist(), class_table.names, colors, "images"), "Images of each class."
    )
    for name, pictures in zip(class_table.names, view.looks.pictures, strict=True):
        if pictures:
            titles = [view.collection.images[position].path.name for position in pictures]
            page.figure(
                plot_gallery(list(pictures.values()), titles, columns=6),
                f"{name}: some images, by chance.",
                True,
            )


def _pixels(page: Report, view: ImageSummary) -> None:
    page.heading("Pixels")
    page.figure(
        plot_histograms(view.looks.values, _band_names(view)),
        "Values of each band, over random pixels of all images.",
    )
    held = [
        (name, mean)
        for name, mean in zip(view.collection.class_table.names, view.looks.means, strict=True)
        if np.isfinite(mean).all()
    ]
    means = [_shown(mean, view) for _, mean in held]
    page.figure(
        plot_gallery(means, [name for name, _ in held], columns=6),
        f"The mean image of each class, at {EDGE} x {EDGE} pixels.",
    )


def _pixel_components(page: Report, view: ImageSummary, components: Components) -> None:
    page.heading("Principal components of the pixels")
    page.text(
        f"Of the images at {EDGE} x {EDGE} pixels. Few components that explain much say that images"
        " differ in light and colour more than in what they show; classes that stand apart here"
        " can be told by a simple model."
    )
    page.figure(plot_variance(components.ratios), "Variance explained.")
    images = plot_eigen_images(components, view.looks.bands.rgb)
    page.figure(
        images, "Eigen-images: what the leading components add to the mean, stretched.", True
    )
    page.figure(_scatter(view, components), "Images along the first two components.")


def _feature_components(page: Report, view: ImageSummary, components: Components) -> None:
    page.heading(_OF_FEATURES)
    page.text(
        "Of what the head of the classifier of --model sees of each image. Classes that stand apart"
        " here can be learned from few images; classes that overlap need more images, or are"
        " labelled unclearly."
    )
    page.figure(plot_variance(components.ratios), "Variance explained.")
    page.figure(_scatter(view, components), "Images along the first two components.")


def _scatter(view: ImageSummary, components: Components) -> "Figure":
    class_table, usable = view.collection.class_table, view.usable
    outliers = view.outliers[:_NAMED]
    named = {
        row: image.path.name
        for row, image in enumerate(usable)
        if any(image is other for other in outliers)
    }
    labels = [image.labels[0] if image.labels else -1 for image in usable]
    return plot_scatter(
        components.positions,
        labels,
        class_table.names,
        [c.map_color for c in class_table.classes],
        named,
    )


def _outliers(page: Report, view: ImageSummary) -> None:
    shown = view.outliers[:_OUTLIERS]
    if shown:
        page.heading("Images unlike all others")
        pictures = [_picture(image, view) for image in shown]
        titles = [f"{_labels(view, image.labels)}\n{image.path.name}" for image in shown]
        page.figure(
            plot_gallery(pictures, titles),
            f"The farthest {len(shown)} of {len(view.outliers):,}.",
            True,
        )


def _twins(page: Report, view: ImageSummary) -> None:
    if not view.twins:
        return
    page.heading("Images that come twice")
    shown = sorted(view.twins, key=lambda twins: (not disagree(twins), not twins.divided))[:_PAIRS]
    images = [image for twins in shown for image in (twins.first, twins.second)]
    pictures = [_picture(image, view) for image in images]
    titles = [f"{_labels(view, image.labels)}\n{image.path.name}" for image in images]
    page.figure(
        plot_gallery(pictures, titles, columns=4),
        f"Pairs, {len(shown)} of {len(view.twins):,}, side by side.",
        True,
    )
    rows = [
        (
            str(t.first.path),
            str(t.second.path),
            "the same pixels" if t.exact else "nearly",
            "no" if disagree(t) else "yes",
        )
        for t in view.twins[:_LISTED]
    ]
    page.table(("Image", "its like", "how", "same labels"), rows)


def _picture(image: LabelledImage, view: ImageSummary) -> NDArray[np.uint8]:
    bands = view.looks.bands
    return displayable(settled(read_image(image.path, bands.of(image.path)))[..., list(bands.rgb)])


def _unusable(page: Report, view: ImageSummary) -> None:
    if view.looks.problems:
        page.heading("Images that cannot be used")
        problems = list(view.looks.problems.items())[:_LISTED]
        page.table(
            ("Image", "Why"),
            [
                (str(view.collection.images[position].path), problem)
                for position, problem in problems
            ],
        )


def _labels(view: ImageSummary, labels: Sequence[int]) -> str:
    return ", ".join(view.collection.class_table.names[label] for label in labels) or "no label"


def _band_names(view: ImageSummary) -> list[str]:
    header = view.headers[view.looks.usable[0]]
    if all(header.names) and len(header.names) == view.looks.kind[0]:
        return [str(name) for name in header.names]
    return band_names(*view.looks.kind)


def _shown(pixels: NDArray[np.float64], view: ImageSummary) -> NDArray[np.uint8]:
    """A mean image as RGB, stretched over its own range."""
    return displayable(pixels.astype(np.float32)[..., list(view.looks.bands.rgb)])
