"""Predictions as text: a table, JSON or CSV."""

import csv
import io
import json
from collections.abc import Sequence

from classify.labelling.prediction import Prediction


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
        marks = [["unsure" if p.unsure else ""] for p in predictions]
        cells = [mark + row for mark, row in zip(marks, cells, strict=True)]
    columns = range(max(map(len, cells), default=0))
    widths = [max((len(row[i]) for row in cells if i < len(row)), default=0) for i in columns]
    longest = max((len(p.image) for p in predictions), default=0)
    lines = []
    for prediction, row in zip(predictions, cells, strict=True):
        padded = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([f"{prediction.image:<{longest}}", *padded]).rstrip())
    return "\n".join(lines)


def as_json(predictions: Sequence[Prediction]) -> str:
    """Formats predictions as JSON.

    Args:
        predictions: Predictions to format.

    Returns:
        A list of {image, labels: [{label, probability}], given, unsure, problem}; problem is null
        if there is none.
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
    return json.dumps(entries, indent=2, ensure_ascii=False)


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
        writer.writerow([p.image, ";".join(p.given), *pairs, *missing])
    return text.getvalue().rstrip("\n")
