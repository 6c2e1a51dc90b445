"""The viewer of a map in Chromium, without a server: zoom, coordinates, layers, and clicks."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin

from segment.app.jobs import map_pictures
from segment.app.pages import viewer

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
ADDRESS = "http://viewer.test/"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[1400, 390])
def open_viewer(request, chromium):
    """Opens the viewer of a map as the page does; `window.sent` has what reaches the server."""
    page = chromium.new_page(viewport={"width": request.param, "height": 900})
    style = Path(viewer.__file__).parents[1].joinpath("style.css").read_text()
    style += "* { scroll-behavior: smooth }"

    def run(mapped):
        made, shown = viewer.make_viewer(), viewer.show_viewer(mapped)
        script = (
            "window.sent = []; const element = document.querySelector('#viewer');"
            f" const trigger = (name, what) => window.sent.push([name, what]); {made.js_on_load}"
        )
        content = (
            f'<!doctype html><style>{style}</style><div class="gradio-container"><div id="viewer"'
            f' style="max-width:780px">{shown.value}</div></div><p style="height:2000px"></p>'
            f"<script>{{{script}}}</script>"
        )

        def answer(route):
            _, is_file, path = route.request.url.partition("gradio_api/file=")
            route.fulfill(path=path) if is_file else route.fulfill(
                body=content, content_type="text/html; charset=utf-8"
            )

        page.route("**/*", answer)
        page.goto(ADDRESS)
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        return page

    yield run
    page.close()


def state(page):
    """Zoom, and the point of the scene (0 to 1) that lies in the middle of the frame."""
    return page.locator(".stage").evaluate("""stage => {
      const frame = stage.parentElement;
      return [Number(stage.dataset.zoom ?? 1),
        (frame.scrollLeft + frame.clientWidth / 2) / stage.clientWidth,
        (frame.scrollTop + frame.clientHeight / 2) / stage.clientHeight];
    }""")


SCENE = np.random.default_rng(0).integers(0, 5, (300, 400, 3), np.uint8)


def test_buttons_zoom_into_the_middle_and_back(open_viewer, map_it):
    page = open_viewer(map_it(SCENE))
    closer, further, whole = (
        page.get_by_role("button", name=name) for name in ("Zoom in", "Zoom out", "Whole scene")
    )
    _, x, y = state(page)
    before = page.locator(".stage").bounding_box()["width"]
    assert further.get_attribute("aria-disabled") == whole.get_attribute("aria-disabled") == "true"
    closer.click()
    closer.click()
    zoom, *middle = state(page)
    assert zoom == 4 and middle == pytest.approx([x, y], abs=0.01)
    assert page.locator(".stage").bounding_box()["width"] == pytest.approx(4 * before, rel=0.03)
    assert whole.get_attribute("aria-disabled") == "false"
    further.click()
    assert state(page)[0] == 2
    whole.click()
    assert state(page)[0] == 1
    while closer.get_attribute("aria-disabled") == "false":
        closer.click()
    assert page.locator(".stage").bounding_box()["width"] == pytest.approx(16 * 400, rel=0.03)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_keys_zoom_and_move(open_viewer, map_it):
    page = open_viewer(map_it(SCENE))
    page.locator(".frame").focus()
    for key, zoom in (("+", 2), ("=", 4), ("-", 2), ("+", 4)):
        page.keyboard.press(key)
        assert state(page)[0] == zoom
    _, x, _ = state(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert state(page)[1] > x
    page.keyboard.press("0")
    assert state(page)[0] == 1


def test_the_wheel_zooms_where_the_pointer_is(open_viewer, map_it):
    page = open_viewer(map_it(SCENE))
    box = page.locator(".stage").bounding_box()
    point = box["x"] + 0.4 * box["width"], box["y"] + 0.7 * box["height"]
    page.mouse.move(*point)
    before = page.locator(".position").inner_text()
    for _ in range(4):
        page.mouse.wheel(0, -100)
    page.wait_for_function("Number(document.querySelector('.stage').dataset.zoom) > 2.4")
    page.mouse.move(point[0], point[1] + 0.1)
    numbers = [
        [float(word.strip(",")) for word in text.split() if word.strip(",").isdigit()]
        for text in (before, page.locator(".position").inner_text())
    ]
    assert numbers[0] == pytest.approx(numbers[1], abs=2)
    assert page.evaluate("window.scrollY") == 0
    for _ in range(12):
        page.mouse.wheel(0, 100)
    page.wait_for_function("document.querySelector('.stage').dataset.zoom === '1'")
    page.mouse.wheel(0, 100)  # a whole scene lets the page scroll
    page.wait_for_function("window.scrollY > 0")


def test_a_drag_moves_the_picture_and_is_no_click(open_viewer, map_it):
    page = open_viewer(map_it(SCENE))
    for _ in range(2):
        page.get_by_role("button", name="Zoom in").click()
    frame = page.locator(".frame").bounding_box()
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    place = "({ scrollLeft, scrollTop }) => [scrollLeft, scrollTop]"
    before = page.locator(".frame").evaluate(place)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y - 40, steps=5)
    page.mouse.up()
    after = page.locator(".frame").evaluate(place)
    assert [new - old for new, old in zip(after, before, strict=True)] == pytest.approx(
        [60, 40], abs=1
    )
    assert page.evaluate("window.sent") == []
    page.mouse.click(x, y)
    ((name, where),) = page.evaluate("window.sent")
    assert name == "click" and page.locator(".mark").is_visible()
    assert f"row {where['row']}, column {where['column']}" in page.locator(".position").inner_text()


@pytest.mark.parametrize(
    ("crs", "transform", "wanted"),
    [
        ("EPSG:32640", from_origin(400_000, 2_800_000, 0.5, 0.5), "x 400100.0"),
        ("EPSG:4326", from_origin(10, 50, 0.001, 0.001), "longitude 10.2"),
        (None, from_origin(7000, 9000, 10, 10), "x 9000, y 7500"),
        (None, None, ""),
    ],
)
def test_coordinates_of_the_pointer_are_shown(open_viewer, map_it, crs, transform, wanted):
    profile = {"transform": transform} if transform else {"transform": None}
    page = open_viewer(map_it(SCENE, crs=crs, **profile))
    position = page.locator(".position")
    first = position.inner_text()
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    text = position.inner_text()
    row, column = (int(text.split(f"{word} ")[1].split(",")[0]) for word in ("row", "column"))
    assert abs(row - 150) <= 1 and abs(column - 200) <= 1
    if not transform:
        assert text.startswith("row") and "No georeference" in first
        return
    x = float(text.split()[1].strip(","))
    assert x == pytest.approx(float(wanted.split()[1].strip(",")), abs=2 * transform.a)
    assert text.split()[0] == wanted.split()[0]
    assert (crs or "names no coordinate system") in (text if crs else first)
    page.mouse.move(2, 890)
    assert position.inner_text() == first


def test_confidence_is_a_layer_with_a_legend_of_its_own(open_viewer, map_it):
    mapped = map_it(SCENE)
    page = open_viewer(mapped)
    legends = [page.locator(f"[data-layer={name}]") for name in ("classes", "confidence")]
    assert [legend.is_visible() for legend in legends] == [True, False]
    page.get_by_label("Confidence").check()
    page.wait_for_function("document.querySelector('.map').complete")
    assert [legend.is_visible() for legend in legends] == [False, True]
    assert page.locator(".map").get_attribute("src").endswith("confidence.png")
    assert "onfidence" in page.locator(".map").get_attribute("alt")
    page.get_by_label("Classes").check()
    assert page.locator(".map").get_attribute("src").endswith("classes.png")


def test_large_scenes_say_that_the_picture_is_reduced(map_it, monkeypatch, tmp_path):
    mapped = map_it(np.zeros((100, 100, 3), np.uint8))
    assert "reduced" not in viewer.show_viewer(mapped).value
    monkeypatch.setattr(map_pictures, "SHOWN", 50)
    reduced = map_pictures.write_pictures(tmp_path, mapped.source, mapped.model.info, mapped.files)
    assert "reduced 2.0 times" in viewer.show_viewer(replace(mapped, pictures=reduced)).value
