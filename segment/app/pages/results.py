"""Results of jobs as HTML: labels of images, areas and pixels of a map."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from classify.labelling.prediction import Prediction
from segment.app.jobs.labelling import Labelled
from segment.app.jobs.mapping import Mapped
from segment.app.pages.html import (
    Status,
    address,
    show_bars,
    show_downloads,
    show_note,
    show_problem,
    show_swatch,
    show_table,
    status,
)
from segment.core.maps.scene_outputs import format_areas


def show_labels(found: Labelled) -> str:
    """Shows a label, its probabilities and the heat map, or a table of several images.

    Args:
        found: Images that were labelled.

    Returns:
        HTML of the part.
    """
    if len(found.predictions) > 1:
        return _show_listing(found)
    prediction = found.predictions[0]
    answer = ", ".join(prediction.given) or "none of its labels"
    parts = [
        f'<h2 class="label">{escape(answer)}</h2>',
        show_bars(prediction.labels, marked=prediction.given),
    ]
    parts += map(show_note, found.notes)
    pictures = []
    if found.seen:
        pictures.append(_figure(found.seen, "What the network saw"))
    if found.heat:
        pictures.append(
            _figure(found.heat, f"What speaks for {prediction.labels[0][0]}: the brightest most")
        )
    parts.append(f'<div class="pictures">{"".join(pictures)}</div>')
    if not found.heat:
        parts.append(
            show_note(
                "What it looked at follows."
                if found.computing
                else "This model has no convolution whose view could be shown."
            )
        )
    return "".join(parts) + show_downloads({"Probabilities (CSV)": found.csv})


def _figure(picture: Path, caption: str) -> str:
    text = escape(caption)
    return (
        f'<figure><img src="{escape(address(picture))}"'
        f' alt="{text}"><figcaption>{text}</figcaption></figure>'
    )


def _show_listing(found: Labelled) -> str:
    pairs = list(zip(found.predictions, found.thumbnails, strict=True))
    problems = "".join(
        show_problem(prediction.problem) for prediction, _ in pairs if prediction.problem
    )
    rows = [_listing_row(*pair) for pair in pairs if not pair[0].problem]
    caption = f"{len(rows)} of {len(pairs)} images labelled"
    header = ("Image", "Picture", "Label", "Probability", "Next")
    return (
        problems
        + "".join(map(show_note, found.notes))
        + (show_table(caption, header, rows) if rows else show_note(caption))
        + show_downloads({"All labels (CSV)": found.csv})
    )


def _listing_row(prediction: Prediction, thumbnail: Path | None) -> tuple[str, ...]:
    name = f'<span class="name">{escape(prediction.image)}</span>'
    picture = f'<img src="{escape(address(thumbnail))}" alt="" width="64">' if thumbnail else ""
    # an unsure answer is none of the labels: the two most probable ones come next
    shown = 0 if prediction.unsure else 1
    given, following = prediction.labels[:shown], prediction.labels[shown:2]
    return (
        name,
        picture,
        f"<strong>{escape(', '.join(prediction.given) or 'none')}</strong>",
        "".join(f"{100 * probability:.1f} %" for _, probability in given),
        ", ".join(
            f'<span class="next">{escape(label)} {100 * probability:.1f} %</span>'
            for label, probability in following
        ),
    )


def show_areas(mapped: Mapped) -> str:
    """Shows colour, share and area of each class, and the scores if there was a reference mask.

    With the confidence of each class and of all. Below are the notes, the speed and the downloads.

    Args:
        mapped: Scene that was mapped.

    Returns:
        HTML of the part.
    """
    report, class_table = mapped.files.report, mapped.model.info.class_table
    total = max(sum(report["pixels_by_class"].values()), 1)
    areas = format_areas(report["area_m2"] or {})
    rows = []
    for entry in class_table.classes:
        share = report["pixels_by_class"][entry.name] / total
        area = [areas[entry.name]] if areas else []
        confidence = _percent(report["confidence"][entry.name])
        name = show_swatch(entry.map_color) + escape(entry.name)
        rows.append([name, f"{100 * share:.1f} %", *area, confidence])
    header = ("Class", "Share", *(("Area",) if areas else ()), "Confidence")
    parts = [show_table("Area of each class", header, rows)]
    if report["mean_confidence"] is not None:
        mean = _percent(report["mean_confidence"])
        parts.append(
            show_note(
                f"Mean confidence {mean}: the probability of the mapped class, as the model gives"
                " it."
            )
        )
    if "jaccard" in report:
        parts.append(_show_scores(report))
    parts += [show_note(note) for note in mapped.notes]
    rows_, columns = mapped.size
    speed = (
        f"{columns:,} x {rows_:,} pixels at {report['megapixels_per_second']:.2g} megapixels a"
        f" second, {report['runtime']}."
    )
    return "".join([*parts, show_note(speed), show_downloads(mapped.downloads)])


def _show_scores(report: dict[str, Any]) -> str:
    rows = [
        tuple(
            [escape(name)]
            + [_score(report[key][name]) for key in ("jaccard", "boundary_jaccard", "f1")]
        )
        for name in report["classes"]
    ]
    rows.append(
        (
            "All classes",
            f"<strong>{_score(report['mean_jaccard'])}</strong>",
            _score(report["mean_boundary_jaccard"]),
            f"accuracy {_score(report['accuracy'])}",
        )
    )
    return show_table(
        "Scores against the reference", ("Class", "Jaccard", "Boundary Jaccard", "F1"), rows
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def show_pixel(
    mapped: Mapped, row: int, column: int, probabilities: Mapping[str, float] | None
) -> Status:
    """Shows the class of a pixel, and the probabilities of all classes.

    Args:
        mapped: Scene that was mapped.
        row: Row of the pixel.
        column: Column of the pixel.
        probabilities: Probabilities 0 to 1 by class name, the likeliest first. None where there is
            no data.

    Returns:
        HTML of the part.
    """
    place = f"row {row}, column {column}"
    ground = ""
    if (position := mapped.position) is not None:
        crs = f" in {position.crs}" if position.crs else ""
        ground = show_note(f"{position.describe(row + 0.5, column + 0.5)}{crs}")
    if probabilities is None:
        return status(show_note(f"No data at {place}.") + ground, f"No data at {place}.")
    colors = {entry.name: entry.map_color for entry in mapped.model.info.class_table.classes}
    likeliest = next(iter(probabilities))
    title = (
        f'<p class="pixel"><strong>{escape(likeliest)}</strong> at {place}:'
        f" confidence {_percent(probabilities[likeliest])}</p>"
    )
    announced = f"{likeliest} at {place}: {100 * probabilities[likeliest]:.0f} %"
    return status(title + ground + show_bars(probabilities.items(), colors), announced)
