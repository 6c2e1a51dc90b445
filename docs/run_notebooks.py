"""Runs the notebooks of docs/notebooks and keeps their outputs, small ones.

pip install nbclient ipykernel; python docs/run_notebooks.py [NAME.ipynb...]
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).with_name("notebooks")
LARGEST = 400_000  # bytes
# figures as JPEG, without what the libraries print on stderr
OPTIONS = ["--InlineBackend.figure_formats={'jpeg'}", "--InlineBackend.print_figure_kwargs={}"]


def tidy(outputs: list) -> list:
    """Leaves out what libraries print, and the text of what is shown as HTML or picture."""
    kept = []
    for output in outputs:
        if "text" in output:
            output.text = re.sub(r"WARNING:tensorflow.*\n+", "", output.text)
        if len(output.get("data", ())) > 1:
            output.data.pop("text/plain", None)
        if output.get("name") != "stderr" and output.get("text") != "":
            kept.append(output)
    return kept


def main(names: list[str]) -> None:
    """Runs notebooks, each in an empty folder."""
    for path in map(FOLDER.joinpath, names or sorted(p.name for p in FOLDER.glob("*.ipynb"))):
        notebook = nbformat.read(path, nbformat.NO_CONVERT)
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(
                notebook,
                timeout=None,
                resources={"metadata": {"path": folder}},
                record_timing=False,
                coalesce_streams=True,
                extra_arguments=OPTIONS,
            )
            client.execute()
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = tidy(cell.outputs)
        text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        print(path.name, f"{len(text) / 1000:.0f} kB")
        if len(text) > LARGEST:
            raise SystemExit(f"{path.name} is too large. Draw fewer or smaller pictures.")
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
