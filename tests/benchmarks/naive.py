"""Maps a scene as most tutorials do, without overlap.

The whole scene goes through patchify, model.predict and unpatchify.
"""

import sys

import keras
import numpy as np
import rasterio
from patchify import patchify, unpatchify

TILE = 256


def main(scene: str, model: str, output: str) -> None:
    """Maps a scene and saves the class indices as NPY."""
    with rasterio.open(scene) as file:
        pixels = file.read().transpose(1, 2, 0)
    patches = patchify(pixels, (TILE, TILE, 3), step=TILE)
    network = keras.saving.load_model(model, compile=False)
    probabilities = network.predict(patches.reshape(-1, TILE, TILE, 3), batch_size=8, verbose=0)
    labels = probabilities.argmax(axis=-1).astype(np.uint8).reshape(*patches.shape[:2], TILE, TILE)
    np.save(output, unpatchify(labels, (labels.shape[0] * TILE, labels.shape[1] * TILE)))


if __name__ == "__main__":
    main(*sys.argv[1:])
