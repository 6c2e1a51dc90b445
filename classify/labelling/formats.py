"""Labels of images as people and programs read them: a table, JSON, CSV."""

import csv
import io
import json
from collections.abc import Sequence

from classify.labelling.predict import Prediction


def as_table(predictions: Sequence[Prediction]) -> str:
    """A line per image: its name, then its likeliest labels, with a star those that are given. Images without are left out."""
    predictions = [p for p in predictions if not p.problem]
    cells = [
        [f"{'*' if name in p.given else ' '}{name} {probability:.3f}" for name, probability in p.labels] for p in predictions
    ]
    columns = range(max(map(len, cells), default=0))
    widths = [max((len(row[i]) for row in cells if i < len(row)), default=0) for i in columns]
    longest = max((len(p.image) for p in predictions), default=0)
    lines = []
    for prediction, row in zip(predictions, cells, strict=True):
        padded = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([f"{prediction.image:<{longest}}", *padded]).rstrip())
    return "\n".join(lines)


def as_json(predictions: Sequence[Prediction]) -> str:
    """A list of {image, labels: [{label, probability}], given, problem}; problem is null where there is none."""
    entries = [
        {
            "image": p.image,
            "labels": [{"label": name, "probability": round(probability, 6)} for name, probability in p.labels],
            "given": p.given,
            "problem": p.problem,
        }
        for p in predictions
    ]
    return json.dumps(entries, indent=2, ensure_ascii=False)


def as_csv(predictions: Sequence[Prediction]) -> str:
    """A row per image: its name, the labels given (with ; between), then label_1, probability_1, label_2, ..."""
    most = max((len(p.labels) for p in predictions), default=0)
    header = ["image", "given", *(f"{kind}_{rank}" for rank in range(1, most + 1) for kind in ("label", "probability"))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for p in predictions:
        pairs = [value for name, probability in p.labels for value in (name, f"{probability:.6f}")]
        writer.writerow([p.image, ";".join(p.given), *pairs])
    return text.getvalue().rstrip("\n")
