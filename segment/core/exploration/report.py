"""Report of an exploration: findings first, then what the images are."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.core.exploration.checks import Check, S, listed, run_checks
from segment.core.exploration.figures import plot_amounts, plot_histograms, plot_scatter
from segment.core.exploration.summary import ExploredImage, Summary
from segment.core.reports.figures import plot_gallery
from segment.core.reports.page import Finding, Report, write_report_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LISTED, _NAMED, _OUTLIERS, _COPIES = 100, 5, 15, 10

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Exploration:
    """Result of an exploration of data.

    Attributes:
        findings: Results of the checks.
        figures: Content of report.json.
    """

    findings: list[Finding]
    figures: dict[str, Any]

    def __str__(self) -> str:
        return "\n".join(f"- {finding}" for finding in self.findings) or "No problems found."


@dataclass(frozen=True, kw_only=True)
class PageContent:
    """What differs between the pages of the two packages.

    Attributes:
        title: Title of the page.
        facts: Names and values for the first table.
        unit: What the amounts of classes are: "images" or "pixels".
        class_columns: Further columns of the table of classes, by title.
        galleries: Titles and pictures of each class, after a caption.
        groups: Header and rows of a table of groups, if there are groups.
        colors: Colour of each label, for the scatter plot.
        apart: What it means if images of several labels lie apart in the scatter plot.
        read: Reads an image for display.
        split: Figure of how training would divide the data, and its caption, if there is one.
    """

    title: str
    facts: Sequence[tuple[str, object]]
    unit: str
    class_columns: Mapping[str, Sequence[int]]
    galleries: Iterable[tuple[str, Sequence[tuple[str, Picture]]]]
    groups: tuple[Sequence[str], Sequence[Sequence[object]]] | None = None
    colors: Mapping[str, str]
    apart: str
    read: Callable[[ExploredImage], Picture]
    split: "tuple[Figure, str] | None" = None


def report_exploration(
    output: Path, summary: S, checks: Sequence[Check[S]], content: PageContent, overwrite: bool
) -> Exploration:
    """Runs checks, and writes report.html and report.json.

    Args:
        output: Folder to write.
        summary: What is known of the data.
        checks: The checks.
        content: What the page shows of this package.
        overwrite: Whether an earlier report may be replaced.

    Returns:
        The findings, and the content of report.json.

    Raises:
        InputError: As in `write_report_folder`.
    """
    findings = run_checks(checks, summary)
    figures = {"findings": [vars(finding) for finding in findings], **summary.figures}
    page = Report(content.title)
    page.heading("Findings")
    page.findings(findings)
    _add_images(page, summary, content)
    _add_classes(page, summary, content)
    _add_pixels(page, summary)
    _add_similarity(page, summary, content)
    _add_copies(page, summary, content)
    if summary.problems:
        page.heading("Files that cannot be used")
        for problem in summary.problems[:_LISTED]:
            page.text(problem)
    write_report_folder(output, figures, page, overwrite)
    return Exploration(findings, figures)


def _add_images(page: Report, summary: Summary, content: PageContent) -> None:
    distances = summary.distances
    sizes = [f"{size} ({count:,})" for size, count in summary.sizes.items()]
    page.heading("Images")
    page.table(
        ("Property", "Value"),
        [
            *content.facts,
            ("Width x height, pixels", listed(sizes)),
            ("Bands", summary.bands),
            ("Data type", summary.dtype),
            (
                "Metres per pixel",
                f"{min(distances):.3g} to {max(distances):.3g}" if distances else "not given",
            ),
        ],
    )


def _add_classes(page: Report, summary: Summary, content: PageContent) -> None:
    names, counts = summary.class_table.names, summary.class_counts.tolist()
    colors = [c.map_color for c in summary.class_table.classes]
    shares = [f"{count / max(sum(counts), 1):.2%}" for count in counts]
    columns = names, counts, shares, *content.class_columns.values()
    page.heading("Classes")
    page.table(
        ("Class", content.unit.capitalize(), "Share", *content.class_columns),
        [*zip(*columns, strict=True)],
        colors,
    )
    caption = f"{content.unit.capitalize()} of each class."
    page.figure(plot_amounts(counts, names, colors, content.unit), caption)
    for caption, pictures in content.galleries:
        _add_pictures(page, caption, pictures, 6)
    if content.groups:
        page.heading("Groups")
        page.text("A group is a scene. Training and validation never share one.")
        page.table(*content.groups)
    if content.split:
        page.heading("Split")
        page.text("There is one group, which training divides by squares of ground.")
        page.figure(*content.split, photographs=True)


def _add_pictures(
    page: Report, caption: str, pictures: Sequence[tuple[str, Picture]], columns: int
) -> None:
    if pictures:
        titles, shown = zip(*pictures, strict=True)
        page.figure(plot_gallery(shown, titles, columns), caption, photographs=True)


def _add_pixels(page: Report, summary: Summary) -> None:
    values = summary.pixels.values
    page.heading("Pixels")
    page.figure(
        plot_histograms(values, summary.band_names), "Values of random pixels of all images."
    )
    means, deviations = (summary.figures[key] for key in ("band_mean", "band_deviation"))
    page.table(
        ("Band", "Mean", "Standard deviation"),
        [*zip(summary.band_names, means, deviations, strict=True)],
    )


def _add_similarity(page: Report, summary: Summary, content: PageContent) -> None:
    page.heading("Similarity of images")
    if summary.without_features:
        page.text(f"Features of the model are left out: {summary.without_features}")
    if summary.components:
        seen = "features of the model" if summary.features else "images at 32 x 32 pixels"
        page.text(f"Principal components of the {seen}: similar images are close together.")
        places = [image.labels[0] if image.labels else image.label for image in summary.images]
        named = {row: summary.images[row].title for row in summary.outliers[:_NAMED]}
        figure = plot_scatter(summary.components, places, content.colors, named)
        page.figure(figure, f"Images by their {summary.labels}. {content.apart}")
    if shown := [summary.images[row] for row in summary.outliers[:_OUTLIERS]]:
        page.heading("Images unlike all others")
        caption = f"{len(shown)} of {len(summary.outliers):,}, the most different first."
        _add_pictures(page, caption, _pictures(shown, content), 5)


def _add_copies(page: Report, summary: Summary, content: PageContent) -> None:
    if not summary.copies:
        return
    page.heading("Duplicate images")
    shown = sorted(summary.copies, key=lambda copy: (copy.same_labels, copy.same_part))[:_COPIES]
    images = [image for copy in shown for image in (copy.original, copy.image)]
    caption = f"{len(shown)} of {len(summary.copies):,} pairs, side by side."
    _add_pictures(page, caption, _pictures(images, content), 4)
    yes_no = ("no", "yes")
    rows = [
        (
            copy.original.name,
            copy.image.name,
            "equal" if copy.exact else "nearly equal",
            yes_no[copy.same_part],
            yes_no[copy.same_labels],
        )
        for copy in summary.copies[:_LISTED]
    ]
    page.table(("Image", "Duplicate", "Pixels", "Same part", f"Same {summary.labels}"), rows)


def _pictures(images: Sequence[ExploredImage], content: PageContent) -> list[tuple[str, Picture]]:
    return [(f"{image.label}\n{image.title}", content.read(image)) for image in images]
