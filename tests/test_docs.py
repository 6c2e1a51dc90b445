"""Pages of the documentation: links, lengths, and the commands that they show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "decisions" not in page.parts)
LONGEST = 250
_BLOCK = re.compile("^```(\\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Blocks without a language: the commands that a reader can type as they are."""
    return [text for language, text in _BLOCK.findall(page.read_text()) if not language]


WITH_COMMANDS = [page for page in PAGES if commands(page)]


def test_pages_are_short():
    long = {page.name: len(page.read_text().splitlines()) for page in PAGES}
    assert not {name: lines for name, lines in long.items() if lines > LONGEST}


@pytest.mark.parametrize("page", [*PAGES, DOCS.parent / "README.md"], ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_readme_is_short():
    lines = (DOCS.parent / "README.md").read_text().splitlines()
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
