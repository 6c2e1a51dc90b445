"""Pages of the documentation: links, lengths, figures, and the commands and code they show."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
import rasterio
import rasterio.shutil
import typer

import segment
from tests.benchmarks.figures import FIGURES, keep, table, with_tables
from tests.conftest import run_python

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "decisions" not in page.parts)
README = DOCS.parent / "README.md"
SCRIPTS = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]["scripts"]
LONGEST = 250
_BLOCK = re.compile("^```(\\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Blocks without a language: the commands that a reader can type as they are."""
    return [text for language, text in _BLOCK.findall(page.read_text()) if not language]


def python_blocks(page: Path) -> list[str]:
    return [text for language, text in _BLOCK.findall(page.read_text()) if language == "python"]


WITH_COMMANDS = [page for page in PAGES if commands(page)]
WITH_PYTHON = [page for page in [*PAGES, README] if python_blocks(page)]
FEW_STEPS = ["training.epochs=1", "training.steps_per_epoch=1", "training.batch_size=2"]
SHORTER = {'segment.Config, "sample")': f'segment.Config, "sample", overrides={FEW_STEPS})'}
"""What blocks of Python have in place of long trainings."""


def test_pages_are_short():
    long = {page.name: len(page.read_text().splitlines()) for page in PAGES}
    assert not {name: lines for name, lines in long.items() if lines > LONGEST}


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_readme_is_short():
    lines = README.read_text().splitlines()
    assert len(lines) <= 120
    assert not [line for line in lines if len(line) > 100]


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_commands_run_as_they_are_shown(page, tmp_path):
    """In an empty folder, one block after another."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in commands(page):
        script = ["bash", "-e", "-c", block]
        done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{block}\n{done.stderr}"


def lines_with_commands(page: Path) -> list[list[str]]:
    """Words of each line of code that begins with one of our commands."""
    text = "\n".join(text for _, text in _BLOCK.findall(page.read_text()))
    lines = re.sub(r"\$\w+", "1", text.replace("\\\n", " ")).splitlines()
    ours = [line for line in map(str.strip, lines) if line.partition(" ")[0] in SCRIPTS]
    return [shlex.split(line, comments=True) for line in ours]


def values(words: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(words) if name == option]


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.name)
def test_options_and_settings_of_commands_exist(page, monkeypatch):
    """Also of commands that do not run here: long trainings, clusters, files of the reader."""
    monkeypatch.chdir(DOCS.parent)
    for name, *words in lines_with_commands(page):
        module, _, function = SCRIPTS[name].partition(":")
        package, kind = import_module(name.partition("-")[0]), "Config"
        if name == "classify-generate":
            kind = {"train": "GeneratorConfig"}.get(words[0], kind)
            command = getattr(import_module(module), words.pop(0))
        else:
            command = getattr(import_module(module), function).__wrapped__
        typed = typer.Typer()
        typed.command()(command)
        known = [o for p in typer.main.get_command(typed).params for o in p.opts + p.secondary_opts]
        assert not [w for w in words if w.startswith("--") and w not in known], (name, *words)
        recipes = [c for c in values(words, "--config") if Path(c).exists() or "." not in c]
        settings = values(words, "--set")
        package.load_settings(getattr(package, kind), *recipes[:1], overrides=settings)


def app() -> object:
    from segment.app.server import Server

    return Server(port=0)


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
def test_python_runs_as_it_is_shown(page, tmp_path):
    """Each block by itself, where the files that it names are."""
    town = segment.write_sample(tmp_path / "town", 600, 600)
    segment.cut_scene(town / "scene.tif", town / "truth.tif", tmp_path / "tiles")
    for name, place in {
        "big_scene.tif": "scene",
        "mask.tif": "truth",
        "photo.jpg": "scene",
    }.items():
        with rasterio.open(town / f"{place}.tif") as file:
            driver = "JPEG" if name.endswith("jpg") else "GTiff"
            rasterio.shutil.copy(file, tmp_path / name, driver=driver)
    with app() if page.stem == "app" else nullcontext() as server:
        for block in python_blocks(page):
            if "SLURMCluster" in block:  # no SLURM here, as the page says
                compile(block, page.name, "exec")
                continue
            for written, shorter in SHORTER.items():
                block = block.replace(written, shorter)
            if server:
                block = block.replace("http://127.0.0.1:7860", server.url.rstrip("/"))
            run_python(block, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_have_the_figures_of_the_benchmarks(page):
    text = page.read_text(encoding="utf-8")
    assert text == with_tables(text), "Type: python -m tests.benchmarks.figures"


def test_scores_of_the_readme_are_those_of_the_results():
    scores = re.findall(r"\b0\.\d{3}\b", README.read_text(encoding="utf-8"))
    results = (DOCS / "results" / "land-cover.md").read_text(encoding="utf-8")
    assert scores and not [score for score in scores if score not in results]


@pytest.mark.parametrize("file", sorted(FIGURES.glob("*.json")), ids=lambda file: file.stem)
def test_figures_have_a_command_and_a_date_and_are_shown(file):
    content = json.loads(file.read_text(encoding="utf-8"))
    figures = [figure for row in content["rows"] for figure in row["figures"]]
    names = [figure["figure"] for figure in figures]
    assert len(set(names)) == len(names)
    for figure in figures:
        assert {"command", "date", "machine"} <= (content | figure).keys()
    assert any(f"<!-- figures {file.stem} -->\n\n|" in page.read_text() for page in PAGES)


def test_measured_figures_replace_earlier_ones_of_their_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.benchmarks.figures.FIGURES", tmp_path)
    earlier = {"figure": "a", "value": 1, "peak_mb": 5, "date": "2026-01-01"}
    cells = ["speed", "{0.at_least:g}x", "{0.value:.2f}x ({0.peak_mb} MB)"]
    columns = ["figure", "at least", "measured"]
    content = {
        "columns": columns,
        "date": "2026-01-02",
        "machine": "M",
        "rows": [{"cells": cells, "figures": [earlier]}],
    }
    (tmp_path / "t.json").write_text(json.dumps(content))
    measured = {"figure": "a", "value": 0.5, "at_least": 2.0, "reached": False, "peak_mb": 7}
    keep([measured, {"figure": "b", "value": 3.14159}], tmp_path / "t.json")
    expected = "speed | 2x | 0.50x (7 MB), **not reached** |\n| b |  | 3.14 |\n\n*Measured on 20"
    assert expected in table("t")
    page = "text\n\n<!-- figures t -->\n\n| old |\n\n*Measured long ago.*\n\nmore\n"
    assert with_tables(page) == f"text\n\n<!-- figures t -->\n\n{table('t')}\nmore\n"
