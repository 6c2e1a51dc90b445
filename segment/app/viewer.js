// The viewer of a map: what the page does without the server. `element` and `trigger` are Gradio's.
const CLOSEST = 16; // pixels of the screen along the edge of a pixel of the pictures, at the largest zoom
const STEP = 2, WHEEL_STEP = 1.25, MOVED = 4; // MOVED: pixels from which a press moves the picture and is no click
const LOWEST = 240; // pixels, of the frame while the scene is enlarged

const partsOf = (target) => {
  const viewer = target.closest?.(".viewer");
  if (!viewer) return null;
  const [frame, stage, map, position] = [".frame", ".stage", ".map", ".position"].map((name) => viewer.querySelector(name));
  return { viewer, frame, stage, map, position, size: stage.dataset };
};

const wholeWidth = ({ stage, size }) => stage.getBoundingClientRect().width / Number(size.zoom ?? 1);

// At once: Gradio's page scrolls smoothly, and the next step would begin on the way.
const scroll = (frame, left, top) => frame.scrollTo({ left, top, behavior: "instant" });

// Enlarges by a factor, or shows the whole scene (0). A point of the frame, by default the middle of what is seen, stays.
const zoom = (parts, factor, point) => {
  const { viewer, frame, stage, map, size } = parts;
  const [x, y] = point ?? ["clientWidth", "clientHeight"].map((side) => Math.min(frame[side], stage[side]) / 2);
  const before = Number(size.zoom ?? 1), whole = wholeWidth(parts), pixels = map.naturalWidth || Number(size.columns);
  const most = Math.max((CLOSEST * pixels) / whole, 1);
  const wanted = Math.min(before * factor, most), after = wanted < 1.01 ? 1 : wanted;
  if (after === before) return;
  const left = ((frame.scrollLeft + x) * after) / before - x, top = ((frame.scrollTop + y) * after) / before - y;
  if (before === 1) frame.style.height = `${Math.max(frame.clientHeight, LOWEST)}px`; // what is below stays in place
  if (after === 1) frame.style.height = "";
  size.zoom = after;
  stage.style.setProperty("--zoom", after);
  stage.classList.toggle("close", after * whole > 2 * pixels);
  scroll(frame, left, top);
  viewer.querySelector("[data-factor='2']").setAttribute("aria-disabled", after >= most);
  for (const button of viewer.querySelectorAll("[data-factor='0.5'], [data-factor='0']"))
    button.setAttribute("aria-disabled", after <= 1);
};

// Row and column of the scene, with fractions, under a pointer.
const find = ({ stage, size }, event) => {
  const box = stage.getBoundingClientRect(), within = (part) => Math.min(Math.max(part, 0), 0.999999);
  return [within((event.clientY - box.top) / box.height) * size.rows, within((event.clientX - box.left) / box.width) * size.columns];
};

const describe = ({ position, size }, row, column) => {
  const place = `row ${Math.floor(row)}, column ${Math.floor(column)}`;
  if (!size.transform) {
    position.textContent = place;
    return;
  }
  const [a, b, c, d, e, f] = JSON.parse(size.transform), [first, second] = JSON.parse(size.axes);
  const x = (a * column + b * row + c).toFixed(size.digits), y = (d * column + e * row + f).toFixed(size.digits);
  position.textContent = [`${first} ${x}, ${second} ${y}`, size.crs, place].filter(Boolean).join(" · ");
};

let press = null; // where a mouse button went down, and what was in view
let moved = false;

element.addEventListener("pointerdown", (event) => {
  moved = false;
  const parts = partsOf(event.target);
  if (!event.target.closest(".stage") || event.pointerType !== "mouse" || event.button) return;
  const { frame } = parts;
  press = { x: event.clientX, y: event.clientY, left: frame.scrollLeft, top: frame.scrollTop, frame };
});
element.addEventListener("pointermove", (event) => {
  if (press) {
    const { frame, x, y, left, top } = press, across = event.clientX - x, down = event.clientY - y;
    if (!moved && Math.hypot(across, down) >= MOVED) {
      moved = true;
      frame.setPointerCapture(event.pointerId);
      frame.classList.add("moving");
    }
    if (moved) scroll(frame, left - across, top - down);
  }
  if (event.target.closest(".stage")) describe(partsOf(event.target), ...find(partsOf(event.target), event));
});
const release = () => {
  press?.frame.classList.remove("moving");
  press = null;
};
element.addEventListener("pointerup", release);
element.addEventListener("pointercancel", release);
element.addEventListener("pointerout", (event) => {
  const parts = partsOf(event.target);
  if (parts && event.pointerType === "mouse" && !parts.frame.contains(event.relatedTarget))
    parts.position.textContent = parts.position.dataset.otherwise;
});

element.addEventListener(
  "wheel",
  (event) => {
    const parts = event.target.closest(".frame") && partsOf(event.target);
    if (!parts || event.shiftKey || !event.deltaY) return;
    const { frame, stage, size } = parts, scale = Number(size.zoom ?? 1), box = frame.getBoundingClientRect();
    // what is scrolled even as a whole is zoomed with the control key
    const isLong = stage.clientHeight / scale > frame.clientHeight + 1 || stage.clientWidth / scale > frame.clientWidth + 1;
    if (!event.ctrlKey && (isLong || (scale <= 1 && event.deltaY > 0))) return;
    event.preventDefault();
    zoom(parts, event.deltaY < 0 ? WHEEL_STEP : 1 / WHEEL_STEP, [event.clientX - box.left, event.clientY - box.top]);
  },
  { passive: false },
);
element.addEventListener("keydown", (event) => {
  if (!event.target.classList.contains("frame") || event.ctrlKey || event.altKey || event.metaKey) return;
  const factor = { "+": STEP, "=": STEP, "-": 1 / STEP, "_": 1 / STEP, "0": 0 }[event.key];
  if (factor === undefined) return;
  event.preventDefault();
  zoom(partsOf(event.target), factor);
});

element.addEventListener("click", (event) => {
  const parts = partsOf(event.target), button = event.target.closest("[data-factor]");
  if (button) return zoom(parts, Number(button.dataset.factor));
  if (!event.target.closest(".stage") || moved) return;
  const [row, column] = find(parts, event);
  describe(parts, row, column);
  mark(Math.floor(row), Math.floor(column));
  trigger("click", { row: Math.floor(row), column: Math.floor(column) });
});

element.addEventListener("input", (event) => {
  const parts = partsOf(event.target);
  if (!parts) return;
  const { viewer, map } = parts, shown = viewer.querySelector(".reveal").value;
  map.style.clipPath = `inset(0 ${100 - shown}% 0 0)`;
  map.style.opacity = viewer.querySelector(".opacity").value / 100;
  viewer.querySelector(".divider").style.left = `${shown}%`;
  if (event.target.type !== "radio") return;
  map.src = event.target.dataset.src;
  map.alt = event.target.dataset.alt;
  for (const legend of viewer.querySelectorAll("[data-layer]")) legend.hidden = legend.dataset.layer !== event.target.value;
});
