"""The viewer: a scene under its map, with zoom, coordinates, layers, and a click on a pixel."""

import json
from html import escape
from pathlib import Path
from typing import Any

import gradio

from segment.app.jobs.mapping import Mapped
from segment.app.pages.html import address, show_legend, show_note

# JavaScript that marks a pixel of the scene on the map, and passes its row and column on.
MARK = """
(row, column) => {
  const stage = document.querySelector('#viewer .stage'), mark = stage?.querySelector('.mark');
  if (!mark) return [row, column];
  const { rows, columns } = stage.dataset;
  const within = (index, count) => Number.isInteger(index) && index >= 0 && index < count;
  mark.hidden = !(within(row, rows) && within(column, columns));
  mark.style.left = 100 * (column + 0.5) / columns + '%';
  mark.style.top = 100 * (row + 0.5) / rows + '%';
  if (!mark.hidden) mark.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  return [row, column];
}
"""

# All but a click works in the browser alone; a click is sent to the server as the event "click"
# with row and column.
_SCRIPT = Path(__file__).parents[1].joinpath("viewer.js").read_text(encoding="utf-8")
_REVEAL, _OPACITY = 60, 70
_ALT = "Its map, in the colours of the legend"
_ALT_CONFIDENCE = "Confidence of its map, bright where it is high"


def make_viewer() -> gradio.HTML:
    """Makes the component, which `show_viewer` fills.

    Returns:
        The Gradio component.
    """
    script = f"const mark = {MARK.strip()};\n{_SCRIPT}"
    return gradio.HTML(js_on_load=script, elem_id="viewer", visible=False)


def show_viewer(mapped: Mapped) -> Any:
    """Returns what fills the viewer with a map.

    Args:
        mapped: Scene that was mapped.
    """
    pictures, otherwise = mapped.pictures, escape(_describe_position(mapped))
    frame = (
        '<div class="frame" tabindex="0" role="region" aria-label="Scene and map"'
        f' aria-describedby="viewer-help"><div class="stage" {_describe_stage(mapped)}>'
        f'<img src="{address(pictures.photograph)}" alt="The scene" draggable="false">'
        f'<img class="map" src="{address(pictures.classes)}" alt="{_ALT}" draggable="false"'
        f' style="clip-path:inset(0 {100 - _REVEAL}% 0 0);opacity:{_OPACITY / 100}">'
        f'<span class="divider" style="left:{_REVEAL}%"></span><span class="mark" hidden></span>'
        "</div></div>"
    )
    below = (
        f'<p class="position note" data-otherwise="{otherwise}">{otherwise}</p>'
        f'<div data-layer="classes">{show_legend(mapped.model.info.class_table)}</div>'
        '<p class="ramp" data-layer="confidence" hidden>0 %<span></span>100 %</p>'
        + _slider("Map up to", "reveal", _REVEAL)
        + _slider("Opacity", "opacity", _OPACITY)
    )
    help_ = (
        "Click the picture for the class of a pixel and its probabilities. Wheel or + and −: zoom;"
        " drag or arrow keys: move; 0: whole scene."
    )
    if pictures.reduction > 1:
        help_ += f" It is reduced {pictures.reduction:.1f} times, the files to download are not."
    help_ = show_note(help_).replace("<p ", '<p id="viewer-help" ', 1)
    content = f'<div class="viewer">{_show_tools(mapped)}{frame}{below}{help_}</div>'
    return gradio.HTML(value=content, visible=True)


def _describe_stage(mapped: Mapped) -> str:
    """Attributes of the stage: size of the scene, and its position for coordinates."""
    rows, columns = mapped.size
    found = {"data-rows": str(rows), "data-columns": str(columns)}
    if mapped.position:
        found["data-transform"] = json.dumps(mapped.position.transform)
        found["data-axes"] = json.dumps(mapped.position.axes)
        found["data-crs"] = mapped.position.crs
        found["data-digits"] = str(mapped.position.digits)
    found["style"] = f"--ratio:{columns / rows:.6f}"
    return " ".join(f'{name}="{escape(value)}"' for name, value in found.items())


def _describe_position(mapped: Mapped) -> str:
    """Shown where coordinates are shown while the pointer is elsewhere."""
    if mapped.position is None:
        return "No georeference in the file: positions are rows and columns."
    name = mapped.position.crs or "of the file, which names no coordinate system"
    return f"Coordinates: {name}"


def _show_tools(mapped: Mapped) -> str:
    buttons = "".join(
        f'<button type="button" data-factor="{factor}" aria-label="{label}"'
        f' aria-disabled="{"false" if factor == "2" else "true"}">{sign}</button>'
        for factor, label, sign in (
            ("2", "Zoom in", "+"),
            ("0.5", "Zoom out", "−"),
            ("0", "Whole scene", "Whole scene"),
        )
    )
    layers = "".join(
        f'<label><input type="radio" name="layer" value="{value}" data-src="{address(file)}"'
        f' data-alt="{alt}"{" checked" if value == "classes" else ""}> {label}</label>'
        for value, label, file, alt in (
            ("classes", "Classes", mapped.pictures.classes, _ALT),
            ("confidence", "Confidence", mapped.pictures.confidence, _ALT_CONFIDENCE),
        )
    )
    return (
        f'<div class="tools"><div role="group" aria-label="Zoom">{buttons}</div>'
        f'<div role="radiogroup" aria-label="Layer">{layers}</div></div>'
    )


def _slider(label: str, name: str, value: int) -> str:
    return (
        f'<label class="slider">{label} <input class="{name}" type="range" min="0" max="100"'
        f' value="{value}"></label>'
    )
