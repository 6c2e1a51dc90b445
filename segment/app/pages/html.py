"""Jobs and results as HTML. Everything that comes from files is escaped."""

import time
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from classify.labelling.predict import Prediction
from segment.app.jobs.job import Job
from segment.app.jobs.labelling import Labelled
from segment.app.jobs.mapping import Mapped
from segment.core.maps.scene_outputs import format_area
from segment.core.raster.classes import ClassTable

SCORES = "Scores against the truth"

Status = dict[str, str]
"""Value of a status, see `components.make_status`.

`shown` is the HTML that it shows, `said` the text that screen readers announce when it changes.
"""

_SAID_PARTS = 4  # parts of a job, after each of which its progress is announced


def tell(shown: str = "", said: str = "") -> Status:
    """Returns a status.

    Args:
        shown: HTML to show.
        said: Text that screen readers announce when it changes.
    """
    return {"shown": shown, "said": said}


def address(file: Path) -> str:
    """Returns the address of a file, relative to the page.

    Args:
        file: File in a folder that Gradio serves.
    """
    return f"gradio_api/file={quote(str(file))}"


def show_problem(problem: str) -> str:
    """Shows what went wrong; screen readers announce it at once.

    Args:
        problem: Message, as plain text.

    Returns:
        HTML of the part.
    """
    return f'<p class="problem" role="alert">{escape(problem)}</p>'


def show_note(note: str) -> str:
    """Shows a remark.

    Args:
        note: Remark, as plain text.

    Returns:
        HTML of the part.
    """
    return f'<p class="note">{escape(note)}</p>'


WAITING = tell(show_note("Waiting for its turn."), "Waiting for its turn.")
CANCELLED = tell(show_note("Cancelled."), "Cancelled.")
TOO_LATE = tell(
    show_note("It had ended before it was cancelled."), "It had ended before it was cancelled."
)


def show_progress(job: Job, doing: str, unit: str) -> Status:
    """Shows a progress bar with the time passed and left, or that the job was cancelled.

    Args:
        job: Job to show.
        doing: What it does, such as "Mapping".
        unit: What its steps are, such as "tiles".

    Returns:
        HTML of the part.
    """
    if job.stopped:
        return CANCELLED
    passed = time.monotonic() - job.started
    if not job.total:
        shown = (
            f"{show_note(f'{doing}: getting ready, {passed:.0f} s')}<progress"
            f' aria-label="{escape(doing)}"></progress>'
        )
        return tell(shown, f"{doing} begins.")
    left = passed / max(job.done, 1) * (job.total - job.done)
    text = f"{doing}: {job.done} of {job.total} {unit}, {passed:.0f} s"
    text += f", about {left:.0f} s left" if job.done < job.total else ", finishing"
    bar = f'<progress aria-label="{escape(doing)}" value="{job.done}" max="{job.total}"></progress>'
    said = f"{doing}: {100 * (_SAID_PARTS * job.done // job.total) // _SAID_PARTS} %"
    return tell(show_note(text) + bar, said)


def show_legend(class_table: ClassTable) -> str:
    """Shows the classes in a line, with their colours.

    Args:
        class_table: Class table.

    Returns:
        HTML of the part.
    """
    entries = (
        f"<li>{_swatch(entry.map_color)}{escape(entry.name)}</li>" for entry in class_table.classes
    )
    return f'<ul class="legend" aria-label="Legend">{"".join(entries)}</ul>'


def _swatch(color: str) -> str:
    return f'<span class="swatch" style="background:{escape(color)}"></span>'


def show_bars(
    shares: Iterable[tuple[str, float]],
    colors: Mapping[str, str] | None = None,
    marked: Sequence[str] = (),
) -> str:
    """Shows a table of names, with a bar for the share of each.

    Args:
        shares: Names and shares, 0 to 1.
        colors: Colours by name as "#RRGGBB", if names have any.
        marked: Names to show in bold.

    Returns:
        HTML of the part.
    """
    rows = []
    for name, share in shares:
        swatch = _swatch(colors[name]) if colors else ""
        label = f"<strong>{escape(name)}</strong>" if name in marked else escape(name)
        bar = f'<span><i style="width:{100 * share:.1f}%"></i></span>'
        rows.append(
            f'<tr><th scope="row">{swatch}{label}</th><td'
            f' class="bar">{bar}</td><td>{100 * share:.1f} %</td></tr>'
        )
    return f'<table class="bars">{"".join(rows)}</table>'


