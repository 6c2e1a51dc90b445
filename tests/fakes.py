"""Models made of numpy, the smallest encoder, and a Ctrl-C.

The answers of these models are known, so that a map can be checked pixel by pixel.
"""

from typing import Any

import numpy as np

from segment.core.labels.classes import Class
from segment.core.model.info import ModelInfo
from segment.core.progress import Silent

COLORS = ["#3C1098", "#8429F6", "#6EC1E4", "#FEDD3A", "#E2A929"]
NAMES = ["building", "land", "road", "vegetation", "water"]


def tiny_info(**settings: Any) -> ModelInfo:
    """Describes a model of 8-bit RGB with tiles of 32 pixels."""
    given = {"name": "tiny", "bands": 3, "dtype": "uint8", "range": (0, 255), "tile": 32}
    return ModelInfo(**(given | settings))


TINY_FEATURES = ("sixteenth", "eighth", "quarter", "half")
"""Layers of `tiny_encoder` that a decoder takes features of, the coarsest first."""


def tiny_encoder(input_shape: tuple[int | None, int | None, int], **_: Any) -> Any:
    """Builds an encoder of five convolutions, each of which halves the resolution."""
    import keras

    pixels = x = keras.Input(input_shape)
    for filters, name in zip((8, 8, 16, 16, 16), (*TINY_FEATURES[::-1], "last"), strict=True):
        x = keras.layers.Conv2D(
            filters, 3, strides=2, padding="same", activation="relu", name=name
        )(x)
    return keras.Model(pixels, x, name="tiny")


class FakeModel:
    """Model for which value k of a pixel's first band is class k. It counts its tiles."""

    def __init__(
        self, bands: int = 1, dtype: str = "uint8", tile: int = 32, classes: int = 5, **info: Any
    ):
        table = [
            Class(name=n, color=c, value=10 * i)
            for i, (n, c) in enumerate(zip(NAMES, COLORS, strict=True))
        ]
        self.info = ModelInfo(
            task="segment",
            name="fake",
            classes=table[:classes],
            bands=bands,
            dtype=dtype,
            range=(0, 255),
            tile=tile,
            **({"multiple": 8} | info),
        )
        self.runtime, self.identity = "fake", type(self).__name__
        self.shapes: set[tuple[int, ...]] = set()
        self.tiles = 0

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the probabilities (tiles, rows, columns, classes) of tiles."""
        assert pixels.dtype == self.info.dtype
        assert pixels.flags.c_contiguous
        self.shapes.add(pixels.shape)
        self.tiles += len(pixels)
        return self.answer(pixels)

    def recommended_batches(self, tile: int) -> tuple[int, int]:
        """Returns tiles per batch and number of threads."""
        return 8, 2

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the probabilities of tiles; subclasses override it."""
        classes = len(self.info.classes)
        return np.eye(classes, dtype=np.float32)[
            np.minimum(pixels[..., 0], classes - 1).astype(int)
        ]


class ConstantModel(FakeModel):
    """Model with the same probabilities everywhere."""

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the probabilities of tiles."""
        return np.full(
            (*pixels.shape[:3], 5), np.array([0.1, 0.2, 0.4, 0.2, 0.1], np.float32), np.float32
        )


class PlaceModel(FakeModel):
    """Model whose answer depends on the place in the tile, so that overlapping tiles disagree."""

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the probabilities of tiles."""
        rows, columns = np.mgrid[: pixels.shape[1], : pixels.shape[2]]
        phase = pixels[..., :1] / 7.0 + (rows / 5.0 + columns / 3.0)[None, ..., None] + np.arange(5)
        weights = np.exp(np.sin(phase)).astype(np.float32)
        return weights / weights.sum(axis=3, keepdims=True)


class StopAfter(Silent):
    """Progress that interrupts a training after an epoch, as Ctrl-C would."""

    def __init__(self, epoch: int):
        self._epoch = epoch

    def say(self, line: str) -> None:
        """Raises KeyboardInterrupt at the line of the epoch."""
        if line.startswith(f"epoch {self._epoch}/"):
            raise KeyboardInterrupt
