"""Predictions as text: a table, JSON or CSV."""

import csv
import io
import json
from collections.abc import Sequence

from classify.labelling.prediction import Prediction
from segment.core.errors import is_utf8, printable


def as_table(predictions: Sequence[Prediction]) -> str:
    """Formats predictions as a table with one line per image.

    A line has the name of the image and its most probable labels. Labels that are given have a
    star; where the model doubts that any applies, "unsure" is before them. Images that could not be
    labelled are left out.

    Args:
        predictions: Predictions to format.

    Returns:
        The table, without a final line break.
    """
    predictions = [p for p in predictions if not p.problem]
    cells = [
        [
            f"{'*' if name in p.given else ' '}{name} {probability:.3f}"
            for name, probability in p.labels
        ]
        for p in predictions
    ]
    if any(p.unsure for p in predictions):
        first = [["unsure" if p.unsure else ""] for p in predictions]
        cells = [cell + row for cell, row in zip(first, cells, strict=True)]
    columns = range(max(map(len, cells), default=0))
    widths = [max((len(row[i]) for row in cells if i < len(row)), default=0) for i in columns]
    names = [printable(p.image) for p in predictions]
    longest = max(map(len, names), default=0)
    lines = []
    for name, row in zip(names, cells, strict=True):
        padded = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([f"{name:<{longest}}", *padded]).rstrip())
    return "\n".join(lines)


def as_json(predictions: Sequence[Prediction]) -> str:
    """Formats predictions as JSON.

    Args:
        predictions: Predictions to format.

    Returns:
        A list of {image, labels: [{label, probability}], given, unsure, problem}; problem is null
        if there is none. Characters that are not printable are escaped as JSON has it.
    """
    entries = [
        {
            "image": p.image,
            "labels": [
                {"label": name, "probability": round(probability, 6)}
                for name, probability in p.labels
            ],
            "given": p.given,
            "unsure": p.unsure,
            "problem": p.problem,
        }
        for p in predictions
    ]
    text = json.dumps(entries, indent=2, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def as_csv(predictions: Sequence[Prediction]) -> str:
    """Formats predictions as CSV with one row per image.

    Args:
        predictions: Predictions to format.

    Returns:
        Rows with the columns image, given (labels separated by `;`), label_1, probability_1,
        label_2 and so on, under a header. The cells of an image that could not be labelled are
        empty.
    """
    most = max((len(p.labels) for p in predictions), default=0)
    header = [
        "image",
        "given",
        *(f"{kind}_{rank}" for rank in range(1, most + 1) for kind in ("label", "probability")),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for p in predictions:
        pairs = [value for name, probability in p.labels for value in (name, f"{probability:.6f}")]
        missing = [""] * (2 * (most - len(p.labels)))
        name = p.image if is_utf8(p.image) else printable(p.image)
        writer.writerow([name, ";".join(p.given), *pairs, *missing])
    return text.getvalue().rstrip("\n")