def show_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Shows a table.

    Args:
        caption: Caption, as plain text.
        header: Headings of the columns, as HTML.
        rows: Cells of the rows, as HTML; the first of each row is its heading.

    Returns:
        HTML of the part.
    """
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        '<div class="wide" tabindex="0" role="region"'
        f' aria-label="{escape(caption)}"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def show_downloads(files: Mapping[str, Path]) -> str:
    """Shows a list of files to download, with their sizes.

    Args:
        files: Files by their descriptions.

    Returns:
        HTML of the part.
    """
    links = (
        f'<li><a href="{escape(address(file))}" download="{escape(file.name)}">{escape(what)}</a> '
        f'<span class="note">{_size(file)}</span></li>'
        for what, file in files.items()
    )
    return f'<h3>Download</h3><ul class="downloads">{"".join(links)}</ul>'


def _size(file: Path) -> str:
    size = file.stat().st_size
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 0.1):,.1f} kB"


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
        wanting = (
            "What it looked at follows."
            if found.looking
            else "This model has no convolution whose view could be shown."
        )
        parts.append(show_note(wanting))
    return "".join(parts) + show_downloads({"Probabilities (CSV)": found.csv})


def _figure(picture: Path, caption: str) -> str:
    said = escape(caption)
    return (
        f'<figure><img src="{escape(address(picture))}"'
        f' alt="{said}"><figcaption>{said}</figcaption></figure>'
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
    (_, probability), *others = prediction.labels
    following = (
        f'<span class="next">{escape(others[0][0])} {100 * others[0][1]:.1f} %</span>'
        if others
        else ""
    )
    return (
        name,
        picture,
        f"<strong>{escape(', '.join(prediction.given) or 'none')}</strong>",
        f"{100 * probability:.1f} %",
        following,
    )


def show_areas(mapped: Mapped) -> str:
    """Shows colour, share and area of each class, and the scores if there was a reference mask.

    Below are the notes, the speed and the downloads.

    Args:
        mapped: Scene that was mapped.

    Returns:
        HTML of the part.
    """
    report, class_table = mapped.files.report, mapped.model.info.class_table
    total = max(sum(report["pixels_by_class"].values()), 1)
    areas = report["area_m2"]
    rows = []
    for entry in class_table.classes:
        share = report["pixels_by_class"][entry.name] / total
        row = [_swatch(entry.map_color) + escape(entry.name), f"{100 * share:.1f} %"]
        rows.append([*row, format_area(areas[entry.name])] if areas else row)
    parts = [
        show_table(
            "Area of each class", ("Class", "Share", "Area") if areas else ("Class", "Share"), rows
        )
    ]
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
        (escape(name), _score(report["jaccard"][name]), _score(report["f1"][name]))
        for name in report["classes"]
    ]
    rows.append(
        (
            "All classes",
            f"<strong>{_score(report['mean_jaccard'])}</strong>",
            f"accuracy {_score(report['accuracy'])}",
        )
    )
    return show_table(SCORES, ("Class", "Jaccard", "F1"), rows)


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
    if probabilities is None:
        return tell(show_note(f"No data at {place}."), f"No data at {place}.")
    colors = {entry.name: entry.map_color for entry in mapped.model.info.class_table.classes}
    likeliest = next(iter(probabilities))
    title = f'<p class="pixel"><strong>{escape(likeliest)}</strong> at {place}</p>'
    said = f"{likeliest} at {place}: {100 * probabilities[likeliest]:.0f} %"
    return tell(title + show_bars(probabilities.items(), colors), said)
