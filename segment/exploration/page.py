"""Report of an exploration: findings first, then what images and masks hold."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
from segment.core.raster.opening import open_raster
from segment.core.reports.figures import displayable, plot_gallery
from segment.core.reports.page import Finding, Report
from segment.data.tiles import Pair
from segment.exploration.image_statistics import Window
from segment.exploration.summary import TileSummary
from segment.mapping.pictures import colored

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OF_FEATURES = "Principal components of a model's features"
_LISTED, _NAMED, _OUTLIERS, _PAIRS = 100, 5, 10, 10


def exploration_page(view: TileSummary, findings: Sequence[Finding]) -> Report:
    """Returns the report of an exploration, all sections on one page.

    Args:
        view: Statistics of the tile folder.
        findings: Results of the checks.

    Returns:
        The page.
    """
    page = Report(f"{view.root.resolve().name}: what the images and masks are")
    page.heading("Findings")
    page.findings(findings)
    _facts(page, view)
    _classes(page, view)
    _groups(page, view)
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
    if view.problems:
        page.heading("Files that do not fit")
        for problem in view.problems[:_LISTED]:
            page.text(problem)
    return page


def _facts(page: Report, view: TileSummary) -> None:
    figures = view.figures
    tables = ", ".join(table.file.name for table in view.tables)
    told = (
        f"{min(view.distances):.3g} to {max(view.distances):.3g}" if view.distances else "not told"
    )
    page.heading("Images")
    page.table(
        ("", ""),
        [
            ("Images with masks", figures["images"]),
            ("Groups", len(view.groups)),
            ("Width and height, pixels", listed_sizes(figures["sizes"])),
            ("Bands", figures["bands"]),
            ("Depth", figures["dtype"]),
            ("Metres per pixel", told),
            ("Class tables", tables or "none"),
        ],
    )


def _classes(page: Report, view: TileSummary) -> None:
    class_table, pixels = view.class_table, view.class_pixels
    colors = [c.map_color for c in class_table.classes]
    total = pixels.sum() + view.looks.ignored
    images = np.count_nonzero(view.looks.class_pixels, axis=0)
    rows: list[tuple[object, ...]] = [
        (name, int(count), f"{count / max(total, 1):.2%}", int(shown))
        for name, count, shown in zip(class_table.names, pixels, images, strict=True)
    ]
    rows.append(("ignored", view.looks.ignored, f"{view.looks.ignored / max(total, 1):.2%}", ""))
    page.heading("Classes")
    page.table(("Class", "Pixels", "Share", "Images"), rows, [*colors, "#FFFFFF"])
    page.figure(
        plot_amounts(pixels.tolist(), class_table.names, colors, "pixels"), "Pixels of each class."
    )
    for name, windows in zip(class_table.names, view.looks.windows, strict=True):
        if windows:
            caption = f"{name}: windows that hold most of it, image above mask. Black: ignored."
            page.figure(_plot_windows(windows, view), caption, True)


def _plot_windows(windows: Sequence[Window], view: TileSummary) -> "Figure":
    pictures = [displayable(window.image) for window in windows] + [
        colored(w.indices, view.class_table, 3) for w in windows
    ]
    titles = [f"{window.pair.group}\n{window.pair.image.name}" for window in windows]
    return plot_gallery(
        pictures, titles + [f"{window.share:.0%}" for window in windows], columns=len(windows)
    )


def _groups(page: Report, view: TileSummary) -> None:
    borders = [(view.pairs[n.first].group, view.pairs[n.second].group) for n in view.neighbours]
    rows = []
    for group, count in list(view.groups.items())[:_LISTED]:
        pixels = sum(
            (
                p
                for pair, p in zip(view.pairs, view.looks.class_pixels, strict=True)
                if pair.group == group
            ),
            np.zeros(len(view.class_table), np.int64),
        )
        parts = {pair.part or "not fixed" for pair in view.pairs if pair.group == group}
        shares = [f"{share:.1%}" for share in pixels / max(pixels.sum(), 1)]
        rows.append(
            (group, ", ".join(sorted(parts)), count, borders.count((group, group)), *shares)
        )
    page.heading("Groups")
    page.text(
        "A group is a scene and never divided between training and validation. Borders: at which"
        " its images continue each other."
    )
    page.table(("Group", "Part", "Images", "Borders", *view.class_table.names), rows)


def _pixels(page: Report, view: TileSummary) -> None:
    page.heading("Pixels")
    names = band_names(view.pairs[0].info.bands, view.pairs[0].info.dtype)
    page.figure(
        plot_histograms(view.looks.values, names),
        "Values of each band, over random pixels of all images.",
    )
    values = view.looks.values.astype(np.float64)
    rows = [
        (name, float(values[:, i].mean()), float(values[:, i].std()))
        for i, name in enumerate(names)
    ]
    page.table(("Band", "Mean", "Standard deviation"), rows)


def _pixel_components(page: Report, view: TileSummary, components: Components) -> None:
    page.heading("Principal components of the pixels")
    page.text(
        f"Of the images at {EDGE} x {EDGE} pixels. Groups that lie apart differ in light, season or"
        " ground: what is learned on some may not hold on the others."
    )
    page.figure(plot_variance(components.ratios), "Variance explained.")
    page.figure(
        plot_eigen_images(components),
        "Eigen-images: what the leading components add to the mean, stretched.",
        True,
    )
    page.figure(_scatter(view, components), "Images along the first two components, by group.")


def _feature_components(page: Report, view: TileSummary, components: Components) -> None:
    page.heading(_OF_FEATURES)
    page.text(
        "Of what the decoder of the model of --model begins with, in the middle of each image."
        " Groups that lie apart here show other things, not only other light: hold such a group out"
        " to see how far a model carries."
    )
    page.figure(plot_variance(components.ratios), "Variance explained.")
    page.figure(_scatter(view, components), "Images along the first two components, by group.")


def _scatter(view: TileSummary, components: Components) -> "Figure":
    groups = list(view.groups)
    labels = [groups.index(pair.group) for pair in view.pairs]
    outliers = view.outliers[:_NAMED]
    named = {row: pair.image.name for row, pair in enumerate(view.pairs) if pair in outliers}
    colors = [f"C{number % 10}" for number in range(len(groups))]
    return plot_scatter(components.positions, labels, groups, colors, named)


def _outliers(page: Report, view: TileSummary) -> None:
    shown = view.outliers[:_OUTLIERS]
    if not shown:
        return
    page.heading("Images unlike all others")
    page.figure(
        plot_gallery(_pictures(shown), [f"{pair.group}\n{pair.image.name}" for pair in shown]),
        f"The farthest {len(shown)} of {len(view.outliers)}.",
        True,
    )


def _twins(page: Report, view: TileSummary) -> None:
    if not view.twins:
        return
    page.heading("Images that come twice")
    shown = sorted(
        view.twins, key=lambda twins: (not twins.divided, twins.first.group == twins.second.group)
    )[:_PAIRS]
    pairs = [pair for twins in shown for pair in (twins.first, twins.second)]
    titles = [f"{pair.part or pair.group}\n{pair.image.name}" for pair in pairs]
    caption = f"Pairs, {len(shown)} of {len(view.twins):,}, side by side."
    page.figure(plot_gallery(_pictures(pairs), titles, columns=4), caption, True)
    rows = [
        (
            view.path(twins.first.image),
            view.path(twins.second.image),
            "the same pixels" if twins.exact else "nearly",
            "no" if twins.divided else "yes",
            "yes" if twins.first.group == twins.second.group else "no",
        )
        for twins in view.twins[:_LISTED]
    ]
    page.table(("Image", "its like", "how", "same part", "same group"), rows)


def _pictures(pairs: Sequence[Pair]) -> list[NDArray[np.uint8]]:
    pictures = []
    for pair in pairs:
        with open_raster(pair.image, alpha=pair.info.alpha) as raster:
            pictures.append(displayable(settled(raster.read()[0])))
    return pictures
