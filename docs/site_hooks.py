"""What the site takes from elsewhere: help of all commands, public API, changelog, notebooks."""

import base64
import contextlib
import importlib
import io
import json
import os
import re
import tomllib
from pathlib import Path
from unittest import mock

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
GROUPS = {"classify-generate": ["train", "sample", "fill", "interpolate", "judge"]}


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Fills in the commands, the public names of a package, and the changelog."""
    if not page.file.src_uri.startswith("notebooks/"):
        markdown = re.sub(r"(\]\([\w./-]+)\.ipynb\)", r"\1.md)", markdown)
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


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each notebook, with its pictures as files; the notebook can be downloaded."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        stem = file.src_uri.removesuffix(".ipynb")
        pictures: list[bytes] = []
        text = notebook_page(Path(file.abs_src_path), Path(stem).name, pictures)
        files.append(File.generated(config, f"{stem}.md", content=text))
        for number, picture in enumerate(pictures):
            files.append(File.generated(config, f"{stem}-{number}.jpg", content=picture))
    return files


def notebook_page(path: Path, stem: str, pictures: list[bytes]) -> str:
    """Returns a notebook as a page.

    Args:
        path: The notebook.
        stem: What the names of its pictures begin with.
        pictures: Receives the pictures.
    """
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"\]\(([\w-]+)\.ipynb\)", r"](\1.md)", source))
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = {kind: "".join(value) for kind, value in output.get("data", {}).items()}
            if "image/jpeg" in data:
                parts.append(f"![Figure]({stem}-{len(pictures)}.jpg)")
                pictures.append(base64.b64decode(data["image/jpeg"]))
            elif "text/html" in data:
                parts.append(f'<div class="output">{data["text/html"]}</div>')
            else:
                text = data.get("text/plain") or "".join(output.get("text", ""))
                parts.append(f"```text\n{text.rstrip()}\n```")
    title, *rest = parts
    link = f"[Download this notebook]({stem}.ipynb)"
    return "\n\n".join([title, link, *rest])
