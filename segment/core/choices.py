"""Named choices and default values of options.

They are kept apart from the code that implements them, so that commands can list them without
loading it.
"""

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
imagenet_statistics with a bundled model on 8-bit RGB, otherwise (also with weights from files)
standardise.
"""

SampleStyle = Literal["dry", "varied"]
"""Style of generated sample towns.

dry: all in the same dry country. varied: each with its own climate, settlement and light.
"""

OVERLAP = 0.1875
"""Share of a tile's edge by which tiles of a map overlap their neighbours.

It is the fastest choice without seams, see docs/tiles.md.
"""

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
