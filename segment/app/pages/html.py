"""Parts of the page as HTML. Everything that comes from files is escaped."""

import time
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from segment.app.jobs.job import Job
from segment.core.labels.classes import ClassTable

Status = dict[str, str]
"""Value of a status, see `components.make_status`.

`shown` is the HTML that it shows, `announced` the text that screen readers announce when it
changes.
"""

_MODELS_SHOWN = 3  # the classes of more models are shown on demand
_ANNOUNCED_PARTS = 4  # parts of a job, after each of which its progress is announced


def status(shown: str = "", announced: str = "") -> Status:
    """Returns a status.

    Args:
        shown: HTML to show.
        announced: Text that screen readers announce when it changes.
    """
    return {"shown": shown, "announced": announced}


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


WAITING = status(show_note("Waiting for its turn."), "Waiting for its turn.")
CANCELLED = status(show_note("Cancelled."), "Cancelled.")
TOO_LATE = status(
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
        return status(shown, f"{doing} begins.")
    left = passed / max(job.done, 1) * (job.total - job.done)
    text = f"{doing}: {job.done} of {job.total} {unit}, {passed:.0f} s"
    text += f", about {left:.0f} s left" if job.done < job.total else ", finishing"
    bar = f'<progress aria-label="{escape(doing)}" value="{job.done}" max="{job.total}"></progress>'
    announced = f"{doing}: {100 * (_ANNOUNCED_PARTS * job.done // job.total) // _ANNOUNCED_PARTS} %"
    return status(show_note(text) + bar, announced)


def show_legend(class_table: ClassTable, label: str = "Legend") -> str:
    """Shows the classes in a line, with their colours.

    Args:
        class_table: Class table.
        label: What screen readers call it.

    Returns:
        HTML of the part.
    """
    entries = (
        f"<li>{show_swatch(entry.map_color)}{escape(entry.name)}</li>"
        for entry in class_table.classes
    )
    return f'<ul class="legend" aria-label="{escape(label)}">{"".join(entries)}</ul>'


def show_models(tables: Mapping[str, ClassTable]) -> str:
    """Shows the classes of models; those of many models once they are opened.

    Args:
        tables: Class tables by the names of the models.

    Returns:
        HTML of the part.
    """
    legends = {name: show_legend(table, f"Classes of {name}") for name, table in tables.items()}
    if len(legends) == 1:
        return f'<div class="models">{"".join(legends.values())}</div>'
    entries = "".join(
        f"<dt>{escape(name)}</dt><dd>{legend}</dd>" for name, legend in legends.items()
    )
    listed = f'<dl class="models">{entries}</dl>'
    if len(legends) <= _MODELS_SHOWN:
        return listed
    return f"<details><summary>Classes of the models</summary>{listed}</details>"


def show_swatch(color: str) -> str:
    """Shows a colour.

    Args:
        color: The colour as "#RRGGBB".

    Returns:
        HTML of the part.
    """
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
        swatch = show_swatch(colors[name]) if colors else ""
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
