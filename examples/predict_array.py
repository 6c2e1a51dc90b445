"""Maps pixels that are in memory already.

Usage: python examples/predict_array.py PICTURE MODEL_FOLDER
"""

import sys
from pathlib import Path

import cv2
import numpy as np

import segment


def main(picture: Path, folder: Path) -> np.ndarray:
    """Maps a picture, and prints the share of each class.

    Args:
        picture: Picture that OpenCV can read.
        folder: Model folder.

    Returns:
        Class values (rows, columns).
    """
    pixels = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)
    found = segment.predict_array(pixels, folder)
    print(found)
    return found.labels


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:3]))
