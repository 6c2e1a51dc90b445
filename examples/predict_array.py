"""Runs a model on pixels that are in memory already.

Usage: python examples/predict_array.py PICTURE MODEL_FOLDER
"""

import sys
from pathlib import Path

import cv2
import numpy as np

import segment


def main(picture: Path, folder: Path) -> np.ndarray:
    """Predicts the classes of the first tile of a picture.

    Args:
        picture: Picture that OpenCV can read.
        folder: Model folder.

    Returns:
        Class indices (rows, columns).
    """
    model = segment.load_model(folder)
    print(model)
    pixels = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)[
        : model.info.tile, : model.info.tile
    ]
    pixels = segment.preprocess(pixels, model.info.preprocess)
    probabilities = model.predict(pixels[None])[0]
    labels = probabilities.argmax(axis=-1)
    for index, name in enumerate(model.info.class_table.names):
        print(f"{name:12} {np.mean(labels == index):6.1%}")
    return labels


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:3]))
