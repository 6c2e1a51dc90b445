"""Sorts pictures into folders by what they show: python examples/sort_images.py PICTURES
MODEL_FOLDER OUTPUT
"""

import shutil
import sys
from collections import Counter
from pathlib import Path

import classify


def main(pictures: Path, model: Path, output: Path, sure: float = 0.8) -> Counter[str]:
    """How many went into each folder; unsure ones, or those below `sure`, go to "unsure"."""
    counts: Counter[str] = Counter()
    files = sorted(file for file in pictures.rglob("*") if file.is_file())
    for file, prediction in zip(files, classify.predict_images(files, model, top=1), strict=True):
        if prediction.problem:
            print(prediction)
            continue
        label, probability = prediction.labels[0]
        folder = label if probability >= sure and not prediction.unsure else "unsure"
        place = output / folder / file.relative_to(pictures)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
        counts[folder] += 1
    return counts


if __name__ == "__main__":
    for name, count in main(*(Path(argument) for argument in sys.argv[1:4])).most_common():
        print(f"{count:6} {name}")
