"""Named choices and default values of options.

They are kept apart from the code that implements them, so that commands can list them without
loading it.
"""

from dataclasses import dataclass
from typing import Literal

Runtime = Literal["auto", "keras", "openvino"]
"""Library that runs a model.

auto: Keras if there is a GPU for it, otherwise OpenVINO if the model folder has an OpenVINO model,
otherwise Keras.
"""

ProgressForm = Literal["bar", "json"]
ExportFormat = Literal["openvino", "onnx", "hub"]
LabelExportFormat = Literal["openvino", "hub"]
"""Format that a model is exported to."""

Sampler = Literal["gp", "tpe", "random"]
"""Method by which a study chooses the settings to try.

gp: a Gaussian process. tpe: tree-structured Parzen estimators. random: for comparison.
"""

PolygonFormat = Literal["gpkg", "parquet"]
"""Format of the polygons of a map: GeoPackage or GeoParquet."""

Normalisation = Literal["auto", "minmax", "standardise", "imagenet", "imagenet_statistics"]
"""How pixels are normalised before they reach a network.

minmax, standardise: by the training pixels. imagenet: as the ImageNet weights of the backbone
expect. imagenet_statistics: by the mean and standard deviation of ImageNet, as weights from PyTorch
or MXNet's Gluon and the bundled models expect. auto: imagenet with downloaded ImageNet weights,
imagenet_statistics with a bundled model on 8-bit RGB, that of a run whose weights are taken and
that has the same bands and data type, otherwise (also with weights from files) standardise.
"""

SampleStyle = Literal["dry", "varied"]
"""Style of generated sample towns.

dry: all in the same dry country. varied: each with its own climate, settlement and light.
"""

TILE, OVERLAP = 512, 0.1875
"""Edge of the tiles of a map in pixels, and the share of it by which they overlap.

They are the fastest without seams, see docs/tiles.md. As the map depends on them, they are the same
on all backends.
"""


@dataclass(frozen=True)
class Batches:
    """How tiles are given to a backend; results do not depend on it.

    Attributes:
        pixels: Most pixels of a batch, which holds at least one tile.
        threads: Most threads that give batches, one per core at most.
    """

    pixels: int
    threads: int

    def of(self, tile: int) -> int:
        """Returns how many tiles a batch has.

        Args:
            tile: Edge of the tiles, pixels.

        Returns:
            The number, at least 1.
        """
        return max(self.pixels // tile**2, 1)


FASTEST = {
    "openvino": Batches(pixels=0, threads=8),  # each thread holds the activations of a tile
    "keras": Batches(pixels=8 * 256**2, threads=1),
    "keras on GPU": Batches(pixels=8 * 256**2, threads=1),
}
"""Batches by backend, to be chosen by `python -m tests.benchmarks settings`."""

BANDWIDTH = 0.5
"""Bandwidth of the densities that generators draw latents from, see `ClassDensities.draw`."""

LabelOrder = Literal["smaller", "larger", "first", "last"]
"""Which of two overlapping shapes of vector labels is on top, by area or by position in the
file."""

BOUNDARY_WIDTH, MOST_BOUNDARY_WIDTH = 7, 100
"""Width in pixels of the boundaries that are scored, and the largest one that can be chosen.

7 is 2 % of the diagonal of a tile of 256 pixels, as Cheng et al. choose for photographs. The width
is fixed, so that scores of scenes and tiles of any size can be compared.
"""
