"""The viewer: a scene under its map, sliders for extent and opacity, and a click on a pixel."""

from typing import Any

import gradio

from segment.app.jobs.mapping import Mapped
from segment.app.pages.html import address, show_legend

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

# The sliders work in the browser alone; a click is sent to the server as the event "click" with row
# and column.
_SCRIPT = (
    f"const show = {MARK.strip()};"
    + """
const place = (event) => {
  const stage = event.target.closest('.stage');
  if (!stage) return;
  const box = stage.getBoundingClientRect(), size = stage.dataset;
  const across = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.999999);
  const down = Math.min(Math.max((event.clientY - box.top) / box.height, 0), 0.999999);
  const [row, column] = show(Math.floor(down * size.rows), Math.floor(across * size.columns));
  trigger('click', { row, column });
};
const draw = (event) => {
  const viewer = event.target.closest('.viewer');
  if (!viewer) return;
  const shown = viewer.querySelector('.reveal').value, map = viewer.querySelector('.map');
  map.style.clipPath = `inset(0 ${100 - shown}% 0 0)`;
  map.style.opacity = viewer.querySelector('.opacity').value / 100;
  viewer.querySelector('.divider').style.left = shown + '%';
};
element.addEventListener('click', place);
element.addEventListener('input', draw);
"""
)
_REVEAL, _OPACITY = 60, 70


def make_viewer() -> gradio.HTML:
    """Makes the component, which `show_viewer` fills.

    Returns:
        The Gradio component.
    """
    return gradio.HTML(js_on_load=_SCRIPT, elem_id="viewer", visible=False)


def show_viewer(mapped: Mapped) -> Any:
    """Returns what fills the viewer with a map.

    Args:
        mapped: Scene that was mapped.
    """
    rows, columns = mapped.size
    picture = (
        '<div class="viewer"><div class="frame" tabindex="0" role="region" aria-label="Scene and'
        f' map"><div class="stage" data-rows="{rows}" data-columns="{columns}"'
        f' style="--ratio:{columns / rows:.6f}"><img src="{address(mapped.photograph)}" alt="The'
        f' scene"><img class="map" src="{address(mapped.picture)}" alt="Its map, in the colours of'
        f' the legend" style="clip-path:inset(0 {100 - _REVEAL}% 0'
        f' 0);opacity:{_OPACITY / 100}"><span class="divider" style="left:{_REVEAL}%"></span><span'
        ' class="mark"'
        f" hidden></span></div></div>{show_legend(mapped.model.info.class_table)}<label>Map up to"
        ' <input class="reveal" type="range" min="0" max="100"'
        f' value="{_REVEAL}"></label><label>Opacity <input class="opacity" type="range" min="0"'
        f' max="100" value="{_OPACITY}"></label><p class="note">Click the picture for the class of'
        " a pixel and its probabilities.</p></div>"
    )
    return gradio.HTML(value=picture, visible=True)
