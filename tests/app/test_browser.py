"""Both tabs in a real browser: Debian's Chromium, driven by Playwright."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

import segment
from tests.conftest import write_raster

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / ".ci" / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = os.environ.get("SCREENSHOTS")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
    ),
    pytest.mark.timeout(900),
]


class Visit:
    """A page that is looked at, and all that should not happen on it."""

    def __init__(self, page, url):
        self.page, self.url = page, url
        self.problems: list[str] = []
        page.set_default_timeout(240_000)
        page.on(
            "console",
            lambda message: message.type == "error" and self.problems.append(message.text),
        )
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._check_request)

    def _check_request(self, request):
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.problems.append(f"a request to {request.url}")

    def open(self, tab):
        self.page.goto(self.url)
        self.page.get_by_role("tab", name=tab).click()
        return self.page.get_by_role("tabpanel").filter(visible=True)

    def choose_model(self, tab, name):
        assert tab.get_by_label("Model").input_value() == "bundled"
        tab.get_by_label("Model").click()
        self.page.get_by_role("option", name=name).click()

    def check(self, name):
        """Nothing wrong so far, nothing wider than the screen, accessible; and a screenshot, where
        they are wanted.
        """
        width = self.page.viewport_size["width"]
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(exist_ok=True)
            self.page.mouse.move(0, 0)
            self.page.wait_for_timeout(400)
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}.png", full_page=True)
        assert self.problems == []
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width
        if AXE.is_file():
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
            found = self.page.evaluate(
                "async rules => (await axe.run(document, { runOnly: rules })).violations.map(v =>"
                " v.id + ': ' + v.nodes[0].html)",
                RULES,
            )
            assert found == []


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=str)
def visit(request, chromium, server) -> Iterator[Visit]:
    width, scheme = request.param
    viewport = {"width": width, "height": 900}
    context = chromium.new_context(viewport=viewport, color_scheme=scheme, accept_downloads=True)
    yield Visit(context.new_page(), server.url)
    context.close()


def test_axe_is_there():
    if not AXE.is_file():
        pytest.skip(
            f"axe-core is not installed: npm install --prefix {AXE.parents[2].name} axe-core"
        )


def test_an_image_is_labelled(visit, tmp_path):
    image = write_raster(
        tmp_path / "night.png",
        np.random.default_rng(0).normal(42, 8, (60, 80, 3)).clip(0, 255).astype(np.uint8),
    )
    tab = visit.open("Classify")
    visit.check("classify")
    tab.locator("input[type=file]").first.set_input_files(image)
    tab.get_by_text("night", exact=False).first.wait_for()
    visit.choose_model(tab, "tiny")
    tab.get_by_role("button", name="Classify", exact=True).click()
    tab.locator("figure img").nth(1).wait_for()
    assert tab.locator("h2.label").inner_text() == "dark"
    visit.check("label")


def test_several_images_give_a_table_and_a_csv(visit, tmp_path, hostile):
    images = [
        write_raster(tmp_path / f"{level}.png", np.full((40, 40, 3), level, np.uint8))
        for level in (40, 210)
    ]
    tab = visit.open("Classify")
    tab.locator("input[type=file]").first.set_input_files([*images, hostile["svg"]])
    tab.get_by_text("drawing", exact=False).first.wait_for()
    visit.choose_model(tab, "tiny")
    tab.get_by_role("button", name="Classify", exact=True).click()
    tab.get_by_text("2 of 3 images labelled").wait_for()
    assert tab.get_by_text("is an SVG drawing").count()
    with visit.page.expect_download() as download:
        tab.get_by_role("link", name="All labels (CSV)").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 4 and lines[1].startswith("40.png,dark")
    visit.check("labels")


def test_a_scene_is_mapped(visit, server, tmp_path):
    folder = segment.write_sample(tmp_path / "town", 200, 300, 5)
    tab = visit.open("Map")
    visit.check("map")
    visit.page.evaluate(RECORD)
    open_settings(tab)
    tab.locator("input[type=file]").first.set_input_files(folder / "scene.tif")
    tab.get_by_role("button", name="Clear").first.wait_for()
    tab.locator("input[type=file]").last.set_input_files(folder / "truth.tif")
    tab.get_by_role("button", name="Clear").nth(1).wait_for()
    tab.get_by_role("button", name="Map", exact=True).click()
    shown = tab.locator(".viewer .map")
    shown.wait_for()
    tab.get_by_label("Opacity").fill("30")
    tab.get_by_label("Map up to").focus()
    visit.page.keyboard.press("End")
    heard = [text for text in visit.page.evaluate("window.heard") if text]
    assert (
        heard[0] == "Waiting for its turn."
        and heard[-1] == "Mapped."
        and len(heard) == len(set(heard)) <= 8
    )
    look = shown.evaluate("map => [map.style.opacity, map.style.clipPath, map.naturalWidth]")
    assert look == ["0.3", "inset(0px 0% 0px 0px)", 300]
    box = tab.locator(".viewer .stage").bounding_box()
    tab.locator(".viewer .stage").click(
        position={"x": box["width"] * 0.5, "y": box["height"] * 0.25}
    )
    tab.locator(".pixel").wait_for()
    row, column = (int(tab.get_by_label(name).input_value()) for name in ("Row", "Column"))
    assert abs(row - 50) <= 1 and abs(column - 150) <= 1
    assert where_marked(tab) == (row, column)
    with visit.page.expect_download() as download:
        tab.get_by_role("link", name="Class raster").click()
    with (
        rasterio.open(download.value.path()) as raster,
        rasterio.open(folder / "scene.tif") as scene,
    ):
        assert (
            raster.shape == scene.shape
            and raster.transform == scene.transform
            and raster.crs == scene.crs
        )
        value = raster.read(1)[row, column]
    assert (
        tab.locator(".pixel strong").inner_text()
        == ("building", "land", "road", "vegetation", "water")[value]
    )
    assert tab.get_by_text("Scores against the reference").count() and tab.get_by_text("m²").count()
    fits = "tables => tables.every(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)"
    assert tab.locator(".wide").evaluate_all(fits)
    with visit.page.expect_download() as download:
        tab.get_by_role("link", name="Page to print").click()
    page = visit.page.context.new_page()
    page.set_content(Path(download.value.path()).read_text())
    assert page.locator(".wide").evaluate_all(fits)
    page.close()
    visit.check("mapped")
    tab.get_by_role("button", name="Cancel").click()  # too late
    tab.get_by_text("It had ended before it was cancelled").first.wait_for()
    assert shown.is_visible() and not tab.get_by_text("Cancelled.", exact=True).count()


def test_settings_reach_the_map_whose_page_can_be_taken_along(visit, server, tmp_path):
    pixels = np.random.default_rng(0).integers(500, 3000, (200, 260, 3)).astype(np.uint16)
    pixels[:, :60] = 0
    tab = visit.open("Map")
    assert tab.get_by_role("list", name="Classes of bundled").get_by_text("vegetation").count()
    open_settings(tab)
    tab.locator("input[type=file]").first.set_input_files(
        write_raster(tmp_path / "deep.tif", pixels)
    )
    tab.get_by_role("button", name="Clear").first.wait_for()
    tab.get_by_label("Scale of more than 8 bits").fill("0,4000")
    tab.get_by_label("Nodata").fill("0")
    visit.check("settings")
    tab.get_by_role("button", name="Map", exact=True).click()
    tab.locator(".viewer .map").wait_for()
    tab.get_by_text("0 to 4,000 become 0 to 255").first.wait_for()
    assert tab.get_by_text("Mean confidence").count()
    tab.get_by_label("Confidence", exact=True).check()
    for _ in range(2):
        tab.get_by_role("button", name="Zoom in").click()
    visit.check("confidence")
    assert tab.locator(".stage").get_attribute("data-zoom") == "4"
    tab.get_by_role("button", name="Whole scene").click()
    box = tab.locator(".stage").bounding_box()
    place = {"x": box["width"] * 0.1, "y": box["height"] * 0.5}
    tab.locator(".stage").click(position=place)
    tab.get_by_text("No data at row").first.wait_for()
    assert tab.get_by_text("WGS 84 / UTM zone 40N (EPSG:32640)").count()
    with visit.page.expect_download() as download:
        tab.get_by_role("link", name="Page to print").click()
    page = Path(download.value.path()).read_text()
    assert download.value.suggested_filename == "deep_report.html" and "deep.tif" in page
    assert str(server.jobs.root) not in page


def test_a_sample_is_labelled(visit):
    tab = visit.open("Classify")
    tab.get_by_role("button", name="Water").click()
    tab.get_by_text("water", exact=False).first.wait_for()
    tab.get_by_role("button", name="Clear").first.wait_for()
    visit.choose_model(tab, "tiny")
    tab.get_by_role("button", name="Classify", exact=True).click()
    tab.locator("h2.label").wait_for()
    visit.check("sample")


def open_settings(tab):
    """First of all: Gradio makes them when they are opened, and forgets what is filled in before it
    is done.
    """
    tab.get_by_role("button", name="Settings").click()
    tab.get_by_text("True mask of the scene").first.wait_for()


def where_marked(tab):
    """Row and column of the pixel that the mark lies on."""
    return tuple(
        tab.locator(".viewer .mark").evaluate(
            "({ style, parentElement: { dataset } }) => [dataset.rows * parseFloat(style.top) / 100"
            " - 0.5, dataset.columns * parseFloat(style.left) / 100 - 0.5].map(Math.round)"
        )
    )


@pytest.mark.parametrize("shape", [(3000, 40), (40, 3000)], ids=str)
def test_long_scenes_are_scrolled_and_pixels_found_by_keyboard(visit, tmp_path, shape):
    """With two bands, of which the model reads one as grey."""
    pixels = np.random.default_rng(0).integers(0, 255, (*shape, 2), np.uint8)
    tab = visit.open("Map")
    open_settings(tab)
    tab.locator("input[type=file]").first.set_input_files(
        write_raster(tmp_path / "long.tif", pixels, photometric="minisblack")
    )
    tab.get_by_text("long", exact=False).first.wait_for()
    tab.get_by_role("button", name="Map", exact=True).click()
    tab.get_by_role("alert").get_by_text("as grey: bands 1,1,1").wait_for()
    # until the page knows that the job has ended: Gradio forgets clicks that come before
    visit.page.wait_for_timeout(2000)
    tab.get_by_label("Bands").fill("1,1,1")
    tab.get_by_role("button", name="Map", exact=True).click()
    tab.locator(".viewer .map").wait_for()
    box, frame = (tab.locator(f".viewer {part}").bounding_box() for part in (".stage", ".frame"))
    assert (
        min(box["width"], box["height"]) >= 120
        and max(box["width"], box["height"]) >= 2900
        and frame["height"] < 900
    )
    row, column = shape[0] // 2, shape[1] // 2
    assert not tab.locator(".viewer .mark").is_visible()
    tab.get_by_label("Row").fill(str(row))
    tab.get_by_label("Column").fill(str(column))
    visit.page.keyboard.press("Enter")
    tab.locator(".pixel").get_by_text(f"row {row}, column {column}").wait_for()
    mark, frame = (tab.locator(f".viewer {part}").bounding_box() for part in (".mark", ".frame"))
    assert where_marked(tab) == (row, column)
    assert all(
        frame[side] <= mark[side] <= frame[side] + frame[length]
        for side, length in (("x", "width"), ("y", "height"))
    )
    visit.check(f"long-{shape[0]}")


RECORD = """() => {
  window.heard = [];
  const changes = { childList: true, subtree: true, characterData: true };
  for (const region of document.querySelectorAll('[role=status]'))
    new MutationObserver(() => window.heard.push(region.textContent)).observe(region, changes);
}"""


def test_hostile_files_are_answered_on_the_page(visit, server, hostile):
    tab = visit.open("Map")
    for path in (hostile["vrt as tif"], hostile["claim"], hostile["truncated"]):
        tab.locator("input[type=file]").first.set_input_files(path)
        tab.get_by_text(path.stem, exact=False).first.wait_for()
        tab.get_by_role("button", name="Map", exact=True).click()
        problem = tab.get_by_role("alert")
        problem.get_by_text(path.name).wait_for()
        assert (
            f"{path.name}: " in problem.inner_text()
            and str(server.jobs.root) not in problem.inner_text()
        )
        tab.get_by_role("button", name="Clear").first.click()
        tab.get_by_text("Drop File Here").first.wait_for()
    visit.check("refused")


def test_jobs_that_are_cancelled_or_left_end_and_their_files_go(visit, server, tmp_path):
    before = set(server.jobs.results.iterdir())
    scene = segment.write_sample(tmp_path / "town", 2048, 2048, 6) / "scene.tif"
    tab = visit.open("Map")
    open_settings(tab)
    tab.locator("input[type=file]").first.set_input_files(scene)
    tab.get_by_text("scene", exact=False).first.wait_for()
    tab.get_by_label("Average flips and turns").check()  # long enough
    tab.get_by_role("button", name="Map", exact=True).click()
    tab.get_by_role("progressbar").wait_for()
    visit.check("progress")
    tab.get_by_role("button", name="Cancel").click()
    tab.get_by_role("status").get_by_text("Cancelled").wait_for()
    wait_until(lambda: not server.jobs.running() and set(server.jobs.results.iterdir()) <= before)
    tab.get_by_role("button", name="Map", exact=True).click()
    wait_until(lambda: server.jobs.running() == 1)
    visit.page.close()
    wait_until(lambda: not server.jobs.running() and set(server.jobs.results.iterdir()) <= before)


def wait_until(true):
    for _ in range(1200):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("waited for two minutes")


def test_every_control_is_reached_by_keyboard(visit):
    tab = visit.open("Map")
    reached = set()
    tab.get_by_role("button", name="Scene").focus()
    for _ in range(12):
        reached.add(
            visit.page.evaluate(
                "document.activeElement.innerText || document.activeElement.ariaLabel"
            )
        )
        visit.page.keyboard.press("Tab")
    assert {"Town A", "Town B", "Town C", "Map", "Cancel"} <= {
        str(name).strip() for name in reached
    }
