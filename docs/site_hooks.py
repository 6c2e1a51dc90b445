"""What the site takes from the code: the help of all commands, the public API, the changelog."""

import contextlib
import importlib
import io
import os
import re
import tomllib
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[1]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
GROUPS = {"classify-generate": ["train", "sample", "fill", "interpolate", "judge"]}


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fills in the commands, the public names of a package, and the changelog."""
    if "<!-- commands -->" in markdown:
        markdown = markdown.replace("<!-- commands -->", commands())
    if "<!-- changelog -->" in markdown:
        text = (ROOT / "CHANGELOG.md").read_text().removeprefix("# Changelog\n")
        markdown = markdown.replace("<!-- changelog -->", text)
    return re.sub("<!-- api (\\w+) -->", lambda found: api(found[1]), markdown)


def commands() -> str:
    """Returns a section for each command, with its help."""
    section = "## {}\n\n```text\n{}\n```\n".format
    return "\n".join(
        section(" ".join((name, *inner)), help_of(name, place, *inner))
        for name, place in SCRIPTS.items()
        for inner in [(), *((command,) for command in GROUPS.get(name, ()))]
    )


def help_of(name: str, place: str, *arguments: str) -> str:
    """Returns what a command prints with `--help`."""
    module, function = place.split(":")
    shown = io.StringIO()
    with (
        mock.patch("sys.argv", [name, *arguments, "--help"]),
        mock.patch.dict(os.environ, {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}),
        contextlib.redirect_stdout(shown),
        contextlib.suppress(SystemExit),
    ):
        getattr(importlib.import_module(module), function)()
    return shown.getvalue().strip()


def api(package: str) -> str:
    """Returns a directive of mkdocstrings for each public name of a package."""
    homes = importlib.import_module(package)._HOMES
    entry = "::: {1}.{2}\n    options:\n      heading: {0}.{2}\n      toc_label: {2}".format
    return "\n\n".join(entry(package, homes[name], name) for name in sorted(homes))
